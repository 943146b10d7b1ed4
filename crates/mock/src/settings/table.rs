//! The table of settings: names, how a text becomes a value, when they can be made, what they do.

use serde_json::Value;

/// How a text becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number, or a limit that may be `off`.
    Count,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A time with its unit.
    Time,
    /// A text.
    Text,
    /// Numbers with commas between them; empty for none.
    List,
    /// Texts with semicolons between them; empty for none.
    Texts,
    /// The same; given several times, they add up.
    Rules,
}

impl Kind {
    /// The value that a text stands for; one that fits nothing stays a text, which the setting
    /// then refuses.
    pub(super) fn read(self, text: &str) -> Value {
        let number = |text: &str| serde_json::from_str(text).ok().filter(Value::is_number);
        let verbatim = || Value::from(text);
        match self {
            Self::Count | Self::Number => number(text).unwrap_or_else(verbatim),
            Self::Flag => text
                .parse::<bool>()
                .map_or_else(|_| verbatim(), Value::from),
            Self::Time | Self::Text => verbatim(),
            Self::Texts | Self::Rules => text
                .split(';')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(Value::from)
                .collect(),
            Self::List => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| number(item).unwrap_or_else(|| Value::from(item)))
                .collect(),
        }
    }
}

/// When a setting can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the start only.
    Start,
    /// At the start and while the simulator runs.
    Always,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// How a text becomes its value.
    pub kind: Kind,
    /// When it can be made.
    pub when: When,
    /// What it does, with unit.
    pub help: &'static str,
}

const fn live(name: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting {
        name,
        kind,
        when: When::Always,
        help,
    }
}

const fn start(name: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting {
        name,
        kind,
        when: When::Start,
        help,
    }
}

/// Every setting, in the order of [`super::Settings`]' fields.
pub const SETTINGS: &[Setting] = &[
    live(
        "ttft",
        Kind::Time,
        "preset fixed: from arrival to the earliest first token",
    ),
    live(
        "step",
        Kind::Time,
        "preset fixed: distance of the steps, at least 1us",
    ),
    live("step-base", Kind::Time, "time of an empty step"),
    live(
        "step-per-prefill-token",
        Kind::Time,
        "added to a step by each prompt token computed",
    ),
    live(
        "step-per-sequence",
        Kind::Time,
        "added to a step by each sequence served",
    ),
    live(
        "step-per-kv-token",
        Kind::Time,
        "added to a step by each token in the KV cache, as in 0.04ns",
    ),
    live(
        "step-per-attention",
        Kind::Time,
        "added by each pair of a prompt token and one before it",
    ),
    live(
        "jitter",
        Kind::Number,
        "sigma of the lognormal factor (mean 1) on each step; 0 is none",
    ),
    live(
        "max-num-seqs",
        Kind::Count,
        "most sequences running at once",
    ),
    live("max-batched-tokens", Kind::Count, "most tokens in one step"),
    start(
        "max-model-len",
        Kind::Count,
        "longest prompt plus answer, tokens",
    ),
    live(
        "chunked-prefill",
        Kind::Flag,
        "prompts are cut to fit a step and share it with decodes",
    ),
    live(
        "max-waiting",
        Kind::Count,
        "most requests waiting, or off; the next one is refused",
    ),
    live(
        "full-status",
        Kind::Count,
        "status of a refusal by a full queue: 503 or 429",
    ),
    live("kv-blocks", Kind::Count, "blocks of the KV cache, or off"),
    start(
        "kv-block-size",
        Kind::Count,
        "tokens per block of the KV cache",
    ),
    live(
        "prefix-cache",
        Kind::Flag,
        "full blocks are found again by later prompts",
    ),
    live(
        "speculative-acceptance",
        Kind::List,
        "acceptance of the draft token at each position, as in 0.8,0.6; empty: no drafts",
    ),
    live(
        "speculative-draft-token",
        Kind::Time,
        "added to a step per sequence by each draft token",
    ),
    live(
        "lora-slots",
        Kind::Count,
        "LoRA adapters on the device at once, or off",
    ),
    live(
        "lora-load",
        Kind::Time,
        "added to the step that first uses a newly loaded adapter",
    ),
    live(
        "first-request-penalty",
        Kind::Time,
        "added to the first step",
    ),
    live(
        "first-shape-penalty",
        Kind::Time,
        "added to the first step of each shape",
    ),
    live(
        "warm-up-factor",
        Kind::Number,
        "how much longer the first steps after loading are, at least 1",
    ),
    live(
        "warm-up",
        Kind::Time,
        "what is above 1 of warm-up-factor falls to 1/e within this",
    ),
    start(
        "loading-weights",
        Kind::Time,
        "loading weights before the port opens, told in the log (infermeter mock)",
    ),
    start(
        "loading-compile",
        Kind::Time,
        "compiling before the port opens, told in the log (infermeter mock)",
    ),
    start(
        "loading-kv-cache",
        Kind::Time,
        "allocating the KV cache before the port opens, told in the log (infermeter mock)",
    ),
    start(
        "loading-graphs",
        Kind::Time,
        "capturing graphs before the port opens, told in the log (infermeter mock)",
    ),
    start(
        "loading",
        Kind::Time,
        "from the start to readiness: 503 until then",
    ),
    live(
        "idle-to-zero",
        Kind::Time,
        "idle for this long, the engine goes away; 0 is never",
    ),
    live(
        "cold-start",
        Kind::Time,
        "from the arrival that finds the engine away to its readiness",
    ),
    live(
        "link-delay",
        Kind::Time,
        "delay of the link, in each of its two directions",
    ),
    live(
        "link-jitter",
        Kind::Time,
        "mean of the exponential delay on top, in each direction",
    ),
    live(
        "link-bandwidth",
        Kind::Count,
        "bytes per second of each connection and direction, or off",
    ),
    live(
        "keepalive-timeout",
        Kind::Time,
        "an idle connection is closed after this; 0 is never",
    ),
    live(
        "stream-interval",
        Kind::Count,
        "tokens per chunk after the first",
    ),
    live(
        "reasoning-tokens",
        Kind::Count,
        "tokens of reasoning before a chat's answer",
    ),
    live(
        "reasoning-share",
        Kind::Number,
        "part of a chat answer's tokens that is reasoning",
    ),
    live(
        "reasoning-field",
        Kind::Text,
        "member that carries it: reasoning_content or reasoning",
    ),
    live(
        "tool-call-share",
        Kind::Number,
        "part of the requests with tools that get a tool call",
    ),
    live(
        "usage",
        Kind::Text,
        "usage of streams: on-request, always, last-chunk or never",
    ),
    live(
        "server-times",
        Kind::Text,
        "how the last usage says how long a request took: off, timings (llama.cpp) or metrics (vLLM)",
    ),
    live(
        "prompt-tokens-details",
        Kind::Flag,
        "usage tells how many prompt tokens the prefix cache held",
    ),
    start(
        "adapters",
        Kind::Texts,
        "LoRA adapters that are served, too, as in fr;de",
    ),
    live(
        "skill",
        Kind::Number,
        "part of the questions (canaries, the built-in evaluation) answered rightly",
    ),
    live(
        "temperature",
        Kind::Number,
        "of requests that name none: 0 is greedy, above it no two answers are alike",
    ),
    live(
        "batch-variance",
        Kind::Number,
        "per token, the probability that a greedy answer under load leaves the one asked alone",
    ),
    live(
        "cheat",
        Kind::Rules,
        "answers that are not what they should be: NAME[:SHARE][@LOAD], as in garbage-above:5%@8",
    ),
    live(
        "faults",
        Kind::Texts,
        "rules of faults, as in status=503@1%;no-done@every:10",
    ),
    live(
        "replicas",
        Kind::Count,
        "engines behind the port, served round robin; fewer: the youngest end what they have",
    ),
    live(
        "replica-loading",
        Kind::Time,
        "from the beginning of an added replica to its readiness; loading where not given",
    ),
    live(
        "autoscale",
        Kind::Text,
        "replicas by requests in flight: TARGET,MIN,MAX,INTERVAL, as in 8,1,6,15s, or off",
    ),
    start("model", Kind::Text, "name of the model served"),
    start(
        "seed",
        Kind::Count,
        "seed of contents, lengths, random faults and jitter",
    ),
];
