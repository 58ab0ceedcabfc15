//! Runtime choice of the instruction set: one generic body per kernel, compiled once for each path.

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
}

impl Isa {
    /// The fastest path of this machine.
    pub fn detect() -> Self {
        *Self::available().last().expect("the portable path always exists")
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
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}

/// `a·b + c`, fused where the path has the instruction. Without it `f64::mul_add` would call a slow library routine.
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `L` consecutive rows of one feature of a tile.
#[inline(always)]
pub(crate) fn lanes<const L: usize>(tile: &[f64], feature: usize, row: usize) -> &[f64; L] {
    tile[feature * crate::TILE + row..][..L].try_into().expect("a lane block")
}

/// Defines `pub fn name(isa, args…)` that runs `body::<FMA, LANES>(args…)` compiled for the path of `isa`.
/// `LANES` is the number of rows of a register block, given as `portable/avx2/avx512`.
macro_rules! kernel {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident : $ty:ty),* $(,)?) = $body:ident, lanes $l:literal / $l2:literal / $l512:literal) => {
        $(#[$doc])*
        #[allow(unsafe_code, clippy::too_many_arguments)]
        pub fn $name(isa: $crate::Isa, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) {
                    $body::<true, $l2>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                fn avx512($($arg: $ty),*) {
                    $body::<true, $l512>($($arg),*)
                }
                match isa.level() {
                    $crate::simd::Level::Portable => {}
                    // SAFETY: an `Isa` of this level exists only where detection found the features.
                    $crate::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                }
            }
            let _ = isa;
            // Every 64-bit Arm has fused multiply-add.
            $body::<{ cfg!(target_arch = "aarch64") }, $l>($($arg),*)
        }
    };
}
pub(crate) use kernel;
