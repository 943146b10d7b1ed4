//! Records joined with the truth log: absolute errors of instants.
//!
//! Compared are the completed requests of the measured phase, what `run` makes its figures of.
//! Both sides are on this host's monotonic clock. Censored chunks are included.
//!
//! Invariant: every measured request is counted once in [`Joined`].

use super::spread::spread;
use infermeter_core::certificate::{Errors, Joined};
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::record::{Chunk, Outcome, RequestRecord, StampSource};
use infermeter_core::schedule::Phase;
use infermeter_mock::truth::TruthRequest;
use std::collections::HashMap;

/// Chunks uncertain by more than this are counted, nanoseconds.
const UNCERTAIN_NS: i64 = 1_000_000;

/// What the comparison gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// How many were compared.
    pub joined: Joined,
    /// Errors of the kernel's stamps; `None` without them.
    pub kernel: Option<Errors>,
    /// Errors of the program's stamps.
    pub program: Option<Errors>,
    /// Share of chunks uncertain by more than 1 ms.
    pub uncertain_share: Option<f64>,
}

/// Errors of one kind of stamps, microseconds.
#[derive(Debug, Default)]
struct Samples {
    ttft: Vec<f64>,
    chunk: Vec<f64>,
    itl: Vec<f64>,
}

/// Compares the records of a run with the truth.
pub(crate) fn compare(
    run_id: &str,
    clock: Clock,
    records: &[RequestRecord],
    truth: &[TruthRequest],
) -> Comparison {
    let truth: HashMap<&str, &TruthRequest> =
        truth.iter().map(|r| (r.request_id.as_str(), r)).collect();
    let (mut kernel, mut program) = (Samples::default(), Samples::default());
    let mut joined = Joined::default();
    let mut uncertain = 0_u64;
    for record in records.iter().filter(|r| r.phase == Phase::Measure) {
        if record.outcome != Outcome::Completed {
            joined.unfinished += 1;
            continue;
        }
        let Some(truth) = truth.get(format!("{run_id}-{}", record.id).as_str()) else {
            joined.without_truth += 1;
            continue;
        };
        let Some(writes) = writes_of_chunks(&record.chunks, &truth.tokens_ns) else {
            joined.unequal += 1;
            continue;
        };
        joined.requests += 1;
        joined.chunks += record.chunks.len() as u64;
        if record.stamp_source == Some(StampSource::Kernel) {
            kernel.add(record, truth, &writes, clock, |chunk| chunk.at);
        }
        program.add(record, truth, &writes, clock, |chunk| chunk.seen);
        let wide = |chunk: &&Chunk| chunk.at.since(chunk.lower) > UNCERTAIN_NS;
        uncertain += record.chunks.iter().filter(wide).count() as u64;
    }
    Comparison {
        kernel: kernel.errors(),
        program: program.errors(),
        uncertain_share: (joined.chunks > 0).then(|| uncertain as f64 / joined.chunks as f64),
        joined,
    }
}

/// The write of each chunk. Tokens of one chunk share a write; `None` where the numbers of tokens
/// do not agree.
fn writes_of_chunks(chunks: &[Chunk], tokens_ns: &[i64]) -> Option<Vec<i64>> {
    if chunks.len() == tokens_ns.len() {
        return Some(tokens_ns.to_vec());
    }
    let mut end = 0_usize;
    let writes: Option<Vec<i64>> = chunks
        .iter()
        .map(|chunk| {
            end += chunk.token_count()? as usize;
            tokens_ns.get(end.checked_sub(1)?).copied()
        })
        .collect();
    writes.filter(|_| end == tokens_ns.len())
}

impl Samples {
    fn add(
        &mut self,
        record: &RequestRecord,
        truth: &TruthRequest,
        writes_ns: &[i64],
        clock: Clock,
        instant: impl Fn(&Chunk) -> Offset,
    ) {
        let us = |ns: i64| ns.unsigned_abs() as f64 / 1e3;
        let error = |(chunk, write): (&Chunk, &i64)| clock.monotonic_at(instant(chunk)) - write;
        let errors: Vec<i64> = record.chunks.iter().zip(writes_ns).map(error).collect();
        if let (Some(first), Some(sent), Some(write)) =
            (record.chunks.first(), record.send_start, writes_ns.first())
        {
            let true_ttft = write - truth.arrival_ns;
            self.ttft.push(us(instant(first).since(sent) - true_ttft));
        }
        // The error of a gap is the difference of its ends' errors.
        let gaps = errors.windows(2).map(|pair| us(pair[1] - pair[0]));
        self.itl.extend(gaps);
        self.chunk.extend(errors.into_iter().map(us));
    }

    fn errors(self) -> Option<Errors> {
        (!self.chunk.is_empty()).then(|| Errors {
            ttft: spread(self.ttft),
            chunk: spread(self.chunk),
            itl: spread(self.itl),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::record::ChunkKind;
    use infermeter_mock::truth::{ArrivalSource, RequestEnd};

    const CLOCK: Clock = Clock {
        monotonic_origin_ns: 1_000_000_000,
        realtime_origin_ns: 0,
    };

    fn chunk(at: i64, seen: i64, lower: i64, tokens: u32) -> Chunk {
        Chunk {
            at: Offset(at),
            seen: Offset(seen),
            lower: Offset(lower),
            tokens,
            read: 0,
            kind: ChunkKind::Text,
        }
    }

    fn record(id: u64, chunks: Vec<Chunk>) -> RequestRecord {
        let mut record = RequestRecord::unsent(id, 0, Phase::Measure, Offset(0), 16, 2);
        record.outcome = Outcome::Completed;
        record.send_start = Some(Offset(0));
        record.stamp_source = Some(StampSource::Kernel);
        record.chunks = chunks;
        record
    }

    fn truth(id: &str, arrival: i64, tokens: &[i64]) -> TruthRequest {
        let absolute = |at: i64| at + CLOCK.monotonic_origin_ns;
        TruthRequest {
            request_id: id.to_owned(),
            arrival_ns: absolute(arrival),
            seen_ns: absolute(arrival),
            arrival_source: ArrivalSource::Kernel,
            link_in_ns: None,
            admitted_ns: None,
            prefilled_ns: None,
            cached_tokens: 0,
            preempted_ns: Vec::new(),
            replica: 0,
            adapter: None,
            cheats: Vec::new(),
            prompt_tokens: None,
            output_tokens: tokens.len() as u32,
            tokens_ns: tokens.iter().map(|at| absolute(*at)).collect(),
            bytes: 0,
            ended_ns: None,
            dropped_stamps: 0,
            finished: true,
            disconnect: false,
            status: 200,
            end: RequestEnd::Finished,
        }
    }

    #[test]
    fn errors_are_those_of_the_definitions() {
        let records = [record(
            0,
            vec![
                chunk(53_000, 60_000, 53_000, 1),
                chunk(108_000, 190_000, 108_000, 1),
            ],
        )];
        let truth = [truth("r-0", 10_000, &[50_000, 100_000])];
        let found = compare("r", CLOCK, &records, &truth);
        let kernel = found.kernel.expect("kernel stamps");
        // TTFT 53 us measured, 40 us true; chunks 3 and 8 us late; the gap 5 us too long.
        assert_eq!(kernel.ttft.expect("one").max_us, 13.0);
        assert_eq!(kernel.chunk.expect("two").max_us, 8.0);
        assert_eq!(kernel.itl.expect("one").max_us, 5.0);
        let program = found.program.expect("program stamps");
        assert_eq!(program.ttft.expect("one").max_us, 20.0);
        assert_eq!(program.itl.expect("one").max_us, 80.0);
        assert_eq!(found.uncertain_share, Some(0.0));
    }

    #[test]
    fn every_measured_request_is_counted_once() {
        let one = || vec![chunk(1, 1, 1, 1)];
        let mut failed = record(1, one());
        failed.outcome = Outcome::Failed;
        let mut warmup = record(4, one());
        warmup.phase = Phase::Warmup;
        let records = [
            record(0, vec![chunk(2_000_001, 1, 0, 1)]),
            failed,
            record(2, one()),
            record(3, one()),
            warmup,
        ];
        let truth = [truth("r-0", 0, &[1]), truth("r-2", 0, &[1, 2])];
        let found = compare("r", CLOCK, &records, &truth);
        assert_eq!(
            found.joined,
            Joined {
                requests: 1,
                chunks: 1,
                without_truth: 1,
                unequal: 1,
                unfinished: 1,
            }
        );
        assert_eq!(found.uncertain_share, Some(1.0));
    }

    #[test]
    fn tokens_of_one_chunk_share_its_write() {
        let chunks = [chunk(0, 0, 0, 2), chunk(0, 0, 0, 1)];
        assert_eq!(writes_of_chunks(&chunks, &[5, 5, 9]), Some(vec![5, 9]));
        assert_eq!(writes_of_chunks(&chunks, &[5, 5, 9, 9]), None);
        let unknown = [chunk(0, 0, 0, Chunk::TOKENS_UNKNOWN)];
        assert_eq!(writes_of_chunks(&unknown, &[5, 5]), None);
    }
}
