//! Virtual runs of what goes wrong, of conversations and of shared beginnings.

use super::*;
use crate::ranked::{CoresOf, Part};
use crate::run_id::RunIdentity;
use infermeter_core::plan::{OnFailure, Plan};
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::run::RankFacts;
use infermeter_core::schedule::{Phase, Slice};
use infermeter_record::JournalReader;
use std::collections::BTreeMap;

fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = Plan {
        target: "mock:fixed".to_owned(),
        rate: Some(20.0),
        requests: Some(40),
        warmup: "0".parse().ok(),
        workload: "fixed:40,6".parse().expect("a workload"),
        salt: Some(7),
        ..Plan::defaults()
    };
    change(&mut plan);
    plan
}

fn measured(plan: Plan) -> anyhow::Result<Vec<RequestRecord>> {
    measured_in_part(plan, None)
}

fn measured_in_part(plan: Plan, part: Option<Part>) -> anyhow::Result<Vec<RequestRecord>> {
    let scratch = tempfile::tempdir()?;
    let experiment = Experiment::of(&plan)?;
    let site = Site {
        identity: RunIdentity::fresh(plan.salt)?,
        plan,
        directory: scratch.path().to_owned(),
        part,
    };
    Virtual.measure(&experiment, &site)?;
    let mut reader = JournalReader::open(scratch.path())?;
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        records.extend(batch);
    }
    Ok(records)
}

fn records(change: impl FnOnce(&mut Plan)) -> Vec<RequestRecord> {
    measured(plan(change)).expect("a run")
}

/// How many ended in which way.
fn ends(records: &[RequestRecord]) -> BTreeMap<&'static str, usize> {
    let mut ends = BTreeMap::new();
    for record in records {
        let error = record.error.as_ref();
        let end = error.map_or(record.outcome.as_str(), |error| error.reason.as_str());
        *ends.entry(end).or_default() += 1;
    }
    ends
}

/// A rank that meets nobody.
fn part(slice: Slice) -> Part {
    Part {
        slice,
        gate: None,
        facts: RankFacts {
            slice,
            host: "host".to_owned(),
            machine: None,
            pid: 1,
            arch: "x86_64".to_owned(),
            version: "1".to_owned(),
            program: None,
            told_by: "flags".to_owned(),
            clock: None,
            start_asked_ns: None,
        },
        simulator: None,
        cores: CoresOf::Itself,
    }
}

#[test]
fn the_parts_of_a_load_are_the_whole() {
    let measured = |found: &[RequestRecord]| -> BTreeMap<u64, i64> {
        let measured = found.iter().filter(|r| r.phase == Phase::Measure);
        measured.map(|r| (r.id, r.intended.0)).collect()
    };
    let whole = measured(&records(|_| {}));
    assert_eq!(whole.len(), 40);
    let mut joined = BTreeMap::new();
    for slice in Slice::all(3) {
        let found = measured_in_part(plan(|_| {}), Some(part(slice))).expect("a run");
        let own = measured(&found);
        assert_eq!(own.len() as u64, slice.share(40));
        joined.extend(own);
    }
    assert_eq!(joined, whole);
}

#[test]
fn every_fault_has_its_outcome() {
    let check = |fault: &str, outcome: Outcome, reason: Option<Reason>, tokens: u32| {
        let found = records(|p| {
            p.target = format!("mock:fixed?faults={fault}@nth:3");
            p.timeout = "5s".parse().expect("a time");
        });
        let struck = found
            .iter()
            .find(|record| record.id == 2)
            .expect("a record");
        let chunks: u32 = struck.chunks.iter().map(|chunk| chunk.tokens).sum();
        let why = struck.error.as_ref().map(|error| error.reason);
        assert_eq!(
            (struck.outcome, why, chunks),
            (outcome, reason, tokens),
            "{fault}"
        );
        let others = found.iter().filter(|record| record.id != 2);
        assert!(
            others
                .clone()
                .all(|record| record.outcome == Outcome::Completed),
            "{fault}"
        );
    };
    let failed = |fault, reason, tokens| check(fault, Outcome::Failed, Some(reason), tokens);
    failed("status=503", Reason::HttpStatus, 0);
    failed("html=502", Reason::HttpStatus, 0);
    check("empty", Outcome::Completed, None, 0);
    failed("disconnect-after=0", Reason::Disconnected, 0);
    failed("disconnect-after=2", Reason::Truncated, 2);
    failed("reset-after=2", Reason::Disconnected, 2);
    failed("disconnect-at=1ms", Reason::Disconnected, 0);
    failed("truncate-after=3", Reason::Truncated, 3);
    failed("in-band-error-after=3", Reason::InBandError, 3);
    let timed_out = Some(Reason::RequestTimeout);
    check("stall-after=2", Outcome::TimedOut, timed_out, 2);
    check("stall=2:3s", Outcome::Completed, None, 6);
    check("hold-back=1s", Outcome::Completed, None, 6);
    check("slow-head=1s", Outcome::Completed, None, 6);
    check("content-filter=2", Outcome::Completed, None, 2);
    check("early-stop=2", Outcome::Completed, None, 2);
    check("extra-tokens=2", Outcome::Completed, None, 8);
}

#[test]
fn silence_is_heard_where_it_lies() {
    let gaps = |fault: &str| -> Vec<i64> {
        let found = records(|p| p.target = format!("mock:fixed?faults={fault}@nth:3"));
        let struck = found
            .iter()
            .find(|record| record.id == 2)
            .expect("a record");
        let pairs = struck.chunks.windows(2);
        pairs
            .map(|two| two[1].at.since(two[0].at) / 1_000_000_000)
            .collect()
    };
    assert_eq!(gaps("stall=2:3s"), [0, 3, 0, 0, 0]);
    assert_eq!(gaps("slow-head=2s"), [0, 0, 0, 0, 0]);
}

#[test]
fn what_is_held_back_is_heard_in_bursts() {
    let all = records(|plan| {
        plan.target = "mock:fixed?cheat=held-back".to_owned();
        plan.workload = "fixed:40,80".parse().expect("a workload");
        plan.check_answers = true;
    });
    for record in &all {
        let arrived = record.send_start.expect("it was sent");
        let mut heard: Vec<i64> = record
            .chunks
            .iter()
            .map(|chunk| chunk.at.since(arrived))
            .collect();
        heard.dedup();
        assert_eq!(record.chunks.len(), 80);
        assert!(
            heard.len() < 20 && heard.iter().all(|at| at % 100_000_000 == 0),
            "{heard:?}"
        );
    }
}

#[test]
fn what_changes_bytes_alone_is_refused() {
    let refused = |change: fn(&mut Plan), words: &str| {
        let error = measured(plan(change)).expect_err(words);
        let said = format!("{error:#}");
        assert!(said.contains(words), "{said}");
    };
    refused(
        |p| p.target = "mock:fixed?faults=byte-wise@1%".to_owned(),
        "byte-wise",
    );
    refused(
        |p| p.sessions = vec!["turns=2".to_owned(), "history=live".to_owned()],
        "no words",
    );
    refused(
        |p| p.endpoint = infermeter_core::plan::Endpoint::Embeddings,
        "embeddings",
    );
    refused(|p| p.target = "http://host".to_owned(), "mock:PRESET");
}

#[test]
fn turns_wait_for_the_answers_before_them() {
    let paces: [fn(&mut Plan); 2] = [
        |p| p.rate = Some(2.0),
        |p| (p.rate, p.concurrency) = (None, Some(3)),
    ];
    for change in paces {
        let found = records(|p| {
            p.requests = Some(12);
            p.sessions = vec!["turns=3".to_owned(), "think=1s".to_owned()];
            change(p);
        });
        let by_id: BTreeMap<u64, &RequestRecord> = found.iter().map(|r| (r.id, r)).collect();
        let mut later = 0;
        for record in &found {
            let turn = record.turn.expect("a turn");
            let Some(parent) = record.parent else {
                assert_eq!(turn.number, 0);
                continue;
            };
            later += 1;
            let before = by_id[&parent];
            assert_eq!(before.turn.map(|t| t.session), Some(turn.session));
            let waited = record.intended.since(before.closed.expect("closed"));
            assert_eq!(waited, 1_000_000_000);
        }
        assert!(later >= 6, "{later} later turns");
        assert!(found.iter().all(|r| r.outcome == Outcome::Completed));
    }
}

#[test]
fn a_failed_turn_ends_its_session() {
    let of = |rule: &str| {
        ends(&records(|p| {
            p.target = "mock:fixed?faults=status=500@nth:1".to_owned();
            p.requests = Some(4);
            p.sessions = vec!["turns=3".to_owned(), format!("on-failure={rule}")];
        }))
    };
    let ended = of("end");
    assert_eq!((ended["http_status"], ended["session_ended"]), (1, 2));
    let went_on = of("continue");
    assert_eq!(went_on.get("session_ended"), None);
    assert_eq!(went_on["http_status"], 1);
}

/// Requests 1 and 2 wait for 0, 3 for 1, and 4 for both 3 and 2: 1 fails before 2 was reached.
#[test]
fn what_waits_for_a_failed_and_an_unreached_request_is_counted_once() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("rows.jsonl");
    let mut rows = "{\"trace_rows\":1,\"blocks\":\"none\",\"source\":\"trace\"}\n".to_owned();
    for (id, after) in [(0, "[]"), (1, "[0]"), (2, "[0]"), (3, "[1]"), (4, "[3,2]")] {
        rows += &format!(
            "{{\"timestamp\":{id},\"input_length\":40,\"output_length\":2,\"session_id\":1,\
             \"id\":{id},\"after\":{after}}}\n"
        );
    }
    std::fs::write(&path, rows).expect("written");
    let experiment = Experiment::of(&plan(|p| {
        (p.rate, p.requests) = (None, None);
        p.workload = Plan::defaults().workload;
        p.trace = Some(path);
    }));
    let load = Load::of(&experiment.expect("a plan"), 7).expect("a load");
    let mut dependents = dependents::Dependents::new(&load, OnFailure::End);
    for (id, outcome) in [(0, Outcome::Completed), (1, Outcome::Failed)] {
        let spec = load.workload.spec(id);
        dependents.ended(&spec, outcome, Offset(0), |_| Phase::Measure, |_| {});
        // 1, whose turn it is; 2 stays.
        if id == 0 {
            assert_eq!(dependents.take(), Some(1));
        }
    }
    let lost: Vec<u64> = dependents.abandoned.iter().map(|r| r.id).collect();
    assert_eq!(lost, [3, 4]);
    assert_eq!(dependents.rest().count, 1, "2 alone has no record");
}

#[test]
fn shared_beginnings_are_found_in_the_cache() {
    let cached = |prefix: &str| -> u32 {
        let found = records(|p| {
            p.target = "mock:llama-8b-h100?prompt-tokens-details=true".to_owned();
            p.workload = "fixed:300,4".parse().expect("a workload");
            p.prefix = prefix.parse().ok();
        });
        found.iter().filter_map(|record| record.cached_tokens).sum()
    };
    assert_eq!(cached("bust"), 0);
    // All but the first find 200 tokens, in whole blocks of 16.
    let shared = cached("shared:1/200");
    assert!(shared >= 39 * 192, "{shared}");
}

#[test]
fn later_turns_find_the_earlier_ones_in_the_cache() {
    let found = records(|p| {
        p.target = "mock:llama-8b-h100?prompt-tokens-details=true".to_owned();
        p.requests = Some(4);
        p.rate = Some(2.0);
        p.workload = "fixed:100,20".parse().expect("a workload");
        p.sessions = vec!["turns=3".to_owned()];
    });
    let later = found.iter().filter(|record| record.parent.is_some());
    let cached: Vec<u32> = later.filter_map(|record| record.cached_tokens).collect();
    assert!(
        !cached.is_empty() && cached.iter().all(|n| *n >= 96),
        "{cached:?}"
    );
}

/// The steps of a rate that one replica does not carry, as the run's summary tells them.
fn stepped(target: &str) -> infermeter_analysis::StepsSummary {
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = scratch.path().join("run");
    let plan = plan(|plan| {
        plan.target = target.to_owned();
        (plan.rate, plan.requests) = (None, None);
        plan.rate_profile = "steps:4/40s,20/110s".parse().ok();
        plan.duration = "150s".parse().ok();
        plan.warmup = "20s".parse().ok();
        plan.workload = "fixed:200,150".parse().expect("a workload");
        plan.slo = vec!["ttft.p90<500ms".parse().expect("an objective")];
    });
    let into = crate::runs::Into::Alone(Some(directory.clone()));
    let mut runs = crate::runs::Runs::new(Virtual, std::slice::from_ref(&plan), into);
    let once = infermeter_protocol::Once;
    let mut book = crate::book::Book::none();
    let driven = crate::drive::drive(&once, &mut runs, &mut book, Vec::new(), &mut |_| {});
    assert!(driven.is_ok(), "{driven:?}");
    let manifest = infermeter_record::read_manifest(&directory).expect("a manifest");
    let summary = infermeter_analysis::Summary::read(&manifest).expect("readable");
    summary.and_then(|summary| summary.steps).expect("steps")
}

#[test]
fn a_simulator_that_scales_itself_settles_and_one_that_does_not_does_not() {
    use infermeter_analysis::StepEnd;
    const SCALED: &str =
        "mock:llama-8b-h100?max-num-seqs=16&autoscale=6,1,6,5s&replica-loading=20s";
    let found = stepped(SCALED);
    let [first, second] = &found.steps[..] else {
        panic!("two steps: {found:?}");
    };
    assert_eq!(first.end, StepEnd::Held, "{first:?}");
    assert_eq!(second.end, StepEnd::Settled, "{:?}", second.settled_after);
    // What is added at the first look behind the step is there 20 s later at the earliest.
    let after = second.settled_after.expect("a time");
    assert!(after.value_s > 15.0 && after.value_s < 100.0, "{after:?}");
    assert!(after.low_s <= after.value_s && after.high_s.is_none_or(|high| high >= after.value_s));
    let worst = second.worst_attainment.expect("parts").value;
    let settled = second.settled_attainment.expect("settled").value;
    assert!(worst < 0.5 && settled >= 0.9, "{worst} {settled}");
    let replicas = second.replicas.expect("read");
    assert!(
        replicas.before <= 2.0 && replicas.at_end > 2.0,
        "{replicas:?}"
    );
    let read = found.replicas.expect("read");
    let held = read.replica_seconds.expect("known");
    // At least one for the whole window and never more than six.
    assert!(held.value > 150.0 && held.value < 900.0, "{held:?}");
    assert!(held.error < 0.05 * held.value, "{held:?}");
    let alone = stepped("mock:llama-8b-h100?max-num-seqs=16");
    assert_eq!(alone.steps[1].end, StepEnd::NeverSettled);
    assert_eq!(
        alone.replicas, None,
        "its size does not change, and nobody was asked"
    );
}
