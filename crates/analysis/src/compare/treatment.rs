//! Whether what is compared was there: the server's own counters must show that the treatment was
//! active on one side and not on the other.
//!
//! A router was once compared with itself for weeks; only a counter that stayed at 0 gave it away.
//! Invariant: what no counter can show is never taken as shown.

use super::SideRun;
use crate::speculation::{SpeculationSource, SpeculationSummary};
use infermeter_core::declared::{Declared, Subject as Of};
use infermeter_core::plan::Plan;
use infermeter_core::text::closest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a counter can show, or cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Subject {
    HitRate,
    Drafts,
    AcceptedLength,
    AcceptanceRate,
    ChunkedPrefill,
    Quantisation,
}

const SUBJECTS: [(&str, Subject); 6] = [
    ("prefix_cache_hit_rate", Subject::HitRate),
    ("speculative_drafts", Subject::Drafts),
    ("accepted_length", Subject::AcceptedLength),
    ("acceptance_rate", Subject::AcceptanceRate),
    ("chunked_prefill", Subject::ChunkedPrefill),
    ("quantisation", Subject::Quantisation),
];

/// Words by which something is declared to be off.
const OFF: [&str; 6] = ["", "off", "no", "none", "false", "0"];

/// Parameters of the simulator and names of `--engine-info` that say the same.
const IMPLIED: [(&str, Subject); 4] = [
    ("prefix-cache", Subject::HitRate),
    ("speculation", Subject::Drafts),
    ("speculative-acceptance", Subject::Drafts),
    ("chunked-prefill", Subject::ChunkedPrefill),
];

/// What is claimed of one side and not of the other: `prefix_cache_hit_rate>0.3`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub struct Treatment {
    subject: Subject,
    than: Than,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Than {
    Above(f64),
    Below(f64),
}

/// A treatment, and the side on which it is meant to be active.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// What.
    pub treatment: Treatment,
    /// The number of that side; the others are controls.
    pub active: usize,
    /// The side that it is held against.
    pub control: usize,
}

/// What the counters say of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The claim, as it is written.
    pub treatment: Treatment,
    /// Its sides.
    pub claim: Claim,
    /// The answer.
    pub answer: Seen,
    /// What was seen, in words.
    pub evidence: String,
}

/// Whether a treatment was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// In every round on its side, and in none on the other.
    Active,
    /// In some round not on its side.
    Inactive,
    /// On the other side, too.
    OnBothSides,
    /// No counter shows it.
    CannotTell,
}

impl Treatment {
    fn of(subject: Subject) -> Self {
        Self {
            subject,
            than: Than::Above(0.0),
        }
    }

    /// What the server's own counters say in a run; `None` where it counts no such thing.
    fn observed(&self, run: &SideRun<'_>) -> Option<f64> {
        let summary = run.summary;
        let speculation = || summary.speculation.as_ref().filter(|s| is_counted(s));
        let cached = || Some(summary.prefix_cache.as_ref()?.realised.as_ref()?.share);
        // A counter that stands still has no rate, and says all the more.
        let unused = || run.setup.is_some_and(|setup| setup.cache_unused);
        match self.subject {
            Subject::HitRate => cached().or_else(|| unused().then_some(0.0)),
            Subject::Drafts => Some(speculation()?.drafts.unwrap_or(0.0)),
            Subject::AcceptedLength => Some(speculation()?.accepted_length.unwrap_or(1.0)),
            Subject::AcceptanceRate => Some(speculation()?.acceptance_rate.unwrap_or(0.0)),
            Subject::ChunkedPrefill | Subject::Quantisation => None,
        }
    }

    fn holds(&self, value: f64) -> bool {
        match self.than {
            Than::Above(than) => value > than,
            Than::Below(than) => value < than,
        }
    }
}

/// By the server, not inferred from chunks.
fn is_counted(speculation: &SpeculationSummary) -> bool {
    match speculation.source {
        Some(SpeculationSource::ServerCounters) => true,
        Some(SpeculationSource::ServerGauge | SpeculationSource::TokensPerChunkUpperBound)
        | None => false,
    }
}

impl Claim {
    /// What the difference between two declared set-ups implies; `first` and `other` are their numbers.
    pub fn implied(plans: [&Plan; 2], first: usize, other: usize) -> Vec<Self> {
        let mut claims: Vec<Self> = Vec::new();
        let mut add = |subject: Subject, words: [Option<String>; 2]| {
            let [before, after] = words.map(|word| word.is_some_and(|word| is_on(&word)));
            let (active, control) = match (before, after) {
                (false, true) => (other, first),
                (true, false) => (first, other),
                _ => return,
            };
            if !claims
                .iter()
                .any(|claim| claim.treatment.subject == subject)
            {
                claims.push(Self {
                    treatment: Treatment::of(subject),
                    active,
                    control,
                });
            }
        };
        for (name, subject) in IMPLIED {
            add(subject, plans.map(|plan| said(plan, name)));
        }
        add(Subject::Quantisation, plans.map(quantisation));
        claims
    }

    /// A treatment that was declared: of the other side.
    pub fn declared(treatment: Treatment, first: usize, other: usize) -> Self {
        Self {
            treatment,
            active: other,
            control: first,
        }
    }

    /// Looks at the counters of both sides in every round; each slice has a run for each round.
    pub fn check(&self, control: &[&SideRun<'_>], active: &[&SideRun<'_>]) -> Checked {
        let values = |runs: &[&SideRun<'_>]| -> Vec<Option<f64>> {
            runs.iter()
                .map(|run| self.treatment.observed(run))
                .collect()
        };
        let (control, active) = (values(control), values(active));
        let holds = |value: &f64| self.treatment.holds(*value);
        let known: Vec<f64> = active.iter().copied().flatten().collect();
        let answer = if known.iter().any(|value| !holds(value)) {
            Seen::Inactive
        } else if control.iter().flatten().any(holds) {
            Seen::OnBothSides
        } else if active.is_empty() || known.len() < active.len() {
            Seen::CannotTell
        } else {
            Seen::Active
        };
        Checked {
            treatment: self.treatment,
            claim: *self,
            answer,
            evidence: format!(
                "{} where it should be active, {} where not",
                range_of(&active),
                range_of(&control)
            ),
        }
    }
}

/// `0.31 to 0.35 in 8 of 8 runs`.
fn range_of(values: &[Option<f64>]) -> String {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let low = known.iter().copied().fold(f64::INFINITY, f64::min);
    let high = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match known.len() {
        0 => "no counter".to_owned(),
        n if low == high => format!("{low:.3} ({n} of {} runs)", values.len()),
        n => format!("{low:.3} to {high:.3} ({n} of {} runs)", values.len()),
    }
}

fn is_on(word: &str) -> bool {
    !OFF.contains(&word.to_ascii_lowercase().as_str())
}

/// What a plan says of a part of the engine: in `--engine-info`, or as a parameter of the simulator.
fn said(plan: &Plan, name: &str) -> Option<String> {
    let declared = Declared::of_plan(plan).value(Of::Engine, name);
    declared.or_else(|| {
        let (_, settings) = plan.target.strip_prefix("mock:")?.split_once('?')?;
        let mut pairs = settings.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.rfind(|(key, _)| *key == name);
        found.map(|(_, value)| value.to_owned())
    })
}

fn quantisation(plan: &Plan) -> Option<String> {
    Declared::of_plan(plan).value(Of::Model, "quantisation")
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = SUBJECTS
            .iter()
            .find(|(_, subject)| *subject == self.subject);
        let name = named.map_or("", |(name, _)| name);
        match (self.subject, self.than) {
            (Subject::ChunkedPrefill | Subject::Quantisation, _) => f.write_str(name),
            (_, Than::Above(than)) => write!(f, "{name}>{than}"),
            (_, Than::Below(than)) => write!(f, "{name}<{than}"),
        }
    }
}

impl FromStr for Treatment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = text.find(['<', '>']).unwrap_or(text.len());
        let (name, than) = text.split_at(at);
        let name = name.trim();
        let known = SUBJECTS.iter().find(|(known, _)| *known == name);
        let Some((_, subject)) = known else {
            let names = SUBJECTS.map(|(name, _)| name);
            let meant = closest(name, names.into_iter());
            let meant = meant.map_or_else(String::new, |m| format!("; did you mean `{m}`?"));
            return Err(format!(
                "`{name}` is not a treatment: one of {}{meant}",
                names.join(", ")
            ));
        };
        if than.is_empty() {
            return Ok(Self::of(*subject));
        }
        let number: f64 = than[1..].trim().parse().map_err(|_| {
            format!("`{text}`: a number belongs after the sign, as in prefix_cache_hit_rate>0.3")
        })?;
        Ok(Self {
            subject: *subject,
            than: match than.starts_with('>') {
                true => Than::Above(number),
                false => Than::Below(number),
            },
        })
    }
}

impl TryFrom<String> for Treatment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Treatment> for String {
    fn from(treatment: Treatment) -> Self {
        treatment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::RunSetup;
    use crate::prefix_cache::{HitRate, HitSource, PrefixCacheSummary};
    use crate::summarize_log;
    use crate::summary::Summary;
    use infermeter_core::finding::Verdict;
    use infermeter_metrics::fixture::Run;

    fn runs(shares: &[Option<f64>]) -> Vec<Summary> {
        let (_, base) = summarize_log(&Run::steady(40, 20.0, 12).build());
        let with = |share: &Option<f64>| Summary {
            prefix_cache: share.map(|share| PrefixCacheSummary {
                asked: None,
                unlimited: None,
                realised: Some(HitRate {
                    share,
                    cached_tokens: 0,
                    prompt_tokens: 0,
                    source: HitSource::ServerCounters,
                }),
            }),
            ..base.clone()
        };
        shares.iter().map(with).collect()
    }

    fn of(runs: &[Summary]) -> Vec<SideRun<'_>> {
        let run = |summary| SideRun {
            summary,
            verdict: Verdict::Valid,
            setup: None,
        };
        runs.iter().map(run).collect()
    }

    fn refs<'a, 'b>(runs: &'a [SideRun<'b>]) -> Vec<&'a SideRun<'b>> {
        runs.iter().collect()
    }

    #[test]
    fn a_counter_that_stands_still_shows_that_nothing_was_there() {
        let summaries = runs(&[None]);
        let setup = RunSetup {
            workload: None,
            schedule: None,
            facts: Vec::new(),
            began_ns: None,
            alone: None,
            cache_unused: true,
        };
        let still = SideRun {
            setup: Some(&setup),
            ..of(&summaries)[0]
        };
        let treatment = "prefix_cache_hit_rate>0.3".parse().expect("a treatment");
        let found = Claim::declared(treatment, 0, 1).check(&[&still], &[&still]);
        assert_eq!(found.answer, Seen::Inactive, "{found:?}");
    }

    #[track_caller]
    fn check(claim: &str, control: &[Option<f64>], active: &[Option<f64>], expect: Seen) {
        let treatment = claim.parse().expect(claim);
        let (control, active) = (runs(control), runs(active));
        let (control, active) = (of(&control), of(&active));
        let (control, active) = (refs(&control), refs(&active));
        let found = Claim::declared(treatment, 0, 1).check(&control, &active);
        assert_eq!(found.answer, expect, "{found:?}");
    }

    #[test]
    fn counters_answer() {
        let claim = "prefix_cache_hit_rate>0.3";
        let (none, some) = ([Some(0.0); 2], [Some(0.5), Some(0.4)]);
        check(claim, &none, &some, Seen::Active);
        check(claim, &none, &none, Seen::Inactive);
        check(claim, &some, &some, Seen::OnBothSides);
        check(claim, &none, &[Some(0.5), Some(0.2)], Seen::Inactive);
        check(claim, &none, &[Some(0.5), None], Seen::CannotTell);
        check(claim, &[None; 2], &some, Seen::Active);
        check(claim, &none, &[None; 2], Seen::CannotTell);
        check(claim, &[], &[], Seen::CannotTell);
        check("chunked_prefill", &none, &some, Seen::CannotTell);
        check("speculative_drafts", &none, &some, Seen::CannotTell);
    }

    #[test]
    fn a_declared_difference_implies_its_treatment() {
        let plan = |target: &str, info: &str, quantization: Option<&str>| Plan {
            target: target.to_owned(),
            engine_info: (!info.is_empty()).then(|| info.to_owned()),
            quantization: quantization.map(str::to_owned),
            ..Plan::defaults()
        };
        let implied = |first: &Plan, other: &Plan| -> Vec<(String, usize)> {
            let claims = Claim::implied([first, other], 0, 1);
            let told = claims.iter().map(|c| (c.treatment.to_string(), c.active));
            told.collect()
        };
        let plain = plan("http://a", "", None);
        let cached = plan(
            "http://b",
            "prefix-cache=on, speculation=eagle",
            Some("fp8"),
        );
        let expect = [
            ("prefix_cache_hit_rate>0".to_owned(), 1),
            ("speculative_drafts>0".to_owned(), 1),
            ("quantisation".to_owned(), 1),
        ];
        assert_eq!(implied(&plain, &cached), expect);
        assert_eq!(implied(&cached, &cached), []);
        let off = plan("http://b", "prefix-cache=off", None);
        assert_eq!(implied(&plain, &off), []);
        let mock = plan("mock:llama-8b-h100?prefix-cache=off", "", None);
        let other = plan("mock:llama-8b-h100?prefix-cache=on", "", None);
        assert_eq!(
            implied(&other, &mock),
            [("prefix_cache_hit_rate>0".to_owned(), 0)]
        );
    }

    #[test]
    fn texts_are_read_back_and_mistakes_are_named() {
        for text in [
            "prefix_cache_hit_rate>0.3",
            "accepted_length<2",
            "chunked_prefill",
        ] {
            let read: Treatment = text.parse().expect(text);
            assert_eq!(read.to_string(), text);
        }
        let said = |text: &str| text.parse::<Treatment>().expect_err(text);
        assert!(said("prefix_cache_hitrate>0.3").contains("did you mean `prefix_cache_hit_rate`"));
        assert!(said("accepted_length>x").contains("a number belongs after the sign"));
    }
}
