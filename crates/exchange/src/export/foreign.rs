//! A run as other tools see one: the measured requests, from the first send to the last end.
//!
//! Latencies begin with the send, throughputs are over that time, TPOT is (E2E - TTFT) / (tokens - 1). Invariant:
//! everything is computed from the record; where a request's tokens are not known, sums of them are absent.

use super::run::ExportedRun;
use super::spread::{Spread, of_tokens};
use infermeter_audit::facts::Metric;
use infermeter_audit::vocabulary::Quantity;
use infermeter_core::clock::Offset;
use infermeter_core::record::Outcome;
use infermeter_core::schedule::Phase;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::token_series::TokenMetric;
use std::collections::BTreeMap;
use std::io;

/// A run as other tools see one.
pub(crate) struct Foreign<'a> {
    /// The measured requests that were sent, in id order.
    pub(crate) requests: Vec<&'a RequestFacts>,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    /// Scheduled, and never sent: no other tool knows such.
    pub(crate) not_sent: u64,
    /// From the first send to the last end; absent where it is not known when requests were sent.
    pub(crate) span: Option<(Offset, Offset)>,
    /// Absent where some completed request's prompt tokens are not known.
    pub(crate) input_lengths: Option<Spread>,
    /// Absent where some completed answer's tokens are not known.
    pub(crate) output_lengths: Option<Spread>,
    pub(crate) latencies: BTreeMap<Metric, Spread>,
    pub(crate) send_lag: Option<Spread>,
}

impl<'a> Foreign<'a> {
    /// Reads a run.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub(crate) fn of(run: &ExportedRun<'a>) -> io::Result<Self> {
        let measured = run.collected.requests.iter();
        let measured = measured.filter(|r| r.phase == Phase::Measure);
        let (requests, unsent): (Vec<&RequestFacts>, Vec<&RequestFacts>) =
            measured.partition(|r| r.send_start.is_some());
        let completed: Vec<&RequestFacts> = requests
            .iter()
            .filter(|r| is_completed(r))
            .copied()
            .collect();
        let first = requests.iter().filter_map(|r| r.send_start).min();
        let last = requests.iter().filter_map(|r| end(r)).max();
        let input: Option<Vec<f64>> = completed
            .iter()
            .map(|r| r.input_tokens().map(f64::from))
            .collect();
        let output: Option<Vec<f64>> = completed
            .iter()
            .map(|r| r.output_token_count().map(|n| n as f64))
            .collect();
        let lag = |r: &&RequestFacts| RequestMetric::SendLag.value_ms(r, Origin::Send);
        let mut foreign = Self {
            completed: completed.len() as u64,
            failed: (requests.len() - completed.len()) as u64,
            not_sent: unsent.len() as u64,
            span: first.zip(last).filter(|_| run.is_timed()),
            input_lengths: input.and_then(Spread::of),
            output_lengths: output.and_then(Spread::of),
            latencies: BTreeMap::new(),
            send_lag: Spread::of(requests.iter().filter_map(lag).collect())
                .filter(|_| run.manifest.load_model.is_ours()),
            requests,
        };
        foreign.latencies(run, &completed)?;
        Ok(foreign)
    }

    fn latencies(&mut self, run: &ExportedRun<'a>, completed: &[&RequestFacts]) -> io::Result<()> {
        let streams = run.collected.streaming;
        let of = |value: fn(&RequestFacts) -> Option<f64>| {
            Spread::of(completed.iter().filter_map(|r| value(r)).collect())
        };
        let gaps = |metric| of_tokens(metric, run.collected, run.records);
        let mut keep = |metric, spread: Option<Spread>| {
            if let Some(spread) = spread {
                self.latencies.insert(metric, spread);
            }
        };
        keep(Metric::E2e, of(e2e_ms));
        keep(
            Metric::Ntpot,
            of(|r| RequestMetric::Ntpot.value_ms(r, Origin::Send)),
        );
        if streams {
            keep(Metric::Ttft, of(ttft_ms));
            keep(Metric::Tpot, of(tpot_ms));
            keep(Metric::ChunkGap, gaps(TokenMetric::ChunkGap)?);
            keep(Metric::Itl, gaps(TokenMetric::Itl)?);
        }
        Ok(())
    }

    /// From the first send to the last end, seconds.
    pub(crate) fn duration_s(&self) -> Option<f64> {
        let (first, last) = self.span?;
        Some(last.since(first) as f64 / 1e9).filter(|s| *s > 0.0)
    }

    /// A single figure, in our unit.
    pub(crate) fn figure(&self, of: Quantity) -> Option<f64> {
        let sum = |lengths: &Option<Spread>| lengths.as_ref().map(Spread::sum);
        let per_s = |amount: Option<f64>| Some(amount? / self.duration_s()?);
        let (input, output) = (sum(&self.input_lengths), sum(&self.output_lengths));
        match of {
            Quantity::Completed => Some(self.completed as f64),
            Quantity::Failed => Some(self.failed as f64),
            Quantity::Duration => self.duration_s(),
            Quantity::InputTokens => input,
            Quantity::OutputTokens => output,
            Quantity::RequestRate => per_s(Some(self.completed as f64)),
            Quantity::InputRate => per_s(input),
            Quantity::OutputRate => per_s(output),
            Quantity::TotalRate => per_s(input.zip(output).map(|(input, output)| input + output)),
            Quantity::Latency(_)
            | Quantity::OutputLength
            | Quantity::SendLag
            | Quantity::OutputRatePerGpu => None,
        }
    }

    /// A distribution.
    pub(crate) fn spread(&self, of: Quantity) -> Option<&Spread> {
        match of {
            Quantity::Latency(metric) => self.latencies.get(&metric),
            Quantity::OutputLength => self.output_lengths.as_ref(),
            Quantity::SendLag => self.send_lag.as_ref(),
            _ => None,
        }
    }
}

/// Whether a request counts as completed.
pub(crate) fn is_completed(request: &RequestFacts) -> bool {
    request.outcome == Outcome::Completed
}

/// TTFT from the send.
pub(crate) fn ttft_ms(request: &RequestFacts) -> Option<f64> {
    RequestMetric::Ttft.value_ms(request, Origin::Send)
}

/// E2E from the send.
pub(crate) fn e2e_ms(request: &RequestFacts) -> Option<f64> {
    RequestMetric::E2e.value_ms(request, Origin::Send)
}

/// (E2E - TTFT) / (tokens - 1); an answer that came in one chunk has 0, as theirs has.
pub(crate) fn tpot_ms(request: &RequestFacts) -> Option<f64> {
    let later = request
        .output_token_count()?
        .checked_sub(1)
        .filter(|n| *n > 0)?;
    Some((e2e_ms(request)? - ttft_ms(request)?) / later as f64)
}

/// When a request was over: its last token, or its failure.
pub(crate) fn end(request: &RequestFacts) -> Option<Offset> {
    match is_completed(request) {
        true => request.chunks.last.or(request.finished).or(request.closed),
        false => request.closed,
    }
}
