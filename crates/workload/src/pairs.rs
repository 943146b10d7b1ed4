//! Pairs of lengths from a file (`--workload empirical:FILE`): CSV with a header, or JSON lines.
//!
//! It keeps the pairs as they are: the two lengths of a request belong together. It skips and
//! repairs nothing: a row that has no two usable lengths is an error that names its line.
//!
//! Invariant: every pair has lengths from 1 to 4,000,000; text from the file is made inert before it
//! gets into a message.

use infermeter_core::plan::MAX_TOKENS;
use infermeter_core::text::inert;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Most pairs (8 bytes each).
const MAX_PAIRS: usize = 10_000_000;

/// Longest line, bytes.
const MAX_LINE: u64 = 1 << 20;

/// Names of the column of prompts' lengths, in lower case.
const INPUT: [&str; 6] = [
    "input_tokens",
    "prompt_tokens",
    "input_length",
    "context_tokens",
    "contexttokens",
    "num_prefill_tokens",
];

/// Names of the column of answers' lengths.
const OUTPUT: [&str; 6] = [
    "output_tokens",
    "completion_tokens",
    "output_length",
    "generated_tokens",
    "generatedtokens",
    "num_decode_tokens",
];

/// Lengths of one request, tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LengthPair {
    /// Of the prompt.
    pub input: u32,
    /// Of the answer.
    pub output: u32,
}

/// Why a file gives no pairs of lengths. Lines count from 1.
#[derive(Debug, thiserror::Error)]
#[error("{} (--workload empirical:): {problem}", path.display())]
pub struct PairsError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("cannot be opened: {0}")]
    Open(std::io::Error),
    #[error("line {line}: {source}")]
    Read { line: u64, source: std::io::Error },
    #[error("line {line}: longer than 1,048,576 bytes")]
    LongLine { line: u64 },
    #[error("line {line}: not UTF-8")]
    NotText { line: u64 },
    #[error(
        "no pairs: write a CSV file with a header, as in input_tokens,output_tokens, or JSON lines \
         as in {{\"input_tokens\": 220, \"output_tokens\": 160}}"
    )]
    Empty,
    #[error("line {line}: the header has no column {wanted}: it has {header}")]
    Column {
        line: u64,
        wanted: String,
        header: String,
    },
    #[error("line {line}: not a JSON object: {found}")]
    NotJson { line: u64, found: String },
    #[error("line {line}: no member {wanted}")]
    Member { line: u64, wanted: String },
    #[error("line {line}: {name} is `{found}`: a whole number from 1 to 4,000,000 is needed")]
    Tokens {
        line: u64,
        name: String,
        found: String,
    },
    #[error("line {line}: more than 10,000,000 pairs")]
    TooMany { line: u64 },
}

/// Reads all pairs of a file. A file whose first line that is not blank begins with `{` has JSON
/// lines; any other is CSV. Columns and members are found by name.
///
/// # Errors
/// When the file cannot be read, has no pair, or any row is wrong.
pub(crate) fn read_pairs(path: &Path) -> Result<Vec<LengthPair>, PairsError> {
    let read = || {
        let file = File::open(path).map_err(Problem::Open)?;
        pairs(BufReader::new(file))
    };
    read().map_err(|problem| PairsError {
        path: path.to_owned(),
        problem,
    })
}

/// How the rows are written.
enum Format {
    Json,
    /// Positions of both columns.
    Csv([usize; 2]),
}

fn pairs<R: BufRead>(mut input: R) -> Result<Vec<LengthPair>, Problem> {
    let mut format = None;
    let mut pairs = Vec::new();
    let mut line = 0;
    while let Some(text) = next_line(&mut input, &mut line)? {
        let text = text.trim().trim_start_matches('\u{feff}');
        if text.is_empty() {
            continue;
        }
        let pair = match &format {
            None if text.starts_with('{') => {
                format = Some(Format::Json);
                json_pair(text, line)?
            }
            None => {
                format = Some(Format::Csv(columns(text, line)?));
                continue;
            }
            Some(Format::Json) => json_pair(text, line)?,
            Some(Format::Csv(at)) => csv_pair(text, *at, line)?,
        };
        if pairs.len() == MAX_PAIRS {
            return Err(Problem::TooMany { line });
        }
        pairs.push(pair);
    }
    if pairs.is_empty() {
        return Err(Problem::Empty);
    }
    Ok(pairs)
}

fn next_line<R: BufRead>(input: &mut R, line: &mut u64) -> Result<Option<String>, Problem> {
    let mut bytes = Vec::new();
    *line += 1;
    let read = input
        .take(MAX_LINE + 1)
        .read_until(b'\n', &mut bytes)
        .map_err(|source| Problem::Read {
            line: *line,
            source,
        })?;
    if read as u64 > MAX_LINE {
        return Err(Problem::LongLine { line: *line });
    }
    let text = String::from_utf8(bytes).map_err(|_| Problem::NotText { line: *line })?;
    Ok((read > 0).then_some(text))
}

fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(|field| field.trim().trim_matches('"'))
}

fn columns(header: &str, line: u64) -> Result<[usize; 2], Problem> {
    let names: Vec<String> = fields(header).map(str::to_ascii_lowercase).collect();
    let column = |known: [&str; 6]| {
        let at = names.iter().position(|name| known.contains(&name.as_str()));
        at.ok_or_else(|| Problem::Column {
            line,
            wanted: known.join(" or "),
            header: inert(header, 200),
        })
    };
    Ok([column(INPUT)?, column(OUTPUT)?])
}

fn csv_pair(text: &str, at: [usize; 2], line: u64) -> Result<LengthPair, Problem> {
    let fields: Vec<&str> = fields(text).collect();
    let tokens = |at: usize, name: &str| {
        let found = fields.get(at).copied().unwrap_or("");
        found
            .parse()
            .ok()
            .filter(usable)
            .ok_or_else(|| Problem::Tokens {
                line,
                name: name.to_owned(),
                found: inert(found, 80),
            })
    };
    Ok(LengthPair {
        input: tokens(at[0], "the prompt's length")?,
        output: tokens(at[1], "the answer's length")?,
    })
}

fn json_pair(text: &str, line: u64) -> Result<LengthPair, Problem> {
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        let found = inert(text, 80);
        return Err(Problem::NotJson { line, found });
    };
    let tokens = |known: [&str; 6]| {
        let mut named = members
            .iter()
            .filter(|(name, _)| known.contains(&name.to_ascii_lowercase().as_str()));
        let (name, value) = named.next().ok_or_else(|| Problem::Member {
            line,
            wanted: known.join(" or "),
        })?;
        let count = value.as_u64().and_then(|n| u32::try_from(n).ok());
        count.filter(usable).ok_or_else(|| Problem::Tokens {
            line,
            name: name.clone(),
            found: inert(&value.to_string(), 80),
        })
    };
    Ok(LengthPair {
        input: tokens(INPUT)?,
        output: tokens(OUTPUT)?,
    })
}

fn usable(tokens: &u32) -> bool {
    (1..=MAX_TOKENS).contains(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(u32, u32)>, String> {
        let pairs = pairs(text.as_bytes()).map_err(|problem| problem.to_string())?;
        Ok(pairs.iter().map(|pair| (pair.input, pair.output)).collect())
    }

    #[test]
    fn both_formats_are_read_by_name() {
        let rows = Ok(vec![(220, 160), (30, 5)]);
        for text in [
            "input_tokens,output_tokens\n220,160\n30,5\n",
            "\u{feff}\"Completion_Tokens\", id ,\"Prompt_Tokens\"\r\n160,a,220\r\n\r\n5,b,30",
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,220,160\nx,30,5\n",
            "\n{\"input_length\": 220, \"output_length\": 160, \"hash_ids\": [1]}\n\
             {\"output_length\": 5, \"input_length\": 30}\n",
        ] {
            assert_eq!(read(text), rows, "{text}");
        }
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let problem = read(text).expect_err("must be refused");
        assert!(problem.starts_with(expect), "{problem}");
    }

    #[test]
    fn what_is_wrong_names_its_line() {
        refused("", "no pairs: write a CSV file with a header");
        refused("input_tokens,output_tokens\n", "no pairs");
        refused(
            "a,output_tokens\n1,2",
            "line 1: the header has no column input_tokens or prompt_tokens",
        );
        refused(
            "input_tokens,output_tokens\n1,2\n\n1,-2\n",
            "line 4: the answer's length is `-2`: a whole number from 1",
        );
        refused(
            "input_tokens,output_tokens\n0,2",
            "line 2: the prompt's length is `0`",
        );
        refused(
            "input_tokens,output_tokens\n5",
            "line 2: the answer's length is ``",
        );
        refused(
            "{\"input_tokens\": 5}",
            "line 1: no member output_tokens or",
        );
        refused(
            "{\"input_tokens\": 5, \"output_tokens\": 5000000}",
            "line 1: output_tokens is `5000000`",
        );
        refused(
            "{\"input_tokens\": 5, \"output_tokens\": 5}\n[5]\n",
            "line 2: not a JSON object: [5]",
        );
        let long = "x".repeat((MAX_LINE + 1) as usize);
        refused(&long, "line 1: longer than");
        assert!(pairs(&b"\xff\xfe"[..]).is_err_and(|p| p.to_string() == "line 1: not UTF-8"));
    }

    #[test]
    fn the_file_is_named() {
        let error = read_pairs(Path::new("/nowhere/l.csv")).expect_err("no file");
        let text = error.to_string();
        assert!(
            text.starts_with("/nowhere/l.csv (--workload empirical:): cannot be opened: "),
            "{text}"
        );
    }
}
