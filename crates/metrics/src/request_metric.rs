//! Metrics of one request: the definitions of `measurement.md`, one value per request.

use crate::facts::RequestFacts;
use crate::milliseconds::to_ms;
use crate::origin::Origin;
use infermeter_core::clock::Offset;

/// A metric with one value per request, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestMetric {
    /// First chunk (of any kind) - origin.
    Ttft,
    /// First chunk that is not reasoning - origin.
    Ttfo,
    /// (last chunk - first chunk) / (output tokens - 1); at least two chunks and two tokens.
    Tpot,
    /// (last chunk - first chunk) / (output tokens - tokens of the first chunk): the second form
    /// where chunks carry several tokens.
    TpotAfterFirstChunk,
    /// E2E / output tokens.
    Ntpot,
    /// Last chunk - origin; the trailing usage and `[DONE]` excluded.
    E2e,
    /// `send_start` - intended.
    SendLag,
    /// TCP connect, of requests that opened a connection.
    Connect,
    /// TLS handshake, of requests that opened a connection.
    Tls,
    /// The last write - the connection was ready: until the kernel had taken the request.
    Upload,
    /// First response byte - `send_start`.
    FirstByte,
}

impl RequestMetric {
    /// The value for one request, milliseconds; absent where it does not exist. Metrics without
    /// a choice of origin ignore `origin`.
    pub fn value_ms(self, record: &RequestFacts, origin: Origin) -> Option<f64> {
        match self {
            Self::Ttft => latency(record, origin, record.chunks.first?),
            Self::Ttfo => latency(record, origin, record.chunks.first_output?),
            Self::Tpot => spread_over(record, record.output_token_count()?.checked_sub(1)?),
            Self::TpotAfterFirstChunk => {
                let first = u64::from(record.chunks.first_tokens?);
                spread_over(record, record.output_token_count()?.checked_sub(first)?)
            }
            Self::Ntpot => {
                let tokens = record.output_token_count().filter(|n| *n > 0)?;
                Some(latency(record, origin, record.last_token()?)? / tokens as f64)
            }
            Self::E2e => latency(record, origin, record.last_token()?),
            Self::SendLag => Some(to_ms(record.send_start?.since(record.intended))),
            Self::Connect => Some(to_ms(record.connected?.since(record.send_start?))),
            Self::Tls => Some(to_ms(record.tls_done?.since(record.connected?))),
            Self::Upload => {
                let ready = record.tls_done.or(record.connected).or(record.send_start)?;
                Some(to_ms(record.sent?.since(ready)))
            }
            Self::FirstByte => Some(to_ms(record.first_byte?.since(record.send_start?))),
        }
    }

    /// Exists for an answer that did not come as a stream.
    pub fn exists_without_stream(self) -> bool {
        !matches!(
            self,
            Self::Ttft | Self::Ttfo | Self::Tpot | Self::TpotAfterFirstChunk
        )
    }

    /// Is a fact of the send: taken over every request that was sent, completed or not.
    pub fn is_of_the_send(self) -> bool {
        matches!(
            self,
            Self::SendLag | Self::Connect | Self::Tls | Self::Upload
        )
    }
}

fn latency(record: &RequestFacts, origin: Origin, at: Offset) -> Option<f64> {
    Some(to_ms(at.since(record.instant(origin)?)))
}

/// (last - first) / `tokens`; absent with fewer than two chunks or no token to divide by.
fn spread_over(record: &RequestFacts, tokens: u64) -> Option<f64> {
    let chunks = &record.chunks;
    let (first, last) = (chunks.first?, chunks.last?);
    (tokens > 0 && chunks.count > 1).then(|| to_ms(last.since(first)) / tokens as f64)
}

#[cfg(test)]
mod tests {
    use super::RequestMetric;
    use crate::facts::{ChunkQuestions, RequestFacts};
    use crate::fixture::{Run, ms};
    use crate::origin::Origin;
    use infermeter_core::record::{ChunkKind, RequestRecord};

    fn facts(record: &RequestRecord) -> RequestFacts {
        RequestFacts::of(record, &ChunkQuestions::default())
    }

    fn check(record: &RequestRecord, metric: RequestMetric, origin: Origin, expect: Option<f64>) {
        let value = metric.value_ms(&facts(record), origin);
        let close = match (value, expect) {
            (Some(v), Some(e)) => (v - e).abs() < 1e-9,
            (None, None) => true,
            _ => false,
        };
        assert!(
            close,
            "{metric:?} {origin:?}: {value:?}, expected {expect:?}"
        );
    }

    /// Sent 1 ms late; first token 20 ms after the send, then three more, 10 ms apart.
    fn four_tokens() -> RequestRecord {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 4).late(ms(1));
        run.build().records.swap_remove(0)
    }

    #[test]
    fn definitions_by_hand() {
        let r = four_tokens();
        check(&r, RequestMetric::Ttft, Origin::Intended, Some(21.0));
        check(&r, RequestMetric::Ttft, Origin::Send, Some(20.0));
        check(&r, RequestMetric::Ttfo, Origin::Send, Some(20.0));
        check(&r, RequestMetric::Tpot, Origin::Send, Some(10.0));
        check(&r, RequestMetric::E2e, Origin::Intended, Some(51.0));
        check(&r, RequestMetric::E2e, Origin::Send, Some(50.0));
        check(&r, RequestMetric::Ntpot, Origin::Send, Some(12.5));
        check(&r, RequestMetric::Ntpot, Origin::Intended, Some(12.75));
        check(&r, RequestMetric::SendLag, Origin::Send, Some(1.0));
        check(&r, RequestMetric::Connect, Origin::Send, None);
        check(&r, RequestMetric::Tls, Origin::Send, None);
    }

    #[test]
    fn an_upload_begins_where_the_connection_is_ready() {
        let mut r = four_tokens();
        let start = r.send_start.expect("sent");
        r.sent = Some(start.plus(ms(9)));
        check(&r, RequestMetric::Upload, Origin::Send, Some(9.0));
        r.connected = Some(start.plus(ms(2)));
        check(&r, RequestMetric::Upload, Origin::Send, Some(7.0));
        r.tls_done = Some(start.plus(ms(5)));
        check(&r, RequestMetric::Upload, Origin::Send, Some(4.0));
    }

    #[test]
    fn e2e_is_ttft_and_the_other_tokens() {
        let r = four_tokens();
        for origin in [Origin::Intended, Origin::Send] {
            let of = |m: RequestMetric| m.value_ms(&facts(&r), origin).expect("exists");
            let sum = of(RequestMetric::Ttft) + of(RequestMetric::Tpot) * 3.0;
            assert!((of(RequestMetric::E2e) - sum).abs() < 1e-9);
        }
    }

    #[test]
    fn one_token_keeps_its_ttft_and_has_no_tpot() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 1);
        let r = run.build().records.swap_remove(0);
        check(&r, RequestMetric::Ttft, Origin::Send, Some(20.0));
        check(&r, RequestMetric::E2e, Origin::Send, Some(20.0));
        check(&r, RequestMetric::Ntpot, Origin::Send, Some(20.0));
        check(&r, RequestMetric::Tpot, Origin::Send, None);
    }

    #[test]
    fn first_output_is_not_reasoning() {
        let mut r = four_tokens();
        r.chunks[0].kind = ChunkKind::Reasoning;
        r.chunks[1].kind = ChunkKind::Reasoning;
        check(&r, RequestMetric::Ttft, Origin::Send, Some(20.0));
        check(&r, RequestMetric::Ttfo, Origin::Send, Some(40.0));
        for chunk in &mut r.chunks {
            chunk.kind = ChunkKind::Reasoning;
        }
        check(&r, RequestMetric::Ttfo, Origin::Send, None);
    }

    #[test]
    fn two_forms_of_tpot_with_several_tokens_in_a_chunk() {
        let mut run = Run::open(1.0, 10);
        // Three chunks of four tokens, 30 ms apart: 60 ms over 11 tokens, or over 8.
        run.stream(0, ms(20), ms(30), 3).tokens_per_chunk(4);
        let r = run.build().records.swap_remove(0);
        check(&r, RequestMetric::Tpot, Origin::Send, Some(60.0 / 11.0));
        check(
            &r,
            RequestMetric::TpotAfterFirstChunk,
            Origin::Send,
            Some(7.5),
        );
    }

    #[test]
    fn one_chunk_of_many_tokens_has_no_tpot() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(30), 1).tokens_per_chunk(8);
        let r = run.build().records.swap_remove(0);
        check(&r, RequestMetric::Tpot, Origin::Send, None);
        check(&r, RequestMetric::Ntpot, Origin::Send, Some(2.5));
    }

    #[test]
    fn unknown_tokens_are_absent_not_zero() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 4).without_token_counts();
        let r = run.build().records.swap_remove(0);
        check(&r, RequestMetric::Ttft, Origin::Send, Some(20.0));
        check(&r, RequestMetric::Tpot, Origin::Send, None);
        check(&r, RequestMetric::Ntpot, Origin::Send, None);
    }
}
