//! Numbers in a text, as people and models write them.
//!
//! Does not calculate, and reads no words for numbers. Invariant: where a separator may mean two things, both readings are
//! kept, and a number that has neither is never made up.

/// Words and signs behind which a model says its answer, lower case.
const MARKS: [&str; 6] = [
    "####",
    "\\boxed{",
    "answer is",
    "answer:",
    "answer:**",
    "result is",
];

/// Digits of a number at most; more is no answer to anything.
const MOST_DIGITS: usize = 40;

/// A number of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    /// How it is read first.
    value: f64,
    /// How it may be meant, too: `1.234` is one and a bit, or over a thousand.
    other: Option<f64>,
}

impl Number {
    /// It may be meant as `expected`, give or take `tolerance`.
    pub(crate) fn is(self, expected: f64, tolerance: f64) -> bool {
        let near = |value: f64| (value - expected).abs() <= tolerance;
        near(self.value) || self.other.is_some_and(near)
    }
}

/// The text says `expected`: as its last number, or as the first behind the last words that announce an answer.
pub(crate) fn says(text: &str, expected: f64, tolerance: f64) -> bool {
    let last = numbers(text).last();
    let announced = behind_mark(text).and_then(|behind| numbers(behind).next());
    [last, announced]
        .into_iter()
        .flatten()
        .any(|number| number.is(expected, tolerance))
}

/// What stands behind the last words that announce an answer.
pub(crate) fn behind_mark(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let ends = MARKS
        .iter()
        .filter_map(|mark| Some(lower.rfind(mark)? + mark.len()));
    text.get(ends.max()?..)
}

/// All numbers of a text, in order.
fn numbers(text: &str) -> impl Iterator<Item = Number> + '_ {
    let mut rest = text;
    let mut before = None;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| digit(c).is_some())?;
            let mut behind = rest[..start].chars().rev();
            let last = behind.next().or(before);
            let earlier = behind.next().or(before);
            let written = Written::read(&rest[start..]);
            rest = &rest[start + written.bytes..];
            before = Some('0');
            // `x2`, `GPT4` and `v_1` are names.
            if last.is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
                continue;
            }
            let signs = matches!(last, Some('-' | '\u{2212}'));
            let joins = earlier.is_some_and(|c| c.is_alphanumeric() || c == ')');
            if let Some(number) = written.number(signs && !joins) {
                return Some(number);
            }
        }
    })
}

/// The value of a digit: of our own, of Arabic and Devanagari, and of full width.
fn digit(c: char) -> Option<u32> {
    let zeros = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{ff10}'];
    let value = |zero: char| {
        (c as u32)
            .checked_sub(zero as u32)
            .filter(|value| *value < 10)
    };
    zeros.into_iter().find_map(value)
}

/// A run of digits, with what stands between them.
struct Written {
    /// Groups of digits.
    groups: Vec<String>,
    /// What separates them: one less.
    separators: Vec<char>,
    /// Behind it as a power of ten.
    exponent: i32,
    /// Its length in the text.
    bytes: usize,
}

impl Written {
    fn read(text: &str) -> Self {
        let mut written = Self {
            groups: vec![String::new()],
            separators: Vec::new(),
            exponent: 0,
            bytes: 0,
        };
        let mut chars = text.char_indices().peekable();
        while let Some((place, c)) = chars.next() {
            let next = chars.peek().and_then(|(_, next)| digit(*next));
            match digit(c) {
                Some(value) => {
                    let digits = written.groups.last_mut();
                    digits
                        .into_iter()
                        .for_each(|digits| digits.extend(char::from_digit(value, 10)));
                }
                None if is_separator(c) && next.is_some() => {
                    written.separators.push(c);
                    written.groups.push(String::new());
                }
                None => break,
            }
            written.bytes = place + c.len_utf8();
        }
        written.take_exponent(&text[written.bytes..]);
        written
    }

    /// Takes `e5` and `e-5` with it.
    fn take_exponent(&mut self, behind: &str) {
        let Some(digits) = behind.strip_prefix(['e', 'E']) else {
            return;
        };
        let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        let count = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        let end = digits.len() - unsigned.len() + count;
        if let Ok(exponent) = digits[..end].parse()
            && (1..=3).contains(&count)
        {
            self.exponent = exponent;
            self.bytes += 1 + end;
        }
    }

    fn number(&self, negative: bool) -> Option<Number> {
        if self.groups.iter().map(String::len).sum::<usize>() > MOST_DIGITS {
            return None;
        }
        let (points, other) = self.readings()?;
        let value = |points: Option<usize>| {
            let whole = &self.groups[..points.unwrap_or(self.groups.len())];
            let part = &self.groups[points.unwrap_or(self.groups.len())..];
            let text = format!("{}.{}e{}", whole.concat(), part.concat(), self.exponent);
            let value: f64 = text.parse().ok()?;
            Some(if negative { -value } else { value })
        };
        Some(Number {
            value: value(points)?,
            other: other.and_then(value),
        })
    }

    /// The group that stands behind the decimal point, and the other way to read it; `None` for what is no number: a date,
    /// a version, a list.
    fn readings(&self) -> Option<(Option<usize>, Option<Option<usize>>)> {
        let Some((last, earlier)) = self.separators.split_last() else {
            return Some((None, None));
        };
        let point = self.groups.len() - 1;
        let three = |groups: &[String]| {
            self.groups[0].len() <= 3 && groups.iter().all(|group| group.len() == 3)
        };
        let alike = earlier.windows(2).all(|two| two[0] == two[1]);
        let decimal = matches!(last, '.' | ',');
        match (earlier.first(), decimal) {
            // `1,234` is a thousand and `1.234` hardly more than one, in most countries.
            (None, true) if three(&self.groups[1..]) => Some(match last {
                ',' => (None, Some(Some(point))),
                _ => (Some(point), Some(None)),
            }),
            (None, true) => Some((Some(point), None)),
            (Some(first), _) if first == last => {
                (alike && three(&self.groups[1..])).then_some((None, None))
            }
            (Some(_), true) => {
                (alike && three(&self.groups[1..point])).then_some((Some(point), None))
            }
            (None, false) => three(&self.groups[1..]).then_some((None, None)),
            (Some(_), false) => None,
        }
    }
}

/// Stands between the digits of one number.
fn is_separator(c: char) -> bool {
    matches!(
        c,
        '.' | ',' | '\'' | '_' | '\u{a0}' | '\u{202f}' | '\u{2009}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: f64) {
        assert!(
            says(text, expected, 0.0),
            "{text}: {:?}",
            numbers(text).collect::<Vec<_>>()
        );
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        check("1,235", 1235.0);
        check("1.235", 1235.0);
        check("1.235", 1.235);
        check("1 000: 1\u{202f}691.", 1691.0);
        check("1,234,567.5", 1_234_567.5);
        check("1.234.567", 1_234_567.0);
        check("1.234,5", 1234.5);
        check("12 plus 30 is 42.", 42.0);
        check("**42**", 42.0);
        check("42.0", 42.0);
        check("3,5", 3.5);
        check("3, 4", 4.0);
        check("-7", -7.0);
        check("it is \u{2212}7 \u{b0}C", -7.0);
        check("50-7", 7.0);
        check("6.02e23", 6.02e23);
        check("$1'000", 1000.0);
        check("\u{7b54}\u{6848}\u{662f}42\u{3002}", 42.0);
        check("\u{664}\u{662}", 42.0);
        check("\u{ff14}\u{ff12}", 42.0);
    }

    #[test]
    fn the_answer_is_the_last_number_or_the_announced_one() {
        check("The answer is **42**: 40 and 2.", 42.0);
        check("#### 42\n(checked 3 times)", 42.0);
        check("\\boxed{42} in 3 steps", 42.0);
        check("The answer is 12 plus 30, which is 42", 42.0);
        for text in [
            "",
            "none",
            "42 and 43",
            "2.4.42",
            "3,4,42",
            "x42",
            "GPT42",
            "4 2",
            "420",
            "9".repeat(50).as_str(),
        ] {
            assert!(!says(text, 42.0, 0.0), "{text}");
        }
        assert!(says("41.99", 42.0, 0.05));
        assert!(!says("41.9", 42.0, 0.05));
    }
}
