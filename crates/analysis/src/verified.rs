//! Whether what a record states is what it gives: every figure that was computed again, beside the stated one.
//!
//! Reads nothing. A figure is a leaf of the JSON that a run or an experiment states. Numbers are the same or they
//! are not: both sides come from the same formulas, so there is no tolerance. Invariant: what is only repeated from
//! another part of `run.json` never counts as computed again.

use infermeter_core::finding::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most differences that are kept; the others are counted.
const MOST_KEPT: usize = 200;

/// Figures that rest on something else than the rows, with what that is.
const RESTS_ON: [(&str, Basis); 9] = [
    ("/summary/client/threads", Basis::ClientCounters),
    ("/summary/client/calibration", Basis::Certificate),
    ("/summary/server", Basis::ServerReadings),
    ("/summary/spans", Basis::Spans),
    ("/summary/prefix_cache", Basis::ServerReadings),
    ("/summary/speculation", Basis::ServerReadings),
    ("/summary/context", Basis::Environment),
    ("/summary/response_cache", Basis::Environment),
    ("/summary/warmup/asked", Basis::Environment),
];

/// Where the figures of answers stand, and those of them that rest on what was asked alone: no row has these answers.
const ANSWERS: &str = "/summary/answers/";
const ASKED_ALONE: [&str; 6] = [
    "right_before",
    "right_after",
    "paired",
    "wanted",
    "logprobs",
    "deterministic_asked",
];

/// What a figure rests on, where that is not the rows alone.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// CPU time, reads, gaps: counted by the client while it measured, stated in `run.json`.
    ClientCounters,
    /// Cited from the certificate of another measurement.
    Certificate,
    /// What the server's metrics page said, as `server-metrics.jsonl` has it.
    ServerReadings,
    /// What spans of requests said, as `spans.jsonl` has it.
    Spans,
    /// What was asked with nothing else in flight, as `run.json` has it.
    AskedAlone,
    /// What was found out before the load, or declared.
    Environment,
    /// Findings that were made before and during the run.
    Observed,
}

/// A stated figure that is not what the record gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// Where it stands, as a JSON pointer.
    pub figure: String,
    /// What is stated; null where nothing is.
    pub stated: Value,
    /// What the record gives; null where it gives nothing.
    pub recomputed: Value,
}

/// Figures that agree with others that they rest on, which cannot be computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRecomputed {
    /// What they rest on.
    pub basis: Basis,
    /// How many there are.
    pub figures: u64,
}

/// What is stated beside what was computed again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recomputed {
    /// Figures that are the same, and come from the rows.
    pub agree: u64,
    /// How many are not the same.
    pub differ: u64,
    /// The first of them.
    pub differences: Vec<Disagreement>,
    /// Figures that the rows do not tell.
    pub not_recomputed: Vec<NotRecomputed>,
    /// Figures that only one of the two versions of infermeter knows.
    pub of_another_version: u64,
}

/// A part of a record: one run, or the answer over several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedPart {
    /// Its place in the record; empty where it is the record.
    pub name: String,
    /// Version of infermeter that states the figures.
    pub stated_by: String,
    /// How they compare; absent where they could not be computed.
    pub recomputed: Option<Recomputed>,
    /// Why nothing was computed; empty where something was.
    pub unreadable: String,
}

/// A file that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedFile {
    /// Its path.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A record, compared with what it states.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// What was verified, as it was named.
    pub record: String,
    /// Version of infermeter that computed.
    pub recomputed_by: String,
    /// Files of a bundle that are what its list says.
    pub listed: u64,
    /// Files that are what their runs sealed.
    pub sealed: u64,
    /// Those that are not what one of the two says.
    pub file_problems: Vec<VerifiedFile>,
    /// Its parts.
    pub parts: Vec<VerifiedPart>,
    /// What is not in it, and so cannot be verified, with why.
    pub left_out: Vec<VerifiedFile>,
}

impl Verified {
    /// Nothing is stated that is not so.
    pub fn holds(&self) -> bool {
        let part = |part: &VerifiedPart| part.recomputed.as_ref().is_some_and(|r| r.differ == 0);
        self.file_problems.is_empty() && !self.parts.is_empty() && self.parts.iter().all(part)
    }
}

/// Who states figures and who computes them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// One version of infermeter: what only one side has is a difference.
    Same,
    /// Two: each knows figures that the other does not.
    Differ,
}

impl Recomputed {
    /// Compares `stated` with `recomputed`, leaf by leaf; both stand at `place`. Members in `passing` are where
    /// and when something was, not what: they are not compared.
    pub fn of(
        &mut self,
        place: &str,
        stated: &Value,
        recomputed: &Value,
        versions: Versions,
        passing: &[&str],
    ) {
        match (stated, recomputed) {
            (Value::Object(own), Value::Object(other)) => {
                let added = other.keys().filter(|key| !own.contains_key(*key));
                for key in own.keys().chain(added) {
                    if passing.contains(&key.as_str()) {
                        continue;
                    }
                    let place = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
                    match (own.get(key), other.get(key)) {
                        (Some(own), Some(other)) => {
                            self.of(&place, own, other, versions, passing);
                        }
                        (own, other) => self.on_one_side(&place, own, other, versions),
                    }
                }
            }
            (Value::Array(own), Value::Array(other)) if own.len() == other.len() => {
                for (at, (own, other)) in own.iter().zip(other).enumerate() {
                    self.of(&format!("{place}/{at}"), own, other, versions, passing);
                }
            }
            (own, other) if own == other => self.same(place, leaves(own)),
            (own, other) => self.differ(place, own.clone(), other.clone()),
        }
    }

    /// Compares findings by their codes: those that were observed are taken as they are.
    pub fn of_findings(
        &mut self,
        stated: &[Finding],
        recomputed: &[Finding],
        observed: &[Finding],
    ) {
        let find = |all: &[Finding], code: &str| -> Option<Finding> {
            all.iter().find(|finding| finding.code == code).cloned()
        };
        let added = recomputed
            .iter()
            .filter(|f| find(stated, &f.code).is_none());
        for finding in stated.iter().chain(added) {
            let code = finding.code.as_str();
            let (own, other) = (find(stated, code), find(recomputed, code));
            match own == other {
                true if find(observed, code).is_some() => self.take(Basis::Observed, 1),
                true => self.agree += 1,
                false => {
                    let value = |finding: Option<Finding>| {
                        serde_json::to_value(finding).unwrap_or_default()
                    };
                    self.differ(&format!("/findings/{code}"), value(own), value(other));
                }
            }
        }
    }

    fn on_one_side(
        &mut self,
        place: &str,
        own: Option<&Value>,
        other: Option<&Value>,
        versions: Versions,
    ) {
        let value = own.or(other).unwrap_or(&Value::Null);
        // A member that does not exist and one that is null say the same.
        if value.is_null() {
            return;
        }
        match versions {
            Versions::Same => self.differ(
                place,
                own.cloned().unwrap_or_default(),
                other.cloned().unwrap_or_default(),
            ),
            Versions::Differ => self.of_another_version += leaves(value),
        }
    }

    fn same(&mut self, place: &str, figures: u64) {
        let inside = |part: &str| {
            place
                .strip_prefix(part)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let known = RESTS_ON.iter().find(|(part, _)| inside(part));
        match known
            .map(|(_, basis)| *basis)
            .or_else(|| asked_alone(place))
        {
            Some(basis) => self.take(basis, figures),
            None => self.agree += figures,
        }
    }

    fn take(&mut self, basis: Basis, figures: u64) {
        match self
            .not_recomputed
            .iter_mut()
            .find(|known| known.basis == basis)
        {
            Some(known) => known.figures += figures,
            None => self.not_recomputed.push(NotRecomputed { basis, figures }),
        }
    }

    fn differ(&mut self, place: &str, stated: Value, recomputed: Value) {
        self.differ += 1;
        if self.differences.len() < MOST_KEPT {
            self.differences.push(Disagreement {
                figure: place.to_owned(),
                stated,
                recomputed,
            });
        }
    }
}

/// The basis of a figure of answers that no row tells.
fn asked_alone(place: &str) -> Option<Basis> {
    let mut members = place.strip_prefix(ANSWERS)?.split('/');
    let found = members.any(|member| ASKED_ALONE.contains(&member));
    found.then_some(Basis::AskedAlone)
}

/// How many values a value holds; what does not exist is none.
fn leaves(value: &Value) -> u64 {
    match value {
        Value::Null => 0,
        Value::Object(map) => map.values().map(leaves).sum(),
        Value::Array(list) => list.iter().map(leaves).sum(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::finding::Severity;
    use serde_json::json;

    fn compared(stated: &Value, recomputed: &Value, versions: Versions) -> Recomputed {
        let mut found = Recomputed::default();
        found.of("", stated, recomputed, versions, &["directory"]);
        found
    }

    #[test]
    fn every_leaf_is_compared_to_the_last_bit() {
        let stated =
            json!({"summary": {"a": 0.1, "b": [1, 2, null], "client": {"threads": {"n": 2}}}});
        let same = compared(&stated, &stated, Versions::Same);
        assert_eq!((same.agree, same.differ), (3, 0));
        let threads = NotRecomputed {
            basis: Basis::ClientCounters,
            figures: 1,
        };
        assert_eq!(same.not_recomputed, [threads]);
        let mut other = stated.clone();
        other["summary"]["a"] = json!(0.1_f64.next_up());
        let found = compared(&stated, &other, Versions::Same);
        assert_eq!((found.agree, found.differ), (2, 1));
        assert_eq!(found.differences[0].figure, "/summary/a");
        other["summary"]["b"] = json!([1]);
        assert_eq!(compared(&stated, &other, Versions::Same).differ, 2);
    }

    #[test]
    fn answers_asked_alone_are_told_by_no_row() {
        let canaries = json!({"right": {"value": 0.5}, "right_before": {"value": 1, "n": 60}});
        let evals = json!([{"right": {"value": 0.5}, "paired": {"lost": 3}}]);
        let stated = json!({"summary": {"answers": {"canaries": canaries, "evals": evals}}});
        let found = compared(&stated, &stated, Versions::Same);
        let alone = NotRecomputed {
            basis: Basis::AskedAlone,
            figures: 3,
        };
        assert_eq!((found.agree, found.not_recomputed), (2, vec![alone]));
    }

    #[test]
    fn what_one_version_alone_knows_is_no_difference_between_versions() {
        let (old, new) = (
            json!({"a": 1, "gone": null}),
            json!({"a": 1, "b": {"c": 1, "d": 2}}),
        );
        let between = compared(&old, &new, Versions::Differ);
        assert_eq!((between.differ, between.of_another_version), (0, 2));
        assert_eq!(compared(&old, &new, Versions::Same).differ, 1);
        let moved = [json!({"directory": "a"}), json!({"directory": "b"})];
        assert_eq!(
            compared(&moved[0], &moved[1], Versions::Same),
            Recomputed::default()
        );
    }

    #[test]
    fn findings_are_compared_by_code() {
        let finding = |code: &str, evidence: &str| Finding {
            code: code.to_owned(),
            severity: Severity::Note,
            scope: None,
            dimension: None,
            message: String::new(),
            evidence: evidence.to_owned(),
            advice: String::new(),
        };
        let mut found = Recomputed::default();
        let stated = [finding("a", "1"), finding("b", "1"), finding("gone", "")];
        let now = [
            finding("b", "2"),
            finding("a", "1"),
            finding("new", ""),
            finding("seen", ""),
        ];
        found.of_findings(&stated, &now, &[]);
        let places: Vec<&str> = found
            .differences
            .iter()
            .map(|d| d.figure.as_str())
            .collect();
        assert_eq!(
            places,
            [
                "/findings/b",
                "/findings/gone",
                "/findings/new",
                "/findings/seen"
            ]
        );
        let mut observed = Recomputed::default();
        observed.of_findings(&stated[..1], &stated[..1], &stated[..1]);
        assert_eq!((observed.agree, observed.not_recomputed.len()), (0, 1));
    }
}
