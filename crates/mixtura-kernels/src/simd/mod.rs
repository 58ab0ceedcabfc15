//! Vectors of `f64`, and the choice of the instruction set at run time: one generic body per kernel, compiled once for
//! each path.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// Most rows in a register block, of all paths.
pub(crate) const MAX_BLOCK: usize = 24;

/// What a kernel needs of an instruction set. Loads and stores panic where the slice is shorter than a vector.
pub(crate) trait Simd: Copy {
    /// A vector of `LANES` numbers.
    type V: Copy;
    const LANES: usize;
    /// Vectors in a register block of rows.
    const ROWS: usize;
    /// Outputs in a register block of the whitening.
    const PANEL: usize;
    /// Most features whose moments stay in registers.
    const SMALL: usize;
    /// Most features whose whitening does.
    const SMALL_WHITENING: usize;
    /// Components in a register block of quadratic features.
    const GROUP: usize;
    /// Most features whose log-densities are faster by quadratic features.
    const POLYNOMIALS: usize;

    fn splat(x: f64) -> Self::V;
    fn load(from: &[f64]) -> Self::V;
    /// The first numbers of a slice that may be short, then zeros.
    fn load_partial(from: &[f64]) -> Self::V;
    fn store(to: &mut [f64], v: Self::V);
    fn add(a: Self::V, b: Self::V) -> Self::V;
    fn sub(a: Self::V, b: Self::V) -> Self::V;
    fn mul(a: Self::V, b: Self::V) -> Self::V;
    fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a·b + c`, fused where the path has the instruction.
    fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn sqrt(a: Self::V) -> Self::V;
    /// The larger; `b` where one is not a number.
    fn max(a: Self::V, b: Self::V) -> Self::V;
    /// `yes` where a < b, else `no` (also where one is not a number).
    fn if_less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `yes` where `a` is not a number, else `no`.
    fn if_nan(a: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// 2^k from `k + 1.5·2^52`, −1022 ≤ k ≤ 1023.
    fn power_of_two(shifted: Self::V) -> Self::V;
    /// Exponent and mantissa in [1, 2) of positive normal numbers.
    fn exponent_mantissa(a: Self::V) -> (Self::V, Self::V);
    /// Sum of the lanes, pairwise: the order is part of the result's bits.
    fn sum(a: Self::V) -> f64;
    /// Sums of the lanes of the first `LANES` vectors, one per lane.
    fn sum_each(a: &[Self::V; 8]) -> Self::V;
    /// Whether a lane has a < b.
    fn any_less(a: Self::V, b: Self::V) -> bool;
    /// `LANES` numbers from each of `LANES` rows, `stride` apart, become `LANES` vectors of a block, `block` apart.
    fn transpose(from: &[f64], stride: usize, to: &mut [f64], block: usize);
}

/// One feature of a block of rows.
#[inline(always)]
pub(crate) fn vectors<S: Simd, const C: usize>(from: &[f64]) -> [S::V; C] {
    let from = &from[..C * S::LANES];
    let mut v = [S::splat(0.0); C];
    for c in 0..C {
        v[c] = S::load(&from[c * S::LANES..]);
    }
    v
}

/// An instruction set that this machine has. Build one with [`Isa::detect`] or choose from [`Isa::available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// The fastest path of this machine, or that which the environment variable `MIXTURA_ISA` names (`portable`, `avx2`,
    /// `avx512`, `neon`): for results with the same bits on machines that differ, and for tests. A name that is unknown or not
    /// available is ignored.
    pub fn detect() -> Self {
        static CHOICE: OnceLock<Isa> = OnceLock::new();
        *CHOICE.get_or_init(|| {
            let paths = Self::available();
            let wanted = std::env::var("MIXTURA_ISA").ok();
            let named = paths.iter().find(|isa| wanted.as_deref() == Some(isa.name()));
            *named.or(paths.last()).expect("the portable path always exists")
        })
    }

    /// The path that needs nothing beyond the compilation target.
    pub fn portable() -> Self {
        Isa(Level::Portable)
    }

    /// Every path that this machine can run, slowest first; tests run each.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut paths = vec![Isa(Level::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("fma");
            if fma && is_x86_feature_detected!("avx2") {
                paths.push(Isa(Level::Avx2));
            }
            if fma && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                paths.push(Isa(Level::Avx512));
            }
        }
        #[cfg(target_arch = "aarch64")]
        paths.push(Isa(Level::Neon));
        paths
    }

    /// Name of the path, for reports.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
        }
    }

    /// Rows in a register block: tiles are stored in blocks of so many rows.
    pub fn block(self) -> usize {
        fn rows<S: Simd>() -> usize {
            const { assert!(S::ROWS * S::LANES <= MAX_BLOCK) }
            const { assert!(crate::TILE.is_multiple_of(S::ROWS * S::LANES)) }
            S::ROWS * S::LANES
        }
        match self.0 {
            Level::Portable => rows::<Portable>(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => rows::<Avx2>(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => rows::<Avx512>(),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => rows::<Neon>(),
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}

/// Defines `pub fn name(isa, args…) -> result` that runs `body::<S>(args…)` compiled for the path of `isa`.
macro_rules! kernel {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident : $ty:ty),* $(,)?) $(-> $out:ty)? = $body:ident) => {
        $(#[$doc])*
        #[allow(unsafe_code, clippy::too_many_arguments)]
        $vis fn $name(isa: $crate::Isa, $($arg: $ty),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $out)? {
                    $body::<$crate::simd::Avx2>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $out)? {
                    $body::<$crate::simd::Avx512>($($arg),*)
                }
                match isa.level() {
                    $crate::simd::Level::Portable => {}
                    // SAFETY: an `Isa` of this level exists only where detection found the features.
                    $crate::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                }
            }
            #[cfg(target_arch = "aarch64")]
            if isa.level() == $crate::simd::Level::Neon {
                return $body::<$crate::simd::Neon>($($arg),*);
            }
            let _ = isa.level();
            $body::<$crate::simd::Portable>($($arg),*)
        }
    };
}
pub(crate) use kernel;
