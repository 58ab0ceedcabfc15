//! A progress bar on standard error, where that is a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use mixtura::fit::Progress;

/// Steps per candidate: restarts differ in number between candidates, candidates weigh the same.
const STEPS: u64 = 1000;

/// A bar over all candidates of a fit.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for so many candidates; none is drawn where nobody would see it.
    pub(crate) fn new(candidates: usize, wanted: bool) -> Self {
        if !wanted || !std::io::stderr().is_terminal() {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(candidates as u64 * STEPS);
        if let Ok(style) = ProgressStyle::with_template("fitting {wide_bar} {percent:>3}% {elapsed} {msg}") {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// Takes a report of the fit, from any thread.
    pub(crate) fn report(&self, progress: Progress) {
        self.advance(progress);
        self.0.set_message(format!("K = {}", progress.n_components));
    }

    /// The same for a fit that tries no other numbers of components.
    pub(crate) fn advance(&self, progress: Progress) {
        self.0.inc(STEPS / progress.total.max(1) as u64);
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
