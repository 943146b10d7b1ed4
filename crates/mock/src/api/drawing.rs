//! How an answer is drawn: greedily, by a seed, or anew each time; and whether its log probabilities are asked for.
//!
//! A request without a temperature has the simulator's own. Invariant: the key of a request that is greedy or has a seed
//! is a function of its prompt and that seed alone.

use super::body::Body;
use crate::content::ContentParams;
use crate::refusal::Refusal;
use infermeter_core::plan::Endpoint;
use infermeter_core::seed::splitmix64;
use serde_json::Value;

/// How an answer is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawing {
    /// The most likely token each time.
    Greedy,
    /// By a seed.
    Seeded(u64),
    /// Anew.
    Random,
}

/// Most alternatives of a token: OpenAI's limit.
const MOST_LOGPROBS: i64 = 20;

impl Drawing {
    /// That of a request.
    ///
    /// # Errors
    /// For a negative temperature.
    pub fn of(body: &Body<'_>, params: &ContentParams) -> Result<Self, Refusal> {
        let temperature = body.temperature.unwrap_or(params.temperature);
        if temperature < 0.0 {
            return Err(Refusal::bad_request(format!(
                "temperature must be non-negative, got {temperature}."
            )));
        }
        Ok(match body.seed {
            _ if temperature == 0.0 || body.top_k == Some(1) => Self::Greedy,
            Some(seed) => Self::Seeded(seed as u64),
            None => Self::Random,
        })
    }

    /// What seeds the text: `key` is that of the prompt, `number` that of the request.
    pub fn key(self, key: u64, number: u64) -> u64 {
        match self {
            Self::Greedy => key,
            Self::Seeded(seed) => key ^ splitmix64(seed ^ 0x7365_6564),
            Self::Random => key ^ splitmix64(number ^ 0x0072_616e_646f_6d00),
        }
    }

    /// Numeric noise changes nothing that is drawn anew.
    pub fn is_greedy(self) -> bool {
        self != Self::Random
    }
}

/// Alternatives of each token that are asked for, where log probabilities are.
///
/// # Errors
/// For more than there may be.
pub(super) fn logprobs(endpoint: Endpoint, body: &Body<'_>) -> Result<Option<u32>, Refusal> {
    let asked = body
        .logprobs
        .and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let wanted = match endpoint {
        Endpoint::Chat if asked == Some(Value::Bool(true)) => body.top_logprobs.or(Some(0)),
        Endpoint::Completions => asked.as_ref().and_then(Value::as_i64),
        _ => None,
    };
    match wanted {
        None => Ok(None),
        Some(wanted) if (0..=MOST_LOGPROBS).contains(&wanted) => Ok(Some(wanted as u32)),
        Some(wanted) => Err(Refusal::bad_request(format!(
            "top_logprobs must be between 0 and {MOST_LOGPROBS}, got {wanted}."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(body: &str) -> Drawing {
        let body: Body<'_> = serde_json::from_str(body).expect("a body");
        Drawing::of(&body, &ContentParams::default()).expect("acceptable")
    }

    #[test]
    fn a_temperature_of_zero_or_a_seed_makes_answers_repeatable() {
        assert_eq!(drawing("{}"), Drawing::Greedy);
        assert_eq!(drawing(r#"{"temperature":0,"seed":3}"#), Drawing::Greedy);
        assert_eq!(drawing(r#"{"temperature":0.7,"top_k":1}"#), Drawing::Greedy);
        assert_eq!(
            drawing(r#"{"temperature":0.7,"seed":3}"#),
            Drawing::Seeded(3)
        );
        assert_eq!(drawing(r#"{"temperature":0.7}"#), Drawing::Random);
        assert_eq!(Drawing::Greedy.key(5, 1), Drawing::Greedy.key(5, 2));
        assert_eq!(Drawing::Seeded(3).key(5, 1), Drawing::Seeded(3).key(5, 2));
        assert_ne!(Drawing::Seeded(3).key(5, 1), Drawing::Seeded(4).key(5, 1));
        assert_ne!(Drawing::Random.key(5, 1), Drawing::Random.key(5, 2));
    }

    #[test]
    fn log_probabilities_are_asked_for_as_each_api_has_them() {
        let asked = |endpoint, body: &str| {
            let body: Body<'_> = serde_json::from_str(body).expect("a body");
            logprobs(endpoint, &body)
        };
        let chat = Endpoint::Chat;
        assert_eq!(
            asked(chat, r#"{"logprobs":true,"top_logprobs":2}"#),
            Ok(Some(2))
        );
        assert_eq!(asked(chat, r#"{"logprobs":true}"#), Ok(Some(0)));
        assert_eq!(asked(chat, r#"{"logprobs":false}"#), Ok(None));
        assert_eq!(
            asked(Endpoint::Completions, r#"{"logprobs":3}"#),
            Ok(Some(3))
        );
        assert_eq!(asked(Endpoint::Completions, "{}"), Ok(None));
        assert_eq!(asked(Endpoint::Messages, r#"{"logprobs":true}"#), Ok(None));
        assert!(asked(Endpoint::Completions, r#"{"logprobs":21}"#).is_err());
    }
}
