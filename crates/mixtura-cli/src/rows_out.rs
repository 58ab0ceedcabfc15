//! Writes one CSV line per row of a file: chunks are worked on together and written in order.

use std::io::{self, ErrorKind};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use mixtura::data::{Buffer, CHUNK_ROWS, Chunk, Source};
use mixtura::{Error, Result};
use rayon::prelude::*;

use crate::failure::{Failure, INTERRUPTED};
use crate::{interrupt, output};

/// Most rows that are worked on at once: between two of these the user can interrupt, and lines may be long.
pub(crate) const ROWS: usize = 256;

/// Writes `header` and then what `lines` makes of every few rows (at most [`ROWS`]), with one `worker` per thread. Memory holds
/// the lines of a few hundred rows per thread, however long the file. `source` is the file's name for refusals, `what` is not
/// complete if the user interrupts.
pub(crate) fn write<W: Send>(
    out: Option<&str>,
    header: &str,
    (rows, source): (&dyn Source, &str),
    what: &str,
    worker: impl Fn() -> W + Sync,
    lines: impl Fn(&mut W, Chunk<'_>, &mut Vec<u8>) -> Result<()> + Sync,
) -> std::result::Result<(), Failure> {
    output::check_table(out)?;
    let stop = interrupt::polled();
    // One per thread that ever worked: what a worker has learned (factors of missing patterns) serves all its rows.
    let workers: Mutex<Vec<W>> = Mutex::default();
    let text_of = |piece: Chunk<'_>| {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let mut own = workers.lock().expect("no panic while held").pop().unwrap_or_else(&worker);
        let mut text = Vec::new();
        let made = lines(&mut own, piece, &mut text);
        workers.lock().expect("no panic while held").push(own);
        made.map(|()| text)
    };
    let threads = rayon::current_num_threads();
    // Chunks are read once; so many that every thread has a piece of one.
    let mut buffers: Vec<Buffer> = Vec::new();
    buffers.resize_with(threads.div_ceil(CHUNK_ROWS.div_ceil(ROWS)), Buffer::default);
    let mut failed = None;
    let written = output::write(out, |out| {
        writeln!(out, "{header}")?;
        let mut fail = |error| {
            failed = Some(error);
            io::Error::from(ErrorKind::Interrupted)
        };
        for first in (0..rows.n_chunks()).step_by(buffers.len()) {
            let ids = first..rows.n_chunks();
            let chunks: Result<Vec<Chunk<'_>>> =
                ids.zip(&mut buffers).map(|(id, buffer)| rows.read(id, buffer)).collect();
            let pieces: Vec<Chunk<'_>> = chunks.map_err(&mut fail)?.iter().flat_map(pieces).collect();
            for together in pieces.chunks(threads) {
                let texts: Result<Vec<Vec<u8>>> = together.par_iter().map(|piece| text_of(*piece)).collect();
                texts.map_err(&mut fail)?.iter().try_for_each(|text| out.write_all(text))?;
            }
        }
        Ok(())
    });
    match failed {
        Some(Error::Interrupted) => {
            Err(Failure::new(INTERRUPTED, format!("interrupted: the {what} are not complete, no file is written")))
        }
        Some(error) => Err(Failure::about(source, &error)),
        None => written,
    }
}

/// A chunk in pieces of [`ROWS`] rows.
fn pieces<'a>(chunk: &Chunk<'a>) -> Vec<Chunk<'a>> {
    let n = chunk.rows.n_rows();
    (0..n).step_by(ROWS).map(|start| chunk.slice(start, (start + ROWS).min(n))).collect()
}

/// Appends a number as one more cell.
pub(crate) fn cell(text: &mut Vec<u8>, x: f64) {
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b',');
    }
    // Writing to memory cannot fail.
    let _ = output::number(text, x);
}

/// "1 row", "2 rows".
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
