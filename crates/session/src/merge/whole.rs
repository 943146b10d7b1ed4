//! What the ranks of a run say of themselves, put together.
//!
//! Computes no figure. Invariant: what is counted is the sum over the ranks, what one run has once (its plan, the server
//! that it found) is that of the first, and what each rank saw of itself stays its own.

use super::findings;
use super::parts::Part;
use infermeter_core::run::{ClientRun, ControlRequest, RunManifest, RunState};
use infermeter_core::schedule::{
    Begins, ClosedSchedule, PhaseCounts, ScheduleFacts, Slice, Window,
};

/// `run.json` of the whole, before it was judged. Of one part that is the whole load it is that of the part.
pub(super) fn manifest(parts: &[Part]) -> RunManifest {
    let first = &parts[0].manifest;
    let blank = RunManifest {
        verdict: None,
        findings: Vec::new(),
        summary: None,
        seal: None,
        ..first.clone()
    };
    if parts.len() == 1 && parts[0].slice.is_whole() {
        return blank;
    }
    let window = around(parts.iter().filter_map(|part| part.manifest.window));
    let clients: Vec<ClientRun> = parts.iter().map(|part| client(part, window)).collect();
    let all = ClientRun::together(&clients);
    let mut environment = first.environment.clone();
    let workload = &mut environment.workload;
    workload.schedule_sha256 = workload.schedule_sha256.take_if(|own| {
        let hash = |part: &Part| part.manifest.environment.workload.schedule_sha256.clone();
        parts.iter().all(|part| hash(part).as_ref() == Some(&*own))
    });
    // Of one part's bodies alone: nobody has hashed those of all.
    workload.sent_sha256 = None;
    RunManifest {
        state: state(parts),
        addresses: union(parts.iter().map(|part| part.manifest.addresses.as_slice())),
        classes: union(parts.iter().map(|part| part.manifest.classes.as_slice())),
        window,
        schedule: schedule(parts),
        progress: all.as_ref().map(|all| all.progress.clone()),
        client_health: all.map(|all| all.health),
        environment,
        // It says what one machine was shown to bear, and the load was that of several.
        calibration: None,
        control_requests: control(parts),
        run_findings: findings::of_ranks(parts),
        clients,
        rank: None,
        ..blank
    }
}

fn client(part: &Part, whole: Option<Window>) -> ClientRun {
    let manifest = &part.manifest;
    let schedule = manifest.schedule;
    ClientRun {
        slice: part.slice,
        progress: manifest.progress.clone().unwrap_or_default(),
        health: manifest.client_health.clone().unwrap_or_default(),
        rank: manifest.rank.clone(),
        clock: Some(manifest.clock),
        schedule: schedule.map(|facts| ScheduleFacts {
            slice: part.slice,
            ..facts
        }),
        window: manifest.window.filter(|own| Some(*own) != whole),
        host: manifest.environment.client.host.clone(),
    }
}

fn state(parts: &[Part]) -> RunState {
    let ended = |part: &Part| part.manifest.state == RunState::Finished;
    match parts.iter().all(ended) {
        true => RunState::Finished,
        false => RunState::Interrupted,
    }
}

/// From the earliest start to the latest end: in an open loop that of the schedule, which all have.
fn around(windows: impl Iterator<Item = Window>) -> Option<Window> {
    windows.reduce(|all, own| Window {
        start: all.start.min(own.start),
        end: all.end.max(own.end),
    })
}

/// Sums over the parts of which there is a record.
fn schedule(parts: &[Part]) -> Option<ScheduleFacts> {
    let mut facts = parts.iter().map(|part| part.manifest.schedule);
    let first = facts.next()??;
    let mut begins = whole_of(first.begins);
    let mut sessions = first.sessions;
    for other in facts {
        let other = other?;
        begins = and(begins, other.begins)?;
        sessions |= other.sessions;
    }
    Some(ScheduleFacts {
        slice: Slice::WHOLE,
        sessions,
        begins,
    })
}

fn whole_of(begins: Begins) -> Begins {
    match begins {
        Begins::Arrivals(_) => begins,
        Begins::Slots(closed) => Begins::Slots(ClosedSchedule {
            slice: Slice::WHOLE,
            ..closed
        }),
    }
}

/// `None` where one is a closed loop and the other is not.
fn and(all: Begins, own: Begins) -> Option<Begins> {
    match (all, own) {
        (Begins::Arrivals(all), Begins::Arrivals(own)) => Some(Begins::Arrivals(PhaseCounts {
            warmup: all.warmup + own.warmup,
            measure: all.measure + own.measure,
            drain: all.drain + own.drain,
        })),
        (Begins::Slots(all), Begins::Slots(own)) => Some(Begins::Slots(ClosedSchedule {
            slots: all.slots.saturating_add(own.slots),
            warmup_requests: all.warmup_requests + own.warmup_requests,
            requests: all.requests.zip(own.requests).map(|(all, own)| all + own),
            ..all
        })),
        _ => None,
    }
}

/// Every name once, those of the first part first.
fn union<'a>(lists: impl Iterator<Item = &'a [String]>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in lists.flatten() {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}

/// The places of these names among `all`.
pub(super) fn numbers(names: &[String], all: &[String]) -> Vec<u32> {
    let place = |name: &String| all.iter().position(|known| known == name);
    let places = names.iter().map(|name| place(name).unwrap_or_default());
    places.map(|place| place as u32).collect()
}

fn control(parts: &[Part]) -> Vec<ControlRequest> {
    let of = |part: &Part| {
        let rank = part.slice.index();
        let requests = part.manifest.control_requests.clone().into_iter();
        requests.map(move |request| ControlRequest {
            result: format!("rank {rank}: {}", request.result),
            ..request
        })
    };
    parts.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::clock::Offset;

    fn closed(slots: u32, requests: Option<u64>) -> Begins {
        Begins::Slots(ClosedSchedule {
            slots,
            stride: 1,
            slice: Slice::new(1, 2).expect("a slice"),
            warmup_ns: 5,
            warmup_requests: 2,
            warmup_max_ns: 9,
            duration_ns: Some(7),
            requests,
        })
    }

    #[test]
    fn slots_and_counts_add_up_and_times_do_not() {
        let both = and(whole_of(closed(3, Some(10))), closed(2, Some(9)));
        let Some(Begins::Slots(both)) = both else {
            panic!("slots");
        };
        assert_eq!((both.slots, both.warmup_requests), (5, 4));
        assert_eq!((both.requests, both.duration_ns), (Some(19), Some(7)));
        assert!(both.slice.is_whole());
        let open = and(closed(3, None), closed(2, Some(9)));
        assert!(matches!(open, Some(Begins::Slots(s)) if s.requests.is_none()));
        let mixed = and(closed(3, None), Begins::Arrivals(PhaseCounts::default()));
        assert_eq!(mixed, None);
    }

    #[test]
    fn names_are_numbered_anew() {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let (a, b) = (names(&["x", "y"]), names(&["z", "y"]));
        let all = union([a.as_slice(), b.as_slice()].into_iter());
        assert_eq!(all, names(&["x", "y", "z"]));
        assert_eq!(numbers(&b, &all), [2, 1]);
        assert_eq!(numbers(&a, &all), [0, 1]);
    }

    #[test]
    fn a_window_reaches_from_the_first_start_to_the_last_end() {
        let window = |start, end| Window {
            start: Offset(start),
            end: Offset(end),
        };
        let all = [window(5, 20), window(3, 18), window(4, 25)];
        assert_eq!(around(all.into_iter()), Some(window(3, 25)));
        assert_eq!(around(std::iter::empty()), None);
    }
}
