//! Numerical kernels on slices: no model types, no allocation, the caller's memory.
//!
//! Rows are processed in *tiles* of at most [`TILE`] rows (see [`tile`]); values per row and component are component-major with
//! stride [`TILE`]. Every kernel takes an [`Isa`], detected once; each path gives the same bits on every run, and two paths
//! differ by rounding only (fused against separate multiply-add, the width of sums).

mod aligned;
pub mod cholesky;
pub mod exp;
pub mod features;
pub mod gaussian;
pub mod groups;
pub mod moments;
pub mod nearest;
pub mod peak;
mod simd;
pub mod softmax;
pub mod tile;

pub use aligned::Aligned;
pub use simd::Isa;

/// Rows per tile: a whole number of register blocks on every path, small enough that a tile of 32 features stays in a 512 kB L2
/// cache beside its copies, large enough to spread what is paid once per tile and component.
pub const TILE: usize = 240;
