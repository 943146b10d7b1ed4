//! Sessions: turns that wait for the answer before them, in both load models.

use crate::engine_support::{end, is_unreachable};
use crate::support::{
    Ask, Asked, Done, MS, SECOND, arrivals, dead_target, execute_asked, fixed, prepare, settings,
    spec, start,
};
use infermeter_client::KeepTexts;
use infermeter_client::prepared::Prepared;
use infermeter_core::clock::Offset;
use infermeter_core::plan::OnFailure;
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::request::{FollowUp, RequestSpec, Turn, Waited};
use infermeter_core::schedule::{ArrivalIds, ClosedSchedule, OpenSchedule, Phase, Schedule, Slice};
use infermeter_runner::progress::Snapshot;
use infermeter_runner::{RunSettings, SessionRules};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Sessions of equally many turns.
#[derive(Clone, Copy)]
pub struct Talk<'a> {
    pub turns: u64,
    pub delay_ns: i64,
    pub pause_ns: i64,
    pub ask: &'a (dyn Fn(u64) -> Ask + Sync),
}

impl Talk<'_> {
    fn spec(&self, id: u64) -> RequestSpec {
        RequestSpec {
            turn: Some(Turn {
                session: id / self.turns,
                number: (id % self.turns) as u32,
            }),
            ..spec(id, (self.ask)(id))
        }
    }

    fn next(&self, spec: &RequestSpec) -> Vec<FollowUp> {
        let next = !(spec.id + 1).is_multiple_of(self.turns);
        let follow = FollowUp {
            id: spec.id + 1,
            delay_ns: self.delay_ns,
            planned: None,
            further: 0,
        };
        next.then_some(follow).into_iter().collect()
    }

    fn make(&self, id: u64) -> Prepared {
        let spec = self.spec(id);
        let waits = !id.is_multiple_of(self.turns);
        Prepared {
            spec,
            waited: waits.then(|| Waited {
                parent: id - 1,
                planned: None,
            }),
            next: self.next(&spec),
            pause_ns: self.pause_ns,
            ..prepare(id, (self.ask)(id))
        }
    }

    pub fn execute(
        &self,
        schedule: &Schedule,
        settings: &RunSettings,
        on_progress: &mut dyn FnMut(&Snapshot),
    ) -> Done {
        let asked = Asked {
            make: &|id, _| self.make(id),
            spec: &|id| self.spec(id),
            next: &|spec| self.next(spec),
        };
        execute_asked(schedule, settings, &asked, on_progress)
    }
}

/// Begins of sessions; `window_ms` from the first measured one.
pub fn begins(
    at_ms: &[i64],
    warmup: usize,
    measured: usize,
    turns: u64,
    window_ms: i64,
) -> Schedule {
    let open = arrivals(at_ms, warmup, measured);
    Schedule::Open(OpenSchedule {
        ids: ArrivalIds::every(turns),
        window_end: open.window_start.plus(window_ms * MS),
        ..open
    })
}

/// Each turn is due exactly when its parent has closed and the delay has passed.
fn check_turns(done: &Done, talk: &Talk<'_>) {
    let all: BTreeMap<u64, &RequestRecord> = done.records.iter().map(|r| (r.id, r)).collect();
    for record in &done.records {
        assert_eq!(record.turn, talk.spec(record.id).turn);
        if record.id.is_multiple_of(talk.turns) {
            assert_eq!(record.parent, None);
            continue;
        }
        assert_eq!(record.parent, Some(record.id - 1));
        let session_over = end(record) == (Outcome::NotSent, Some(Reason::SessionEnded));
        if !session_over {
            let closed = all[&(record.id - 1)].closed.expect("its parent has ended");
            assert_eq!(record.intended, closed.plus(talk.delay_ns), "{record:?}");
        }
    }
}

fn count(done: &Done, phase: Phase) -> usize {
    done.records.iter().filter(|r| r.phase == phase).count()
}

#[test]
fn turns_follow_the_end_of_the_answer_before_them() {
    for threads in [1, 2] {
        let mock = start(fixed("2ms", "1ms"));
        let talk = Talk {
            turns: 4,
            delay_ns: 3 * MS,
            pause_ns: 0,
            ask: &|id| Ask::tokens(1 + id as u32 % 3),
        };
        let at = [0, 1, 2, 5, 6, 7, 8, 10];
        let schedule = begins(&at, 2, 5, 4, 400);
        let done = talk.execute(&schedule, &settings(mock.address(), threads), &mut |_| {});
        check_turns(&done, &talk);
        assert_eq!(done.records.len(), 32, "every turn of every session");
        assert!(done.records.iter().all(|r| r.outcome == Outcome::Completed));
        assert_eq!(done.outcome.progress.drain_not_reached, 0);
        let window = done.outcome.window.expect("a window");
        for record in done.records.iter().filter(|r| r.parent.is_some()) {
            let inside = window.contains(record.intended);
            assert_eq!(record.phase == Phase::Measure, inside, "{record:?}");
        }
    }
}

#[test]
fn turns_due_inside_the_window_are_measured_and_later_ones_are_not_waited_for() {
    for threads in [1, 3] {
        let mock = start(fixed("2ms", "1ms"));
        let talk = Talk {
            turns: 3,
            delay_ns: 40 * MS,
            pause_ns: 0,
            ask: &|_| Ask::tokens(2),
        };
        // First turns of the warm-up have second turns in the window; third turns of the window's
        // sessions would be due after it, at 30 + 2 * 43 ms and later.
        let at: Vec<i64> = (0..60).collect();
        let schedule = begins(&at, 30, 30, 3, 60);
        let done = talk.execute(&schedule, &settings(mock.address(), threads), &mut |_| {});
        check_turns(&done, &talk);
        let window = done.outcome.window.expect("a window");
        for record in &done.records {
            if window.contains(record.intended) {
                assert_eq!(record.phase, Phase::Measure);
                assert_eq!(record.outcome, Outcome::Completed, "{record:?}");
            }
        }
        assert!(count(&done, Phase::Measure) > 60);
        let all = done.records.len() as u64 + done.outcome.progress.drain_not_reached;
        assert_eq!(all, 180, "every turn has a row or is counted");
    }
}

#[test]
fn a_failed_turn_ends_its_session_or_not() {
    for (on_failure, threads) in [
        (OnFailure::End, 1),
        (OnFailure::End, 2),
        (OnFailure::Continue, 2),
    ] {
        let mock = start(fixed("2ms", "1ms"));
        let talk = Talk {
            turns: 4,
            delay_ns: 2 * MS,
            pause_ns: 0,
            ask: &|id| match id {
                5 => Ask::tokens(2).with_fault("status=500"),
                _ => Ask::tokens(2),
            },
        };
        let schedule = begins(&[0, 1, 2], 0, 3, 4, 300);
        let settings = RunSettings {
            sessions: SessionRules {
                on_failure,
                live: false,
            },
            ..settings(mock.address(), threads)
        };
        let done = talk.execute(&schedule, &settings, &mut |_| {});
        check_turns(&done, &talk);
        assert_eq!(done.records.len(), 12);
        assert_eq!(
            end(&done.records[5]),
            (Outcome::Failed, Some(Reason::HttpStatus))
        );
        let closed = done.records[5].closed.expect("it was answered");
        for later in &done.records[6..8] {
            if on_failure == OnFailure::Continue {
                assert_eq!(later.outcome, Outcome::Completed);
                continue;
            }
            assert_eq!(end(later), (Outcome::NotSent, Some(Reason::SessionEnded)));
            assert_eq!((later.intended, later.phase), (closed, Phase::Measure));
            assert_eq!(later.requested_output_tokens, 2);
        }
    }
}

fn users(slots: u32, turns: u64, requests: u64) -> Schedule {
    Schedule::Closed(ClosedSchedule {
        slots,
        stride: turns,
        slice: Slice::WHOLE,
        warmup_ns: 0,
        warmup_requests: 4,
        warmup_max_ns: 60 * SECOND,
        duration_ns: None,
        requests: Some(requests),
    })
}

#[test]
fn users_go_through_their_sessions_one_after_the_other() {
    for threads in [1, 2] {
        let mock = start(fixed("2ms", "1ms"));
        let talk = Talk {
            turns: 3,
            delay_ns: 2 * MS,
            pause_ns: 5 * MS,
            ask: &|_| Ask::tokens(2),
        };
        let settings = settings(mock.address(), threads);
        let done = talk.execute(&users(3, 3, 24), &settings, &mut |_| {});
        check_turns(&done, &talk);
        let late = threads - 1;
        assert!((24 - late..=24).contains(&count(&done, Phase::Measure)));
        assert!(count(&done, Phase::Warmup) >= 4);
        let begins = done.records.iter().filter(|r| r.id.is_multiple_of(3));
        let ends: Vec<Offset> = done
            .records
            .iter()
            .filter(|r| r.id % 3 == 2)
            .filter_map(|r| Some(r.closed?.plus(talk.pause_ns)))
            .collect();
        let mut at_once = 0;
        for begin in begins {
            match begin.intended {
                Offset::ZERO => at_once += 1,
                later => assert!(ends.contains(&later), "{begin:?}"),
            }
        }
        assert_eq!(at_once, 3, "each user begins once");
        assert!(mock.stop().expect("no error").max_in_flight <= 3);
    }
}

#[test]
fn users_of_a_dead_target_begin_new_sessions() {
    let (_held, address) = dead_target();
    let talk = Talk {
        turns: 3,
        delay_ns: 0,
        pause_ns: 0,
        ask: &|_| Ask::tokens(1),
    };
    let done = talk.execute(&users(2, 3, 2), &settings(address, 1), &mut |_| {});
    for record in &done.records {
        let expected = match record.id % 3 {
            0 => is_unreachable(record),
            _ => end(record) == (Outcome::NotSent, Some(Reason::SessionEnded)),
        };
        assert!(expected || record.phase == Phase::Drain, "{record:?}");
    }
    assert!(done.records.len() >= 18, "six sessions of three turns");
}

#[test]
fn a_turn_of_a_trace_waits_for_its_time_too() {
    let mock = start(fixed("2ms", "1ms"));
    // Row 1 is planned long after the answer, row 2 (of the same parent) long before.
    let planned = |id: u64| Offset(if id == 1 { 80 * MS } else { MS });
    let ask = |_: u64| Ask::tokens(20);
    let turned = |id: u64| RequestSpec {
        turn: Some(Turn {
            session: 0,
            number: u32::from(id > 0),
        }),
        ..spec(id, ask(id))
    };
    let next = |spec: &RequestSpec| match spec.id {
        0 => [1, 2]
            .map(|id| FollowUp {
                id,
                delay_ns: 7 * MS,
                planned: Some(planned(id)),
                further: 0,
            })
            .to_vec(),
        _ => Vec::new(),
    };
    let make = |id: u64, _: &[Arc<str>]| Prepared {
        spec: turned(id),
        waited: (id > 0).then(|| Waited {
            parent: 0,
            planned: Some(planned(id)),
        }),
        next: next(&turned(id)),
        ..prepare(id, ask(id))
    };
    let asked = Asked {
        make: &make,
        spec: &turned,
        next: &next,
    };
    let schedule = Schedule::Open(OpenSchedule {
        ids: ArrivalIds::Listed(vec![0]),
        window_end: Offset(200 * MS),
        ..arrivals(&[0], 0, 1)
    });
    let done = execute_asked(&schedule, &settings(mock.address(), 2), &asked, &mut |_| {});
    assert_eq!(done.records.len(), 3);
    let closed = done.records[0].closed.expect("answered");
    assert_eq!(done.records[1].intended, planned(1));
    assert_eq!(done.records[2].intended, closed.plus(7 * MS));
    for later in &done.records[1..] {
        assert_eq!(
            (later.parent, later.planned),
            (Some(0), Some(planned(later.id)))
        );
    }
}

/// Requests 1 and 2 wait for 0, and 3 for both of them: with `failing` the answer to 1 breaks off.
fn joined(failing: bool) -> Done {
    let mock = start(fixed("2ms", "1ms"));
    let ask = move |id: u64| match id {
        1 if failing => Ask::tokens(1).with_fault("status=500"),
        1 => Ask::tokens(30),
        _ => Ask::tokens(2),
    };
    let turned = |id: u64| RequestSpec {
        turn: Some(Turn {
            session: 0,
            number: u32::from(id > 0) + u32::from(id > 2),
        }),
        ..spec(id, ask(id))
    };
    let follow = |id: u64| FollowUp {
        id,
        delay_ns: 5 * MS,
        planned: None,
        further: u32::from(id == 3),
    };
    let next = |spec: &RequestSpec| match spec.id {
        0 => vec![follow(1), follow(2)],
        1 | 2 => vec![follow(3)],
        _ => Vec::new(),
    };
    let make = |id: u64, _: &[Arc<str>]| Prepared {
        spec: turned(id),
        waited: (id > 0).then(|| Waited {
            parent: [0, 0, 0, 1][id as usize],
            planned: None,
        }),
        next: next(&turned(id)),
        ..prepare(id, ask(id))
    };
    let asked = Asked {
        make: &make,
        spec: &turned,
        next: &next,
    };
    let schedule = Schedule::Open(OpenSchedule {
        ids: ArrivalIds::Listed(vec![0]),
        window_end: Offset(300 * MS),
        ..arrivals(&[0], 0, 1)
    });
    execute_asked(&schedule, &settings(mock.address(), 2), &asked, &mut |_| {})
}

#[test]
fn a_request_may_wait_for_several() {
    let done = joined(false);
    assert_eq!(done.records.len(), 4);
    let closed = |id: usize| done.records[id].closed.expect("answered");
    assert!(closed(1) > closed(2));
    assert_eq!(done.records[3].intended, closed(1).plus(5 * MS));
    assert_eq!(done.records[3].parent, Some(1));
    // Where one of them fails it is not sent, and has one record.
    let done = joined(true);
    assert_eq!(done.records.len(), 4);
    assert_eq!(
        end(&done.records[3]),
        (Outcome::NotSent, Some(Reason::SessionEnded))
    );
}

#[test]
fn a_live_history_is_what_the_server_said() {
    let mock = start(fixed("2ms", "1ms"));
    let talk = Talk {
        turns: 3,
        delay_ns: 0,
        pause_ns: 0,
        ask: &|_| Ask::tokens(4),
    };
    let given: Mutex<BTreeMap<u64, Vec<Arc<str>>>> = Mutex::default();
    let make = |id: u64, answers: &[Arc<str>]| {
        given.lock().expect("alone").insert(id, answers.to_vec());
        let mut prepared = talk.make(id);
        prepared.expect.keep_texts = KeepTexts::Always;
        prepared
    };
    let asked = Asked {
        make: &make,
        spec: &|id| talk.spec(id),
        next: &|spec| talk.next(spec),
    };
    let settings = RunSettings {
        sessions: SessionRules {
            on_failure: OnFailure::End,
            live: true,
        },
        ..settings(mock.address(), 1)
    };
    let schedule = begins(&[0, 3], 0, 2, 3, 300);
    let done = execute_asked(&schedule, &settings, &asked, &mut |_| {});
    check_turns(&done, &talk);
    assert_eq!(done.records.len(), 6);
    let said: Vec<String> = done
        .records
        .iter()
        .map(|record| {
            let texts = record.texts.as_ref().expect("kept");
            (0..record.chunks.len()).map(|i| texts.get(i)).collect()
        })
        .collect();
    assert!(said.iter().all(|text| !text.is_empty()));
    for (id, answers) in given.into_inner().expect("alone") {
        let first = (id - id % 3) as usize;
        assert!(answers.iter().map(|a| &**a).eq(&said[first..id as usize]));
    }
}
