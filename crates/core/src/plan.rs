//! The plan of a run: flags, file and defaults resolved to one complete, printable value.

mod answers;
mod endpoint;
mod expose;
mod gpu_metrics;
mod items;
mod keys;
mod kinds;
mod places;
mod prefix;
mod profile;
mod replicas;
mod server_metrics;
mod sessions;
mod source_address;
mod spans;
mod syntax;
mod until;
mod workload;

pub use crate::deadlines::{Deadlines, DeadlinesError};
pub use answers::{EvalSpec, EvalSpecError, ReferenceError, ReferenceKind, Share, ShareError};
pub use endpoint::{Api, Endpoint, Input, Members, Output};
pub use expose::{Expose, ExposeError};
pub use gpu_metrics::{GpuMetrics, GpuSource};
pub use items::{EncodingFormat, ItemCounts, MAX_ITEMS};
pub use keys::Plan;
pub use kinds::{AdapterWeight, ImageSpec, KindWeight, RequestKind, SamplingValue};
pub use places::PlacesError;
pub use prefix::PrefixMode;
pub use profile::{After, BurstPhases, Level, MAX_RATE, Point, RateProfile, Stretch};
pub use replicas::{ReplicasFrom, ReplicasFromError};
pub use server_metrics::ServerMetrics;
pub use sessions::{History, MAX_TURNS, OnFailure, Sessions, SessionsError, Wait};
pub use source_address::{SourceAddress, SourceAddressError};
pub use spans::{SpansAt, SpansAtError};
pub use syntax::SyntaxError;
pub use until::{Until, UntilError};
pub use workload::{
    Bounds, Length, Lengths, MAX_TOKENS, MIN_PROMPT_TOKENS, MixPart, WorkloadClass, WorkloadKind,
};

use crate::key::{Keyed, ValueKind};
use crate::key_values;
use crate::slo::SloMetric;
use crate::units::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Shape of the gaps between arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalKind {
    /// Exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Gamma gaps with a coefficient of variation.
    Gamma,
    /// Weibull gaps with a coefficient of variation.
    Weibull,
}

/// What the length of a prompt counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptCount {
    /// Its texts alone.
    #[default]
    Text,
    /// Its texts and what the chat template adds.
    Template,
}

/// How the texts of prompts are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextManner {
    /// Sentences of common words.
    #[default]
    Tidy,
    /// As people type: typos, fragments, several languages and scripts, code.
    Noisy,
}

/// When rows of a trace are due that wait for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TracePacing {
    /// At their recorded instants, or as soon as what they wait for has ended.
    Timestamps,
    /// Their recorded waits after the end of what they wait for.
    IdleGaps,
}

/// The order of a dataset's texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetOrder {
    /// As in the file.
    #[default]
    File,
    /// At random, by the workload's seed.
    Shuffled,
    /// As in the file, by conversations: each answer of one is asked for when the one before it has
    /// ended, and its recorded delay has passed.
    Conversations,
}

/// How the client receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Io {
    /// io_uring where it works, else epoll.
    #[default]
    Auto,
    /// io_uring; an error where it does not work.
    Uring,
    /// epoll and one receive call per read.
    Epoll,
}

/// How requests are spread over several addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// To one after the other.
    #[default]
    RoundRobin,
    /// To the one with the fewest requests in flight.
    LeastInFlight,
}

/// How long the warm-up lasts: until both parts have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmup {
    /// Least time.
    pub time: Span,
    /// Least number of arrivals.
    pub requests: u64,
}

impl Warmup {
    /// No warm-up at all.
    pub const NONE: Self = Self {
        time: Span(0),
        requests: 0,
    };

    /// Ends at the latest after this, when the number of arrivals was not asked for by the user.
    pub const MAX: Span = Span::seconds(120);

    /// The default for a measured window (`None`: bounded by requests alone): 30 s and 50
    /// arrivals, 10 s and 50 for windows up to 60 s (measurement.md, phases).
    pub fn default_for(window: Option<Span>) -> Self {
        let short = window.is_some_and(|w| w <= Span::seconds(60));
        Self {
            time: Span::seconds(if short { 10 } else { 30 }),
            requests: 50,
        }
    }
}

/// Why a text is no warm-up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a warm-up: write a time (30s), a number of requests (50req) or 0")]
pub struct WarmupError(String);

impl FromStr for Warmup {
    type Err = WarmupError;

    fn from_str(text: &str) -> Result<Self, WarmupError> {
        let bad = || WarmupError(crate::text::inert(text, 80));
        let mut warmup = Self::NONE;
        for part in text.split('+') {
            if let Some(count) = part.trim().strip_suffix("req") {
                warmup.requests = count.trim().parse().map_err(|_| bad())?;
            } else {
                warmup.time = part.parse().map_err(|_| bad())?;
            }
        }
        Ok(warmup)
    }
}

impl fmt::Display for Warmup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.time.0, self.requests) {
            (0, 0) => f.write_str("0"),
            (0, n) => write!(f, "{n}req"),
            (_, 0) => write!(f, "{}", self.time),
            (_, n) => write!(f, "{}+{n}req", self.time),
        }
    }
}

macro_rules! serde_as_text {
    ($($t:ty),*) => {$(
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(
    PrefixMode,
    RateProfile,
    WorkloadKind,
    Warmup,
    Until,
    Deadlines,
    KindWeight,
    AdapterWeight,
    ImageSpec,
    SamplingValue,
    ServerMetrics,
    Expose,
    GpuMetrics,
    SpansAt,
    ReplicasFrom,
    SourceAddress,
    Share,
    EvalSpec,
    ReferenceKind
);

crate::text_schema!("^(0|[0-9]+req|[0-9.]+[a-z]+([+][0-9]+req)?)$" => Warmup);

key_values!(ValueKind::OneOf(&["poisson", "constant", "gamma", "weibull"]) => ArrivalKind);
key_values!(ValueKind::OneOf(&[
    "chat", "completions", "messages", "responses", "embeddings", "rerank",
]) => Endpoint);
key_values!(ValueKind::OneOf(&["float", "base64"]) => EncodingFormat);
key_values!(ValueKind::OneOf(&["round-robin", "least-in-flight"]) => Balance);
key_values!(ValueKind::OneOf(&["text", "template"]) => PromptCount);
key_values!(ValueKind::OneOf(&["tidy", "noisy"]) => TextManner);
key_values!(ValueKind::OneOf(&["timestamps", "idle-gaps"]) => TracePacing);
key_values!(ValueKind::OneOf(&["file", "shuffled", "conversations"]) => DatasetOrder);
key_values!(ValueKind::OneOf(&["auto", "uring", "epoll"]) => Io);
key_values!(ValueKind::Text =>
    PrefixMode, RateProfile, WorkloadKind, Warmup, Until, Deadlines, KindWeight, AdapterWeight,
    ImageSpec, SamplingValue, ServerMetrics, Expose, GpuMetrics, SpansAt, ReplicasFrom, SourceAddress, Share,
    EvalSpec, ReferenceKind);

impl Plan {
    /// The texts of answers are checked after the run: asked for, or for a publication. Where nothing is generated there is
    /// nothing to check.
    pub fn checks_answers(&self) -> bool {
        let compared = self.canaries.is_some() || !self.eval.is_empty() || self.reference.is_some();
        let asked = self.check_answers || compared || self.publication;
        asked && self.endpoint.generates()
    }

    /// A key says how a result is kept and shown, and nothing else.
    pub fn is_showing(key: &str) -> bool {
        let known = Self::KEYS.iter().find(|known| known.name == key);
        known.is_some_and(|known| known.showing)
    }

    /// The same without where it goes and how it is shown.
    #[must_use]
    pub fn without_showing(self) -> Self {
        let mut values = serde_json::to_value(&self).unwrap_or_default();
        for key in Self::KEYS.iter().filter(|key| key.showing) {
            values[key.name] = (key.default)();
        }
        serde_json::from_value(values).unwrap_or(self)
    }

    /// The run's two seeds.
    pub fn seeds(&self) -> crate::seed::Seeds {
        let derived = crate::seed::Seeds::derive(self.seed);
        crate::seed::Seeds {
            workload: self.workload_seed.unwrap_or(derived.workload),
            schedule: self.schedule_seed.unwrap_or(derived.schedule),
        }
    }

    /// The warm-up in force.
    pub fn warmup(&self) -> Warmup {
        self.warmup
            .unwrap_or_else(|| Warmup::default_for(self.duration))
    }

    /// When tokens are due: as the plan says, else by its objectives: the greatest limit on TTFT, and the
    /// greatest on ITL (where there is none, on TPOT). Absent without either.
    pub fn deadlines(&self) -> Option<Deadlines> {
        self.fluidity.or_else(|| {
            let limit = |metric| {
                let limits = self.slo.iter().flat_map(|slo| slo.limits_of(metric));
                limits.filter(|limit| limit.ns() > 0).max()
            };
            Some(Deadlines {
                first: limit(SloMetric::Ttft)?,
                next: limit(SloMetric::Itl).or_else(|| limit(SloMetric::Tpot))?,
            })
        })
    }

    /// Coefficient of variation of the gaps asked for, in units of the expected gap; absent in a
    /// closed loop, for a trace, and for clients, of which each has its own.
    pub fn gap_cv(&self) -> Option<f64> {
        if self.clients.is_some() {
            return None;
        }
        self.peak_rate()?;
        match self.arrival {
            ArrivalKind::Constant => Some(0.0),
            ArrivalKind::Poisson => Some(1.0),
            ArrivalKind::Gamma | ArrivalKind::Weibull => self.cv,
        }
    }

    /// The highest rate asked for, requests per second; absent in a closed loop and for a trace.
    pub fn peak_rate(&self) -> Option<f64> {
        let profile = self.rate_profile.as_ref().map(RateProfile::peak);
        self.rate.or(profile)
    }

    /// Requests are due at recorded instants.
    pub fn is_replay(&self) -> bool {
        let paced = self.peak_rate().is_some() || self.concurrency.is_some();
        self.trace.is_some() || (self.workload_file.is_some() && !paced)
    }

    /// The sessions asked for.
    ///
    /// # Errors
    /// Naming the option at fault.
    pub fn sessions(&self) -> Result<Option<Sessions>, SessionsError> {
        Sessions::parse(&self.sessions)
    }

    /// Answers' texts become part of later prompts: they are kept with the record.
    pub fn has_live_history(&self) -> bool {
        let sessions = self.sessions().ok().flatten();
        sessions.is_some_and(|s| s.history == History::Live)
    }

    /// Requests ask for the same answer each time: greedy, or by a seed. What a template of bodies says is not looked at.
    pub fn asks_repeatably(&self) -> bool {
        let sampled = self.sampling.iter();
        let sampled = sampled.map(|sampling| (sampling.name.as_str(), &sampling.value));
        let extra = self.extra_body.as_ref().and_then(|body| body.as_object());
        let extra = extra.into_iter().flatten();
        let mut members = sampled.chain(extra.map(|(name, value)| (name.as_str(), value)));
        members.any(|(name, value)| match name {
            "temperature" => value.as_f64() == Some(0.0),
            "top_k" => value.as_u64() == Some(1),
            "seed" => value.is_number(),
            _ => false,
        })
    }

    /// The target is the embedded simulator.
    pub fn is_mock(&self) -> bool {
        self.target.starts_with("mock:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_json() {
        let plan = Plan {
            rate: Some(2.5),
            rate_profile: "diurnal:1..2/24h".parse().ok(),
            workload: "mix:chat=1,fixed:16,1=2".parse().expect("a workload"),
            warmup: Some(Warmup::NONE),
            ..Plan::defaults()
        };
        let text = serde_json::to_string(&plan).expect("plans serialise");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("and back"), plan);
    }

    #[test]
    fn answers_are_checked_where_something_asks_for_it_and_there_is_text() {
        let checks = |change: fn(&mut Plan)| {
            let mut plan = Plan::defaults();
            change(&mut plan);
            plan.checks_answers()
        };
        assert!(!checks(|_| {}));
        assert!(checks(|plan| plan.check_answers = true));
        assert!(checks(|plan| plan.canaries = "2%".parse().ok()));
        assert!(checks(
            |plan| plan.eval = "builtin".parse().into_iter().collect()
        ));
        assert!(checks(|plan| plan.reference = "solo".parse().ok()));
        assert!(checks(|plan| plan.publication = true));
        assert!(!checks(|plan| {
            plan.publication = true;
            plan.endpoint = Endpoint::Embeddings;
        }));
    }

    #[test]
    fn greedy_and_seeded_requests_ask_for_the_same_answer() {
        let repeatable = |text: &str| {
            let sampling = vec![text.parse().expect("a parameter")];
            let plan = Plan {
                sampling,
                ..Plan::defaults()
            };
            plan.asks_repeatably()
        };
        for text in ["temperature=0", "temperature=0.0", "seed=7", "top_k=1"] {
            assert!(repeatable(text), "{text}");
        }
        for text in ["temperature=0.7", "top_k=40", "top_p=0"] {
            assert!(!repeatable(text), "{text}");
        }
        assert!(!Plan::defaults().asks_repeatably());
        let extra_body = Some(serde_json::json!({"temperature": 0}));
        let plan = Plan {
            extra_body,
            ..Plan::defaults()
        };
        assert!(plan.asks_repeatably());
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_reads_back(a in 1..i64::MAX, b in 1..i64::MAX, n in 0..u64::MAX) {
            let (time, next) = (Span(a), Span(b));
            let warmup = Warmup { time, requests: n };
            proptest::prop_assert_eq!(warmup.to_string().parse(), Ok(warmup));
            let deadlines = Deadlines { first: time, next };
            proptest::prop_assert_eq!(deadlines.to_string().parse(), Ok(deadlines));
        }
    }

    #[test]
    fn what_is_asked_for_comes_before_objectives() {
        let mut plan = Plan::defaults();
        let mut with = |slos: &[&str]| {
            let slos = slos.iter().map(|slo| slo.parse().expect("an objective"));
            plan.slo = slos.collect();
            plan.deadlines().map(|d| d.to_string())
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&["ttft.p99<500ms"]), None);
        assert_eq!(with(&["itl.p99<50ms"]), None);
        let tpot = with(&["ttft.p50<200ms", "ttft.p99<500ms", "tpot.p99<30ms"]);
        assert_eq!(tpot.as_deref(), Some("500ms/30ms"));
        let itl = with(&["ttft.p99<500ms", "tpot.p99<30ms", "itl.p99<80ms"]);
        assert_eq!(itl.as_deref(), Some("500ms/80ms"));
        plan.fluidity = "1s/40ms".parse().ok();
        assert_eq!(plan.deadlines(), plan.fluidity);
    }

    #[test]
    fn warmups_read_and_print() {
        for text in ["0", "30s", "50req", "10s+50req"] {
            assert_eq!(text.parse::<Warmup>().expect("a warm-up").to_string(), text);
        }
        assert!("50".parse::<Warmup>().is_err());
    }

    #[test]
    fn highest_rates_and_gaps() {
        let profile = Plan {
            rate_profile: "ramp:5..50/60s,50..1/60s".parse().ok(),
            ..Plan::defaults()
        };
        assert_eq!(profile.peak_rate(), Some(50.0));
        assert_eq!(profile.gap_cv(), Some(1.0));
        let weibull = Plan {
            rate: Some(2.0),
            arrival: ArrivalKind::Weibull,
            cv: Some(3.0),
            ..Plan::defaults()
        };
        assert_eq!(
            (weibull.peak_rate(), weibull.gap_cv()),
            (Some(2.0), Some(3.0))
        );
        let closed = Plan::defaults();
        assert_eq!((closed.peak_rate(), closed.gap_cv()), (None, None));
    }
}
