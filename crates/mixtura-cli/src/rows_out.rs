//! Writes one CSV line per row of a file: chunks are worked on together and written in order.

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;

use mixtura::Result;
use mixtura::data::{Buffer, Chunk, Source};
use rayon::prelude::*;

use crate::failure::{Failure, INTERRUPTED};
use crate::{interrupt, output};

/// Writes `header` and then what `lines` makes of every chunk, with one `worker` per thread. Memory holds a few chunks,
/// however long the file. `source` is the file's name for refusals, `what` is not complete if the user interrupts.
pub(crate) fn write<W: Send>(
    out: Option<&str>,
    header: &str,
    (rows, source): (&dyn Source, &str),
    what: &str,
    worker: impl Fn() -> W + Sync,
    lines: impl Fn(&mut W, Chunk<'_>, &mut Vec<u8>) -> Result<()> + Sync,
) -> std::result::Result<(), Failure> {
    let stop = interrupt::polled();
    let mut failed = None;
    let written = output::write(out, |out| {
        writeln!(out, "{header}")?;
        let together = 4 * rayon::current_num_threads();
        for first in (0..rows.n_chunks()).step_by(together) {
            if stop.load(Ordering::Relaxed) {
                return Err(io::Error::from(ErrorKind::Interrupted));
            }
            let ids = first..(first + together).min(rows.n_chunks());
            let texts: Result<Vec<Vec<u8>>> = ids
                .into_par_iter()
                .map_init(
                    || (Buffer::default(), worker()),
                    |(buffer, worker), id| {
                        let mut text = Vec::new();
                        lines(worker, rows.read(id, buffer)?, &mut text)?;
                        Ok(text)
                    },
                )
                .collect();
            match texts {
                Ok(texts) => texts.iter().try_for_each(|text| out.write_all(text))?,
                Err(error) => {
                    failed = Some(error);
                    return Err(io::Error::from(ErrorKind::InvalidData));
                }
            }
        }
        Ok(())
    });
    if interrupt::requested() {
        return Err(Failure::new(INTERRUPTED, format!("interrupted: the {what} are not complete")));
    }
    match failed {
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
