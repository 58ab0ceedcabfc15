//! Writes one CSV line per row of a file: chunks are worked on together and written in order.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;

use mixtura::data::{Buffer, CHUNK_ROWS, Chunk, Source};
use mixtura::{Error, Result};
use rayon::prelude::*;

use crate::failure::{Failure, INTERRUPTED};
use crate::{interrupt, output};

/// Rows whose lines are made at once: between two of these the user can interrupt, and lines may be long.
const ROWS: usize = 256;

/// Writes `header` and then what `lines` makes of every few rows, with one `worker` per thread. Memory holds the lines of a
/// few thousand rows, however long the file. `source` is the file's name for refusals, `what` is not complete if the user
/// interrupts.
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
    let mut failed = None;
    let mut stopped = false;
    let per_chunk = CHUNK_ROWS.div_ceil(ROWS);
    let pieces = rows.n_chunks() * per_chunk;
    let written = output::write(out, |out| {
        writeln!(out, "{header}")?;
        let together = per_chunk * rayon::current_num_threads();
        for first in (0..pieces).step_by(together) {
            let texts: Result<Vec<Vec<u8>>> = (first..(first + together).min(pieces))
                .into_par_iter()
                .map_init(
                    || (Buffer::default(), worker()),
                    |(buffer, worker), piece| {
                        let mut text = Vec::new();
                        if stop.load(Ordering::Relaxed) {
                            return Err(Error::Interrupted);
                        }
                        let chunk = rows.read(piece / per_chunk, buffer)?;
                        let n = chunk.rows.n_rows();
                        let start = (piece % per_chunk * ROWS).min(n);
                        lines(worker, chunk.slice(start, (start + ROWS).min(n)), &mut text)?;
                        Ok(text)
                    },
                )
                .collect();
            match texts {
                Ok(texts) => texts.iter().try_for_each(|text| out.write_all(text))?,
                Err(error) => {
                    stopped = error == Error::Interrupted;
                    failed = Some(error);
                    return Err(io::Error::from(ErrorKind::Interrupted));
                }
            }
        }
        Ok(())
    });
    match failed {
        Some(_) if stopped => {
            Err(Failure::new(INTERRUPTED, format!("interrupted: the {what} are not complete, no file is written")))
        }
        Some(error) => Err(Failure::about(source, &error)),
        None => written,
    }
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
