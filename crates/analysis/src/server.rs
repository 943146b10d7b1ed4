//! What the server said of itself, beside what the client saw: its gauges over the window, and
//! Little's law between the two.
//!
//! Both sides count the same requests: a difference beyond what is on its way is load of somebody
//! else, or a queue that one side does not see. Server and client are compared at the same instants,
//! which takes out of the difference what both share. Invariant: nothing is read into a gauge that the
//! page does not have.

mod beside;
pub(crate) mod edges;
mod engines;

pub(crate) use beside::ClientSide;
pub use beside::{AcceptedAt, Beside, BesideRow};
pub use engines::EngineLoad;

use crate::limits::{FRONT_END_S, LITTLE_ALPHA, LITTLE_RELATIVE, SERVER_READINGS};
use crate::run::Run;
use crate::throughput::ThroughputSummary;
use infermeter_core::environment::MetricsPlace;
use infermeter_core::run::Window;
use infermeter_core::server::{
    Quantity, QuantityKind, ReadingCause, ServerEngine, ServerReading, ServerReadings,
};
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::seconds::stays;
use infermeter_stats::{
    DRIFT_BATCHES, batch_means, batch_standard_error, inside_at, residence, student_two_sided,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Gauges that the summary has members for.
const OWN: [Quantity; 3] = [Quantity::Running, Quantity::Waiting, Quantity::KvUsage];

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
    /// Its other gauges by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gauges: BTreeMap<String, GaugeFigure>,
    /// The engines behind the pages; empty where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<EngineLoad>,
    /// The client's view beside the server's; absent where the page has nothing to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// What the pages themselves were like; absent from readings of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PagesRead>,
}

/// The pages as they were read in the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PagesRead {
    /// Median time of an answer, ms.
    pub answer_ms: f64,
    /// The longest page, bytes.
    pub bytes: u64,
    /// Most lines of a page that are neither samples nor comments.
    pub malformed: u64,
    /// Readings of a page that was longer than is looked at, or had a series that was.
    pub cut: usize,
}

impl PagesRead {
    fn of(server: &ServerReadings, window: Window) -> Option<Self> {
        let devices = server.device_pages();
        let inside = |r: &&ServerReading| {
            window.contains(r.at()) && r.detail.bytes.is_some() && !devices.contains(&r.page)
        };
        let read: Vec<&ServerReading> = server.readings.iter().filter(inside).collect();
        let answer = |r: &&ServerReading| r.answered_ns.since(r.asked_ns);
        let mut answers: Vec<i64> = read.iter().map(answer).collect();
        answers.sort_unstable();
        Some(Self {
            answer_ms: *answers.get(answers.len() / 2)? as f64 / 1e6,
            bytes: read.iter().filter_map(|r| r.detail.bytes).max()?,
            malformed: read.iter().map(|r| r.detail.malformed).max()?,
            cut: read.iter().filter(|r| r.detail.cut).count(),
        })
    }
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
    pub(crate) fn of(
        run: &Run,
        window: Option<Window>,
        throughput: Option<&ThroughputSummary>,
    ) -> Option<Self> {
        let window = window?;
        let server = run.server.as_ref();
        // Pages of GPUs and hosts alone say nothing of the server.
        let Some(server) = server.filter(|server| server.engine().is_some()) else {
            return match run.manifest.environment.target.server_metrics.as_ref()? {
                MetricsPlace::NotAvailable { not_available } => Some(Self::unknown(not_available)),
                MetricsPlace::Known { .. } => None,
            };
        };
        let joined = server.joined();
        let inside = Inside::of(&joined, window);
        if inside.readings.is_empty() {
            let why = inside.failed.first().and_then(|r| r.error.as_deref());
            let why = why.unwrap_or("no reading lies inside the window");
            return Some(Self {
                engine: server.engine(),
                failed: inside.failed.len(),
                ..Self::unknown(why)
            });
        }
        let gauge = |quantity| inside.gauge(window, quantity);
        let others = Quantity::ALL.iter().copied();
        let others = others.filter(|of| of.kind() == QuantityKind::Gauge && !OWN.contains(of));
        let gauges = others.filter_map(|of| Some((of.name().to_owned(), gauge(of)?)));
        let mut found = Self {
            gauges: gauges.collect(),
            engines: engines::loads(server, window),
            beside: None,
            pages: PagesRead::of(server, window),
            not_available: None,
            engine: server.engine(),
            readings: inside.readings.len(),
            failed: inside.failed.len(),
            skipped: skipped(server),
            running: gauge(Quantity::Running),
            waiting: gauge(Quantity::Waiting),
            kv_usage: gauge(Quantity::KvUsage),
            preemptions: risen(run, window, Quantity::Preemptions).ok(),
            littles_law: LittlesLaw::of(run, &inside, window),
        };
        let client = ClientSide {
            requests: &run.collected.requests,
            throughput,
            window,
        };
        found.beside = Beside::of(server, &found, &client);
        Some(found)
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
            gauges: BTreeMap::new(),
            engines: Vec::new(),
            beside: None,
            pages: None,
        }
    }
}

/// Intervals left out because an answer of the server's was owed.
fn skipped(server: &ServerReadings) -> u64 {
    let pages = &server.watch.pages;
    let is_engine = |page: usize| pages.get(page).is_some_and(|page| !page.engine.is_device());
    let own = server.readings.iter().filter(|r| is_engine(r.page));
    own.map(|r| r.skipped).sum()
}

/// The readings at whole intervals inside the window: those of phases would weigh its edges more.
struct Inside<'a> {
    readings: Vec<&'a ServerReading>,
    failed: Vec<&'a ServerReading>,
}

impl<'a> Inside<'a> {
    fn of(all: &'a [ServerReading], window: Window) -> Self {
        let regular = all
            .iter()
            .filter(|r| r.cause == ReadingCause::Interval && window.contains(r.at()));
        let (readings, failed) = regular.partition(|r| r.error.is_none());
        Self { readings, failed }
    }

    /// Values with their instants, where the page has them.
    fn series(&self, quantity: Quantity) -> (Vec<f64>, Vec<i64>) {
        self.sums(&[quantity])
    }

    /// Sums of these with their instants, where the page has them all.
    fn sums(&self, of: &[Quantity]) -> (Vec<f64>, Vec<i64>) {
        let sum = |r: &ServerReading| {
            let values = of.iter().map(|quantity| r.figures.get(*quantity));
            let values: Option<Vec<f64>> = values.collect();
            Some(values?.iter().sum::<f64>())
        };
        let readings = self.readings.iter();
        readings.filter_map(|r| Some((sum(r)?, r.at().0))).unzip()
    }

    fn gauge(&self, window: Window, quantity: Quantity) -> Option<GaugeFigure> {
        let (values, at_ns) = self.series(quantity);
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
    let joined = run.server.as_ref().map(ServerReadings::joined);
    Inside::of(joined.as_deref().unwrap_or_default(), window).series(Quantity::Waiting)
}

impl LittlesLaw {
    fn of(run: &Run, inside: &Inside<'_>, window: Window) -> Option<Self> {
        let (server, at_ns) = inside.sums(&[Quantity::Running, Quantity::Waiting]);
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
/// more would count another time. Of several pages each for itself, so that none hides that another was restarted.
///
/// # Errors
/// Why that is not known: no reading near an edge, or a counter that went back.
pub(crate) fn risen(run: &Run, window: Window, quantity: Quantity) -> Result<f64, &'static str> {
    let server = run
        .server
        .as_ref()
        .ok_or("the server's metrics were not read")?;
    edges::total(server, window, quantity)
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
