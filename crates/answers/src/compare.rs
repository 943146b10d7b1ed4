//! Two answers to one prompt: where they part, and how near the model was to saying the other thing there.
//!
//! It judges nothing: whether a difference is one of rounding or of corruption is for `analysis`, over many of them.
//! Invariant: where the tokens of a server's log-probabilities are not those of the text, no margin is known; a wrong one
//! would be worse.

use serde_json::Value;

/// Tokens that are read at most: more than any context holds.
const MOST_TOKENS: usize = 1 << 20;

/// Characters that two texts have in common at their beginnings; `None` where they are equal.
pub fn first_difference(a: &str, b: &str) -> Option<u32> {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    if same == a.len() && same == b.len() {
        return None;
    }
    // The first byte that differs may lie within a character, whose beginning is then no longer in common.
    let whole = (0..=same)
        .rev()
        .find(|end| a.is_char_boundary(*end) && b.is_char_boundary(*end));
    let common = &a[..whole.unwrap_or(0)];
    Some(u32::try_from(common.chars().count()).unwrap_or(u32::MAX))
}

/// By how much each token of an answer was likelier than the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Margins(Vec<Margin>);

/// A token of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Margin {
    /// Characters of the text that begin before it.
    from: u32,
    /// Thousandths of a nat; absent where the server gave no second token.
    mnat: Option<u32>,
}

/// A token as a server gives it.
struct Token {
    bytes: Vec<u8>,
    mnat: Option<u32>,
}

impl Margins {
    /// Those of an answer in one piece whose visible text is `content`: from the log-probabilities of chat, or from those
    /// of completions. `None` where it has none, or where its tokens do not make up the text.
    pub fn of(answer: &Value, content: &str) -> Option<Self> {
        let logprobs = answer.pointer("/choices/0/logprobs")?;
        let tokens = match logprobs.get("content").and_then(Value::as_array) {
            Some(entries) => entries.iter().take(MOST_TOKENS).map(of_chat).collect(),
            None => of_completions(logprobs),
        };
        let tokens: Vec<Token> = tokens?;
        Self::along(&tokens, content)
    }

    /// The margin of the token that the character behind `chars` others belongs to, thousandths of a nat.
    pub fn at(&self, chars: u32) -> Option<u32> {
        let behind = self.0.partition_point(|token| token.from <= chars);
        self.0.get(behind.checked_sub(1)?)?.mnat
    }

    /// Tokens along a text. Before it may stand what was thought, and behind it the token of its end.
    fn along(tokens: &[Token], content: &str) -> Option<Self> {
        let all: Vec<u8> = tokens
            .iter()
            .flat_map(|token| token.bytes.iter().copied())
            .collect();
        let all = String::from_utf8(all).ok()?;
        let start = all.rfind(content).filter(|_| !content.is_empty())?;
        let (mut place, mut from) = (0, 0_u32);
        let mut margins = Vec::new();
        for token in tokens {
            let end = place + token.bytes.len();
            if end > start && place < start + content.len() && end > place {
                margins.push(Margin {
                    from,
                    mnat: token.mnat,
                });
                let inside = &token.bytes[start.saturating_sub(place).min(token.bytes.len())..];
                // A character counts where it begins.
                let begun = inside.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
                from = from.saturating_add(u32::try_from(begun).unwrap_or(u32::MAX));
            }
            place = end;
        }
        Some(Self(margins))
    }
}

/// An entry of `logprobs.content`.
fn of_chat(entry: &Value) -> Option<Token> {
    let bytes = bytes_of(entry)?;
    let others = entry.get("top_logprobs").and_then(Value::as_array);
    let others = others.into_iter().flatten();
    let others = others.filter(|other| bytes_of(other).is_some_and(|other| other != bytes));
    let others = others.filter_map(|other| other.get("logprob")?.as_f64());
    Some(Token {
        mnat: margin(entry.get("logprob").and_then(Value::as_f64), others),
        bytes,
    })
}

/// The bytes of a token: its text alone cannot say them where it is a part of a character.
fn bytes_of(entry: &Value) -> Option<Vec<u8>> {
    let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
    let bytes = entry.get("bytes").and_then(Value::as_array);
    let bytes = bytes.and_then(|bytes| bytes.iter().map(byte).collect());
    bytes.or_else(|| Some(entry.get("token")?.as_str()?.as_bytes().to_vec()))
}

/// The three lists of completions.
fn of_completions(logprobs: &Value) -> Option<Vec<Token>> {
    let own = |place: usize| logprobs.get("token_logprobs")?.get(place)?.as_f64();
    let token = |(place, token): (usize, &Value)| {
        let text = token.as_str()?;
        let others = logprobs
            .get("top_logprobs")
            .and_then(|all| all.get(place)?.as_object());
        let others = others
            .into_iter()
            .flatten()
            .filter(|(other, _)| *other != text);
        Some(Token {
            bytes: text.as_bytes().to_vec(),
            mnat: margin(
                own(place),
                others.filter_map(|(_, logprob)| logprob.as_f64()),
            ),
        })
    };
    let tokens = logprobs.get("tokens")?.as_array()?;
    tokens
        .iter()
        .take(MOST_TOKENS)
        .enumerate()
        .map(token)
        .collect()
}

/// The distance to the likeliest of the others, thousandths of a nat.
fn margin(own: Option<f64>, others: impl Iterator<Item = f64>) -> Option<u32> {
    let runner_up = others.reduce(f64::max)?;
    let mnat = ((own? - runner_up).abs() * 1000.0).round();
    // What is beyond cannot be told apart: servers write -9999 for what is impossible.
    mnat.is_finite()
        .then_some(mnat.min(f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests;
