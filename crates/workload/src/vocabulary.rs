//! The built-in vocabularies, as `build.rs` packed them.
//!
//! Only ordinary text is ever counted, so special tokens are left out. Invariant: `encode_ordinary` gives
//! the tokens that the vocabulary's own library gives.

use crate::tokenizer::{BuiltIn, TokenizerError};
use flate2::read::DeflateDecoder;
use std::collections::HashMap;
use std::io::Read;
use tiktoken_rs::{CoreBPE, O200K_BASE_PAT_STR, Rank};

/// How cl100k splits text before its pairs are merged.
const CL100K_PATTERN: &str = concat!(
    r"'(?i:[sdmt]|ll|ve|re)",
    r"|[^\r\n\p{L}\p{N}]?+\p{L}++",
    r"|\p{N}{1,3}+",
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+",
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
);

/// What makes a vocabulary.
struct Packed {
    name: &'static str,
    tokens: &'static [u8],
    pattern: &'static str,
}

impl Packed {
    fn of(which: BuiltIn) -> Self {
        match which {
            BuiltIn::Cl100k => Self {
                name: "cl100k",
                tokens: include_bytes!(concat!(env!("OUT_DIR"), "/cl100k.vocabulary")),
                pattern: CL100K_PATTERN,
            },
            BuiltIn::O200k => Self {
                name: "o200k",
                tokens: include_bytes!(concat!(env!("OUT_DIR"), "/o200k.vocabulary")),
                pattern: O200K_BASE_PAT_STR,
            },
        }
    }

    fn load(&self) -> Result<CoreBPE, Box<dyn std::error::Error + Send + Sync>> {
        let mut bytes = Vec::new();
        DeflateDecoder::new(self.tokens).read_to_end(&mut bytes)?;
        let mut ranks: HashMap<Vec<u8>, Rank, _> = HashMap::default();
        let mut rest = bytes.as_slice();
        while let Some((length, tail)) = rest.split_first() {
            let (token, tail) = tail.split_at(usize::from(*length));
            ranks.insert(token.to_vec(), Rank::try_from(ranks.len())?);
            rest = tail;
        }
        Ok(CoreBPE::new(ranks, HashMap::default(), self.pattern)?)
    }
}

/// Loads one.
///
/// # Errors
/// Where what was packed cannot be read.
pub(crate) fn load(which: BuiltIn) -> Result<CoreBPE, TokenizerError> {
    let packed = Packed::of(which);
    packed.load().map_err(|error| TokenizerError::BuiltIn {
        name: packed.name,
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words, numbers, contractions, spaces at every place, line ends, scripts, and bytes of long tokens.
    const TEXT: &str = "It's 12345 o'clock!\r\n\n  We'LL see:\tfoo_bar(x)   \n// naïve ÄÖÜ 中文字符 🙂🙂 ----------    ";

    fn check(which: BuiltIn, theirs: &CoreBPE) {
        let ours = load(which).expect("a vocabulary");
        assert_eq!(ours.encode_ordinary(TEXT), theirs.encode_ordinary(TEXT));
        for rank in (0..100_000).step_by(7) {
            let token = theirs.decode_bytes(&[rank]).expect("a token");
            assert_eq!(ours.decode_bytes(&[rank]).expect("a token"), token);
        }
    }

    #[test]
    fn packed_vocabularies_are_the_library_s() {
        check(
            BuiltIn::Cl100k,
            &tiktoken_rs::cl100k_base().expect("cl100k"),
        );
        check(BuiltIn::O200k, &tiktoken_rs::o200k_base().expect("o200k"));
    }
}
