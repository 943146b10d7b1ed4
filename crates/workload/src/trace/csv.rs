//! CSV as RFC 4180 has it: fields, quotes, and line breaks inside quotes; columns by name.
//!
//! It does not know what a column means. Spaces around a field are not part of it.
//!
//! Invariant: a field is what stood between the commas, unquoted once.

use super::error::TraceError;
use super::format::TraceFormat;
use super::records::{Raw, Records};
use infermeter_core::request::BodyMember;
use infermeter_core::text::{inert, inert_bytes};
use serde::de::IgnoredAny;
use std::fs::File;
use std::io::{BufRead, BufReader};

/// The fields of one record, in one buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct Fields {
    text: String,
    ends: Vec<usize>,
}

/// How splitting ended.
enum Split {
    Whole,
    /// Inside quotes: the next line belongs to the record.
    Open,
    /// Text after a closing quote.
    Broken,
}

impl Fields {
    /// Splits `raw`, taking further lines from `records` while a quote is open.
    pub fn read<R: BufRead>(
        &mut self,
        raw: &mut Raw,
        records: &mut Records<R>,
    ) -> Result<(), TraceError> {
        loop {
            let line = raw.line;
            let text = std::str::from_utf8(&raw.bytes).map_err(|_| TraceError::NotText {
                line,
                found: inert_bytes(&raw.bytes, 80),
            })?;
            match self.split(text) {
                Split::Whole => return Ok(()),
                Split::Open if records.append_line(raw)? => {}
                Split::Open | Split::Broken => return Err(TraceError::Quote { line }),
            }
        }
    }

    fn split(&mut self, line: &str) -> Split {
        self.text.clear();
        self.ends.clear();
        let mut rest = line;
        loop {
            let trimmed = rest.trim_start_matches([' ', '\t']);
            let after = if let Some(quoted) = trimmed.strip_prefix('"') {
                let Some(after) = self.unquote(quoted) else {
                    return Split::Open;
                };
                after.trim_start_matches([' ', '\t'])
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                self.text.push_str(rest[..end].trim());
                &rest[end..]
            };
            self.ends.push(self.text.len());
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return Split::Whole,
                None => return Split::Broken,
            }
        }
    }

    /// Copies up to the closing quote; what follows it, or `None` where there is none.
    fn unquote<'t>(&mut self, mut rest: &'t str) -> Option<&'t str> {
        loop {
            let (part, after) = rest.split_once('"')?;
            self.text.push_str(part);
            match after.strip_prefix('"') {
                Some(next) => {
                    self.text.push('"');
                    rest = next;
                }
                None => return Some(after),
            }
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Field `at`, if the record has it.
    pub fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end)
    }

    /// Place of the column `name`, in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        (0..self.len()).find(|at| self.get(*at).is_some_and(|f| f.eq_ignore_ascii_case(name)))
    }

    /// Place of the column `name` of a header in line `line`.
    pub fn column(
        &self,
        line: u64,
        format: TraceFormat,
        name: &'static str,
    ) -> Result<usize, TraceError> {
        self.position(name)
            .ok_or_else(|| TraceError::MissingColumn {
                line,
                format,
                column: name,
                found: self.listed(),
            })
    }

    /// Place and name of the columns with other names than these.
    pub fn beside(&self, known: &[&str]) -> Vec<(usize, String)> {
        let named = (0..self.len()).filter_map(|at| Some((at, self.get(at)?)));
        let other = |name: &str| !known.iter().any(|k| k.eq_ignore_ascii_case(name));
        named
            .filter(|(_, name)| !name.is_empty() && other(name))
            .map(|(at, name)| (at, name.to_owned()))
            .collect()
    }

    /// The columns of a header, for messages.
    pub fn listed(&self) -> String {
        let names: Vec<&str> = (0..self.len()).filter_map(|at| self.get(at)).collect();
        format!("the columns {}", inert(&names.join(","), 200))
    }
}

/// Where the texts stand in the records of a CSV file.
#[derive(Debug, Clone)]
pub(crate) struct TextColumns {
    prompt: usize,
    answer: Option<usize>,
    /// Columns of what a request carries beside its text.
    members: Vec<(usize, String)>,
}

/// What one record of a CSV file says.
#[derive(Debug)]
pub(crate) struct TextFields {
    pub prompt: String,
    pub answer: Option<String>,
    pub members: Vec<BodyMember>,
}

impl TextColumns {
    /// Those of a file with this header.
    fn of_header(header: &Fields, format: TraceFormat) -> Option<Self> {
        Some(Self {
            prompt: header.position(format.needs()[0])?,
            answer: header.position("answer"),
            members: header.beside(&[format.needs()[0], "answer", "output_tokens"]),
        })
    }

    /// What the record in `bytes` says.
    pub fn texts(&self, bytes: &[u8]) -> Option<TextFields> {
        let mut records = Records::new(bytes).ok()?;
        let (mut raw, mut fields) = (Raw::default(), Fields::default());
        records.next_into(&mut raw).ok()?;
        fields.read(&mut raw, &mut records).ok()?;
        let filled = |at: usize| fields.get(at).filter(|text| !text.is_empty());
        let member = |(at, name): &(usize, String)| {
            let text = filled(*at)?;
            // Numbers, lists and objects as they are, all else is text.
            let json = match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => text.to_owned(),
                Err(_) => serde_json::Value::from(text).to_string(),
            };
            Some(BodyMember {
                name: name.as_str().into(),
                json: json.into(),
            })
        };
        Some(TextFields {
            prompt: fields.get(self.prompt)?.to_owned(),
            answer: self.answer.and_then(filled).map(str::to_owned),
            members: self.members.iter().filter_map(member).collect(),
        })
    }
}

/// Places of the texts by the header of a CSV file of this format; `None` for another kind of file.
pub(crate) fn text_columns(
    file: &mut File,
    format: TraceFormat,
) -> Result<Option<TextColumns>, TraceError> {
    if format == TraceFormat::Lines {
        return Ok(None);
    }
    let mut records = Records::new(BufReader::new(file))?;
    let (mut raw, mut fields) = (Raw::default(), Fields::default());
    let json = matches!(records.first(), Some(b'{' | b'['));
    if json || !records.next_into(&mut raw)? {
        return Ok(None);
    }
    fields.read(&mut raw, &mut records)?;
    Ok(TextColumns::of_header(&fields, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let mut records = Records::new(text.as_bytes()).expect("records");
        let (mut raw, mut fields) = (Raw::default(), Fields::default());
        assert!(records.next_into(&mut raw).expect("a record"));
        fields.read(&mut raw, &mut records).expect("fields");
        let all: Vec<&str> = (0..fields.len()).filter_map(|at| fields.get(at)).collect();
        assert_eq!(all, expect, "{text}");
        assert_eq!(fields.get(fields.len()), None);
    }

    #[test]
    fn fields_are_split_as_the_standard_says() {
        check("a,b,,d", &["a", "b", "", "d"]);
        check("a,", &["a", ""]);
        check(r#""a, ""b""", c ,"" "#, &[r#"a, "b""#, "c", ""]);
        check("\"two\r\nlines\",2\nnext", &["two\nlines", "2"]);
        check("it's 5\" wide,2", &["it's 5\" wide", "2"]);
    }

    #[test]
    fn quotes_that_do_not_close_are_refused() {
        for text in ["\"a", "\"a\" b,c", "\"a\nb\nc"] {
            let mut records = Records::new(text.as_bytes()).expect("records");
            let (mut raw, mut fields) = (Raw::default(), Fields::default());
            assert!(records.next_into(&mut raw).expect("a record"));
            let error = fields.read(&mut raw, &mut records).expect_err("open");
            assert!(matches!(error, TraceError::Quote { line: 1 }), "{error}");
        }
    }
}
