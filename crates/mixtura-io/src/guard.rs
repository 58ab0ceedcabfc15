//! Turns a panic of a decoder into a refusal of the file.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::arrow_cells::damaged;
use crate::error::ReadError;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call into the Parquet or Arrow decoder.
///
/// Both validate most of what they read but not all: on damaged seeds (`tests/corpus.rs`) arrow-ipc 59 panics in
/// `convert.rs`, `reader.rs` and `boolean.rs`, parquet 59 in `file/metadata/mod.rs`. A panic there means that the file
/// is damaged, and the decoder is not used again.
pub(crate) fn guarded<T>(source: &str, call: impl FnOnce() -> T) -> Result<T, ReadError> {
    static SILENCER: Once = Once::new();
    SILENCER.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                report(info);
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(call));
    QUIET.set(false);
    outcome.map_err(|_| damaged(source, "its parts contradict each other"))
}
