//! A part of a load: one of several clients takes every n-th of what begins something.
//!
//! It does not say where a slice is executed: a thread, a process, another machine.
//!
//! Invariant: the slices `0/n` to `n-1/n` have each number of the whole exactly once, and within a
//! slice the order of the whole. A slice of a slice is a slice of the whole.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Part `index` of `of` equal parts: it takes the numbers `index`, `index + of`, `index + 2 of` and
/// so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Unchecked")]
pub struct Slice {
    /// Which part, from 0.
    index: u32,
    /// Of how many.
    of: u32,
}

/// As it stands in a file.
#[derive(Deserialize, JsonSchema)]
struct Unchecked {
    index: u32,
    of: u32,
}

/// Why a load cannot be cut so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SliceError {
    /// There is no such part.
    #[error("there is no slice {index} of {of}: slices of n count from 0 to n-1")]
    None {
        /// Its number.
        index: u32,
        /// Of how many.
        of: u32,
    },
    /// Some slice of a closed loop would have nothing to do.
    #[error("{has} {what} cannot be cut into {of} slices: use at most {has}")]
    TooFine {
        /// Slots or requests.
        what: &'static str,
        /// How many of them there are.
        has: u64,
        /// How many slices there would be.
        of: u32,
    },
}

impl TryFrom<Unchecked> for Slice {
    type Error = SliceError;

    fn try_from(read: Unchecked) -> Result<Self, SliceError> {
        Self::new(read.index, read.of)
    }
}

impl Default for Slice {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl Slice {
    /// Everything.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Part `index`, from 0, of `of`.
    ///
    /// # Errors
    /// When there is no such part.
    pub fn new(index: u32, of: u32) -> Result<Self, SliceError> {
        match index < of {
            true => Ok(Self { index, of }),
            false => Err(SliceError::None { index, of }),
        }
    }

    /// The parts of `of`, in order.
    pub fn all(of: u32) -> impl Iterator<Item = Self> {
        (0..of).map(move |index| Self { index, of })
    }

    /// Its number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// It is no part but everything.
    pub fn is_whole(&self) -> bool {
        self.of == 1
    }

    /// Its `number`th is which of the whole, both from 0.
    pub fn in_whole(self, number: u64) -> u64 {
        u64::from(self.index) + number * u64::from(self.of)
    }

    /// The inverse of [`Self::in_whole`], for what it takes.
    pub fn in_slice(self, number: u64) -> u64 {
        number / u64::from(self.of)
    }

    /// Whether it takes this number of the whole.
    pub fn takes(self, number: u64) -> bool {
        number % u64::from(self.of) == u64::from(self.index)
    }

    /// How many of the first `total` it takes.
    pub fn share(self, total: u64) -> u64 {
        let of = u64::from(self.of);
        total / of + u64::from(u64::from(self.index) < total % of)
    }

    /// This part of the slice `outer`, as a part of the whole.
    pub(super) fn inside(self, outer: Self) -> Self {
        Self {
            index: outer.index + outer.of * self.index,
            of: outer.of * self.of,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_share_everything_among_them() {
        for of in [1, 2, 3, 7] {
            for total in 0..30 {
                let shares: u64 = Slice::all(of).map(|s| s.share(total)).sum();
                assert_eq!(shares, total);
                for slice in Slice::all(of) {
                    let own: Vec<u64> = (0..total).filter(|n| slice.takes(*n)).collect();
                    assert_eq!(own.len() as u64, slice.share(total));
                    for (number, whole) in own.into_iter().enumerate() {
                        assert_eq!(slice.in_whole(number as u64), whole);
                        assert_eq!(slice.in_slice(whole), number as u64);
                    }
                }
            }
        }
    }

    #[test]
    fn a_slice_of_a_slice_is_a_slice_of_the_whole() {
        for outer in Slice::all(3) {
            for inner in Slice::all(4) {
                let both = inner.inside(outer);
                assert_eq!(both.of(), 12);
                for number in 0..5 {
                    let twice = outer.in_whole(inner.in_whole(number));
                    assert_eq!(both.in_whole(number), twice);
                }
            }
        }
    }

    #[test]
    fn what_is_no_slice_is_refused() {
        for (index, of) in [(0, 0), (3, 3), (4, 3)] {
            assert_eq!(Slice::new(index, of), Err(SliceError::None { index, of }));
            let text = format!("{{\"index\":{index},\"of\":{of}}}");
            let read = serde_json::from_str::<Slice>(&text);
            assert!(read.expect_err("no slice").to_string().contains("no slice"));
        }
        let third = Slice::new(2, 3).expect("a slice");
        let text = serde_json::to_string(&third).expect("JSON");
        assert_eq!(text, "{\"index\":2,\"of\":3}");
        assert_eq!(serde_json::from_str::<Slice>(&text).expect("read"), third);
    }
}
