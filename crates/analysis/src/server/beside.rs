//! The client's view beside the server's: the same requests, counted and timed on both sides.
//!
//! The server counts what happened between two readings near the window's edges; the client's side of a row
//! counts the same instants, of all requests whatever their phase: first tokens that came inside the window for
//! TTFT and prompt tokens, last ones for E2E. What a latency has more on the client's side is network, gateway and
//! front end. Invariant: a row has an answer only where its error is known; a mean of a histogram is
//! exact, a quantile is an estimate with its bucket as error.

use super::edges::{Edges, histogram, total};
use super::{Agreement, LittlesLaw, ServerSummary};
use crate::limits::{COUNTED_WINDOW_S, FRONT_END_S, LITTLE_RELATIVE};
use crate::throughput::ThroughputSummary;
use infermeter_core::clock::Offset;
use infermeter_core::finish::FinishReason;
use infermeter_core::record::Outcome;
use infermeter_core::run::Window;
use infermeter_core::server::{
    Quantity, QuantityKind, QuantityUnit as Unit, ServerHistogram, ServerReading, ServerReadings,
};
use infermeter_core::text::Word;
use infermeter_metrics::facts::RequestFacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One figure on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BesideRow {
    /// Its name: `ttft_mean`, `output_tokens`, `queue_time_p99`.
    pub figure: Word,
    /// Its unit: `ms`, `tokens`, `requests`, `share`, `1/s`.
    pub unit: Word,
    /// As the client has it, in the row's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<f64>,
    /// As the server has it, in the row's unit; of a quantile an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<f64>,
    /// Of a quantile: lower bound of the bucket that holds it, in the row's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_low: Option<f64>,
    /// Of a quantile: upper bound of that bucket, in the row's unit; absent in the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_high: Option<f64>,
    /// Values (requests, readings, steps) behind the server's figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<f64>,
    /// Client less server, in the row's unit; of a quantile what lies outside its bucket, absent inside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// Beyond this difference, in the row's unit, the two disagree; absent where nothing says how far apart they may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// Whether they agree; absent without an error. Of a latency, whether the client's is not the lower one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Agreement>,
}

/// How often a place in the draft was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedAt {
    /// The place, from 0.
    pub position: u32,
    /// Accepted tokens there over the drafts of the window.
    pub share: f64,
}

/// Both views of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beside {
    /// How far the readings lie from the window's edges together, their answers' time included, seconds: counters
    /// may have that much too much or too little. Absent where no reading lies near an edge.
    pub edges_apart_s: Option<f64>,
    /// Why counters have no figures, where that is not that the page lacks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_counted: Option<String>,
    /// The figures.
    pub rows: Vec<BesideRow>,
    /// Drafts by position; empty where the page does not have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_by_position: Vec<AcceptedAt>,
}

/// The client's side.
pub(crate) struct ClientSide<'a> {
    pub(crate) requests: &'a [RequestFacts],
    pub(crate) throughput: Option<&'a ThroughputSummary>,
    pub(crate) window: Window,
}

impl Beside {
    /// Row by name.
    pub fn row(&self, figure: &str) -> Option<&BesideRow> {
        self.rows.iter().find(|row| &*row.figure == figure)
    }

    /// Both views; `None` where the two have nothing in common.
    pub(super) fn of(
        server: &ServerReadings,
        summary: &ServerSummary,
        client: &ClientSide<'_>,
    ) -> Option<Self> {
        let view = View::of(server, client);
        let mut rows = vec![];
        rows.extend(summary.littles_law.as_ref().map(in_flight));
        rows.extend(view.counts());
        rows.extend(view.latencies());
        rows.extend(view.server_times());
        rows.extend(view.shares());
        rows.extend(gauges(summary));
        rows.extend(view.rates());
        let counters = Quantity::ALL.iter().copied();
        let mut counters = counters.filter(|of| of.kind() == QuantityKind::Counter);
        let gone_back = counters.find_map(|of| match total(server, client.window, of) {
            Err(why) if why != super::edges::ABSENT => Some(why.to_owned()),
            _ => None,
        });
        let found = Self {
            edges_apart_s: view.apart_s,
            not_counted: gone_back,
            rows,
            accepted_by_position: view.accepted_by_position(),
        };
        (!found.rows.is_empty()).then_some(found)
    }
}

/// Requests in flight, both at the instants of the readings: Little's law has them already.
fn in_flight(law: &LittlesLaw) -> BesideRow {
    BesideRow {
        client: Some(law.server - law.difference),
        server: Some(law.server),
        difference: Some(-law.difference),
        error: law.tolerance,
        answer: Some(law.answer),
        n: Some(law.n as f64),
        ..row("in_flight", "requests")
    }
}

/// Those of the server's gauges that the client has nothing beside.
fn gauges(summary: &ServerSummary) -> Vec<BesideRow> {
    let of = |(name, gauge): (&str, &super::GaugeFigure)| BesideRow {
        server: Some(gauge.mean),
        n: Some(gauge.n as f64),
        ..row(name.to_owned(), Quantity::named(name).map_or("", unit_of))
    };
    let kv = summary.kv_usage.iter().map(|gauge| ("kv_usage", gauge));
    let others = summary.gauges.iter().map(|(name, gauge)| (&**name, gauge));
    kv.chain(others).map(of).collect()
}

fn unit_of(quantity: Quantity) -> &'static str {
    match quantity.unit() {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
        Unit::Share => "share",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::Flop => "FLOP",
        Unit::Watts => "W",
        Unit::Joules => "J",
        Unit::Hertz => "Hz",
        Unit::Celsius => "°C",
        Unit::Number | Unit::Bits => "",
    }
}

fn row(figure: impl Into<Word>, unit: impl Into<Word>) -> BesideRow {
    BesideRow {
        figure: figure.into(),
        unit: unit.into(),
        client: None,
        server: None,
        server_low: None,
        server_high: None,
        n: None,
        difference: None,
        error: None,
        answer: None,
    }
}

/// What rows are made of.
struct View<'a> {
    server: &'a ServerReadings,
    client: &'a ClientSide<'a>,
    apart_s: Option<f64>,
    /// Between the readings at the edges.
    counted_s: Option<f64>,
}

impl<'a> View<'a> {
    fn of(server: &'a ServerReadings, client: &'a ClientSide<'a>) -> Self {
        let window = client.window;
        let answered = |r: &ServerReading| r.error.is_none().then_some(());
        let pages = server.pages().into_iter();
        let edges = pages.filter_map(|page| Edges::of(server, page, window, answered).ok());
        let both = |edges: Edges<'_, ()>| (edges.apart_s(window), edges.seconds());
        let worst = edges.map(both).reduce(|a, b| if b.0 > a.0 { b } else { a });
        Self {
            server,
            client,
            apart_s: worst.map(|(apart, _)| apart),
            counted_s: worst.map(|(_, seconds)| seconds).filter(|s| *s > 0.0),
        }
    }

    fn risen(&self, quantity: Quantity) -> Option<f64> {
        total(self.server, self.client.window, quantity).ok()
    }

    fn histogram(&self, quantity: Quantity) -> Option<ServerHistogram> {
        histogram(self.server, self.client.window, quantity).ok()
    }

    /// Requests whose instant lies in the window.
    fn having(&self, at: impl Fn(&RequestFacts) -> Option<Offset>) -> Vec<&'a RequestFacts> {
        let window = self.client.window;
        let inside = |r: &&RequestFacts| at(r).is_some_and(|at| window.contains(at));
        self.client.requests.iter().filter(inside).collect()
    }

    /// Requests and tokens.
    fn counts(&self) -> Vec<BesideRow> {
        let mut rows = vec![];
        let completed = self.having(|r| r.finished.filter(|_| is_completed(r)));
        let requests = completed.len() as f64;
        if let Some(server) = self.succeeded() {
            let error = self.miscounted(requests.max(server), 1.0);
            rows.push(compared(
                row("requests", "requests"),
                requests,
                server,
                error,
            ));
        }
        let Some(throughput) = self.client.throughput else {
            return rows;
        };
        let each = |tokens: f64| tokens / requests.max(1.0);
        let input = throughput.input_tokens.as_ref();
        if let Some((server, input)) = self.risen(Quantity::PromptTokens).zip(input) {
            let client = input.count;
            let error = self.miscounted(requests, each(client.max(server)));
            let error = error.filter(|_| throughput.prompt_tokens_as_asked == 0);
            rows.push(compared(
                row("prompt_tokens", "tokens"),
                client,
                server,
                error,
            ));
        }
        let output = throughput.output_tokens.as_ref();
        if let Some((server, output)) = self.risen(Quantity::GenerationTokens).zip(output) {
            let client = output.count;
            let error = self.miscounted(requests, each(client.max(server)));
            let known = throughput.uncounted_chunks == 0 && throughput.responses_estimated == 0;
            let error = error.filter(|_| known);
            rows.push(compared(
                row("output_tokens", "tokens"),
                client,
                server,
                error,
            ));
        }
        rows
    }

    /// Requests that the server ended well: those that it gave up are no answer.
    fn succeeded(&self) -> Option<f64> {
        let all = self.risen(Quantity::Finished)?;
        let parts = |reading: &'a ServerReading| {
            let parts = reading.detail.parts.get(Quantity::Finished)?;
            let bad = ["abort", "error", "cancelled"];
            Some(bad.iter().filter_map(|bad| parts.get(*bad)).sum::<f64>())
        };
        let pages = self.server.pages().into_iter();
        let bad = pages.filter_map(|page| {
            let edges = Edges::of(self.server, page, self.client.window, parts);
            edges.ok()?.rise().ok()
        });
        Some(all - bad.sum::<f64>())
    }

    /// How far `n` requests' counts of `each` may be apart: what comes in the time that the readings lie from the
    /// edges, three standard deviations of a Poisson number of it, one request at each edge, and a share that
    /// does not matter. `None` where the window is too short, or the readings are too far from its edges.
    fn miscounted(&self, n: f64, each: f64) -> Option<f64> {
        let seconds = self.client.window.seconds();
        let apart = self.apart_s? + FRONT_END_S;
        if seconds < COUNTED_WINDOW_S || apart > seconds / 10.0 {
            return None;
        }
        let near = n / seconds * apart;
        Some(each * (near + 3.0 * near.sqrt() + 2.0) + LITTLE_RELATIVE * n * each)
    }

    /// Latencies that both sides measure.
    fn latencies(&self) -> Vec<BesideRow> {
        let since_send =
            |r: &RequestFacts, at: Option<Offset>| Some(at?.since(r.send_start?) as f64 / 1e6);
        let first = self.having(|r| r.chunks.first);
        let last = self.having(|r| r.finished.filter(|_| is_completed(r)));
        let ttft = first.iter().filter_map(|r| since_send(r, r.chunks.first));
        let e2e = last.iter().filter_map(|r| since_send(r, ended(r)));
        let tpot = last.iter().filter_map(|r| {
            let tokens = r.output_token_count().filter(|tokens| *tokens > 1)?;
            let decode = ended(r)?.since(r.chunks.first?) as f64 / 1e6;
            Some(decode / (tokens - 1) as f64)
        });
        let mut rows = vec![];
        rows.extend(self.latency(Quantity::Ttft, &SHOWN, ttft.collect()));
        rows.extend(self.latency(Quantity::E2e, &SHOWN, e2e.collect()));
        rows.extend(self.latency(Quantity::Tpot, &SHOWN[..1], tpot.collect()));
        rows
    }

    fn latency(&self, of: Quantity, shown: &[Shown], mut client: Vec<f64>) -> Vec<BesideRow> {
        let Some(server) = self.histogram(of).filter(|server| server.count() > 0.0) else {
            return vec![];
        };
        client.sort_by(f64::total_cmp);
        let rows = shown.iter().map(|shown| {
            let found = shown.of_server(of, &server);
            let value = shown.of_values(&client);
            let mut row = BesideRow {
                client: value,
                difference: value.and_then(|client| apart(client, &found)),
                ..found
            };
            if *shown == Shown::Mean {
                row.error = mean_error(&client).filter(|_| self.miscounted(0.0, 0.0).is_some());
                row.answer = row.difference.zip(row.error).map(|(difference, error)| {
                    if difference < -error {
                        Agreement::Disagrees
                    } else {
                        Agreement::Agrees
                    }
                });
            }
            row
        });
        rows.collect()
    }

    /// Times that the server alone knows.
    fn server_times(&self) -> Vec<BesideRow> {
        let both = [Shown::Mean, Shown::Quantile(0.99)];
        let of = [
            (Quantity::Itl, &both),
            (Quantity::QueueTime, &both),
            (Quantity::PrefillTime, &both),
            (Quantity::DecodeTime, &both),
            (Quantity::InferenceTime, &both),
            (Quantity::IterationTime, &both),
            (Quantity::IterationTokens, &both),
            (Quantity::TransferTime, &both),
        ];
        let rows = of.into_iter().filter_map(|(of, shown)| {
            let found = self.histogram(of)?;
            let rows = shown.iter().map(move |shown| shown.of_server(of, &found));
            Some(rows.filter(|row| row.server.is_some() || row.server_low.is_some()))
        });
        rows.flatten().collect()
    }

    /// The prefix cache, preemptions and drafts.
    fn shares(&self) -> Vec<BesideRow> {
        let mut rows = vec![];
        let hits = self.risen(Quantity::PrefixHits);
        let queries = self.risen(Quantity::PrefixQueries);
        let cached = self.risen(Quantity::CachedTokens);
        let prompts = self.risen(Quantity::PromptTokens);
        let shared = hits.zip(queries).or(cached.zip(prompts));
        if let Some((hits, queries)) = shared.filter(|(_, queries)| *queries > 0.0) {
            let throughput = self.client.throughput;
            let client = throughput.and_then(|throughput| {
                let all = throughput.input_tokens.as_ref()?.count;
                let cached = throughput.cached_input_tokens.as_ref()?.count;
                (all > 0.0).then_some(cached / all)
            });
            let server = hits / queries;
            rows.push(BesideRow {
                client,
                server: Some(server),
                difference: client.map(|client| client - server),
                n: Some(queries),
                ..row("prefix_hit_share", "share")
            });
        }
        let mut only = |name: &'static str, unit: &'static str, server: Option<f64>| {
            rows.extend(server.map(|server| BesideRow {
                server: Some(server),
                ..row(name, unit)
            }));
        };
        only("preemptions", "", self.risen(Quantity::Preemptions));
        let drafts = self.risen(Quantity::Drafts).filter(|drafts| *drafts > 0.0);
        let accepted = self.risen(Quantity::AcceptedTokens);
        let length = accepted.zip(drafts).map(|(n, drafts)| 1.0 + n / drafts);
        only("tokens_per_draft", "tokens", length);
        rows
    }

    /// What the engine's estimates of its work come to, per GPU and second.
    fn rates(&self) -> Vec<BesideRow> {
        let Some(seconds) = self.counted_s else {
            return vec![];
        };
        let (read, written) = (Quantity::BytesRead, Quantity::BytesWritten);
        let bytes = self.risen(read).zip(self.risen(written));
        let bytes = bytes.map(|(read, written)| read + written);
        let flop = self.risen(Quantity::Flops);
        let rates = [
            ("memory_rate_per_gpu", "bytes/s", bytes),
            ("flop_rate_per_gpu", "FLOP/s", flop),
        ];
        let rates = rates.into_iter().filter_map(|(name, unit, n)| {
            Some(BesideRow {
                server: Some(n.filter(|n| *n > 0.0)? / seconds),
                ..row(name, unit)
            })
        });
        rates.collect()
    }

    fn accepted_by_position(&self) -> Vec<AcceptedAt> {
        let Some(drafts) = self.risen(Quantity::Drafts).filter(|drafts| *drafts > 0.0) else {
            return vec![];
        };
        let of = |position: u32| {
            let name = position.to_string();
            let pages = self.server.pages().into_iter();
            let rises = pages.filter_map(|page| {
                let part = |r: &'a ServerReading| {
                    let parts = r.detail.parts.get(Quantity::AcceptedByPosition)?;
                    parts.get(&name).copied()
                };
                Edges::of(self.server, page, self.client.window, part)
                    .ok()?
                    .rise()
                    .ok()
            });
            let rises: Vec<f64> = rises.collect();
            (!rises.is_empty()).then(|| AcceptedAt {
                position,
                share: rises.iter().sum::<f64>() / drafts,
            })
        };
        (0..MOST_POSITIONS).map_while(of).collect()
    }
}

/// Longest draft that is told by position.
const MOST_POSITIONS: u32 = 64;

/// What is shown of a latency on both sides.
const SHOWN: [Shown; 3] = [Shown::Mean, Shown::Quantile(0.5), Shown::Quantile(0.99)];

/// What is shown of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shown {
    Mean,
    Quantile(f64),
}

impl Shown {
    fn of_server(self, of: Quantity, histogram: &ServerHistogram) -> BesideRow {
        let (unit, scale) = match of.kind() {
            QuantityKind::Histogram if unit_of(of) == "s" => ("ms", 1e3),
            _ => (unit_of(of), 1.0),
        };
        let name = |end: &str| format!("{}_{end}", of.name());
        let n = Some(histogram.count());
        match self {
            Self::Mean => BesideRow {
                server: histogram.mean().map(|mean| mean * scale),
                n,
                ..row(name("mean"), unit)
            },
            Self::Quantile(q) => {
                let found = histogram.quantile(q);
                BesideRow {
                    server: found.and_then(|found| Some(found.estimate? * scale)),
                    server_low: found.map(|found| found.above * scale),
                    server_high: found.and_then(|found| Some(found.most? * scale)),
                    n,
                    ..row(name(&format!("p{}", (q * 100.0).round())), unit)
                }
            }
        }
    }

    /// The same of sorted values: of a quantile the smallest value that so many are not above.
    fn of_values(self, values: &[f64]) -> Option<f64> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        Some(match self {
            Self::Mean => values.iter().sum::<f64>() / n as f64,
            Self::Quantile(q) => {
                let rank = (q * n as f64).ceil() as usize;
                values[rank.clamp(1, n) - 1]
            }
        })
    }
}

/// Client less server; of a quantile what lies outside its bucket, since inside it nothing is known.
fn apart(client: f64, server: &BesideRow) -> Option<f64> {
    match (server.server_low, server.server_high) {
        (None, _) => Some(client - server.server?),
        (Some(low), _) if client < low => Some(client - low),
        (Some(_), Some(high)) if client > high => Some(client - high),
        (Some(_), _) => None,
    }
}

fn is_completed(request: &RequestFacts) -> bool {
    request.outcome == Outcome::Completed
}

fn compared(row: BesideRow, client: f64, server: f64, error: Option<f64>) -> BesideRow {
    let difference = client - server;
    BesideRow {
        client: Some(client),
        server: Some(server),
        difference: Some(difference),
        error,
        answer: Some(match error {
            None => Agreement::Undecided,
            Some(error) if difference.abs() <= error => Agreement::Agrees,
            Some(_) => Agreement::Disagrees,
        }),
        ..row
    }
}

/// Three standard errors of a mean: the two sides share most of their requests, so this is more than they may
/// be apart.
fn mean_error(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if n < 20.0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some(3.0 * (squares / (n - 1.0) / n).sqrt())
}
/// When the server has made an answer's last token: that of the end has no text, and comes a step behind the last chunk.
fn ended(request: &RequestFacts) -> Option<Offset> {
    let by_itself = request.finish == Some(FinishReason::of("stop"));
    let closed = request.closed.filter(|_| by_itself);
    closed.or(request.finished)
}
