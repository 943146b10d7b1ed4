//! The measured window in force.

use crate::facts::RequestFacts;
use crate::failures::is_interrupted;
use infermeter_core::clock::Offset;
use infermeter_core::record::Outcome;
use infermeter_core::run::{RunManifest, Window};
use infermeter_core::schedule::Phase;

/// The window that figures are taken over; absent where the run ended before it was known.
///
/// That of the manifest, except in a run that did not end as planned: there it ends at the first
/// measured request that the interrupt kept from being sent, and no later than the run, so that no
/// throughput is divided by time without load.
pub fn measured_window(manifest: &RunManifest, requests: &[RequestFacts]) -> Option<Window> {
    let window = manifest.window?;
    let progress = manifest.progress.as_ref();
    if progress.is_some_and(|p| !p.interrupted) {
        return (window.end > window.start).then_some(window);
    }
    let ended = match progress {
        Some(progress) => progress.ended,
        None => last_instant(requests)?,
    };
    let stopped = requests
        .iter()
        .filter(|r| r.phase == Phase::Measure && is_interrupted(r.outcome, r.reason))
        .filter(|r| r.outcome == Outcome::NotSent)
        .map(|r| r.intended)
        .min();
    let end = window.end.min(ended);
    let end = stopped.map_or(end, |s| end.min(s));
    (end > window.start).then_some(Window {
        start: window.start,
        end,
    })
}

/// The last instant on record, of a run that had no chance to say when it ended.
fn last_instant(requests: &[RequestFacts]) -> Option<Offset> {
    let requests = requests.iter();
    requests.filter_map(|r| r.closed.max(r.send_start)).max()
}

#[cfg(test)]
mod tests {
    use crate::fixture::{Run, facts, ms};
    use infermeter_core::run::{RunLog, Window};

    fn measured_window(log: &RunLog) -> Option<Window> {
        super::measured_window(&log.manifest, &facts(log).requests)
    }

    #[test]
    fn an_interrupted_run_ends_where_its_load_did() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 3);
        run.not_sent(6_000);
        let mut log = run.build();
        assert_eq!(measured_window(&log), log.manifest.window);
        if let Some(progress) = log.manifest.progress.as_mut() {
            progress.interrupted = true;
        }
        let start = log.manifest.window.expect("a window").start;
        let expect = Window {
            start,
            end: start.plus(ms(6_000)),
        };
        assert_eq!(measured_window(&log), Some(expect));
    }

    #[test]
    fn a_run_that_never_said_when_it_ended() {
        let mut run = Run::open(1.0, 10);
        run.stream(2_000, ms(20), ms(10), 3).closes_after(0);
        let mut log = run.build();
        log.manifest.progress = None;
        let window = measured_window(&log).expect("a window");
        assert_eq!(window.end.since(window.start), ms(2_040));
    }
}
