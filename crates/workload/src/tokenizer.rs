//! The tokenizer that prompt lengths are meant under: a built-in vocabulary or a `tokenizer.json`.
//!
//! It does not count the tokens of answers; [`crate::TokenCounter`] does, after the run. The
//! built-in ones load no vocabulary: every piece of [`crate::words`] is one token under them.
//!
//! Invariant: a prompt it hands out has exactly the number of tokens asked for, chat template and
//! special tokens excluded, or it is an error.

use crate::blocks::{Segment, SegmentedPrompt, Style};
use crate::file::hex;
use crate::noise::Noise;
use crate::prompt::{Drawn, compose};
use crate::prompt_error::PromptError;
use crate::words::WordTable;
use infermeter_core::text::inert;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Words that a `tokenizer.json` must leave usable in each place of a sentence: enough that the
/// salt of a prompt (thirteen words then) fits into the first block of 16 tokens.
const LEAST_WORDS: usize = 32;

/// With fewer of the English words, a vocabulary's own words are tried as well,
const FEW_WORDS: usize = 64;
/// the first so many of them: vocabularies begin with what is common.
const OWN_WORDS: usize = 4_096;
/// Letters of such a word: shorter ones merge with neighbours, longer ones are rarely words.
const OWN_LETTERS: std::ops::RangeInclusive<usize> = 2..=16;

/// Attempts to meet a length under a tokenizer that merges some neighbours: this many texts,
const VARIANTS: u64 = 8;
/// each with the number of pieces corrected so often.
const CORRECTIONS: u32 = 6;

/// Why a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// Neither a built-in name nor a file.
    #[error(
        "unknown tokenizer `{name}` (--tokenizer): one of {}, or the path of a tokenizer.json",
        Tokenizer::NAMES.join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read the tokenizer {} (--tokenizer): {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no tokenizer.
    #[error(
        "{} (--tokenizer) is not a tokenizer.json of the Hugging Face format: {message}",
        path.display()
    )]
    Parse {
        /// The file.
        path: PathBuf,
        /// What its reader says.
        message: String,
    },
    /// The vocabulary holds too few words to write prompts with.
    #[error(
        "{} (--tokenizer) has only {usable} words that are single tokens wherever they stand; prompts \
         need at least {LEAST_WORDS}. Use --dataset, whose texts any tokenizer counts",
        path.display()
    )]
    TooFewWords {
        /// The file.
        path: PathBuf,
        /// Words usable in every place of a sentence.
        usable: usize,
    },
    /// Untidy prompts are written for built-in vocabularies alone.
    #[error(
        "--text noisy needs --tokenizer o200k or cl100k: which untidy words are single tokens of {name} is \
         not known"
    )]
    Noisy {
        /// What it was opened by.
        name: String,
    },
    /// A built-in vocabulary does not load (only when counting, never for prompts).
    #[error("the built-in vocabulary {name} does not load: {message}")]
    BuiltIn {
        /// Its name.
        name: &'static str,
        /// What its reader says.
        message: String,
    },
}

/// A vocabulary that is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    O200k,
    Cl100k,
}

#[derive(Debug, Clone)]
pub(crate) enum Vocabulary {
    BuiltIn(BuiltIn),
    File(Arc<tokenizers::Tokenizer>),
}

/// A tokenizer to write prompts for. Clones share its tables.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    name: String,
    /// The name of a built-in one, the SHA-256 of a file.
    identity: String,
    pub(crate) vocabulary: Vocabulary,
    table: Arc<WordTable>,
    /// Prompts are untidy.
    noise: Option<Arc<Noise>>,
}

impl Tokenizer {
    /// The built-in names; the first is the default.
    pub const NAMES: [&'static str; 2] = ["o200k", "cl100k"];

    /// Opens a built-in tokenizer by name, or a `tokenizer.json` by its path (or its folder's).
    ///
    /// # Errors
    /// When `name` is neither, and when the file cannot be read or used.
    pub fn open(name: &str) -> Result<Self, TokenizerError> {
        let built_in = match name {
            "o200k" => BuiltIn::O200k,
            "cl100k" => BuiltIn::Cl100k,
            path => return Self::open_file(path),
        };
        Ok(Self {
            name: name.to_owned(),
            identity: name.to_owned(),
            vocabulary: Vocabulary::BuiltIn(built_in),
            table: Arc::new(WordTable::built_in()),
            noise: None,
        })
    }

    fn open_file(name: &str) -> Result<Self, TokenizerError> {
        let mut path = PathBuf::from(name);
        if path.is_dir() {
            path.push("tokenizer.json");
        }
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(_) if !path.exists() && !looks_like_a_path(name) => {
                return Err(TokenizerError::Unknown {
                    name: inert(name, 80),
                });
            }
            Err(source) => return Err(TokenizerError::Read { path, source }),
        };
        let file = parse(&path, &bytes)?;
        let table = filter(&file, &path)?;
        Ok(Self {
            name: name.to_owned(),
            identity: hex(&Sha256::digest(&bytes)),
            vocabulary: Vocabulary::File(Arc::new(file)),
            table: Arc::new(table),
            noise: None,
        })
    }

    /// The same tokenizer for prompts as people write them: with typos, fragments, several languages and
    /// scripts, and code.
    ///
    /// # Errors
    /// For a `tokenizer.json`: which untidy words are single tokens of it is not known.
    pub fn noisy(self) -> Result<Self, TokenizerError> {
        match self.vocabulary {
            Vocabulary::BuiltIn(_) => Ok(Self {
                noise: Some(Arc::new(Noise::built_in())),
                ..self
            }),
            Vocabulary::File(_) => Err(TokenizerError::Noisy { name: self.name }),
        }
    }

    /// What prompts under it rest on, for the hash of a workload.
    pub(crate) fn manner(&self) -> String {
        match &self.noise {
            None => self.identity.clone(),
            Some(_) => format!("{} noisy", self.identity),
        }
    }

    /// The name or path it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same for the same vocabulary wherever it lies: the name of a built-in one, the SHA-256 of
    /// a file.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Text of exactly `tokens` tokens (at least 1) for request `id` under `key`, behind a slot
    /// with the number `slot`.
    pub(crate) fn write(
        &self,
        slot: u64,
        key: u64,
        id: u64,
        tokens: u32,
    ) -> Result<String, PromptError> {
        self.exact(tokens, VARIANTS, |pieces, variant| {
            let of = Drawn { key, id };
            match &self.noise {
                None => compose(&self.table, slot, of, pieces, variant),
                Some(noise) => noise.compose(&self.table, slot, of, pieces),
            }
        })
    }

    /// The slot with a number, cut to `tokens`.
    pub(crate) fn slot(&self, number: u64, tokens: u32) -> String {
        let mut text = String::new();
        self.table.slot.spell(&mut text, number, tokens);
        text
    }

    /// Text of exactly `tokens` tokens (at least 1) made of `segments` and the prompt's rest. Under
    /// a tokenizer that merges some neighbours the rest is made longer or shorter, and the segments
    /// before it stay as they are in every prompt.
    pub(crate) fn write_segments<I: Iterator<Item = Segment>>(
        &self,
        prompt: &SegmentedPrompt,
        segments: impl Fn() -> I,
        tokens: u32,
    ) -> Result<String, PromptError> {
        let style = match (&self.noise, &self.vocabulary) {
            (Some(noise), _) => Style::Noisy(noise),
            (None, Vocabulary::BuiltIn(_)) => Style::Sentences,
            (None, Vocabulary::File(_)) => Style::Words,
        };
        self.exact(tokens, 1, |pieces, _| {
            prompt.compose(&self.table, style, segments(), pieces)
        })
    }

    /// Writes by `text(pieces, variant)`; for a file counts and corrects the number of pieces
    /// until the count is exact.
    fn exact(
        &self,
        tokens: u32,
        variants: u64,
        text: impl Fn(u32, u64) -> String,
    ) -> Result<String, PromptError> {
        let tokens = tokens.max(1);
        let Vocabulary::File(file) = &self.vocabulary else {
            return Ok(text(tokens, 0));
        };
        let mut got = 0;
        for variant in 0..variants {
            let mut pieces = tokens;
            for _ in 0..CORRECTIONS {
                let text = text(pieces, variant);
                got = self.count(file, &text)?;
                if got == tokens as usize {
                    return Ok(text);
                }
                let corrected = i64::from(pieces) + i64::from(tokens) - got as i64;
                pieces = u32::try_from(corrected.max(1)).unwrap_or(u32::MAX);
            }
        }
        Err(PromptError::NotExact {
            tokenizer: self.name.clone(),
            wanted: tokens,
            got,
        })
    }

    fn count(&self, file: &tokenizers::Tokenizer, text: &str) -> Result<usize, PromptError> {
        match encode(file, text) {
            Ok(ids) => Ok(ids.len()),
            Err(message) => Err(PromptError::Encode {
                tokenizer: self.name.clone(),
                message,
            }),
        }
    }
}

/// Whether a name that is no file was meant as one.
fn looks_like_a_path(name: &str) -> bool {
    name.contains(std::path::MAIN_SEPARATOR) || name.ends_with(".json")
}

/// Reads a `tokenizer.json`; truncation and padding, which would falsify counts, are switched off.
fn parse(path: &Path, bytes: &[u8]) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let bad = |e: tokenizers::Error| TokenizerError::Parse {
        path: path.to_owned(),
        message: inert(&e.to_string(), 300),
    };
    let mut file = tokenizers::Tokenizer::from_bytes(bytes).map_err(bad)?;
    file.with_truncation(None).map_err(bad)?;
    file.with_padding(None);
    Ok(file)
}

/// Token ids of `text`, no special tokens added.
pub(crate) fn encode(file: &tokenizers::Tokenizer, text: &str) -> Result<Vec<u32>, String> {
    match file.encode_fast(text, false) {
        Ok(encoding) => Ok(encoding.get_ids().to_vec()),
        Err(e) => Err(inert(&e.to_string(), 300)),
    }
}

/// The words to write with: the built-in ones that the vocabulary has; where those are few, its own, too.
fn filter(file: &tokenizers::Tokenizer, path: &Path) -> Result<WordTable, TokenizerError> {
    let usable = |table: &WordTable| {
        let forms = [&table.first, &table.capital, &table.inner];
        forms.map(Vec::len).into_iter().min().unwrap_or(0)
    };
    let mut table = single_tokens(file, &WordTable::built_in());
    if usable(&table) < FEW_WORDS {
        table = single_tokens(file, &WordTable::with(&own_words(file)));
    }
    let usable = usable(&table);
    if usable < LEAST_WORDS {
        let path = path.to_owned();
        return Err(TokenizerError::TooFewWords { path, usable });
    }
    Ok(table)
}

/// Words of the vocabulary itself, in the order of their ids: of letters alone, without the mark of the
/// space before them.
fn own_words(file: &tokenizers::Tokenizer) -> Vec<String> {
    let mut tokens: Vec<(u32, String)> = file
        .get_vocab(false)
        .into_iter()
        .map(|(token, id)| (id, token))
        .collect();
    tokens.sort_unstable();
    let text = |(id, token): (u32, String)| match token.strip_prefix('\u{2581}') {
        Some(word) => word.to_owned(),
        // Bytes stand for other characters in byte-level vocabularies.
        None => file.decode(&[id], true).unwrap_or_default(),
    };
    let mut seen = HashSet::new();
    let words = tokens.into_iter().map(text).filter_map(|text| {
        let word = text.trim().to_lowercase();
        let fits = OWN_LETTERS.contains(&word.chars().count());
        let letters = word.chars().all(char::is_alphabetic);
        (fits && letters && seen.insert(word.clone())).then_some(word)
    });
    words.take(OWN_WORDS).collect()
}

/// The words that are one token in each place: their insertion adds one id and changes no other.
/// Words that share an id (an unknown-token, most likely) are left out: they say nothing.
fn single_tokens(file: &tokenizers::Tokenizer, all: &WordTable) -> WordTable {
    let ids = |text: &str| encode(file, text).unwrap_or_default();
    let head_len = ids("the").len();
    let tail: Vec<u32> = ids("the the.").into_iter().skip(head_len).collect();
    let keep = |words: &[Box<str>], before: &str| {
        let head = ids(before);
        let found: Vec<Option<u32>> = words
            .iter()
            .map(|word| inserted(&ids(&format!("{before}{word} the.")), &head, &tail))
            .collect();
        let mut uses: HashMap<u32, u32> = HashMap::new();
        for id in found.iter().flatten() {
            *uses.entry(*id).or_default() += 1;
        }
        let alone = |id: &Option<u32>| id.is_some_and(|id| uses[&id] == 1);
        let pairs = words.iter().zip(&found);
        pairs
            .filter(|(_, id)| alone(id))
            .map(|(w, _)| w.clone())
            .collect::<Vec<_>>()
    };
    WordTable::of(
        keep(&all.first, ""),
        keep(&all.capital, "the."),
        keep(&all.inner, "the"),
    )
}

/// The one id between `head` and `tail`, if `ids` is exactly that.
fn inserted(ids: &[u32], head: &[u32], tail: &[u32]) -> Option<u32> {
    let rest = ids.strip_prefix(head)?;
    let middle = rest.strip_suffix(tail)?;
    match middle {
        [id] => Some(*id),
        _ => None,
    }
}
