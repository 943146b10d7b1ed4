//! Runs of one character, and texts that say the same again and again.
//!
//! A loop is looked for as a place whose last bytes stood a little before it, too: from there on each byte is compared with
//! the one a period before. Invariant: one pass over the text and a table of fixed size, whatever the text.

/// A run of one character is as long at least.
const LEAST_RUN: usize = 60;
/// One that goes on until the answer ends is as long at least, as those of short answers are.
const LEAST_LAST: usize = 24;
/// Of characters that lines are drawn with, or numbers written.
const LEAST_LINE: usize = 400;
/// Bytes that a loop takes at least where it goes on until its answer ends, as those of models do.
const LEAST_LOOP: usize = 160;
/// Times that it says the same at least.
const LEAST_TIMES: usize = 5;
/// Bytes of a loop that something else comes behind: rows of equal cells and markup are shorter.
const LEAST_STRETCH: usize = 1_200;
/// Times that such a loop says the same at least.
const LEAST_STRETCH_TIMES: usize = 8;
/// Longest period, bytes: a few sentences.
const LONGEST_PERIOD: usize = 1_200;
/// Bytes by which a place is known again.
const GRAM: usize = 8;
/// Places that are remembered: some for each of the longest period. A power of two.
const PLACES: usize = 4_096;

/// It holds a long run of one character.
pub(super) fn is_one_character(text: &str) -> bool {
    let (mut last, mut run) = (None, 0);
    for character in text.chars() {
        if Some(character) == last {
            run += 1;
        } else {
            (last, run) = (Some(character), 1);
        }
        if run >= LEAST_RUN && (run >= LEAST_LINE || !draws(character)) {
            return true;
        }
    }
    run >= LEAST_LAST && last.is_some_and(|character| !draws(character))
}

/// Lines, tables, dots and long numbers are made of it.
fn draws(character: char) -> bool {
    character.is_whitespace()
        || character.is_ascii_digit()
        || matches!(character, '-' | '=' | '_' | '*' | '#' | '.' | '~' | '+')
        || ('\u{2500}'..='\u{259f}').contains(&character)
}

/// It says the same again and again: until its end, or over a very long stretch.
pub(super) fn is_loop(text: &str) -> bool {
    let text = text.trim_end();
    let mut search = Search::new(text);
    (GRAM..=text.len()).any(|end| search.read(end)) || search.found(LEAST_LOOP, LEAST_TIMES)
}

/// A text that is read once.
struct Search<'a> {
    text: &'a str,
    /// By a hash of bytes, how much of the text had been read behind them.
    seen: [u32; PLACES],
    /// How far back the bytes stand that the last ones repeat; 0: nowhere.
    period: usize,
    /// Bytes that repeat those a period before.
    repeated: usize,
    /// How much was read.
    end: usize,
}

impl<'a> Search<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            seen: [0; PLACES],
            period: 0,
            repeated: 0,
            end: 0,
        }
    }

    /// Reads on to `end`; whether a long loop has just ended there.
    fn read(&mut self, end: usize) -> bool {
        let bytes = self.text.as_bytes();
        let mut found = false;
        if self.period > 0 {
            if bytes[end - 1] == bytes[end - 1 - self.period] {
                self.repeated += 1;
            } else {
                found = self.found(LEAST_STRETCH, LEAST_STRETCH_TIMES);
                self.period = 0;
            }
        }
        self.end = end;
        let gram = &bytes[end - GRAM..end];
        let now = u32::try_from(end).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut self.seen[slot(gram)], now) as usize;
        let near = before >= GRAM && before < end && end - before <= LONGEST_PERIOD;
        if self.period == 0 && near && &bytes[before - GRAM..before] == gram {
            (self.period, self.repeated) = (end - before, GRAM);
        }
        found
    }

    /// What was read last repeats itself so long and so often.
    fn found(&self, least: usize, times: usize) -> bool {
        let length = self.repeated + self.period;
        if self.period == 0 || length < least || length < times * self.period {
            return false;
        }
        let period = self.period_text();
        // One character is for the other check.
        period.chars().nth(1).is_some() && (length >= LEAST_STRETCH || !is_drawn(period))
    }

    /// One period, from its first whole character.
    fn period_text(&self) -> &'a str {
        let begin = |mut place: usize| {
            while !self.text.is_char_boundary(place) {
                place -= 1;
            }
            place
        };
        &self.text[begin(self.end - self.period)..begin(self.end)]
    }
}

fn slot(gram: &[u8]) -> usize {
    let number = gram
        .iter()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // Fibonacci hashing: the upper bits of the product mix all bytes.
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize % PLACES
}

/// Nothing but what tables, matrices and indentations are made of.
fn is_drawn(period: &str) -> bool {
    let part = |c: char| {
        draws(c) || matches!(c, '|' | ',' | ';' | ':' | '(' | ')' | '[' | ']' | '{' | '}')
    };
    period.chars().all(part)
}
