//! Loads of every kind, cut into slices: their union is the whole.

use crate::process::Scratch;
use infermeter_core::clock::Offset;
use infermeter_core::plan::Plan;
use infermeter_core::request::{FollowUp, RequestId};
use infermeter_core::schedule::{Begins, Phase, Schedule, Slice};
use infermeter_session::load::Load;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const SALT: u64 = 77;

/// Sessions whose bytes are compared; all ids and instants are.
const WRITTEN: usize = 12;

/// A plan of these keys; a window of some seconds.
fn plan(keys: &Value) -> Plan {
    let mut plan = serde_json::to_value(Plan::defaults()).expect("JSON");
    let defaults = json!({
        "target": "http://server.example", "duration": "8s", "warmup": "2s",
        "workload": "fixed:40,6", "timeout": "3s",
    });
    let all: [&Map<String, Value>; 2] = [&defaults, keys].map(|v| v.as_object().expect("keys"));
    for (key, value) in all.into_iter().flatten() {
        plan[key] = value.clone();
    }
    serde_json::from_value(plan).expect("a plan")
}

/// A request and all that wait for it.
fn session(load: &Load, root: RequestId) -> Vec<(RequestId, Option<FollowUp>)> {
    let (mut all, mut left) = (Vec::new(), vec![(root, None)]);
    while let Some((id, waits)) = left.pop() {
        all.push((id, waits));
        let next = load.follow_ups(&load.workload.spec(id));
        left.extend(next.into_iter().map(|follow| (follow.id, Some(follow))));
    }
    all
}

/// What a request says, as the clients' encoders get it.
fn said(load: &Load, id: RequestId) -> String {
    let spec = load.workload.spec(id);
    let content = load.workload.content(&spec, &[]).expect("a prompt");
    format!("{spec:?} {:?} {content:?}", load.waited(&spec))
}

/// The first request of each session, when it is due and in which phase: of a closed loop without
/// instants, as many as the count asks for.
fn roots(load: &Load) -> Vec<(RequestId, Option<(Offset, Phase)>)> {
    match &load.schedule {
        Schedule::Open(open) => {
            let at = |(i, at): (usize, &Offset)| (open.ids.id(i), Some((*at, open.phase_of(i))));
            open.arrivals.iter().enumerate().map(at).collect()
        }
        Schedule::Closed(closed) => {
            let count = closed.requests.expect("a count");
            let id = |number| (load.schedule.begins(number), None);
            (0..count).map(id).collect()
        }
    }
}

fn check(keys: &Value, of: u32) {
    let whole = Load::from_plan(&plan(keys), SALT).unwrap_or_else(|e| panic!("{keys}: {e:#}"));
    let all = roots(&whole);
    assert!(all.len() > 20, "{keys}: {} sessions", all.len());
    let mut joined = vec![None; all.len()];
    let mut ids = BTreeSet::new();
    for slice in Slice::all(of) {
        let part = whole.cut(slice).expect("slots enough");
        // Made again where the slice is sent: nothing is shared with the whole.
        let again = Load::from_plan(&plan(keys), SALT).expect("again");
        let again = again.cut(slice).expect("slots enough");
        assert_eq!(again.schedule, part.schedule);
        for (number, root) in roots(&part).into_iter().enumerate() {
            joined[slice.in_whole(number as u64) as usize] = Some(root);
            let session = session(&again, root.0);
            for (id, _) in &session {
                assert!(ids.insert(*id), "{keys}: request {id} is in two slices");
            }
            if number < WRITTEN {
                assert_eq!(session, self::session(&whole, root.0));
                for (id, _) in session {
                    assert_eq!(said(&again, id), said(&whole, id), "{keys}");
                }
            }
        }
    }
    let joined: Option<Vec<_>> = joined.into_iter().collect();
    assert_eq!(joined.expect("every place"), all, "{keys}");
    let turns = all.iter().flat_map(|(root, _)| session(&whole, *root));
    assert_eq!(ids, turns.map(|(id, _)| id).collect(), "{keys}");
}

/// Rows of which every third waits for the one before.
fn waiting_rows() -> String {
    let row = |n: i64| {
        let (chat, parent) = if n % 3 == 1 { (n, n - 1) } else { (n, -1) };
        json!({
            "chat_id": chat, "parent_chat_id": parent, "timestamp": n as f64 * 0.1,
            "input_length": 8 + n % 8, "output_length": 4, "type": "text", "turn": 1,
            "hash_ids": [n],
        })
    };
    (0..120).map(|n| format!("{}\n", row(n))).collect()
}

fn prompts() -> String {
    let row = |n: u32| json!({"prompt": format!("Say the number {n}."), "output_tokens": 3});
    (0..70).map(|n| format!("{}\n", row(n))).collect()
}

#[test]
fn the_slices_of_every_load_are_the_whole() {
    let scratch = Scratch::new();
    let trace = scratch.file("trace.jsonl", &waiting_rows());
    let texts = scratch.file("texts.jsonl", &prompts());
    let loads = [
        json!({"rate": 20.0, "arrival": "constant"}),
        json!({"rate": 20.0, "arrival": "gamma", "cv": 2.0, "prefix": "shared:4/16"}),
        json!({"rate": 20.0, "arrival": "weibull", "cv": 0.5}),
        json!({"rate-profile": "ramp:5..30/6s", "workload": "mix:chat=0.7,code-generation=0.3"}),
        json!({"rate": 12.0, "sessions": ["turns=1..4", "think=exp:1s", "system=20"]}),
        json!({"rate": 20.0, "clients": "synthetic"}),
        json!({"rate": 20.0, "dataset": texts, "dataset-order": "shuffled"}),
        json!({"trace": trace}),
        json!({"concurrency": 9, "requests": 60, "duration": null}),
        json!({"concurrency": 7, "requests": 40, "duration": null, "sessions": ["turns=3"]}),
    ];
    for (keys, of) in loads.iter().zip([2, 3, 7].into_iter().cycle()) {
        check(keys, of);
    }
}

#[test]
fn a_slice_of_a_closed_loop_has_its_part_of_the_counts() {
    let keys = json!({"concurrency": 3, "requests": 10, "duration": null, "warmup": "4req"});
    let whole = Load::from_plan(&plan(&keys), SALT).expect("a load");
    let facts = Slice::all(3).map(|slice| whole.cut(slice).expect("a slice").schedule.facts());
    let counts = facts.map(|facts| match facts.begins {
        Begins::Slots(closed) => (closed.slots, closed.warmup_requests, closed.requests),
        Begins::Arrivals(_) => panic!("a closed loop"),
    });
    let expect = [(1, 2, Some(4)), (1, 1, Some(3)), (1, 1, Some(3))];
    assert!(counts.eq(expect));
    let refused = whole
        .cut(Slice::all(4).last().expect("four"))
        .expect_err("three slots");
    assert!(refused.to_string().contains("3 slots cannot be cut into 4"));
}
