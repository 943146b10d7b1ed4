//! `--clients`: a profile of clients becomes a load. What a client sends comes from the workload,
//! when it sends from the schedule; here the two meet.
//!
//! Invariant: `--rate` multiplies the rates of all clients by one factor, so that the mean over the
//! window is the rate asked for; nothing else is scaled, and no count is met.

use crate::experiment::{LoadSpec, Pace};
use anyhow::{Result, bail};
use infermeter_core::number::counted;
use infermeter_core::schedule::OpenSchedule;
use infermeter_core::seed::Seeds;
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, ScheduleError, Source, SourceWindow, SourcesParams, expected_arrivals,
    merged_schedule,
};
use infermeter_workload::{Client, ClientProfile, Gaps, Trace};

/// Clients named in a dry run.
const NAMED: usize = 10;

/// The clients of a run.
#[derive(Debug, Clone)]
pub struct Clients {
    profile: ClientProfile,
    sources: Vec<Source>,
    /// All rates are multiplied by this.
    factor: f64,
}

impl Clients {
    /// The clients that set the pace of a load, with the schedule's seed; none where something else does.
    ///
    /// # Errors
    /// When the profile cannot be used, with the client at fault.
    pub fn of(load: &LoadSpec, seed: u64) -> Result<Option<Self>> {
        let Pace::Clients { profile, rate } = &load.pace else {
            return Ok(None);
        };
        let profile = ClientProfile::open(profile)?;
        let sources = profile.clients.iter().map(|c| source(c, seed));
        let mut clients = Self {
            sources: sources.collect::<Result<_, _>>()?,
            profile,
            factor: 1.0,
        };
        if let Some(rate) = rate {
            clients.scale_to(*rate, load)?;
        }
        Ok(Some(clients))
    }

    /// Multiplies all rates, so that the mean over the window is `rate`.
    fn scale_to(&mut self, rate: f64, load: &LoadSpec) -> Result<()> {
        let counted = load.requests.map(|n| n as f64 / rate);
        let timed = load.duration.map(Span::as_seconds);
        let seconds = [counted, timed].into_iter().flatten().reduce(f64::min);
        let Some(seconds) = seconds else {
            return Err(ScheduleError::Endless.into());
        };
        let span = Span(((seconds * 1e9) as i64).max(1));
        let mean = self.mean_rate(span)?;
        if mean <= 0.0 {
            bail!("--clients: no client sends anything in the first {span} of the window");
        }
        self.factor = rate / mean;
        for source in &mut self.sources {
            source.factor *= self.factor;
        }
        Ok(())
    }

    /// Requests per second expected over the first `span` of the window, of all clients.
    ///
    /// # Errors
    /// When a profile would repeat too often.
    pub(crate) fn mean_rate(&self, span: Span) -> Result<f64, ScheduleError> {
        let expected = expected_arrivals(&self.sources, span)?;
        Ok(expected.iter().sum::<f64>() / span.as_seconds())
    }

    /// The requests of all phases: their lengths, and when they are due, up to `drain_max` after the
    /// window.
    ///
    /// # Errors
    /// When the load's phases make no schedule of them.
    pub fn load(
        &self,
        load: &LoadSpec,
        drain_max: Span,
        seeds: Seeds,
    ) -> Result<(Trace, OpenSchedule)> {
        let params = SourcesParams {
            warmup: load.warmup,
            duration: load.duration,
            requests: load.requests,
            drain_max,
        };
        let merged = merged_schedule(&self.sources, &params)?;
        let schedule = merged.schedule;
        let trace = self.profile.trace(
            &schedule.arrivals,
            &merged.source_of,
            schedule.window_start,
            seeds.workload,
        );
        Ok((trace, schedule))
    }

    /// What the profile is, and how it was scaled.
    pub fn facts(&self) -> Vec<String> {
        let profile = &self.profile;
        let mut lines = vec![format!(
            "{} of {}",
            counted(self.len() as u64, "client"),
            profile.name
        )];
        lines.extend(profile.note.clone());
        if (self.factor - 1.0).abs() > 1e-12 {
            lines.push(format!(
                "all rates x {:.4}, for the --rate asked for",
                self.factor
            ));
        }
        lines
    }

    /// The busiest clients in a window of `span`, and how many more there are; none where nothing can
    /// be expected of them.
    pub fn busiest(&self, span: Span) -> (Vec<BusyClient>, Option<BusyClient>) {
        let Ok(expected) = expected_arrivals(&self.sources, span) else {
            return (Vec::new(), None);
        };
        let all: f64 = expected.iter().sum();
        let busy = |name: String, requests: f64| BusyClient {
            name,
            requests_per_s: requests / span.as_seconds(),
            share: requests / all.max(f64::MIN_POSITIVE),
            gaps_cv: None,
            mean_tokens: None,
        };
        let clients = &self.profile.clients;
        let mut busiest: Vec<(f64, &Client)> = expected.into_iter().zip(clients).collect();
        busiest.sort_by(|a, b| b.0.total_cmp(&a.0));
        let named = busiest
            .iter()
            .take(NAMED)
            .map(|(requests, client)| BusyClient {
                gaps_cv: Some(cv_of(client.gaps)),
                mean_tokens: Some(client.mean_tokens()),
                ..busy(client.name.clone(), *requests)
            });
        let rest = busiest.get(NAMED..).filter(|rest| !rest.is_empty());
        let rest = rest.map(|rest| {
            let requests: f64 = rest.iter().map(|(requests, _)| requests).sum();
            busy(format!("{} more", rest.len()), requests)
        });
        (named.collect(), rest)
    }

    /// Number of clients.
    fn len(&self) -> usize {
        self.sources.len()
    }
}

/// What is expected of a client, or of several together.
#[derive(Debug, Clone, PartialEq)]
pub struct BusyClient {
    /// Its name, as the profile has it.
    pub name: String,
    /// Requests per second on average.
    pub requests_per_s: f64,
    /// Of all requests.
    pub share: f64,
    /// Coefficient of variation of its gaps; absent for several.
    pub gaps_cv: Option<f64>,
    /// Mean tokens of prompt and answer; absent for several.
    pub mean_tokens: Option<(f64, f64)>,
}

/// The coefficient of variation of gaps.
fn cv_of(gaps: Gaps) -> f64 {
    match process(gaps) {
        Ok(ArrivalProcess::Constant) => 0.0,
        Ok(ArrivalProcess::Gamma { cv } | ArrivalProcess::Weibull { cv }) => cv,
        Ok(ArrivalProcess::Poisson) | Err(_) => 1.0,
    }
}

fn process(gaps: Gaps) -> Result<ArrivalProcess, ScheduleError> {
    ArrivalProcess::resolve(gaps.arrival, gaps.cv)
}

fn source(client: &Client, seed: u64) -> Result<Source, ScheduleError> {
    let windows = client.windows.iter().map(|window| {
        Ok(SourceWindow {
            from: window.from,
            to: window.to,
            // Rates of windows are absolute, and the curve's are multiples of the client's.
            rate: window.rate.map(|rate| rate / client.rate),
            process: window.gaps.map(process).transpose()?,
        })
    });
    Ok(Source {
        process: process(client.gaps)?,
        rate: client.curve.clone(),
        factor: client.rate,
        windows: windows.collect::<Result<_, _>>()?,
        seed: client.seed(seed),
    })
}
