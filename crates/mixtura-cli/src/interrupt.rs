//! Ctrl-C: the first one asks the work under way to end and keep what it has, the second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, INTERRUPTED, IO};

static REQUESTED: AtomicBool = AtomicBool::new(false);
/// Whether somebody looks at [`REQUESTED`] now.
static POLLED: AtomicBool = AtomicBool::new(false);

/// Catches SIGINT, SIGTERM and SIGHUP. Until [`polled`] is called, the first one ends the process.
pub(crate) fn install() -> Result<(), Failure> {
    let handler = || {
        let again = REQUESTED.swap(true, Ordering::SeqCst);
        if !POLLED.load(Ordering::SeqCst) {
            eprintln!("mixtura: interrupted before there was anything to keep");
        }
        if again || !POLLED.load(Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::new(IO, format!("cannot catch Ctrl-C: {error}")))
}

/// From now on the caller looks at the flag that this returns.
pub(crate) fn polled() -> &'static AtomicBool {
    POLLED.store(true, Ordering::SeqCst);
    &REQUESTED
}

/// Whether the user wants to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
