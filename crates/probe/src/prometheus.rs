//! The Prometheus text format: a page's samples, one after the other.
//!
//! Types, help texts, exemplars and time stamps are passed over, and a line that is no sample is
//! said to be malformed: a page is to be read as far as it makes sense. Invariant: a page cut off anywhere gives
//! the first samples of the whole one and nothing else, so a last line without its end is no sample.

use std::borrow::Cow;

/// A longer line is left out, bytes.
const LINE_LIMIT: usize = 64 << 10;

/// One sample of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// What stands between the braces; empty without any.
    labels: &'a str,
    /// Its value: NaN and infinities are values, too.
    pub value: f64,
}

/// A line that is neither empty nor a comment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Line<'a> {
    /// A sample.
    Sample(Sample<'a>),
    /// Anything else.
    Malformed,
}

/// The lines of a page, in its order.
pub(crate) fn lines(page: &str) -> impl Iterator<Item = Line<'_>> {
    let whole = page.rfind('\n').map_or("", |end| &page[..end]);
    let lines = whole.split('\n').map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| sample(line).map_or(Line::Malformed, Line::Sample))
}

/// The samples of a page, in its order.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    lines(page).filter_map(|line| match line {
        Line::Sample(sample) => Some(sample),
        Line::Malformed => None,
    })
}

impl<'a> Sample<'a> {
    /// Bytes between its braces.
    pub(crate) fn label_bytes(&self) -> usize {
        self.labels.len()
    }

    /// The labels in the page's order, escapes resolved.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.labels;
        std::iter::from_fn(move || {
            let (name, value, behind) = label(rest)?;
            rest = behind.strip_prefix(',').unwrap_or(behind).trim_start();
            Some((name, unescaped(value)))
        })
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        self.labels()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

fn sample(line: &str) -> Option<Sample<'_>> {
    if line.len() > LINE_LIMIT {
        return None;
    }
    let end = line.find(|c: char| !is_name_char(c)).unwrap_or(line.len());
    let (name, behind) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let behind = behind.trim_start();
    let (labels, behind) = match behind.strip_prefix('{') {
        Some(inside) => braced(inside)?,
        None if behind.len() == line.len() - end => return None,
        None => ("", behind),
    };
    Some(Sample {
        name,
        labels,
        value: value(behind)?,
    })
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// The labels up to the closing brace, and what stands behind it.
fn braced(inside: &str) -> Option<(&str, &str)> {
    let mut rest = inside.trim_start();
    while !rest.starts_with('}') {
        let (_, _, behind) = label(rest)?;
        rest = match behind.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if behind.starts_with('}') => behind,
            None => return None,
        };
    }
    let labels = &inside[..inside.len() - rest.len()];
    Some((labels.trim_start(), &rest[1..]))
}

/// One label: its name, its value as it stands between the quotes, and what comes behind them.
fn label(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find(|c: char| !is_name_char(c) || c == ':')?;
    let (name, behind) = text.split_at(end);
    let value = behind
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .strip_prefix('"')?;
    let mut escaped = false;
    let close = value.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    let named = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    named.then(|| (name, &value[..close], value[close + 1..].trim_start()))
}

/// Backslash, quote and line feed, which are written with a backslash. Any other keeps its own.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some(quoted @ ('\\' | '"')) => out.push(quoted),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            (plain, false) => out.push(plain),
        }
    }
    Cow::Owned(out)
}

/// The value, behind which a time stamp or an exemplar may stand.
fn value(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    let value = words.next()?.parse().ok()?;
    match words.next() {
        None => Some(value),
        Some(word) if word.starts_with('#') => Some(value),
        Some(stamp) => {
            stamp.parse::<f64>().ok()?;
            let ends = words.next().is_none_or(|word| word.starts_with('#'));
            ends.then_some(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, labels and the value as text.
    type Written = (String, Vec<(String, String)>, String);

    fn read(page: &str) -> Vec<Written> {
        let owned = |(name, value): (&str, Cow<'_, str>)| (name.to_owned(), value.into_owned());
        samples(page)
            .map(|s| {
                let labels = s.labels().map(owned).collect();
                (s.name.to_owned(), labels, format!("{:?}", s.value))
            })
            .collect()
    }

    #[track_caller]
    fn check(line: &str, name: &str, labels: &[(&str, &str)], value: &str) {
        let labels = labels
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let expect = (name.to_owned(), labels, value.to_owned());
        assert_eq!(read(&format!("{line}\n")), [expect], "{line}");
    }

    #[test]
    fn samples_in_every_legal_form() {
        check("a 1", "a", &[], "1.0");
        check("vllm:x_total{} 2e3", "vllm:x_total", &[], "2000.0");
        check(
            "  a \t{ b = \"c\" , }\t-0.5  \r",
            "a",
            &[("b", "c")],
            "-0.5",
        );
        check("a{b=\"\"}1", "a", &[("b", "")], "1.0");
        check(
            "a{b=\"}{,=# \\\\ \\\" \\n \\x\",c=\"d\"} +Inf",
            "a",
            &[("b", "}{,=# \\ \" \n \\x"), ("c", "d")],
            "inf",
        );
        check("a -Inf 1395066363000", "a", &[], "-inf");
        check("a NaN", "a", &[], "NaN");
        check("a 1 1520879607.789", "a", &[], "1.0");
        check("a 17 # {trace=\"b c\"} 0.5 1.0", "a", &[], "17.0");
        check("a 17 12 # {} 0.5", "a", &[], "17.0");
        check("a{b=\"é\u{2028}\"} 3", "a", &[("b", "é\u{2028}")], "3.0");
    }

    #[test]
    fn what_is_no_sample_is_left_out() {
        for line in [
            "",
            "# HELP a 1",
            "#a 1",
            "a",
            "a ",
            "a x",
            "a 1 x",
            "a 1 2 3",
            "1a 1",
            "é 1",
            "{\"a\"} 1",
            "{} 1",
            "a{ 1",
            "a{b} 1",
            "a{b=} 1",
            "a{b=c} 1",
            "a{b=\"c} 1",
            "a{b=\"c\\\"} 1",
            "a{b=\"c\" d=\"e\"} 1",
            "a{=\"c\"} 1",
            "a{1b=\"c\"} 1",
            "a{b:c=\"d\"} 1",
            "a{,} 1",
            "a{b=\"c\"}",
            "a{b=\"c\"} 0x10",
            "a=1",
            "<html>",
        ] {
            let page = format!("{line}\nlast 7\n");
            let found: Vec<_> = samples(&page).map(|s| (s.name, s.value)).collect();
            assert_eq!(found, [("last", 7.0)], "{line}");
        }
        let long = format!("a{{b=\"{}\"}} 1\nlast 7\n", "c".repeat(LINE_LIMIT));
        assert_eq!(samples(&long).count(), 1);
    }

    #[test]
    fn a_page_cut_off_gives_its_first_samples() {
        let page = "# HELP é x\na{b=\"\\\"}\"} 12\nb 345 6789\n\nc NaN";
        assert_eq!(samples(page).count(), 2, "the last line has no end");
        for end in (0..page.len()).filter(|end| page.is_char_boundary(*end)) {
            let whole = read(page);
            let cut = read(&page[..end]);
            assert_eq!(cut, whole[..cut.len()], "{end}");
        }
    }
}
