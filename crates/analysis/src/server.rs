//! What the server said of itself, beside what the client saw: its gauges over the window, and
//! Little's law between the two.
//!
//! Both sides count the same requests: a difference beyond what is on its way is load of somebody
//! else, or a queue that one side does not see. Server and client are compared at the same instants,
//! which takes out of the difference what both share. Invariant: nothing is read into a gauge that the
//! page does not have.

use crate::limits::{FRONT_END_S, LITTLE_ALPHA, LITTLE_RELATIVE, SERVER_READINGS};
use crate::run::Run;
use infermeter_core::environment::MetricsPlace;
use infermeter_core::run::Window;
use infermeter_core::server::{ReadingCause, ServerEngine, ServerFigures, ServerReading};
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::seconds::stays;
use infermeter_stats::{
    DRIFT_BATCHES, batch_means, batch_standard_error, inside_at, residence, student_two_sided,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reading this near to an edge of the window is always good enough, nanoseconds: a phase is told
/// within 50 ms.
const EDGE_NS: u64 = 100_000_000;

/// The server's own metrics over the measured window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerSummary {
    /// Why nothing is known; absent where something is.
    pub not_available: Option<String>,
    /// Whose series were read.
    pub engine: Option<ServerEngine>,
    /// Readings at whole intervals inside the window, with figures.
    pub readings: usize,
    /// Readings of the window without figures.
    pub failed: usize,
    /// Intervals of the whole run that were left out because an answer was owed.
    pub skipped: u64,
    /// Requests that take part in its steps.
    pub running: Option<GaugeFigure>,
    /// Requests in its queue.
    pub waiting: Option<GaugeFigure>,
    /// Share of the KV cache in use.
    pub kv_usage: Option<GaugeFigure>,
    /// Sequences that gave their KV cache back inside the window.
    pub preemptions: Option<f64>,
    /// Its requests against the client's; absent where the page lacks either gauge.
    pub littles_law: Option<LittlesLaw>,
}

/// A gauge over the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GaugeFigure {
    /// Mean of the readings.
    pub mean: f64,
    /// Standard error of the mean, in its unit, from ten batch means; absent with too few readings.
    pub standard_error: Option<f64>,
    /// Greatest reading.
    pub max: f64,
    /// Readings.
    pub n: usize,
}

/// Whether the server has the client's requests and no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// They differ by no more than the tolerance.
    Agrees,
    /// They differ by more.
    Disagrees,
    /// Too few readings.
    Undecided,
}

/// Little's law between the server's gauges and the client's records. Numbers of requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LittlesLaw {
    /// The answer.
    pub answer: Agreement,
    /// Mean of running and waiting together, requests.
    pub server: f64,
    /// Time average of the client's requests, by their residence clipped to the window.
    pub client: f64,
    /// Mean difference, server less client, at the instants of the readings, requests.
    pub difference: f64,
    /// Half-width of its 99.9 % interval, by ten batch means, requests; absent with too few readings.
    pub sampling_error: Option<f64>,
    /// Requests on their way: connecting, uploading, one round trip, the front end's allowance.
    pub network_share: f64,
    /// Beyond this difference, requests, the two disagree.
    pub tolerance: Option<f64>,
    /// Readings.
    pub n: usize,
}

impl ServerSummary {
    /// Of a run whose window is known, where the facade has looked for a page.
    pub(crate) fn of(run: &Run, window: Option<Window>) -> Option<Self> {
        let window = window?;
        let Some(server) = &run.server else {
            return match run.manifest.environment.target.server_metrics.as_ref()? {
                MetricsPlace::NotAvailable { not_available } => Some(Self::unknown(not_available)),
                MetricsPlace::Known { .. } => None,
            };
        };
        let inside = Inside::of(run, window);
        if inside.readings.is_empty() {
            let why = inside.failed.first().and_then(|r| r.error.as_deref());
            let why = why.unwrap_or("no reading lies inside the window");
            return Some(Self {
                engine: Some(server.watch.engine),
                failed: inside.failed.len(),
                ..Self::unknown(why)
            });
        }
        let gauge = |of: fn(&ServerFigures) -> Option<f64>| inside.gauge(window, of);
        Some(Self {
            not_available: None,
            engine: Some(server.watch.engine),
            readings: inside.readings.len(),
            failed: inside.failed.len(),
            skipped: server.readings.iter().map(|r| r.skipped).sum(),
            running: gauge(|f| f.running),
            waiting: gauge(|f| f.waiting),
            kv_usage: gauge(|f| f.kv_usage),
            preemptions: risen(run, window, |f| f.preemptions).ok(),
            littles_law: LittlesLaw::of(run, &inside, window),
        })
    }

    fn unknown(why: &str) -> Self {
        Self {
            not_available: Some(why.to_owned()),
            engine: None,
            readings: 0,
            failed: 0,
            skipped: 0,
            running: None,
            waiting: None,
            kv_usage: None,
            preemptions: None,
            littles_law: None,
        }
    }
}

/// The readings at whole intervals inside the window: those of phases would weigh its edges more.
struct Inside<'a> {
    readings: Vec<&'a ServerReading>,
    failed: Vec<&'a ServerReading>,
}

impl<'a> Inside<'a> {
    fn of(run: &'a Run, window: Window) -> Self {
        let all = run.server.iter().flat_map(|server| &server.readings);
        let regular = all.filter(|r| r.cause == ReadingCause::Interval && window.contains(r.at()));
        let (readings, failed) = regular.partition(|r| r.error.is_none());
        Self { readings, failed }
    }

    /// Values with their instants, where the page has them.
    fn series(&self, of: impl Fn(&ServerFigures) -> Option<f64>) -> (Vec<f64>, Vec<i64>) {
        let readings = self.readings.iter();
        readings
            .filter_map(|r| Some((of(&r.figures)?, r.at().0)))
            .unzip()
    }

    fn gauge(
        &self,
        window: Window,
        of: impl Fn(&ServerFigures) -> Option<f64>,
    ) -> Option<GaugeFigure> {
        let (values, at_ns) = self.series(of);
        let n = values.len();
        Some(GaugeFigure {
            max: values.iter().copied().reduce(f64::max)?,
            mean: values.iter().sum::<f64>() / n as f64,
            standard_error: standard_error(&values, &at_ns, window),
            n,
        })
    }
}

/// By ten equal parts of the window; `None` with too few readings, or a part without any.
fn standard_error(values: &[f64], at_ns: &[i64], window: Window) -> Option<f64> {
    if values.len() < SERVER_READINGS {
        return None;
    }
    let span = window.start.0..window.end.0;
    let batches = batch_means(values, at_ns, span, DRIFT_BATCHES).ok()?;
    let means: Option<Vec<f64>> = batches.iter().map(|batch| batch.mean).collect();
    batch_standard_error(&means?)
}

/// The waiting gauge inside the window: values and instants.
pub(crate) fn waiting(run: &Run, window: Window) -> (Vec<f64>, Vec<i64>) {
    Inside::of(run, window).series(|f| f.waiting)
}

impl LittlesLaw {
    fn of(run: &Run, inside: &Inside<'_>, window: Window) -> Option<Self> {
        let (server, at_ns) = inside.series(|f| Some(f.running? + f.waiting?));
        if server.is_empty() {
            return None;
        }
        let requests = &run.collected.requests;
        let stays = stays(requests);
        let client = residence(&stays, window.start.0..window.end.0).ok()?;
        let there = inside_at(&stays, &at_ns);
        let apart: Vec<f64> = server
            .iter()
            .zip(&there)
            .map(|(server, client)| server - *client as f64)
            .collect();
        let n = apart.len();
        let difference = apart.iter().sum::<f64>() / n as f64;
        let t = student_two_sided(1.0 - LITTLE_ALPHA, (DRIFT_BATCHES - 1) as f64);
        let sampling_error = standard_error(&apart, &at_ns, window).map(|error| t * error);
        let network_share = on_their_way(requests, window);
        let tolerance = sampling_error
            .map(|error| error + network_share + LITTLE_RELATIVE * client.by_residence);
        Some(Self {
            answer: match tolerance {
                None => Agreement::Undecided,
                Some(most) if difference.abs() <= most => Agreement::Agrees,
                Some(_) => Agreement::Disagrees,
            },
            server: server.iter().sum::<f64>() / n as f64,
            client: client.by_residence,
            difference,
            sampling_error,
            network_share,
            tolerance,
            n,
        })
    }
}

/// Requests that the client counts and the engine may not: for each sent in the window the time to
/// connect and to upload, one round trip (the least time that a connection took to open), and the
/// front end's allowance, over the window's length.
fn on_their_way(requests: &[RequestFacts], window: Window) -> f64 {
    let sent = || {
        let started = requests.iter().filter_map(|r| Some((r, r.send_start?)));
        started.filter(|(_, start)| window.contains(*start))
    };
    let opened = requests
        .iter()
        .filter_map(|r| Some((r.connected?, r.send_start?)));
    let round_trip = opened.map(|(up, start)| up.since(start)).min();
    let upload = |(r, start): (&RequestFacts, _)| r.sent.map_or(0, |sent| sent.since(start).max(0));
    let upload_s = sent().map(upload).sum::<i64>() as f64 / 1e9;
    let each_s = round_trip.unwrap_or(0).max(0) as f64 / 1e9 + FRONT_END_S;
    (upload_s + sent().count() as f64 * each_s) / window.seconds()
}

/// What a counter rose by between the readings nearest to the window's edges, at most a tenth of it off:
/// more would count another time.
///
/// # Errors
/// Why that is not known: no reading near an edge, or a counter that went back.
pub(crate) fn risen(
    run: &Run,
    window: Window,
    of: impl Fn(&ServerFigures) -> Option<f64>,
) -> Result<f64, &'static str> {
    let server = run
        .server
        .as_ref()
        .ok_or("the server's metrics were not read")?;
    let known = server.readings.iter();
    let known: Vec<(i64, f64)> = known
        .filter_map(|r| Some((r.at().0, of(&r.figures)?)))
        .collect();
    if known.is_empty() {
        return Err("the server's page does not have them");
    }
    let nearest = |edge: i64| {
        let apart = |(at, _): &(i64, f64)| at.abs_diff(edge);
        let found = known.iter().enumerate().min_by_key(|(_, r)| apart(r));
        let tenth = window.end.since(window.start).unsigned_abs() / 10;
        let near = tenth.max(EDGE_NS);
        found
            .filter(|(_, r)| apart(r) <= near)
            .map(|(index, _)| index)
    };
    let edges = nearest(window.start.0).zip(nearest(window.end.0));
    let (from, to) = edges
        .filter(|(from, to)| from < to)
        .ok_or("no reading lies near an edge of the window")?;
    let between = &known[from..=to];
    if between.windows(2).any(|pair| pair[1].1 < pair[0].1) {
        return Err("a counter went back inside the window: the server was restarted");
    }
    Ok(known[to].1 - known[from].1)
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
