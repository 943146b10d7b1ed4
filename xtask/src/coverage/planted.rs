//! How often a planted fault is found, and found under its own name.
//!
//! The clean runs of [`super::clean`], with one thing done to their records. The clean runs' own table says
//! how often the same findings come without a fault.

use super::Scale;
use super::clean::{SEQUENCES, raised, run_log};
use super::engine::Simulator;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_analysis::checks;
use infermeter_core::clock::Offset;
use infermeter_core::gap::{Gap, GapCause};
use infermeter_core::record::{Outcome, Reason, RequestError, RequestRecord};
use infermeter_core::run::{RunLog, Window};
use infermeter_core::schedule::Phase;

/// Runs of each fault.
const RUNS: u64 = 100;

/// Share that must be found, and share that may be called by another name of these.
const FOUND: Target = Target::AtLeast(0.95);
const MISNAMED: Target = Target::AtMost(0.05);

/// Loads of the runs, and the length of their windows in seconds.
const LOADS: [f64; 3] = [0.3, 0.5, 0.7];
const SECONDS: i64 = 60;

/// What is told apart.
const NAMES: [&str; 10] = [
    checks::SERVER_FROZE.code,
    checks::STREAMS_HANG.code,
    checks::SERVER_SLOWS_DOWN.code,
    checks::UNSTABLE_LOAD.code,
    checks::USAGE_IMPLAUSIBLE.code,
    checks::DUPLICATE_CHUNKS.code,
    checks::BURSTY_DELIVERY.code,
    checks::CACHE_SUSPECTED.code,
    checks::SERVER_UNREACHABLE.code,
    checks::CLIENT_STOOD_STILL.code,
];

/// A fault: what it is, what is done to a run (which has a seed), and the finding that names it.
struct Fault {
    told: &'static str,
    plant: fn(&mut RunLog, u64),
    code: &'static str,
    loads: [f64; 3],
    found: Target,
}

const fn fault(told: &'static str, plant: fn(&mut RunLog, u64), code: &'static str) -> Fault {
    Fault {
        told,
        plant,
        code,
        loads: LOADS,
        found: FOUND,
    }
}

/// The same without a target: in a window of this length it is always found, and at times as `drift` alone.
const fn faint(fault: Fault) -> Fault {
    Fault {
        found: Target::None,
        ..fault
    }
}

const FAULTS: [Fault; 15] = [
    fault(
        "a freeze of 2 s",
        |log, seed| freeze(log, seed, 2_000),
        checks::SERVER_FROZE.code,
    ),
    fault(
        "a freeze of 0.3 s",
        |log, seed| freeze(log, seed, 300),
        checks::SERVER_FROZE.code,
    ),
    fault(
        "a link down for 2 s",
        |log, seed| hold(log, seed, 2_000),
        checks::SERVER_FROZE.code,
    ),
    fault(
        "0.8 s in the middle of one answer in 20",
        |log, _| hang(log, 5),
        checks::STREAMS_HANG.code,
    ),
    fault(
        "0.8 s before the first token of one in 20",
        |log, _| hang(log, 0),
        checks::STREAMS_HANG.code,
    ),
    fault(
        "2.7 times as slow from the middle on",
        |log, _| slow_down(log, |at| if at < 0.5 { 1.0 } else { 2.7 }),
        checks::SERVER_SLOWS_DOWN.code,
    ),
    faint(fault(
        "ever slower, twice at the end",
        |log, _| slow_down(log, |at| 1.0 + at),
        checks::SERVER_SLOWS_DOWN.code,
    )),
    faint(Fault {
        loads: [1.2, 1.4, 1.6],
        ..fault(
            "1.2 to 1.6 times the capacity",
            |_, _| {},
            checks::UNSTABLE_LOAD.code,
        )
    }),
    fault(
        "half the tokens sent, all claimed",
        |log, _| claim(log, |n| n * 2),
        checks::USAGE_IMPLAUSIBLE.code,
    ),
    fault(
        "usage halved",
        |log, _| claim(log, |n| n / 2),
        checks::USAGE_IMPLAUSIBLE.code,
    ),
    fault(
        "each chunk twice",
        |log, _| twice(log),
        checks::DUPLICATE_CHUNKS.code,
    ),
    fault(
        "released every 100 ms",
        |log, _| on_a_grid(log, 100),
        checks::BURSTY_DELIVERY.code,
    ),
    fault(
        "prompts in the cache",
        |log, _| cached(log),
        checks::CACHE_SUSPECTED.code,
    ),
    fault(
        "a server that is away for 2 s",
        |log, seed| away(log, seed, 2_000),
        checks::SERVER_UNREACHABLE.code,
    ),
    fault(
        "a client that stands still for 0.3 s",
        |log, seed| stand_still(log, seed, 300),
        checks::CLIENT_STOOD_STILL.code,
    ),
];

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let simulator = Simulator::new(Some(SEQUENCES))?;
    for fault in &FAULTS {
        let runs = replicate(scale.of(RUNS), |seed| {
            let load = fault.loads[(seed % 3) as usize];
            let mut log = run_log(&simulator, 2_000_000 + seed, load, SECONDS);
            (fault.plant)(&mut log, seed);
            raised(&log).grave
        });
        let found = runs
            .iter()
            .filter(|codes| codes.iter().any(|c| c == fault.code));
        let figure = format!("{}: `{}`", fault.told, fault.code);
        table.share(&figure, found.count(), runs.len(), fault.found);
        let others = |codes: &&Vec<String>| {
            let mut others = codes.iter().filter(|c| *c != fault.code);
            others.any(|c| NAMES.contains(&c.as_str()))
        };
        let misnamed = runs.iter().filter(others).count();
        let figure = format!("{}: another of these findings", fault.told);
        table.share(&figure, misnamed, runs.len(), MISNAMED);
    }
    Ok(())
}

fn window(log: &RunLog) -> Window {
    log.manifest.window.expect("a clean run has a window")
}

/// Moves every instant behind the send.
pub fn later(record: &mut RequestRecord, moved: impl Fn(Offset) -> Offset) {
    let instants = [
        &mut record.first_byte,
        &mut record.first_byte_seen,
        &mut record.finished,
        &mut record.closed,
    ];
    instants.into_iter().for_each(|at| *at = at.map(&moved));
    for chunk in &mut record.chunks {
        for at in [&mut chunk.at, &mut chunk.seen, &mut chunk.lower] {
            *at = moved(*at);
        }
    }
}

/// Stretches every answer by what `factor` says of the place in the window at which it was due.
pub fn slow_down(log: &mut RunLog, factor: impl Fn(f64) -> f64) {
    let window = window(log);
    for record in &mut log.records {
        let from = record.intended;
        let into = from.since(window.start) as f64 / window.end.since(window.start) as f64;
        let factor = factor(into.clamp(0.0, 1.0));
        later(record, |at| {
            from.plus((at.since(from) as f64 * factor) as i64)
        });
    }
}

/// From second 10 of the window on, anywhere, but 5 s before its end.
fn begin(log: &RunLog, seed: u64) -> Offset {
    let span_ms = (SECONDS as u64 - 15) * 1_000;
    let at_ms = 10_000 + infermeter_core::seed::splitmix64(seed) % span_ms;
    window(log).start.plus(at_ms as i64 * 1_000_000)
}

/// The server's clock stands still: what was to come comes later by so much.
fn freeze(log: &mut RunLog, seed: u64, length_ms: i64) {
    let from = begin(log, seed);
    let length = length_ms * 1_000_000;
    for record in &mut log.records {
        // Who is sent meanwhile waits for its end.
        let wait = from.plus(length).since(record.intended).clamp(0, length);
        later(record, |at| if at > from { at.plus(wait) } else { at });
    }
}

/// Nothing arrives for a time, and then all of it at once.
fn hold(log: &mut RunLog, seed: u64, length_ms: i64) {
    let from = begin(log, seed);
    let to = from.plus(length_ms * 1_000_000);
    let held = |at: Offset| if at > from && at < to { to } else { at };
    log.records
        .iter_mut()
        .for_each(|record| later(record, held));
}

/// One request in twenty stands still for 0.8 s before a chunk.
fn hang(log: &mut RunLog, chunk: usize) {
    for record in log.records.iter_mut().step_by(20) {
        if let Some(from) = record.chunks.get(chunk).map(|chunk| chunk.at) {
            later(
                record,
                |at| if at >= from { at.plus(800_000_000) } else { at },
            );
        }
    }
}

fn measured(log: &mut RunLog) -> impl Iterator<Item = &mut RequestRecord> {
    log.records.iter_mut().filter(|r| r.phase == Phase::Measure)
}

/// Usage says other than text and chunks do.
fn claim(log: &mut RunLog, usage: fn(u32) -> u32) {
    for record in measured(log) {
        record.text_tokens = record.output_tokens;
        record.output_tokens = record.output_tokens.map(usage);
    }
}

fn twice(log: &mut RunLog) {
    for record in measured(log) {
        record.repeated_chunks = u32::try_from(record.chunks.len()).ok();
        let once = std::mem::take(&mut record.chunks);
        record.chunks = once.into_iter().flat_map(|chunk| [chunk, chunk]).collect();
    }
}

/// What comes in a period leaves at its end.
fn on_a_grid(log: &mut RunLog, period_ms: i64) {
    let period = period_ms * 1_000_000;
    let held = |at: Offset| Offset((at.0 + period - 1).div_euclid(period) * period);
    log.records
        .iter_mut()
        .for_each(|record| later(record, held));
}

/// The first token needs no step, and usage does not say why.
fn cached(log: &mut RunLog) {
    for record in &mut log.records {
        let sent = record.intended;
        let ahead = record
            .chunks
            .first()
            .map_or(0, |chunk| chunk.at.since(sent));
        later(record, |at| at.plus(2_000_000 - ahead));
        record.cached_tokens = None;
    }
}

/// The server goes with all it has, and is back later.
fn away(log: &mut RunLog, seed: u64, length_ms: i64) {
    let from = begin(log, seed);
    let to = from.plus(length_ms * 1_000_000);
    for record in &mut log.records {
        let sent = record.intended;
        let ended = record.closed.is_some_and(|closed| closed < from);
        if ended || sent >= to {
            continue;
        }
        let (reason, closed) = match sent < from {
            true => (Reason::Disconnected, from),
            false => (Reason::ConnectFailed, sent.plus(200_000)),
        };
        record.chunks.retain(|chunk| chunk.at < from);
        record.first_byte = record.chunks.first().map(|chunk| chunk.at);
        record.first_byte_seen = record.chunks.first().map(|chunk| chunk.seen);
        record.finished = record.chunks.last().map(|chunk| chunk.at);
        record.closed = Some(closed);
        record.outcome = Outcome::Failed;
        record.output_tokens = None;
        record.error = Some(RequestError {
            reason,
            text: "connection refused".to_owned(),
        });
    }
}

/// The client's thread neither sends nor reads for a time; what arrives meanwhile has its kernel's stamps.
fn stand_still(log: &mut RunLog, seed: u64, length_ms: i64) {
    let from = begin(log, seed);
    let length = length_ms * 1_000_000;
    for record in &mut log.records {
        let wait = from.plus(length).since(record.intended);
        if record.intended > from && wait > 0 {
            record.send_start = record.send_start.map(|at| at.plus(wait));
            record.sent = record.sent.map(|at| at.plus(wait));
            later(record, |at| at.plus(wait));
        }
    }
    if let Some(health) = &mut log.manifest.client_health {
        let gaps = &mut health.threads[0].gaps;
        (gaps.count, gaps.total_ns, gaps.longest_ns) = (1, length, length);
        gaps.listed.push(Gap {
            at: from,
            ns: length,
            cause: GapCause::Stopped,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of each fault has its finding, and no other of these.
    #[test]
    fn each_fault_is_found_under_its_name() {
        let simulator = Simulator::new(Some(SEQUENCES)).expect("a preset");
        for fault in &FAULTS {
            let mut log = run_log(&simulator, 11, fault.loads[1], SECONDS);
            (fault.plant)(&mut log, 11);
            let mut codes = raised(&log).grave;
            codes.retain(|c| NAMES.contains(&c.as_str()));
            assert_eq!(codes, [fault.code], "{}", fault.told);
        }
    }
}
