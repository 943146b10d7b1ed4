//! Objectives as they are written. The grammar:
//!
//! ```text
//! objective  = measure ("<" | "<=" | ">" | ">=") limit
//! measure    = LATENCY "." statistic [labels]
//!            | "fluidity" ["(" TIME "/" TIME ")"] "." statistic [labels]
//!            | "attainment" "(" condition {"," condition} ")" [labels]
//!            | ("answers.corrupted" | "canary.accuracy" | "eval.accuracy" | "reference.equal") [labels]
//!            | ("error_rate" | "throughput" | "output_throughput" | "goodput") [labels]
//! condition  = LATENCY ["." statistic] [labels] "<" limit
//!            | "fluidity" ["(" TIME "/" TIME ")"] ">" limit
//! statistic  = "pNN" | "mean" | "max"
//! labels     = "{" ("class" | "origin") "=" NAME {"," ...} "}"
//! limit      = TIME ["+" TIME "/input_token"] | NUMBER "%" | NUMBER ["/s"]
//! ```
//!
//! Invariant: an error says where it is, in characters from 1, and what to write there.

use super::metric::parse_percentile;
use super::{
    Allowance, AnswerShare, Condition, Figure, Latency, Limit, MAX_CONDITIONS, Measure, Percent,
    RateName, Slo, SloMetric, Statistic,
};
use crate::deadlines::Deadlines;
use crate::origin::Origin;
use crate::text::{closest, inert};
use crate::units::Span;
use std::str::FromStr;

/// Longest objective, bytes.
const LONGEST: usize = 2_000;
/// Longest name of a class, bytes.
const LONGEST_CLASS: usize = 200;

/// Why a text is no objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {}: at character {at}, {problem}; write it as in {}", wanted.name, wanted.example)]
pub struct SloError {
    text: String,
    at: usize,
    problem: String,
    wanted: Wanted,
}

/// What the text was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// With its article.
    pub name: &'static str,
    /// One of its kind.
    pub example: &'static str,
}

const OBJECTIVE: Wanted = Wanted {
    name: "an objective",
    example: "ttft.p99<500ms",
};

impl SloError {
    /// The same where something else than an objective was wanted.
    pub(crate) fn wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }
}

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let mut reader = Reader::new(text)?;
        let of = reader.measure()?;
        let shown = of.to_string();
        reader.comparison(of.figure.has_most(), &shown)?;
        let limit = reader.limit(&of.figure)?;
        reader.end()?;
        Ok(Self { of, limit })
    }
}

const FIGURE: Wanted = Wanted {
    name: "a figure",
    example: "ttft.p99",
};

impl FromStr for Measure {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let read = |reader: &mut Reader<'_>| -> Result<Self, SloError> {
            let measure = reader.measure()?;
            reader.end()?;
            Ok(measure)
        };
        let read = Reader::new(text).and_then(|mut reader| read(&mut reader));
        read.map_err(|error| error.wanted(FIGURE))
    }
}

impl Measure {
    /// Reads a measure off the beginning of a text, which has something else behind it.
    ///
    /// # Errors
    /// Where it does not begin with one.
    pub fn read(text: &str) -> Result<Beginning<'_>, SloError> {
        let mut reader = Reader::new(text)?;
        let measure = reader.measure()?;
        Ok(Beginning {
            measure,
            rest: reader.rest().trim_start(),
        })
    }
}

/// A measure, and what stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Beginning<'a> {
    /// The measure.
    pub measure: Measure,
    /// What follows.
    pub rest: &'a str,
}

/// Names from other tools, and what they are called here.
const FOREIGN: [(&str, &str); 16] = [
    ("latency", "e2e"),
    ("request_latency", "e2e"),
    ("time_to_first_token", "ttft"),
    ("inter_token_latency", "itl"),
    ("time_per_output_token", "tpot"),
    ("e2el", "e2e"),
    ("errors", "error_rate"),
    ("failure_rate", "error_rate"),
    ("request_throughput", "throughput"),
    ("rps", "throughput"),
    ("output_tokens_per_s", "output_throughput"),
    ("slo_attainment", "attainment"),
    ("accuracy", "eval.accuracy"),
    ("evals", "eval.accuracy"),
    ("canaries", "canary.accuracy"),
    ("corrupted", "answers.corrupted"),
];

/// Labels of a measure.
#[derive(Default)]
struct Labels {
    class: Option<String>,
    origin: Option<Origin>,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Result<Self, SloError> {
        let reader = Self { text, at: 0 };
        match text.len() > LONGEST {
            true => Err(reader.wrong(format!("it is longer than {LONGEST} bytes"))),
            false => Ok(reader),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wrong(&self, problem: impl Into<String>) -> SloError {
        self.wrong_at(self.at, problem)
    }

    fn wrong_at(&self, at: usize, problem: impl Into<String>) -> SloError {
        SloError {
            text: inert(self.text, 80),
            at: self.text[..at].chars().count() + 1,
            problem: problem.into(),
            wanted: OBJECTIVE,
        }
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes a sign, if that comes next.
    fn takes(&mut self, sign: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn needs(&mut self, sign: &str, of: &str) -> Result<(), SloError> {
        match self.takes(sign) {
            true => Ok(()),
            false => Err(self.wrong(format!("`{sign}` is missing {of}"))),
        }
    }

    /// Letters, digits and underscores.
    fn word(&mut self) -> &'a str {
        self.space();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Everything before one of these signs, without space around it.
    fn until(&mut self, signs: &[char]) -> &'a str {
        self.space();
        let rest = self.rest();
        let end = rest.find(signs).unwrap_or(rest.len());
        self.at += end;
        rest[..end].trim_end()
    }

    fn end(&mut self) -> Result<(), SloError> {
        self.space();
        match self.rest() {
            "" => Ok(()),
            more => Err(self.wrong(format!("nothing more is expected: `{}`", inert(more, 40)))),
        }
    }

    fn measure(&mut self) -> Result<Measure, SloError> {
        self.space();
        let at = self.at;
        let name = self.word().to_ascii_lowercase();
        let figure = match name.as_str() {
            "attainment" => self.attainment()?,
            "fluidity" => Figure::Fluidity {
                deadlines: self.deadlines()?,
                statistic: self.statistic("fluidity")?,
            },
            "error_rate" => Figure::ErrorRate,
            "session" => self.session()?,
            "answers" | "canary" | "eval" | "reference" => self.answers(&name, at)?,
            name => match RateName::NAMES.iter().find(|(known, _)| *known == name) {
                Some((_, rate)) => Figure::Rate(*rate),
                None => self.latency(name, at)?,
            },
        };
        self.labelled(figure)
    }

    fn latency(&mut self, name: &str, at: usize) -> Result<Figure, SloError> {
        let metric = self.metric(name, at)?;
        Ok(Figure::Latency(Latency {
            metric,
            statistic: self.statistic(metric.name())?,
            origin: None,
        }))
    }

    /// What a session as a whole takes.
    fn session(&mut self) -> Result<Figure, SloError> {
        let metric = SloMetric::SessionE2e;
        let at = self.at;
        if !(self.takes(".") && self.word().eq_ignore_ascii_case("e2e")) {
            return Err(self.wrong_at(at, "a session has one time: write session.e2e.p90<60s"));
        }
        Ok(Figure::Latency(Latency {
            metric,
            statistic: self.statistic(metric.name())?,
            origin: None,
        }))
    }

    /// A share of answers: its name has two words, and no statistic.
    fn answers(&mut self, first: &str, at: usize) -> Result<Figure, SloError> {
        let whole = AnswerShare::NAMES
            .into_iter()
            .find(|(name, _)| name.split_once('.').is_some_and(|(word, _)| word == first));
        let Some((name, share)) = whole else {
            return Err(self.wrong_at(at, "this is not a share of answers"));
        };
        let second = &name[first.len() + 1..];
        let at = self.at;
        match self.takes(".") && self.word().eq_ignore_ascii_case(second) {
            true => Ok(Figure::Answers(share)),
            false => {
                let sign = if share.has_most() { "<0.1%" } else { ">99%" };
                Err(self.wrong_at(
                    at,
                    format!("of {first} there is one share: write {name}{sign}"),
                ))
            }
        }
    }

    fn metric(&self, name: &str, at: usize) -> Result<SloMetric, SloError> {
        SloMetric::named(name).ok_or_else(|| {
            let latencies = SloMetric::NAMES.map(|(name, _)| name);
            let rates = RateName::NAMES.map(|(name, _)| name);
            let others = ["session.e2e", "fluidity", "attainment", "error_rate"];
            let answers = AnswerShare::NAMES.map(|(name, _)| name);
            let all = [&latencies[..], &others[..], &rates[..], &answers[..]].concat();
            let foreign = FOREIGN.iter().find(|(known, _)| *known == name);
            let near = || closest(name, all.iter().copied());
            let meant = foreign.map(|(_, here)| *here).or_else(near);
            let hint = meant.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            let problem = match name {
                "" => "the name of a metric is missing".to_owned(),
                name => format!("unknown metric `{}`", inert(name, 40)),
            };
            self.wrong_at(at, format!("{problem}: one of {}{hint}", all.join(", ")))
        })
    }

    fn statistic(&mut self, name: &str) -> Result<Statistic, SloError> {
        if !self.takes(".") {
            return Err(self.wrong(format!(
                "a statistic is missing: write {name}.p99, {name}.mean or {name}.max, or a share of the \
                 requests, as in attainment({name}{})>=99%",
                if name == "fluidity" { ">=99%" } else { "<500ms" }
            )));
        }
        self.space();
        let at = self.at;
        let word = self.until(&['<', '>', '=', '{', '}', '(', ')', ',', '≤', '≥']);
        match word.to_ascii_lowercase().as_str() {
            "mean" => return Ok(Statistic::Mean),
            "max" => return Ok(Statistic::Max),
            _ => {}
        }
        parse_percentile(word)
            .map(Statistic::Percentile)
            .ok_or_else(|| {
                let hint = match word {
                    "avg" | "average" => "; did you mean `mean`?",
                    "median" | "med" => "; did you mean `p50`?",
                    "maximum" => "; did you mean `max`?",
                    _ => "",
                };
                let word = inert(word, 40);
                self.wrong_at(
                    at,
                    format!(
                        "`{word}` is not a percentile: write p50, p99 or p99.9, mean or max{hint}"
                    ),
                )
            })
    }

    fn deadlines(&mut self) -> Result<Option<Deadlines>, SloError> {
        if !self.takes("(") {
            return Ok(None);
        }
        let at = self.at;
        let text = self.until(&[')']);
        let deadlines = text.parse();
        let deadlines: Deadlines =
            deadlines.map_err(|error| self.wrong_at(at, format!("{error}")))?;
        self.needs(")", "after the deadlines")?;
        Ok(Some(deadlines))
    }

    fn attainment(&mut self) -> Result<Figure, SloError> {
        self.needs(
            "(",
            "after attainment: write attainment(ttft<500ms, tpot<50ms)>=99%",
        )?;
        let mut conditions = Vec::new();
        loop {
            if conditions.len() == MAX_CONDITIONS {
                return Err(self.wrong(format!("more than {MAX_CONDITIONS} conditions")));
            }
            conditions.push(self.condition()?);
            if self.takes(")") {
                return Ok(Figure::Attainment(conditions));
            }
            self.needs(",", "between two conditions, or `)` after the last")?;
        }
    }

    fn condition(&mut self) -> Result<Condition, SloError> {
        self.space();
        let at = self.at;
        let name = self.word().to_ascii_lowercase();
        if name == "fluidity" {
            let deadlines = self.deadlines()?;
            self.comparison(false, "fluidity")?;
            let least = self.percent()?;
            return Ok(Condition::Fluidity { deadlines, least });
        }
        let metric = self.metric(&name, at)?;
        let own = self.own_statistic(metric)?;
        let at = self.at;
        let labels = self.labels()?;
        if labels.class.is_some() {
            let problem = "a class belongs to the whole: write it after the last `)`";
            return Err(self.wrong_at(at, problem));
        }
        self.comparison(true, metric.name())?;
        Ok(Condition::Latency {
            metric,
            own,
            origin: self.origin_of(metric, labels.origin, at)?,
            most: self.allowance(metric)?,
        })
    }

    /// What is taken of a request's own values: something where it has many, nothing where it has one.
    fn own_statistic(&mut self, metric: SloMetric) -> Result<Option<Statistic>, SloError> {
        let name = metric.name();
        self.space();
        let given = self.rest().starts_with('.');
        match (metric.is_of_tokens(), given) {
            (true, true) => self.statistic(name).map(Some),
            (false, false) => Ok(None),
            (true, false) => Err(self.wrong(format!(
                "a request has many values of {name}: write {name}.p99, {name}.mean or {name}.max"
            ))),
            (false, true) => Err(self.wrong(format!(
                "a request has one value of {name}: inside attainment write {name}<LIMIT"
            ))),
        }
    }

    fn labelled(&mut self, mut figure: Figure) -> Result<Measure, SloError> {
        let at = self.at;
        let labels = self.labels()?;
        match &mut figure {
            Figure::Latency(latency) => {
                latency.origin = self.origin_of(latency.metric, labels.origin, at)?;
            }
            _ if labels.origin.is_some() => {
                let problem = format!("{} is not counted from an origin", figure.name());
                return Err(self.wrong_at(at, problem));
            }
            Figure::Rate(RateName::OutputThroughput) if labels.class.is_some() => {
                return Err(self.wrong_at(at, "output_throughput is not counted by class"));
            }
            _ => {}
        }
        Ok(Measure {
            figure,
            class: labels.class,
        })
    }

    fn origin_of(
        &self,
        metric: SloMetric,
        origin: Option<Origin>,
        at: usize,
    ) -> Result<Option<Origin>, SloError> {
        match origin {
            Some(_) if !metric.has_origin() => {
                let problem = format!("{} is not counted from an origin", metric.name());
                Err(self.wrong_at(at, problem))
            }
            origin => Ok(origin),
        }
    }

    fn labels(&mut self) -> Result<Labels, SloError> {
        let mut labels = Labels::default();
        if !self.takes("{") {
            return Ok(labels);
        }
        loop {
            self.label(&mut labels)?;
            if self.takes("}") {
                return Ok(labels);
            }
            self.needs(",", "between two labels, or `}` after the last")?;
        }
    }

    fn label(&mut self, labels: &mut Labels) -> Result<(), SloError> {
        self.space();
        let at = self.at;
        let name = self.word().to_ascii_lowercase();
        let twice = match name.as_str() {
            "class" => labels.class.is_some(),
            "origin" => labels.origin.is_some(),
            name => {
                let near = closest(name, ["class", "origin"].into_iter());
                let near = near.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
                let name = inert(name, 40);
                let problem = format!("unknown label `{name}`: one of class, origin{near}");
                return Err(self.wrong_at(at, problem));
            }
        };
        if twice {
            return Err(self.wrong_at(at, format!("{name} stands there twice")));
        }
        self.needs("=", "after the name of a label")?;
        match name.as_str() {
            "class" => labels.class = Some(self.class()?),
            _ => labels.origin = Some(self.origin()?),
        }
        Ok(())
    }

    fn class(&mut self) -> Result<String, SloError> {
        let quoted = self.takes("\"");
        let at = self.at;
        let name = match quoted {
            true => {
                let rest = self.rest();
                let end = rest.find('"');
                let end = end.ok_or_else(|| self.wrong_at(at, "the second `\"` is missing"))?;
                self.at += end + 1;
                &rest[..end]
            }
            false => self.until(&[',', '}', '{', '"']),
        };
        let fits = !name.is_empty() && name.len() <= LONGEST_CLASS;
        match fits && !name.chars().any(char::is_control) {
            true => Ok(name.to_owned()),
            false => Err(self.wrong_at(at, "the name of a class is missing, or is none")),
        }
    }

    fn origin(&mut self) -> Result<Origin, SloError> {
        self.space();
        let at = self.at;
        let name = self.word().to_ascii_lowercase();
        let found = Origin::ALL
            .into_iter()
            .find(|origin| origin.as_str() == name);
        found.ok_or_else(|| {
            let name = inert(&name, 40);
            self.wrong_at(at, format!("unknown origin `{name}`: intended or send"))
        })
    }

    /// The comparison that goes with a measure.
    fn comparison(&mut self, most: bool, of: &str) -> Result<(), SloError> {
        self.space();
        let at = self.at;
        let (signs, others) = match most {
            true => (["<", "≤"], [">", "≥"]),
            false => ([">", "≥"], ["<", "≤"]),
        };
        if signs.into_iter().any(|sign| self.takes(sign)) {
            self.takes("=");
            return Ok(());
        }
        let sign = signs[0];
        let problem = match others.into_iter().any(|sign| self.takes(sign)) {
            true if most => format!("less of {of} is better: write {of}{sign}LIMIT"),
            true => format!("more of {of} is better: write {of}{sign}LIMIT"),
            false => format!("`{sign}` and a limit are missing after {of}"),
        };
        Err(self.wrong_at(at, problem))
    }

    fn limit(&mut self, figure: &Figure) -> Result<Limit, SloError> {
        self.space();
        let at = self.at;
        let limit = match figure {
            Figure::Latency(latency) => Limit::Time(self.allowance(latency.metric)?),
            Figure::Fluidity { .. }
            | Figure::Attainment(_)
            | Figure::ErrorRate
            | Figure::Answers(_) => Limit::Share(self.percent()?),
            Figure::Rate(_) => Limit::PerSecond(self.per_second()?),
        };
        let nothing = match limit {
            Limit::Share(percent) => percent.0 <= 0.0 && !figure.has_most(),
            Limit::PerSecond(rate) => rate <= 0.0,
            Limit::Time(_) => false,
        };
        match nothing {
            true => Err(self.wrong_at(at, "a limit of 0 asks for nothing: write one above 0")),
            false => Ok(limit),
        }
    }

    /// `200ms`, or `200ms+0.2ms/input_token`.
    fn allowance(&mut self, metric: SloMetric) -> Result<Allowance, SloError> {
        self.space();
        let at = self.at;
        let text = self.until(&[',', ')']);
        let time = |text: &str| {
            let time: Result<Span, _> = text.parse();
            time.map_err(|error| self.wrong_at(at, error.to_string()))
        };
        let Some((times, of)) = text.split_once('/') else {
            return time(text).map(Allowance::fixed);
        };
        if !matches!(of.trim(), "input_token" | "input_tokens") {
            let of = inert(of, 40);
            let problem =
                format!("`/{of}` is unknown: a limit grows as in 200ms+0.2ms/input_token");
            return Err(self.wrong_at(at, problem));
        }
        if !metric.grows_with_prompt() {
            let problem = format!(
                "a limit of {} does not grow with the prompt; those of ttft, ttfo and e2e may",
                metric.name()
            );
            return Err(self.wrong_at(at, problem));
        }
        let (base, each) = times.rsplit_once('+').unwrap_or(("0", times));
        Ok(Allowance {
            base: time(base)?,
            per_input_token: time(each)?,
        })
    }

    fn percent(&mut self) -> Result<Percent, SloError> {
        self.space();
        let at = self.at;
        let text = self.until(&[',', ')']);
        Percent::parse(text).ok_or_else(|| {
            let text = inert(text, 40);
            let problem = format!("`{text}` is not a percentage: write 0 to 100 and %, as in 99%");
            self.wrong_at(at, problem)
        })
    }

    /// `20`, `20/s`, `20 requests/s`.
    fn per_second(&mut self) -> Result<f64, SloError> {
        self.space();
        let at = self.at;
        let text = self.until(&[]);
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.');
        let unit = text[digits.len()..].trim();
        let known = ["", "/s", "req/s", "requests/s", "tok/s", "tokens/s"].contains(&unit);
        let value = digits
            .parse::<f64>()
            .ok()
            .filter(|x| known && x.is_finite());
        value.filter(|value| *value >= 0.0).ok_or_else(|| {
            let text = inert(text, 40);
            self.wrong_at(
                at,
                format!("`{text}` is not a rate: write a number per second, as in 20/s"),
            )
        })
    }
}

impl Percent {
    /// Reads `99.9%`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix('%')?.trim_end();
        let begins = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let value: f64 = number.parse().ok().filter(|_| begins)?;
        (0.0..=100.0).contains(&value).then_some(Self(value))
    }
}
