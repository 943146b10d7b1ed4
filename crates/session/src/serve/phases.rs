//! Phases of an engine's start, read from its log by patterns.
//!
//! It reads nothing but lines. Invariants: a phase that no line tells of is absent; whether a time is the engine's own
//! figure or the distance of two lines is said.

use super::log::LogLine;
use anyhow::{Result, anyhow, bail};
use infermeter_analysis::cold_start::{ColdPhase, PhaseSource};
use infermeter_core::text::inert;
use regex::{Regex, RegexBuilder};

/// Memory of a pattern that a user gives, bytes: what takes more is no pattern for a line.
const PATTERN_BYTES: usize = 1 << 20;
/// Longest name of a phase, bytes.
const NAME_BYTES: usize = 40;

/// Patterns of one phase in one engine's log.
struct Written {
    engine: &'static str,
    phase: &'static str,
    /// A line at its beginning; empty: none tells.
    begins: &'static str,
    /// A line at its end; `s` captures seconds, where it tells them.
    ends: &'static str,
}

/// The built-in ones, from the engines' documentation and published logs; what the simulator writes has vLLM's forms.
const WRITTEN: &[Written] = &[
    Written {
        engine: "vLLM",
        phase: "weights",
        begins: r"Starting to load model ",
        ends: r"Loading weights took (?<s>[\d.]+) seconds",
    },
    Written {
        engine: "vLLM",
        phase: "model",
        begins: r"Starting to load model ",
        ends: r"Model loading took [\d.]+ Gi?B.*? and (?<s>[\d.]+) seconds",
    },
    Written {
        engine: "vLLM",
        phase: "compile",
        begins: r"Start compiling function|Using cache directory: .*torch_compile_cache",
        ends: r"torch\.compile (?:takes|took) (?<s>[\d.]+) s(?:econds)? in total",
    },
    Written {
        engine: "vLLM",
        phase: "kv_cache",
        begins: r"Available KV cache memory: ",
        ends: r"GPU KV cache size: [\d,]+ tokens",
    },
    Written {
        engine: "vLLM",
        phase: "graphs",
        begins: r"Capturing cudagraphs for decoding|Capturing CUDA graph",
        ends: r"Graph capturing finished in (?<s>[\d.]+) secs?",
    },
    Written {
        engine: "SGLang",
        phase: "weights",
        begins: r"Load weight begin\.",
        ends: r"Load weight end\.",
    },
    Written {
        engine: "SGLang",
        phase: "kv_cache",
        begins: r"Memory pool (?:begin|init)|Load weight end\.",
        ends: r"KV Cache is allocated\.",
    },
    Written {
        engine: "SGLang",
        phase: "graphs",
        begins: r"Capture cuda graph begin\.",
        ends: r"Capture cuda graph end\.(?: Time elapsed: (?<s>[\d.]+) s)?",
    },
    Written {
        engine: "llama.cpp",
        phase: "weights",
        begins: r"load_tensors: loading model tensors|llm_load_tensors: ggml ctx size",
        ends: r"llama_(?:init_from_model|context|new_context_with_model): (?:constructing|n_ctx|n_seq_max)",
    },
    Written {
        engine: "llama.cpp",
        phase: "kv_cache",
        begins: r"llama_(?:init_from_model|context|new_context_with_model): (?:constructing|n_ctx|n_seq_max)",
        ends: r"llama_kv_cache\S*: (?:size|KV self size) *=|llama_new_context_with_model: KV self size",
    },
    Written {
        engine: "TensorRT-LLM",
        phase: "weights",
        begins: r"Engine version \S+ found in the config file|Loading weights concurrently",
        ends: r"Loaded engine size: [\d.]+ MiB|Model init total -- (?<s>[\d.]+) ?s",
    },
    Written {
        engine: "TensorRT-LLM",
        phase: "kv_cache",
        begins: r"Max KV cache blocks per sequence",
        ends: r"Allocated [\d.]+ [GM]iB for max tokens in paged KV cache",
    },
    Written {
        engine: "TensorRT-LLM",
        phase: "graphs",
        begins: r"Run warmup for batch size|Creating CUDA graph instances",
        ends: r"\[Autotuner\] Cache size after warmup|CUDA graph warmup (?:done|took)",
    },
];

/// A pattern that can be looked for.
struct Pattern {
    engine: String,
    phase: String,
    begins: Option<Regex>,
    ends: Regex,
}

/// All that is looked for in a log.
pub struct Patterns(Vec<Pattern>);

impl Patterns {
    /// The built-in ones and a user's own, each `NAME=REGEX`, before them.
    ///
    /// # Errors
    /// Naming the one that is no pattern.
    pub fn of(own: &[String]) -> Result<Self> {
        let mut all: Vec<Pattern> = own
            .iter()
            .map(|text| own_pattern(text))
            .collect::<Result<_>>()?;
        for written in WRITTEN {
            all.push(Pattern {
                engine: written.engine.to_owned(),
                phase: written.phase.to_owned(),
                begins: match written.begins {
                    "" => None,
                    begins => Some(Regex::new(begins)?),
                },
                ends: Regex::new(written.ends)?,
            });
        }
        Ok(Self(all))
    }

    /// The phases that a log tells of, in order of their ends. `origin_ns` is what instants count from.
    pub(crate) fn read(&self, lines: &[LogLine], origin_ns: i64) -> Vec<ColdPhase> {
        let mut found: Vec<ColdPhase> = Vec::new();
        for pattern in &self.0 {
            let Some(phase) = pattern.read(lines, origin_ns) else {
                continue;
            };
            // One line may have the form of two engines: the first table has it.
            if !found.iter().any(|known| known.phase == phase.phase) {
                found.push(phase);
            }
        }
        found.sort_by(|a, b| a.ended_ms.total_cmp(&b.ended_ms));
        found
    }
}

fn own_pattern(text: &str) -> Result<Pattern> {
    let Some((name, regex)) = text.split_once('=') else {
        bail!(
            "--phase: `{}` is not NAME=REGEX: write --phase 'weights=weights loaded in (?<s>[0-9.]+) s'",
            inert(text, 80)
        );
    };
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(plain) {
        bail!(
            "--phase: `{}` is not a name: write letters, digits, - and _",
            inert(name, 80)
        );
    }
    let ends = RegexBuilder::new(regex).size_limit(PATTERN_BYTES).build();
    let ends = ends.map_err(|error| {
        anyhow!(
            "--phase {name}: not a regular expression: {}",
            inert(&error.to_string(), 300)
        )
    })?;
    let known = ["s", "ms"];
    let mut named = ends.capture_names().flatten();
    if let Some(other) = named.find(|group| !known.contains(group)) {
        bail!(
            "--phase {name}: a group is called `s` (seconds) or `ms`, not `{}`",
            inert(other, 80)
        );
    }
    Ok(Pattern {
        engine: "--phase".to_owned(),
        phase: name.to_owned(),
        begins: None,
        ends,
    })
}

impl Pattern {
    /// Several workers tell of one phase: it begins with the first and ends with the last, and the longest of their
    /// own figures is its time.
    fn read(&self, lines: &[LogLine], origin_ns: i64) -> Option<ColdPhase> {
        let ms = |line: &LogLine| (line.at_ns - origin_ns) as f64 / 1e6;
        let mut ends = lines.iter().filter(|line| self.ends.is_match(&line.text));
        let first = ends.next()?;
        let last = ends.next_back().unwrap_or(first);
        let told = lines.iter().filter_map(|line| self.told_ms(&line.text));
        let told = told.fold(None, |most: Option<f64>, ms| {
            Some(most.map_or(ms, |most| most.max(ms)))
        });
        let begun = match &self.begins {
            Some(begins) => lines
                .iter()
                .find(|line| line.at_ns <= last.at_ns && begins.is_match(&line.text)),
            // A pattern of a user's that fits several lines spans them.
            None => Some(first).filter(|first| first.at_ns < last.at_ns),
        };
        let ended_ms = ms(last);
        let (took_ms, source) = match (told, begun) {
            (Some(told), _) => (Some(told), PhaseSource::OwnFigure),
            (None, Some(begun)) => (Some(ended_ms - ms(begun)), PhaseSource::Lines),
            (None, None) => (None, PhaseSource::OneLine),
        };
        Some(ColdPhase {
            phase: self.phase.clone(),
            engine: self.engine.clone(),
            began_ms: begun.map(ms),
            ended_ms,
            took_ms,
            source,
        })
    }

    /// The time that a line tells, milliseconds.
    fn told_ms(&self, text: &str) -> Option<f64> {
        let captures = self.ends.captures(text)?;
        let number = |name: &str| captures.name(name)?.as_str().parse::<f64>().ok();
        let ms = match number("s") {
            Some(seconds) => seconds * 1e3,
            None => number("ms")?,
        };
        (ms.is_finite() && ms >= 0.0).then_some(ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(own: &[&str], log: &[(i64, &str)]) -> Vec<ColdPhase> {
        let own: Vec<String> = own.iter().map(|text| (*text).to_owned()).collect();
        let lines: Vec<LogLine> = log
            .iter()
            .map(|(ms, text)| LogLine {
                at_ns: ms * 1_000_000,
                text: (*text).to_owned(),
            })
            .collect();
        Patterns::of(&own).expect("patterns").read(&lines, 0)
    }

    fn told(phases: &[ColdPhase]) -> Vec<(&str, Option<f64>, PhaseSource)> {
        let told = phases.iter();
        told.map(|p| (p.phase.as_str(), p.took_ms, p.source))
            .collect()
    }

    #[test]
    fn the_longest_of_several_workers_is_the_phase() {
        let found = read(
            &[],
            &[
                (10, "(Worker pid=1) INFO Loading weights took 2.5 seconds"),
                (12, "(Worker pid=2) INFO Loading weights took 3.25 seconds"),
                (20, "INFO Available KV cache memory: 52.4 GiB"),
                (25, "INFO GPU KV cache size: 429,248 tokens"),
                (
                    40,
                    "INFO Graph capturing finished in 15 secs, took 0.50 GiB",
                ),
            ],
        );
        assert_eq!(
            told(&found),
            [
                ("weights", Some(3250.0), PhaseSource::OwnFigure),
                ("kv_cache", Some(5.0), PhaseSource::Lines),
                ("graphs", Some(15_000.0), PhaseSource::OwnFigure),
            ]
        );
        assert_eq!(found[0].engine, "vLLM");
    }

    #[test]
    fn begin_and_end_lines_give_a_time() {
        let found = read(
            &[],
            &[
                (100, "Load weight begin. avail mem=78.5 GB"),
                (
                    1600,
                    "Load weight end. type=LlamaForCausalLM, avail mem=63 GB",
                ),
                (
                    1700,
                    "KV Cache is allocated. #tokens: 431,000, K size: 26 GB",
                ),
                (
                    1800,
                    "Capture cuda graph begin. This can take up to several minutes.",
                ),
                (4800, "Capture cuda graph end. Time elapsed: 3.01 s."),
            ],
        );
        assert_eq!(
            told(&found),
            [
                ("weights", Some(1500.0), PhaseSource::Lines),
                ("kv_cache", Some(100.0), PhaseSource::Lines),
                ("graphs", Some(3010.0), PhaseSource::OwnFigure),
            ]
        );
    }

    #[test]
    fn patterns_of_a_users_own_go_first() {
        let found = read(
            &[
                "weights=shard \\d+ read",
                "tune=tuned in (?<ms>\\d+) ms",
                "one=hello",
            ],
            &[
                (5, "shard 1 read"),
                (9, "shard 2 read"),
                (11, "tuned in 70 ms"),
                (12, "hello"),
            ],
        );
        assert_eq!(
            told(&found),
            [
                ("weights", Some(4.0), PhaseSource::Lines),
                ("tune", Some(70.0), PhaseSource::OwnFigure),
                ("one", None, PhaseSource::OneLine),
            ]
        );
        assert_eq!(read(&[], &[(1, "nothing of note")]), []);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let refused = |text: &str, word: &str| {
            let error = Patterns::of(&[text.to_owned()])
                .err()
                .expect(word)
                .to_string();
            assert!(error.contains(word), "{error}");
        };
        refused("weights", "NAME=REGEX");
        refused("a b=x", "not a name");
        refused("a=(", "not a regular expression");
        refused("a=(?<sec>x)", "called `s`");
        refused("a=((x{100}){100}){100}", "not a regular expression");
    }
}
