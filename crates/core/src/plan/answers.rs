//! Keys about answers, as they are written: shares of requests, questions of a file, whom answers are compared with.
//!
//! It opens no file. Invariant: what is printed reads back as the same value.

use crate::text::{closest, inert};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A share of the requests: above 0, at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Share {
    /// The share of 1.
    pub fn of_one(self) -> f64 {
        self.0
    }
}

/// Why a text is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a share of the requests: write 2%, or 0.02; more than 0 and at most 100%")]
pub struct ShareError(String);

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let bad = || ShareError(inert(text, 80));
        let trimmed = text.trim();
        let (number, whole) = match trimmed.strip_suffix('%') {
            Some(number) => (number.trim_end(), 100.0),
            None => (trimmed, 1.0),
        };
        let number: f64 = number.parse().map_err(|_| bad())?;
        let share = number / whole;
        (share > 0.0 && share <= 1.0)
            .then_some(Self(share))
            .ok_or_else(bad)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to nine decimals of a percentage: 0.07 of one is 7.000000000000001 % by itself.
        let percentage = (self.0 * 1e11).round() / 1e9;
        match percentage / 100.0 == self.0 {
            true => write!(f, "{percentage}%"),
            false => write!(f, "{}", self.0),
        }
    }
}

/// The word for the questions that are made here, where a file is expected.
const BUILTIN: &str = "builtin";

/// Questions with answers, and how many of the requests carry one: `FILE`, `FILE,share=10%`, `builtin`.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalSpec {
    /// Where they are; absent: those that are made here.
    pub file: Option<PathBuf>,
    /// Share of the requests that carry one.
    pub share: Share,
}

impl EvalSpec {
    /// Requests that carry one, where nobody says how many.
    const DEFAULT_SHARE: Share = Share(0.05);

    /// The file, or the word for those that are made here.
    pub fn place(&self) -> &Path {
        self.file.as_deref().unwrap_or_else(|| Path::new(BUILTIN))
    }
}

/// Why a text names no questions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalSpecError {
    /// No file.
    #[error("`{0}` names no file: write questions.jsonl, or questions.jsonl,share=10%, or builtin")]
    NoFile(String),
    /// Behind the comma stands something else.
    #[error(
        "`{0}` behind the file is not known: write share=SHARE, as in questions.jsonl,share=10%{1}"
    )]
    Unknown(String, String),
    /// The share is none.
    #[error("share={0}")]
    Share(ShareError),
}

impl FromStr for EvalSpec {
    type Err = EvalSpecError;

    fn from_str(text: &str) -> Result<Self, EvalSpecError> {
        // A comma may be part of a file's name; `,NAME=` is none.
        let option = text.rsplit_once(',').and_then(|(file, option)| {
            let (name, value) = option.split_once('=')?;
            (!name.contains('/')).then_some((file, name.trim(), value))
        });
        let (file, share) = match option {
            None => (text, Self::DEFAULT_SHARE),
            Some((file, "share", value)) => (file, value.parse().map_err(EvalSpecError::Share)?),
            Some((_, name, _)) => {
                let near = closest(name, ["share"].into_iter());
                let near =
                    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                return Err(EvalSpecError::Unknown(inert(name, 40), near));
            }
        };
        match file.trim() {
            "" => Err(EvalSpecError::NoFile(inert(text, 80))),
            BUILTIN => Ok(Self { file: None, share }),
            file => Ok(Self {
                file: Some(PathBuf::from(file)),
                share,
            }),
        }
    }
}

impl fmt::Display for EvalSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},share={}", self.place().display(), self.share)
    }
}

/// With what answers under load are compared: `solo`, or `solo:N`, the answers to N of their prompts, asked alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceKind {
    /// Prompts that are asked alone.
    pub prompts: u32,
}

impl ReferenceKind {
    /// Prompts that are asked alone, where nobody says how many.
    const DEFAULT: u32 = 60;

    /// Most of them: each is asked twice, one after the other.
    const MOST: u32 = 10_000;
}

impl Default for ReferenceKind {
    fn default() -> Self {
        Self {
            prompts: Self::DEFAULT,
        }
    }
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Something else.
    #[error("`{0}` is not a reference: write solo, or solo:100 for 100 prompts")]
    Unknown(String),
    /// A number that is none, or too great.
    #[error("`{0}` is not a number of prompts: write solo:N with N from 1 to {most}", most = ReferenceKind::MOST)]
    Prompts(String),
}

impl FromStr for ReferenceKind {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (kind, number) = match text.trim().split_once(':') {
            Some((kind, number)) => (kind, Some(number)),
            None => (text.trim(), None),
        };
        if kind != "solo" {
            return Err(ReferenceError::Unknown(inert(text, 80)));
        }
        let Some(number) = number else {
            return Ok(Self {
                prompts: Self::DEFAULT,
            });
        };
        let prompts = number.trim().parse().ok();
        let prompts = prompts.filter(|prompts| (1..=Self::MOST).contains(prompts));
        let prompts = prompts.ok_or_else(|| ReferenceError::Prompts(inert(number, 40)))?;
        Ok(Self { prompts })
    }
}

impl fmt::Display for ReferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prompts {
            Self::DEFAULT => f.write_str("solo"),
            prompts => write!(f, "solo:{prompts}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_and_print() {
        for (text, shown) in [
            ("2%", "2%"),
            ("0.02", "2%"),
            ("100%", "100%"),
            ("1", "100%"),
            ("0.5 %", "0.5%"),
            ("7%", "7%"),
        ] {
            let share: Share = text.parse().expect("a share");
            assert_eq!(share.to_string(), shown);
            assert_eq!(shown.parse(), Ok(share));
        }
        for text in ["", "0", "0%", "2", "101%", "-1%", "two", "NaN", "%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn questions_read_and_print() {
        for (text, file, shown) in [
            ("q.jsonl", Some("q.jsonl"), "q.jsonl,share=5%"),
            ("q.jsonl,share=0.1", Some("q.jsonl"), "q.jsonl,share=10%"),
            ("builtin", None, "builtin,share=5%"),
            ("builtin,share=2%", None, "builtin,share=2%"),
            ("./builtin", Some("./builtin"), "./builtin,share=5%"),
            ("a, b.jsonl", Some("a, b.jsonl"), "a, b.jsonl,share=5%"),
            (
                "a,b/c=d.jsonl",
                Some("a,b/c=d.jsonl"),
                "a,b/c=d.jsonl,share=5%",
            ),
        ] {
            let spec: EvalSpec = text.parse().expect("questions");
            assert_eq!(spec.file.as_deref(), file.map(Path::new));
            assert_eq!(spec.to_string(), shown);
            assert_eq!(shown.parse(), Ok(spec));
        }
    }

    #[test]
    fn what_names_no_questions_says_what_to_write() {
        for (text, says) in [
            ("", "names no file"),
            (",share=5%", "names no file"),
            ("q.jsonl,shar=5%", "did you mean `share`?"),
            ("q.jsonl,rows=5", "`rows` behind the file is not known"),
            (
                "q.jsonl,share=0",
                "share=`0` is not a share of the requests",
            ),
        ] {
            let error = text.parse::<EvalSpec>().expect_err("no questions");
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn references_read_and_print() {
        for (text, prompts, shown) in [
            ("solo", 60, "solo"),
            ("solo:60", 60, "solo"),
            ("solo:100", 100, "solo:100"),
        ] {
            let reference: ReferenceKind = text.parse().expect("a reference");
            assert_eq!(reference, ReferenceKind { prompts });
            assert_eq!(reference.to_string(), shown);
        }
        for (text, says) in [
            ("alone", "write solo"),
            ("", "write solo"),
            ("solo:", "N from 1 to 10000"),
            ("solo:0", "N from 1"),
            ("solo:20000", "N from 1"),
        ] {
            let error = text.parse::<ReferenceKind>().expect_err("no reference");
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }
}
