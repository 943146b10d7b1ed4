//! The audit: every check on a body of evidence, and a score for each dimension.
//!
//! Invariant: a check counts once however many results it looked at, and what cannot be told
//! counts neither for nor against; it lowers the coverage.

use crate::check::{Answer, Check, Dimension, Scope, Test};
use crate::checks;
use crate::facts::Facts;
use crate::format::Format;
use infermeter_core::finding::Severity;
use schemars::JsonSchema;
use serde::Serialize;

/// Version of the JSON form.
pub const FORMAT_VERSION: u32 = 1;

/// Coverage below which a dimension gets no grade.
pub(crate) const GRADED_COVERAGE: f64 = 0.5;

/// Results that belong together: a file, a directory, one side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Its name, for people.
    pub name: String,
    /// The results in it.
    pub results: Vec<Facts>,
}

/// What came of an audit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Audit {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// What was read.
    pub sources: Vec<Source>,
    /// One score per dimension.
    pub dimensions: Vec<DimensionScore>,
    /// Every check with its answer, fails first, the heaviest of them first.
    pub checks: Vec<Outcome>,
    /// What was taken for what.
    pub translations: Vec<FormatTranslations>,
}

/// One result that was read.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Source {
    /// The side it belongs to.
    pub side: String,
    /// Where it came from.
    pub source: String,
    /// Its format.
    pub format: Format,
    /// Name of the format.
    pub tool: &'static str,
    /// Version of the tool, where stated.
    pub tool_version: Option<String>,
    /// Completed requests, where stated.
    pub samples: Option<f64>,
    /// Requests with data of their own.
    pub per_request: usize,
}

/// The score of one dimension.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DimensionScore {
    /// The dimension.
    pub dimension: Dimension,
    /// Its name.
    pub label: &'static str,
    /// Checks that passed.
    pub passes: usize,
    /// Checks that failed.
    pub fails: usize,
    /// Checks that could not tell.
    pub cannot_tell: usize,
    /// passes / (passes + fails); absent where both are 0.
    pub score: Option<f64>,
    /// (passes + fails) / applicable checks; absent where none applies.
    pub coverage: Option<f64>,
    /// A (90 % and more), B (75 %), C (60 %), D (40 %) or F; absent under 50 % coverage.
    pub grade: Option<char>,
}

/// What a check answered, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The anti-pattern is there.
    Fail,
    /// The results do not say.
    CannotTell,
    /// The anti-pattern is not there.
    Pass,
    /// The question cannot be put.
    NotApplicable,
}

/// One check with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CheckAnswer")]
pub struct Outcome {
    /// Its code, the name of its section in the docs.
    pub code: &'static str,
    /// Its weight.
    pub severity: Severity,
    /// Where it applies.
    pub scope: Scope,
    /// What it is about.
    pub dimension: Dimension,
    /// The answer.
    pub answer: Kind,
    /// What it means when it fails.
    pub message: &'static str,
    /// The figures behind a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What is missing for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// What to do.
    pub advice: &'static str,
    /// Page and section in the docs.
    pub page: String,
}

/// Translations of one format.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FormatTranslations {
    /// Name of the format.
    pub tool: &'static str,
    /// Its names.
    pub names: Vec<Translated>,
}

/// One name of a file and what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Translated {
    /// The name in the file.
    pub from: &'static str,
    /// What it is here.
    pub to: &'static str,
    /// Where the meaning lies.
    pub remark: &'static str,
}

impl Audit {
    /// The heaviest failed check.
    pub fn heaviest(&self) -> Option<Severity> {
        let failed = self.checks.iter().filter(|c| c.answer == Kind::Fail);
        failed.map(|c| c.severity).max()
    }
}

/// Puts every check to the evidence. With two sides and more, the first is compared with each of
/// the others.
pub fn audit(sides: &[Side]) -> Audit {
    let mut checks: Vec<Outcome> = checks::all().map(|check| outcome(check, sides)).collect();
    checks.sort_by_key(|c| {
        let rank = match c.answer {
            Kind::Fail => 0,
            Kind::CannotTell => 1,
            Kind::Pass => 2,
            Kind::NotApplicable => 3,
        };
        (rank, std::cmp::Reverse(c.severity))
    });
    let score = |dimension| score_of(dimension, &checks);
    Audit {
        format_version: FORMAT_VERSION,
        sources: sides.iter().flat_map(sources).collect(),
        dimensions: Dimension::ALL.into_iter().map(score).collect(),
        translations: translations(sides),
        checks,
    }
}

fn sources(side: &Side) -> impl Iterator<Item = Source> + '_ {
    side.results.iter().map(|facts| Source {
        side: side.name.clone(),
        source: facts.source.clone(),
        format: facts.format,
        tool: facts.format.label(),
        tool_version: facts.tool_version.clone(),
        samples: facts.samples(),
        per_request: facts.requests.len(),
    })
}

fn translations(sides: &[Side]) -> Vec<FormatTranslations> {
    let mut out: Vec<FormatTranslations> = Vec::new();
    for facts in sides.iter().flat_map(|s| &s.results) {
        let tool = facts.format.label();
        let at = out.iter().position(|t| t.tool == tool).unwrap_or_else(|| {
            let names = Vec::new();
            out.push(FormatTranslations { tool, names });
            out.len() - 1
        });
        for t in &facts.translations {
            let name = Translated {
                from: t.from,
                to: t.to,
                remark: t.remark,
            };
            if !out[at].names.contains(&name) {
                out[at].names.push(name);
            }
        }
    }
    out.retain(|t| !t.names.is_empty());
    out
}

fn outcome(check: &'static Check, sides: &[Side]) -> Outcome {
    let (answer, severity) = match check.test.test {
        Test::One(_) => of_results(check, sides),
        Test::Side(_) => {
            let answers = sides.iter().filter(|s| !s.results.is_empty());
            let named = answers.map(|s| (s.name.as_str(), checks::on_side(check, &s.results)));
            (merged(named.collect()), None)
        }
        Test::Pair(_) => (of_pairs(check, sides), None),
    };
    let (kind, evidence, missing) = match answer {
        Answer::Pass => (Kind::Pass, None, None),
        Answer::Fail(evidence) => (Kind::Fail, Some(evidence), None),
        Answer::CannotTell(missing) => (Kind::CannotTell, None, Some(missing)),
        Answer::NotApplicable => (Kind::NotApplicable, None, None),
    };
    Outcome {
        code: check.code,
        severity: severity.unwrap_or(check.weight.heaviest()),
        scope: check.scope,
        dimension: check.dimension,
        answer: kind,
        message: check.test.message,
        evidence,
        missing,
        advice: check.test.advice,
        page: format!("audit-checks.md#{}", check.code),
    }
}

fn of_results(check: &Check, sides: &[Side]) -> (Answer, Option<Severity>) {
    let results = sides
        .iter()
        .flat_map(|s| s.results.iter().map(move |f| (s, f)));
    let answers: Vec<(&str, Answer, Option<Severity>)> = results
        .map(|(side, facts)| {
            let (answer, severity) = checks::on_one(check, facts);
            (short_name(side, facts), answer, severity)
        })
        .collect();
    let severity = answers.iter().filter_map(|(_, _, s)| *s).max();
    (
        merged(
            answers
                .into_iter()
                .map(|(name, answer, _)| (name, answer))
                .collect(),
        ),
        severity,
    )
}

/// The source without the directory that its side is named by.
fn short_name<'a>(side: &Side, facts: &'a Facts) -> &'a str {
    let directory = side
        .name
        .split(" (")
        .next()
        .unwrap_or("")
        .trim_end_matches('/');
    let inside = facts
        .source
        .strip_prefix(directory)
        .and_then(|rest| rest.strip_prefix('/'));
    inside.unwrap_or(&facts.source)
}

fn of_pairs(check: &Check, sides: &[Side]) -> Answer {
    let Some((first, others)) = sides.split_first() else {
        return Answer::NotApplicable;
    };
    let pair = |other: &'_ Side| checks::on_pair(check, &first.results, &other.results);
    merged(
        others
            .iter()
            .map(|other| (other.name.as_str(), pair(other)))
            .collect(),
    )
}

/// One answer of many: a failure anywhere fails; else whatever cannot be told stays open.
fn merged(answers: Vec<(&str, Answer)>) -> Answer {
    let several = answers.len() > 1;
    let mut failed = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    let mut passed = false;
    for (name, answer) in answers {
        match answer {
            Answer::Fail(evidence) if several => failed.push(format!("{name}: {evidence}")),
            Answer::Fail(evidence) => failed.push(evidence),
            Answer::CannotTell(what) if !missing.contains(&what) => missing.push(what),
            Answer::Pass => passed = true,
            Answer::CannotTell(_) | Answer::NotApplicable => {}
        }
    }
    if !failed.is_empty() {
        Answer::Fail(first_few(&failed))
    } else if !missing.is_empty() {
        Answer::CannotTell(missing.join("; "))
    } else if passed {
        Answer::Pass
    } else {
        Answer::NotApplicable
    }
}

/// The first three of a list, and how many more there are.
fn first_few(list: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = list
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    match list.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} And {more} more."),
    }
}

fn score_of(dimension: Dimension, checks: &[Outcome]) -> DimensionScore {
    let of = |kind: Kind| {
        let here = checks.iter().filter(|c| c.dimension == dimension);
        here.filter(|c| c.answer == kind).count()
    };
    let (passes, fails, cannot_tell) = (of(Kind::Pass), of(Kind::Fail), of(Kind::CannotTell));
    let told = passes + fails;
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let score = share(passes, told);
    let coverage = share(told, told + cannot_tell);
    let graded = coverage.is_some_and(|c| c >= GRADED_COVERAGE);
    DimensionScore {
        dimension,
        label: dimension.label(),
        passes,
        fails,
        cannot_tell,
        score,
        coverage,
        grade: score.filter(|_| graded).map(grade),
    }
}

fn grade(score: f64) -> char {
    match score {
        s if s >= 0.9 => 'A',
        s if s >= 0.75 => 'B',
        s if s >= 0.6 => 'C',
        s if s >= 0.4 => 'D',
        _ => 'F',
    }
}
