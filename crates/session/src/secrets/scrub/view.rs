//! A text as a reader takes it: escapes decoded, invisible characters left out, each character with its
//! place in the text as it stands.
//!
//! It knows no secrets. Invariant: places only grow, so a run of characters is a range of the text.

use std::ops::Range;

/// Characters and where they stand.
pub(super) struct View(Vec<(char, Range<usize>)>);

/// A view made ready for searching.
pub(super) struct Folded {
    text: String,
    /// For each byte of the text, the place of its character.
    places: Vec<Range<usize>>,
}

impl View {
    /// The text as it stands.
    pub(super) fn of(text: &str) -> Self {
        let place = |(at, c): (usize, char)| (c, at..at + c.len_utf8());
        Self(text.char_indices().map(place).collect())
    }

    /// The characters alone.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(c, _)| *c).collect()
    }

    /// Without what nobody sees, and without the stand-in for it.
    pub(super) fn visible(&self) -> Self {
        self.keeping(|c| !is_invisible(c))
    }

    /// Without white space.
    pub(super) fn without_spaces(&self) -> Self {
        self.keeping(|c| !c.is_whitespace())
    }

    fn keeping(&self, keeps: impl Fn(char) -> bool) -> Self {
        Self(self.0.iter().filter(|(c, _)| keeps(*c)).cloned().collect())
    }

    /// Percent, JSON and HTML escapes decoded, once.
    pub(super) fn decoded(&self) -> Self {
        let mut out = Vec::with_capacity(self.0.len());
        let mut rest = self.0.as_slice();
        while let Some(((c, place), behind)) = rest.split_first() {
            let escape = match c {
                '%' => percent(rest),
                '\\' => json(behind),
                '&' => html(behind),
                _ => None,
            };
            match escape {
                Some((text, used)) => {
                    let end = rest[used - 1].1.end;
                    let chars = text.chars();
                    out.extend(chars.map(|c| (c, place.start..end)));
                    rest = &rest[used..];
                }
                None => {
                    out.push((*c, place.clone()));
                    rest = behind;
                }
            }
        }
        Self(out)
    }

    /// In lower case, ready for searching.
    pub(super) fn folded(&self) -> Folded {
        self.search(|c, text| text.extend(c.to_lowercase()))
    }

    /// With its case kept, ready for searching.
    pub(super) fn exact(&self) -> Folded {
        self.search(|c, text| text.push(c))
    }

    fn search(&self, push: impl Fn(char, &mut String)) -> Folded {
        let mut folded = Folded {
            text: String::with_capacity(self.0.len()),
            places: Vec::with_capacity(self.0.len()),
        };
        for (c, place) in &self.0 {
            push(*c, &mut folded.text);
            folded.places.resize(folded.text.len(), place.clone());
        }
        folded
    }
}

impl Folded {
    /// Where a text stands, as ranges of the text that the view was made of.
    pub(super) fn ranges(&self, wanted: &str) -> impl Iterator<Item = Range<usize>> {
        let places = |at: usize| {
            let last = at + wanted.len() - 1;
            Some(self.places.get(at)?.start..self.places.get(last)?.end)
        };
        let matches = self.text.match_indices(wanted);
        matches.filter_map(move |(at, _)| places(at))
    }
}

/// Characters without a picture, soft hyphens, marks of direction, tags, and what
/// [`inert`](infermeter_core::text::inert) puts in their place.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffd}' | '\u{e0000}'..='\u{e0fff}')
        || (c.is_control() && !c.is_whitespace())
}

/// What an escape stands for, and the characters it takes.
type Escape = Option<(String, usize)>;
type Chars<'v> = &'v [(char, Range<usize>)];

/// `%XX`, all that stand behind one another together: a character may have several bytes.
fn percent(rest: Chars<'_>) -> Escape {
    let mut bytes = Vec::new();
    let mut used = 0;
    while let [('%', _), (high, _), (low, _), ..] = &rest[used..] {
        let Some(byte) = hex(&[*high, *low]) else {
            break;
        };
        bytes.push(byte as u8);
        used += 3;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (used > 0).then_some((text, used))
}

/// `\uXXXX`, `\xXX` and the short ones; the backslash has been seen.
fn json(behind: Chars<'_>) -> Escape {
    let ((kind, _), rest) = behind.split_first()?;
    let short = |c: char| Some((c.to_string(), 2));
    match kind {
        'u' => {
            let mut units = Vec::new();
            units.push(unit(rest)?);
            let mut used = 6;
            // The second half of a pair.
            if let (0xd800..0xdc00, [('\\', _), ('u', _), low @ ..]) = (units[0], &rest[4..])
                && let Some(low) = unit(low)
            {
                units.push(low);
                used += 6;
            }
            Some((String::from_utf16_lossy(&units), used))
        }
        'x' => {
            let [(high, _), (low, _), ..] = rest else {
                return None;
            };
            let c = char::from_u32(hex(&[*high, *low])?)?;
            Some((c.to_string(), 4))
        }
        '"' | '\\' | '/' | '\'' => short(*kind),
        'n' | 'r' | 't' => short(' '),
        _ => None,
    }
}

/// Four digits.
fn unit(rest: Chars<'_>) -> Option<u16> {
    let digits: Vec<char> = rest.get(..4)?.iter().map(|(c, _)| *c).collect();
    hex(&digits).and_then(|unit| u16::try_from(unit).ok())
}

/// `&amp;` and its like, `&#65;`, `&#x41;`; the ampersand has been seen.
fn html(behind: Chars<'_>) -> Escape {
    // The longest is `#x10FFFF`.
    let length = behind.iter().take(10).position(|(c, _)| *c == ';')?;
    let name: String = behind.get(..length)?.iter().map(|(c, _)| *c).collect();
    let c = match name.as_str() {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "shy" => '\u{ad}',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((c.to_string(), length + 2))
}

fn hex(digits: &[char]) -> Option<u32> {
    let mut value = 0;
    for digit in digits {
        value = value << 4 | digit.to_digit(16)?;
    }
    Some(value)
}
