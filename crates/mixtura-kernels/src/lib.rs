//! Numerical kernels on slices: no model types, no allocation, the caller's memory.
//!
//! Rows are processed in *tiles* of at most [`TILE`] rows, stored feature-major: feature `j` of a tile is
//! `tile[j * TILE ..][.. n]`, so that rows lie along the vector lanes. Lanes past the last row hold finite padding.
//! Every kernel takes an [`Isa`], detected once; each path gives the same bits on every run, and two paths differ by
//! rounding only (fused against separate multiply-add).

pub mod cholesky;
pub mod exp;
pub mod gaussian;
pub mod moments;
mod simd;
pub mod softmax;

pub use simd::Isa;

/// Rows per tile: small enough that a tile of 32 features stays in a 512 kB L2 cache beside its copies, large enough
/// to spread the cost of the horizontal sums in [`moments`].
pub const TILE: usize = 256;
