//! One request of a file as a record.
//!
//! Instants are offsets from the first send of the file; where it names none, from the request's own. Invariant: a
//! chunk stands in the record only where the file knows its instant.

use infermeter_audit::Format;
use infermeter_audit::facts::{Facts, Request};
use infermeter_core::clock::Offset;
use infermeter_core::oddity::Oddity;
use infermeter_core::record::{
    Chunk, ChunkKind, Outcome, Reason, RequestError, RequestRecord, StampSource, TokenSource,
};
use infermeter_core::schedule::Phase;

/// Longest latency taken, milliseconds: a month. Beyond it a unit was mistaken.
const MOST_MS: f64 = 31.0 * 86_400e3;

/// Earliest second since the Unix epoch that is taken for one (2001): smaller instants are of another clock.
const LEAST_EPOCH_S: f64 = 1e9;

/// Longest span between two sends, seconds: three years.
const MOST_SPAN_S: f64 = 1e8;

/// How the requests of one file are read.
pub(super) struct Reading {
    /// The first send, seconds on the file's clock; absent where some request has none.
    first_s: Option<f64>,
    streams: bool,
    format: Format,
}

impl Reading {
    pub(super) fn of(facts: &Facts) -> Self {
        let starts: Option<Vec<f64>> = facts.requests.iter().map(|r| r.start_s).collect();
        let first = starts.and_then(|starts| starts.into_iter().reduce(f64::min));
        let has_ttft = facts.completed().any(|r| r.ttft_ms.is_some());
        Self {
            first_s: first,
            streams: has_ttft && facts.streaming != Some(false),
            format: facts.format,
        }
    }

    /// From the first send to the last, seconds, where every request says when it was sent.
    pub(super) fn span_s(&self, facts: &Facts) -> Option<f64> {
        let last = facts.requests.iter().filter_map(|r| r.start_s);
        Some(last.reduce(f64::max)? - self.first_s?)
    }

    /// Whether every request says when it was sent.
    pub(super) fn has_starts(&self) -> bool {
        self.first_s.is_some()
    }

    /// Whether answers came as streams.
    pub(super) fn streams(&self) -> bool {
        self.streams
    }

    /// The first send, nanoseconds since the Unix epoch, where the file's clock is that.
    pub(super) fn epoch_ns(&self) -> Option<i64> {
        let first = self.first_s.filter(|s| (LEAST_EPOCH_S..9e9).contains(s))?;
        Some((first * 1e9) as i64)
    }

    /// Where its E2E ends, if not with the last token.
    pub(super) fn end_remark(&self) -> Option<&'static str> {
        (!self.format.e2e_ends_at_last_token()).then_some(
            "Its E2E ends with the stream: where chunks are not known, what follows the last token is in E2E, \
             TPOT and NTPOT.",
        )
    }

    /// The record of a request; its id is that of its order.
    ///
    /// # Errors
    /// What cannot be, in words.
    pub(super) fn record(&self, of: &Request) -> Result<RequestRecord, String> {
        let start = self.start(of)?;
        let prompt = tokens("prompt tokens", of.input_tokens)?;
        let output = tokens("output tokens", of.output_tokens)?;
        // What was asked for is not known: the columns hold what came, and nobody may read them as asked for.
        let (asked_prompt, asked_output) = (prompt.unwrap_or(0), output.unwrap_or(0));
        let mut record =
            RequestRecord::unsent(0, 0, Phase::Measure, start, asked_prompt, asked_output);
        record.send_start = Some(start);
        record.attempts = 1;
        record.stamp_source = Some(StampSource::Imported);
        record.prompt_tokens = prompt;
        let e2e = ns("E2E", of.e2e_ms)?;
        let end = e2e.map(|e2e| start.plus(e2e));
        if of.failed {
            record.outcome = Outcome::Failed;
            record.closed = end;
            record.error = Some(RequestError {
                reason: Reason::Imported,
                text: String::new(),
            });
            return Ok(record);
        }
        record.outcome = Outcome::Completed;
        record.output_tokens = output;
        self.answer(&mut record, of, end)?;
        Ok(record)
    }

    fn start(&self, of: &Request) -> Result<Offset, String> {
        let Some((first, start)) = self.first_s.zip(of.start_s) else {
            return Ok(Offset::ZERO);
        };
        let since = start - first;
        if !(0.0..MOST_SPAN_S).contains(&since) {
            return Err(format!("it was sent {since} s after the first"));
        }
        Ok(Offset((since * 1e9).round() as i64))
    }

    /// First token, chunks and end.
    fn answer(
        &self,
        record: &mut RequestRecord,
        of: &Request,
        end: Option<Offset>,
    ) -> Result<(), String> {
        let ttft = ns("TTFT", of.ttft_ms)?;
        if ttft.is_none() && end.is_none() {
            return Err("it completed, and has neither a TTFT nor an E2E".to_owned());
        }
        let first = ttft.map(|ttft| record.intended.plus(ttft));
        if end < first && end.is_some() {
            return Err("its E2E is shorter than its TTFT".to_owned());
        }
        match (first.filter(|_| self.streams), &of.gaps_ms) {
            (Some(first), Some(gaps)) => record.chunks = chunks(first, gaps)?,
            (Some(first), None) => ends(record, first, last(record, of, first, end)?),
            (None, _) => {}
        }
        record.first_byte = record.chunks.first().map(|c| c.at);
        record.finished = record.chunks.last().map(|c| c.at).or(end);
        // E2E may end behind the last token, never before it.
        record.closed = end.max(record.finished);
        settle(record);
        Ok(())
    }
}

/// When the last token came: by TPOT, where the file has it, else with the end.
fn last(
    record: &RequestRecord,
    of: &Request,
    first: Offset,
    end: Option<Offset>,
) -> Result<Option<Offset>, String> {
    let later = record.output_tokens.and_then(|n| n.checked_sub(1));
    let Some((tpot, later)) = of.tpot_ms.zip(later.filter(|n| *n > 0)) else {
        return Ok(end);
    };
    let behind = ns("TPOT", Some(tpot * f64::from(later)))?;
    let last = behind.map(|behind| first.plus(behind));
    Ok(match (last, end) {
        (Some(last), Some(end)) => Some(last.min(end)),
        (last, end) => last.or(end),
    })
}

/// The first and the last token, where the chunks between are not known.
fn ends(record: &mut RequestRecord, first: Offset, last: Option<Offset>) {
    record.chunks.push(chunk(first, 0));
    let one = record.output_tokens == Some(1);
    if let Some(last) = last.filter(|last| !one && *last > first) {
        record.chunks.push(chunk(last, 1));
        record.oddities.insert(Oddity::EndsAlone);
    }
}

/// A chunk for the first token and for every gap.
fn chunks(first: Offset, gaps_ms: &[f64]) -> Result<Vec<Chunk>, String> {
    let mut chunks = vec![chunk(first, 0)];
    let mut since = 0.0;
    for (index, gap) in (1..).zip(gaps_ms) {
        ns("a gap", Some(*gap))?;
        since += gap;
        let at = first.plus(ns("its gaps together", Some(since))?.unwrap_or(0));
        chunks.push(chunk(at, index));
    }
    Ok(chunks)
}

fn chunk(at: Offset, read: u32) -> Chunk {
    Chunk {
        at,
        seen: at,
        lower: at,
        tokens: Chunk::TOKENS_UNKNOWN,
        read,
        kind: ChunkKind::Text,
    }
}

/// Tokens of the chunks: one each, where there are as many.
fn settle(record: &mut RequestRecord) {
    if record.chunks.is_empty() {
        return;
    }
    let whole = !record.knows_ends_alone();
    let one_each = record.output_tokens == u32::try_from(record.chunks.len()).ok();
    record.token_source = Some(match whole && one_each {
        true => {
            record.chunks.iter_mut().for_each(|chunk| chunk.tokens = 1);
            TokenSource::OnePerChunk
        }
        false => TokenSource::Unknown,
    });
}

/// Milliseconds of a file as nanoseconds.
fn ns(what: &str, ms: Option<f64>) -> Result<Option<i64>, String> {
    let Some(ms) = ms else { return Ok(None) };
    if !(0.0..=MOST_MS).contains(&ms) {
        return Err(format!("{what} of {ms} ms"));
    }
    Ok(Some((ms * 1e6).round() as i64))
}

fn tokens(what: &str, n: Option<f64>) -> Result<Option<u32>, String> {
    let Some(n) = n else { return Ok(None) };
    if !(0.0..f64::from(u32::MAX)).contains(&n) {
        return Err(format!("{n} {what}"));
    }
    Ok(Some(n.round() as u32))
}
