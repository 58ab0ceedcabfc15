//! Memory for numbers that begins at a cache line, so that no vector lies across two.

use std::ops::{Deref, DerefMut};

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f64; 8]);

/// A slice of numbers whose first lies at the start of a cache line.
#[derive(Clone, Debug, Default)]
pub struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        Aligned { lines: vec![Line([0.0; 8]); len.div_ceil(8)], len }
    }
}

impl Deref for Aligned {
    type Target = [f64];

    #[allow(unsafe_code)]
    fn deref(&self) -> &[f64] {
        // SAFETY: the lines are one array of at least `len` initialised numbers (`repr(C)`, no padding: 8 · 8 = 64 bytes).
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut [f64] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_at_a_line_and_has_its_length() {
        for len in [0, 1, 8, 1001] {
            let mut a = Aligned::zeros(len);
            assert_eq!((a.len(), a.as_ptr().addr() % 64), (len, 0));
            a.fill(1.0);
            assert_eq!(a.iter().sum::<f64>(), len as f64);
        }
    }
}
