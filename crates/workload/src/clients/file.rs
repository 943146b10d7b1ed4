//! The file of a profile of clients: TOML or JSON with the same names.
//!
//! It draws nothing. Invariant: what it gives has been checked in full; an unknown name is an error.

use super::error::Problem;
use super::{Client, ClientProfile, ClientWindow, Gaps, MAX_CLIENTS};
use crate::classes::Classes;
use crate::lengths::{ANSWER_BOUNDS, LengthDistribution, PROMPT_BOUNDS};
use infermeter_core::plan::{
    After, ArrivalKind, Bounds, Level, MAX_RATE, RateProfile, WorkloadClass, WorkloadKind,
};
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use serde::Deserialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Most classes of a run.
const MAX_CLASSES: usize = 1_000;
/// Most windows of a client.
const MAX_WINDOWS: usize = 10_000;
/// Most bins of a density.
const MAX_BINS: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileEntry {
    format_version: u32,
    name: String,
    note: Option<String>,
    #[serde(default)]
    client: Vec<ClientEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ClientEntry {
    name: String,
    class: Option<String>,
    rate: f64,
    arrival: Option<ArrivalKind>,
    cv: Option<f64>,
    curve: Option<RateProfile>,
    lengths: Option<WorkloadKind>,
    prompt_density: Option<DensityEntry>,
    answer_density: Option<DensityEntry>,
    rank_correlation: Option<f64>,
    #[serde(default)]
    window: Vec<WindowEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WindowEntry {
    from: Span,
    to: Span,
    rate: Option<f64>,
    arrival: Option<ArrivalKind>,
    cv: Option<f64>,
    lengths: Option<WorkloadKind>,
    prompt_density: Option<DensityEntry>,
    answer_density: Option<DensityEntry>,
    rank_correlation: Option<f64>,
}

/// Bins of lengths: the k-th reaches from `tokens[k]` up to below `tokens[k + 1]`, and has the share
/// `weights[k]`. Inside a bin each length is as likely as any other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DensityEntry {
    tokens: Vec<u32>,
    weights: Vec<f64>,
}

/// How lengths are written, whoever has them.
struct LengthsEntry<'e> {
    lengths: Option<&'e WorkloadKind>,
    prompt: Option<&'e DensityEntry>,
    answer: Option<&'e DensityEntry>,
    rank_correlation: Option<f64>,
}

/// Reads the profile at `path`.
pub(super) fn read(path: &Path) -> Result<ClientProfile, Problem> {
    let text = std::fs::read_to_string(path).map_err(Problem::Read)?;
    let beside = path.parent().unwrap_or(Path::new(""));
    if path.extension().is_some_and(|e| e == "json") {
        ReadFrom::json(&text, beside)
    } else {
        ReadFrom::toml(&text, beside)
    }
}

/// Reads entries; files that they name lie in a directory.
pub(super) struct ReadFrom<'p> {
    beside: &'p Path,
}

impl<'p> ReadFrom<'p> {
    pub fn toml(text: &str, beside: &'p Path) -> Result<ClientProfile, Problem> {
        let entry = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            Problem::Syntax {
                line: before.map_or(1, |before| before.matches('\n').count() + 1),
                what: inert(error.message(), 400),
            }
        })?;
        Self { beside }.profile(entry)
    }

    pub fn json(text: &str, beside: &'p Path) -> Result<ClientProfile, Problem> {
        let entry = serde_json::from_str(text).map_err(|error| {
            let said = error.to_string();
            Problem::Syntax {
                line: error.line(),
                what: inert(said.split(" at line ").next().unwrap_or(&said), 400),
            }
        })?;
        Self { beside }.profile(entry)
    }

    fn profile(&self, entry: FileEntry) -> Result<ClientProfile, Problem> {
        match (entry.format_version, entry.client.len()) {
            (1, 1..=MAX_CLIENTS) => {}
            (1, 0) => return Err(Problem::Empty),
            (1, _) => return Err(Problem::TooMany),
            (version, _) => return Err(Problem::Version(version)),
        }
        let mut names = HashSet::new();
        let mut classes = HashSet::new();
        for client in &entry.client {
            if !names.insert(client.name.as_str()) {
                return Err(Problem::Twice(inert(&client.name, 80)));
            }
            classes.insert(client.class.as_deref().unwrap_or(&client.name));
        }
        if classes.len() > MAX_CLASSES {
            return Err(Problem::TooManyClasses);
        }
        Ok(ClientProfile {
            clients: entry
                .client
                .iter()
                .map(|c| self.client(c))
                .collect::<Result<_, _>>()?,
            name: inert(&entry.name, 200),
            note: entry.note.map(|note| inert(&note, 400)),
        })
    }

    fn client(&self, entry: &ClientEntry) -> Result<Client, Problem> {
        let wrong = |what: String| Problem::Client {
            client: inert(&entry.name, 80),
            what,
        };
        let name = named(&entry.name).map_err(&wrong)?;
        let class = named(entry.class.as_deref().unwrap_or(&entry.name)).map_err(&wrong)?;
        let rate = rate(entry.rate).map_err(&wrong)?;
        let gaps = gaps(entry.arrival.unwrap_or(ArrivalKind::Poisson), entry.cv).map_err(&wrong)?;
        let lengths = self
            .lengths(entry, &entry.into())?
            .ok_or_else(|| wrong(format!("no lengths; write {LENGTHS_EXAMPLE}")))?;
        let mut windows = Vec::new();
        let mut last = Span(0);
        for window in &entry.window {
            let window = self.window(entry, window, gaps)?;
            if window.from < last || windows.len() == MAX_WINDOWS {
                let from = window.from;
                return Err(wrong(format!(
                    "the window from {from} begins before the one above it has ended, or there \
                     are more than {MAX_WINDOWS}"
                )));
            }
            last = window.to;
            windows.push(window);
        }
        Ok(Client {
            name,
            class,
            rate,
            gaps,
            curve: entry.curve.clone().unwrap_or_else(constant),
            windows,
            lengths,
        })
    }

    fn window(
        &self,
        client: &ClientEntry,
        entry: &WindowEntry,
        usual: Gaps,
    ) -> Result<ClientWindow, Problem> {
        let wrong = |what: String| Problem::Client {
            client: inert(&client.name, 80),
            what: format!("window from {}: {what}", entry.from),
        };
        if entry.to <= entry.from {
            return Err(wrong("`to` must lie after `from`".to_owned()));
        }
        let own = match (entry.arrival, entry.cv) {
            (None, None) => None,
            (arrival, cv) => Some((arrival.unwrap_or(usual.arrival), cv)),
        };
        Ok(ClientWindow {
            from: entry.from,
            to: entry.to,
            rate: match entry.rate {
                Some(0.0) => Some(0.0),
                Some(own) => Some(rate(own).map_err(&wrong)?),
                None => None,
            },
            gaps: own
                .map(|(arrival, cv)| gaps(arrival, cv))
                .transpose()
                .map_err(&wrong)?,
            lengths: self.lengths(client, &entry.into())?,
        })
    }

    /// The lengths of an entry; none where it has none.
    fn lengths(
        &self,
        client: &ClientEntry,
        entry: &LengthsEntry<'_>,
    ) -> Result<Option<Classes>, Problem> {
        let name = || inert(&client.name, 80);
        let wrong = |what: &str| Problem::Client {
            client: name(),
            what: format!("{what}; write {LENGTHS_EXAMPLE}"),
        };
        let classes = match (entry.lengths, entry.prompt, entry.answer) {
            (Some(kind), None, None) => {
                let kind = beside(kind, self.beside);
                Classes::new(&kind).map_err(|source| Problem::Pairs {
                    client: name(),
                    source: Box::new(source),
                })?
            }
            (None, Some(prompt), Some(answer)) => {
                let prompt = density(prompt, PROMPT_BOUNDS, "prompt-density");
                let answer = density(answer, ANSWER_BOUNDS, "answer-density");
                let (prompt, answer) = (
                    prompt.map_err(|what| wrong(&what))?,
                    answer.map_err(|what| wrong(&what))?,
                );
                Classes::of_distributions(prompt, answer)
            }
            (None, None, None) if entry.rank_correlation.is_none() => return Ok(None),
            _ => return Err(wrong("either `lengths` or both densities are needed")),
        };
        let Some(asked) = entry.rank_correlation else {
            return Ok(Some(classes));
        };
        if !(-1.0..=1.0).contains(&asked) {
            return Err(wrong("rank-correlation: a number from -1 to 1 is needed"));
        }
        let correlated = classes.with_rank_correlation(asked).ok_or_else(|| {
            wrong(
                "rank-correlation is for lengths drawn from two distributions without `rho`: a \
                 fixed length has none, a file of pairs and a mixture bring their own",
            )
        })?;
        Ok(Some(correlated))
    }
}

const LENGTHS_EXAMPLE: &str = "lengths = \"lognormal:400/0.9,220/0.7\", lengths = \
                               \"empirical:pairs.csv\", or prompt-density and answer-density, each \
                               as in { tokens = [16, 256, 4096], weights = [3, 1] }";

impl<'e> From<&'e ClientEntry> for LengthsEntry<'e> {
    fn from(entry: &'e ClientEntry) -> Self {
        Self {
            lengths: entry.lengths.as_ref(),
            prompt: entry.prompt_density.as_ref(),
            answer: entry.answer_density.as_ref(),
            rank_correlation: entry.rank_correlation,
        }
    }
}

impl<'e> From<&'e WindowEntry> for LengthsEntry<'e> {
    fn from(entry: &'e WindowEntry) -> Self {
        Self {
            lengths: entry.lengths.as_ref(),
            prompt: entry.prompt_density.as_ref(),
            answer: entry.answer_density.as_ref(),
            rank_correlation: entry.rank_correlation,
        }
    }
}

fn named(name: &str) -> Result<String, String> {
    if name.trim().is_empty() || name.len() > 100 {
        return Err("a name of 1 to 100 bytes is needed".to_owned());
    }
    Ok(inert(name, 100))
}

fn rate(rate: f64) -> Result<f64, String> {
    if rate > 0.0 && rate <= MAX_RATE {
        Ok(rate)
    } else {
        Err(format!(
            "rate {rate}: a number of requests per second above 0 is needed"
        ))
    }
}

fn gaps(arrival: ArrivalKind, cv: Option<f64>) -> Result<Gaps, String> {
    match (arrival, cv) {
        (ArrivalKind::Gamma | ArrivalKind::Weibull, Some(cv)) if (0.001..=100.0).contains(&cv) => {}
        (ArrivalKind::Gamma | ArrivalKind::Weibull, _) => {
            return Err("gamma and Weibull gaps need `cv`, a number from 0.001 to 100".to_owned());
        }
        (ArrivalKind::Poisson | ArrivalKind::Constant, None) => {}
        (ArrivalKind::Poisson | ArrivalKind::Constant, Some(_)) => {
            return Err("`cv` needs `arrival = \"gamma\"` or `\"weibull\"`".to_owned());
        }
    }
    Ok(Gaps { arrival, cv })
}

/// Always the same rate.
fn constant() -> RateProfile {
    RateProfile::Steps {
        steps: vec![Level {
            rate: 1.0,
            span: Span::seconds(1),
        }],
        after: After::Hold,
    }
}

/// The same lengths, their files looked for in `directory`.
fn beside(kind: &WorkloadKind, directory: &Path) -> WorkloadKind {
    let placed = |class: &WorkloadClass| match class {
        WorkloadClass::Empirical(path) => WorkloadClass::Empirical(in_directory(path, directory)),
        other => other.clone(),
    };
    match kind {
        WorkloadKind::One(class) => WorkloadKind::One(placed(class)),
        WorkloadKind::Mix(parts) => WorkloadKind::Mix(
            parts
                .iter()
                .map(|part| infermeter_core::plan::MixPart {
                    class: placed(&part.class),
                    weight: part.weight,
                })
                .collect(),
        ),
    }
}

fn in_directory(path: &Path, directory: &Path) -> PathBuf {
    // An absolute path stays what it is.
    directory.join(path)
}

fn density(entry: &DensityEntry, bounds: Bounds, name: &str) -> Result<LengthDistribution, String> {
    let edges = &entry.tokens;
    let rising = edges.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = edges.first().is_some_and(|first| *first >= bounds.min)
        && edges.last().is_some_and(|last| *last <= bounds.max);
    if edges.len() < 2 || edges.len() > MAX_BINS || !rising || !inside {
        return Err(format!(
            "{name}: `tokens` must be two rising whole numbers or more, from {} to {}",
            bounds.min, bounds.max
        ));
    }
    let usable = |weight: &f64| weight.is_finite() && *weight >= 0.0;
    let sum: f64 = entry.weights.iter().sum();
    let all = entry.weights.iter().all(usable) && sum > 0.0 && sum.is_finite();
    if entry.weights.len() + 1 != edges.len() || !all {
        return Err(format!(
            "{name}: `weights` must be one number of 0 or more for each two neighbours of \
             `tokens`, and not all 0"
        ));
    }
    Ok(LengthDistribution::of_bins(edges, &entry.weights))
}
