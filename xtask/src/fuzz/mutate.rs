//! Broken inputs out of whole ones: a few changes each, the same from one run to the next.
//!
//! Knows nothing of the formats but their seeds, whose pieces it mixes.

use infermeter_core::seed::splitmix64;

/// Longer inputs are cut: most decoders have shown all they do by then, and runs stay many.
const LONGEST: usize = 16 << 10;

/// What numbers and texts are often not ready for.
const WORDS: [&[u8]; 16] = [
    b"0",
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"\"\"",
    b"[]",
    b"{}",
    b"\r\n\r\n",
    b"\n\n",
    b"\\u0000",
    b"18446744073709551616",
    b"\xff",
    b"\0",
    b"\xf0\x9f\x98\x80",
    b"ffffffffffffffff",
];

/// Makes inputs out of seeds.
pub(super) struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutator<'a> {
    /// Of these seeds; there must be one.
    pub(super) fn of(seeds: &'a [Vec<u8>]) -> Self {
        Self { seeds, state: 1 }
    }

    /// The next input, in place of what is there.
    pub(super) fn next_into(&mut self, input: &mut Vec<u8>) {
        input.clone_from(self.seed());
        for _ in 0..=self.below(4) {
            self.change(input);
        }
        input.truncate(LONGEST);
    }

    fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(1);
        (splitmix64(self.state) % n.max(1) as u64) as usize
    }

    fn seed(&mut self) -> &'a Vec<u8> {
        let index = self.below(self.seeds.len());
        &self.seeds[index]
    }

    /// A place, and the end of a short piece that begins there.
    fn piece(&mut self, of: &[u8]) -> (usize, usize) {
        let start = self.below(of.len() + 1);
        let length = 1 << self.below(8);
        (start, (start + self.below(length) + 1).min(of.len()))
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (start, end) = self.piece(input);
        match self.below(8) {
            0 => {
                if let Some(byte) = input.get_mut(start) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                let byte = self.below(256) as u8;
                input.insert(start, byte);
            }
            2 => drop(input.drain(start..end.max(start))),
            3 => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(start..start, word.iter().copied());
            }
            4 => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(start..end.max(start), word.iter().copied());
            }
            // The same again, up to a thousand times: what costs more than its length shows here.
            5 => {
                let again = input.get(start..end).unwrap_or_default();
                let again = again.repeat(1 << self.below(10));
                let room = LONGEST.saturating_sub(input.len()).min(again.len());
                input.splice(start..start, again[..room].iter().copied());
            }
            6 => {
                let other = self.seed();
                let (from, to) = self.piece(other);
                let piece = other.get(from..to).unwrap_or_default();
                input.splice(start..start, piece.iter().copied());
            }
            _ => input.truncate(start),
        }
    }
}

/// A number that tells inputs apart.
pub(super) fn hash(input: &[u8]) -> u64 {
    input
        .iter()
        .fold(0, |hash, byte| splitmix64(hash ^ u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_differ_and_are_the_same_again() {
        let seeds = [b"data: {\"a\": 1}\n\n".to_vec(), Vec::new()];
        let inputs = || {
            let mut mutator = Mutator::of(&seeds);
            let mut input = Vec::new();
            let mut next = |_| {
                mutator.next_into(&mut input);
                assert!(input.len() <= LONGEST);
                input.clone()
            };
            (0..500).map(&mut next).collect::<Vec<_>>()
        };
        let mut distinct = inputs();
        assert_eq!(distinct, inputs());
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 300, "{}", distinct.len());
    }
}
