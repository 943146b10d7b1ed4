//! Named engines and the figures behind them.
//!
//! A preset is a value: everything in it can be overridden by [`crate::Config`]. It does not
//! describe a measured machine; it says which published or derived figures it follows.

use crate::engine::{EngineParams, StepLaw};

/// A simulated engine and the facts of the model it serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// The name it is asked for by.
    pub name: &'static str,
    /// Name of the served model unless the configuration gives one. Marked as simulated, so that
    /// no record of it passes for a measurement of the real model.
    pub model: &'static str,
    /// Longest prompt plus answer, tokens.
    pub max_model_len: u32,
    /// Answers are cut to this many tokens, whatever was asked for.
    pub answer_limit: Option<u32>,
    /// Timing and limits.
    pub engine: EngineParams,
}

/// Why a name is no preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// Nothing has that name.
    #[error("unknown preset `{name}`{}: one of {}", hint(.suggestion), Preset::NAMES.join(", "))]
    Unknown {
        /// What was asked for, made inert.
        name: String,
        /// The closest name, where one is close.
        suggestion: Option<&'static str>,
    },
}

fn hint(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// Less similar names (Jaro-Winkler, 0 to 1) are no suggestion.
const SIMILAR: f64 = 0.7;

impl Preset {
    /// Every preset's name, the default first.
    pub const NAMES: [&'static str; 4] = ["llama-8b-h100", "llama-70b-8xh100", "fixed", "null"];

    /// The preset of a name.
    pub fn parse(name: &str) -> Result<Self, PresetError> {
        match name.trim() {
            "llama-8b-h100" => Ok(llama_8b_h100()),
            "llama-70b-8xh100" => Ok(llama_70b_8xh100()),
            "fixed" => Ok(fixed()),
            "null" => Ok(null()),
            other => Err(PresetError::Unknown {
                name: infermeter_core::text::inert(other, 80),
                suggestion: closest(other),
            }),
        }
    }
}

fn closest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    Preset::NAMES
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Llama 3.1 8B in bf16 on one H100 SXM. Derived from the model's config.json (32 layers, 8 KV
/// heads of 128, 8.03e9 parameters) and NVIDIA's H100 data sheet (3.35 TB/s, 989 dense bf16
/// TFLOP/s), not measured:
/// - base 7 ms: reading 16.1 GB of weights takes 4.8 ms at full bandwidth; 70 to 75 % of it plus
///   the scheduler's time is what engines reach;
/// - 40 us per sequence: 131 kB of KV cache per token, 1,000 tokens of context;
/// - 25 us per prefill token: 2 x 8.03e9 FLOP at 65 % of the peak;
/// - 256 sequences and 8,192 batched tokens: vLLM's defaults for servers on this class of GPU.
fn llama_8b_h100() -> Preset {
    Preset {
        name: "llama-8b-h100",
        model: "mock/llama-8b-h100",
        max_model_len: 131_072,
        answer_limit: None,
        engine: EngineParams::plain(
            StepLaw::Batched {
                base_ns: 7_000_000,
                per_prefill_token_ns: 25_000,
                per_sequence_ns: 40_000,
                per_kv_token_ns: 0.0,
                per_attention_ns: 0.0,
            },
            256,
            8_192,
        ),
    }
}

/// Llama 70B, tensor-parallel over 8 H100. Follows the published decode figures quoted in the
/// project's issue on the simulator: about 44 ms a step at batch 128 and 83 ms at 512 (2,900 and
/// 6,200 tokens/s), which is the law 31 + 0.10 x batch ms; prefill near 0.035 ms a token. The
/// published sources contradict each other (a 35 ms token gap, 450 ms TTFT p99 at 20 requests/s):
/// the step law is the one followed here.
fn llama_70b_8xh100() -> Preset {
    Preset {
        name: "llama-70b-8xh100",
        model: "mock/llama-70b-8xh100",
        max_model_len: 131_072,
        answer_limit: None,
        engine: EngineParams::plain(
            StepLaw::Batched {
                base_ns: 31_000_000,
                per_prefill_token_ns: 35_000,
                per_sequence_ns: 100_000,
                per_kv_token_ns: 0.0,
                per_attention_ns: 0.0,
            },
            512,
            8_192,
        ),
    }
}

/// Timing given outright: TTFT 50 ms and a step of 20 ms unless the configuration says otherwise.
fn fixed() -> Preset {
    Preset {
        name: "fixed",
        model: "mock/fixed",
        max_model_len: 1_048_576,
        answer_limit: None,
        engine: EngineParams::plain(
            StepLaw::Fixed {
                ttft_ns: 50_000_000,
                step_ns: 20_000_000,
            },
            100_000,
            u32::MAX,
        ),
    }
}

/// One token at once: a server that costs as little as possible, to measure a client's pacing.
/// The grid of 1 ns makes "the first boundary at or after the arrival" the arrival itself.
fn null() -> Preset {
    Preset {
        name: "null",
        model: "mock/null",
        max_model_len: 1_048_576,
        answer_limit: Some(1),
        engine: EngineParams::plain(
            StepLaw::Fixed {
                ttft_ns: 0,
                step_ns: 1,
            },
            100_000,
            u32::MAX,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_parses_to_itself() {
        for name in Preset::NAMES {
            assert_eq!(Preset::parse(name).expect("listed").name, name);
        }
    }

    #[test]
    fn a_near_miss_is_suggested_and_all_are_listed() {
        let error = Preset::parse("llama-8b-h10").expect_err("no such preset");
        assert_eq!(
            error.to_string(),
            "unknown preset `llama-8b-h10` (did you mean `llama-8b-h100`?): one of llama-8b-h100, \
             llama-70b-8xh100, fixed, null"
        );
        let error = Preset::parse("qqq\u{1b}[2J").expect_err("no such preset");
        assert!(!error.to_string().contains('\u{1b}'));
        assert!(!error.to_string().contains("did you mean"));
    }
}
