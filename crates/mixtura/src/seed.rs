//! The seed tree: every random draw has an address (seed → purpose → restart → …), so results do not depend on order.

use rand::SeedableRng;
pub use rand_chacha::ChaCha8Rng as Rng;

/// A node of the seed tree. Children with different numbers give unrelated streams.
///
/// ```
/// use mixtura::Seed;
/// assert_eq!(Seed::new(7).child(3), Seed::new(7).child(3));
/// assert_ne!(Seed::new(7).child(3), Seed::new(7).child(4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The root for a user's seed.
    pub fn new(seed: u64) -> Self {
        Seed(mix(seed))
    }

    /// The node below this one with the given number.
    pub fn child(self, number: u64) -> Self {
        Seed(mix(self.0 ^ mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// One random number, where a stream of them is not needed.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// A number evenly over [0, 1), where one is all that is drawn here.
    pub(crate) fn uniform(self) -> f64 {
        // The upper 53 bits: as many as a fraction has.
        (self.0 >> 11) as f64 * (0.5 * f64::EPSILON)
    }

    /// The stream of this node (ChaCha with 8 rounds).
    pub fn rng(self) -> Rng {
        Rng::seed_from_u64(self.0)
    }
}

/// SplitMix64's finaliser (Steele, Lea & Flood 2014): a bijection whose outputs pass avalanche tests.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
