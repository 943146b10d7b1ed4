//! A run for each check that triggers exactly its finding, and clean runs that trigger none.

use super::judge;
use crate::{HitSource, Percentile, SloStatus, Summary, all_failed, objectives, summarize_log};
use infermeter_core::certificate::{
    BOUNDS_US, Citation, CitedRung, Limit, LimitEnd, LoadKind, Proven, Transport,
};
use infermeter_core::clock::Offset;
use infermeter_core::environment::{PrefixCounters, PrefixCountersOfRun};
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::plan::{Endpoint, PromptCount, Warmup};
use infermeter_core::record::{Chunk, Reason, RequestRecord, StampSource, TokenSource};
use infermeter_core::run::{ClientHealth, Progress, RunLog, ThreadHealth, Unwritten};
use infermeter_core::schedule::Phase;
use infermeter_core::units::Span;
use infermeter_metrics::fixture::{Run, ms};

mod answers;
mod beside;
mod connections;
mod delivery;
mod said;
mod server_times;
mod steps;

/// A quiet run of 1,300 requests in 65 s.
pub(super) fn quiet() -> Run {
    Run::steady(1_300, 20.0, 12)
}

fn summary_of(log: &RunLog) -> Summary {
    summarize_log(log).1
}

fn found(log: &RunLog) -> Vec<String> {
    let word = |f: &Finding| {
        let severity = match f.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        format!("{severity} {}", f.code)
    };
    let (run, summary) = summarize_log(log);
    judge(&run, &summary).iter().map(word).collect()
}

/// Findings of a log beside the one that every small sample has.
pub(super) fn check_log(log: &RunLog, expect: &[&str]) {
    let mut codes = found(log);
    codes.retain(|c| c != "note percentile-needs-more");
    assert_eq!(codes, expect);
}

pub(super) fn check(change: impl FnOnce(&mut Run), expect: &[&str]) {
    let mut run = quiet();
    change(&mut run);
    check_log(&run.build(), expect);
}

/// The measured records, every `nth` of them.
pub(super) fn every(run: &mut Run, nth: usize) -> impl Iterator<Item = &mut RequestRecord> {
    let measured = run
        .records()
        .iter_mut()
        .filter(|r| r.phase == Phase::Measure);
    measured.step_by(nth)
}

fn postpone(record: &mut RequestRecord, ns: i64) {
    let later = |at: Option<Offset>| at.map(|a| a.plus(ns));
    record.send_start = later(record.send_start);
    record.sent = later(record.sent);
    record.first_byte = later(record.first_byte);
    record.finished = later(record.finished);
    record.closed = later(record.closed);
    for chunk in &mut record.chunks {
        chunk.at = chunk.at.plus(ns);
        chunk.seen = chunk.seen.plus(ns);
        chunk.lower = chunk.lower.plus(ns);
    }
}

/// The answer comes later, the send stays.
pub(super) fn postpone_answer(record: &mut RequestRecord, ns: i64) {
    let sent = (record.send_start, record.sent);
    postpone(record, ns);
    (record.send_start, record.sent) = sent;
}

pub(super) fn thread(change: impl FnOnce(&mut ThreadHealth)) -> impl FnOnce(&mut Run) {
    |run| {
        let health = run.manifest().client_health.as_mut().expect("a health");
        change(&mut health.threads[0]);
    }
}

fn progress(run: &mut Run) -> &mut Progress {
    run.manifest().progress.as_mut().expect("a progress")
}

/// The view of a client whose disk was full.
fn unwritten() -> ClientHealth {
    ClientHealth {
        recorder_error: Some("No space left on device".to_owned()),
        unwritten: Some(Unwritten {
            records: 300,
            measured: 1_600,
            since: Some(Offset(7_000_000_000)),
        }),
        ..ClientHealth::default()
    }
}

#[test]
fn a_clean_run_has_no_finding() {
    let log = Run::steady(12_000, 20.0, 12).build();
    assert_eq!(found(&log), Vec::<String>::new());
}

#[test]
fn a_small_clean_run_says_what_its_percentiles_need() {
    assert_eq!(found(&quiet().build()), ["note percentile-needs-more"]);
}

#[test]
fn findings_of_the_run_come_along_and_the_heaviest_is_first() {
    let own = crate::raised::PROBE_UNSURE.found("", "", "");
    check(
        |run| {
            run.manifest().run_findings.push(own);
            run.manifest().client_health = Some(unwritten());
        },
        &["error record-incomplete", "warning probe-unsure"],
    );
}

#[test]
fn send_lag_by_its_size() {
    let late = |ns: i64| move |run: &mut Run| every(run, 40).for_each(|r| postpone(r, ns));
    // TTFT p50 is 60 ms: invalid beyond 6 ms, questionable beyond 1.2 ms.
    check(late(ms(7)), &["error send-lag"]);
    check(late(ms(2)), &["warning send-lag"]);
    check(late(ms(1)), &[]);
}

#[test]
fn load_that_was_not_sent_in_the_window() {
    // In closed loop, where lateness is no send lag.
    let late = |nth: usize| {
        move |run: &mut Run| {
            run.manifest().load_model = infermeter_core::run::LoadModel::ClosedLoop;
            every(run, nth).for_each(|r| postpone(r, ms(70_000)));
        }
    };
    check(late(10), &["error load-not-delivered", "note closed-loop"]);
    check(
        late(50),
        &["warning load-not-delivered", "note closed-loop"],
    );
}

#[test]
fn uncertain_instants_by_their_share() {
    let censor = |nth: usize| {
        move |run: &mut Run| {
            for record in every(run, nth) {
                for chunk in &mut record.chunks {
                    chunk.lower = chunk.at.plus(-ms(2));
                }
            }
        }
    };
    check(censor(10), &["error uncertain-instants"]);
    check(censor(50), &["warning uncertain-instants"]);
    check(censor(200), &[]);
}

#[test]
fn failures_by_their_share() {
    let fail = |n: i64| {
        move |run: &mut Run| {
            for i in 0..n {
                run.failed(i * 65_000 / n, Reason::HttpStatus);
            }
        }
    };
    check(fail(200), &["error failures"]);
    check(fail(50), &["warning failures"]);
    check(fail(20), &[]);
}

#[test]
fn a_run_without_measured_requests() {
    let mut run = Run::open(1.0, 100);
    run.warmup_stream(-1_000, ms(20), ms(10), 5);
    let log = run.build();
    check_log(&log, &["error nothing-measured"]);
    assert!(!all_failed(&summary_of(&log)));
}

#[test]
fn a_run_with_failures_only() {
    let mut run = Run::open(1.0, 100);
    run.warmup_stream(-1_000, ms(20), ms(10), 5);
    run.manifest().plan.slo = vec!["ttft.p50<1s".parse().expect("an objective")];
    for i in 0..90 {
        run.failed(i * 1_000, Reason::ConnectFailed);
    }
    let log = run.build();
    check_log(&log, &["error server-unreachable", "error failures"]);
    let summary = summary_of(&log);
    assert!(all_failed(&summary) && objectives(&summary) == Some(SloStatus::Missed));
    assert_eq!(summary.slo[0].status, SloStatus::Missed);
    assert!(summary.latency.ttft.intended.is_none());
}

#[test]
fn records_that_contradict_themselves() {
    let first =
        |change: fn(&mut RequestRecord)| move |run: &mut Run| every(run, 10_000).for_each(change);
    let expect = &["error conservation"];
    check(first(|r| r.chunks[1].at = r.chunks[0].at.plus(-1)), expect);
    check(first(|r| r.sent = Some(r.intended.plus(-1))), expect);
    check(first(|r| r.closed = None), expect);
    check(
        first(|r| r.chunks[0].lower = r.chunks[0].at.plus(1)),
        expect,
    );
    let mut log = quiet().build();
    log.records.remove(700);
    check_log(&log, expect);
    let mut log = quiet().build();
    log.records[5].intended = log.records[5].intended.plus(1);
    check_log(&log, expect);
}

#[test]
fn a_recovered_run_may_have_gaps() {
    let mut log = quiet().build();
    log.records.remove(700);
    if let Some(progress) = log.manifest.progress.as_mut() {
        progress.recovered = true;
        progress.interrupted = true;
    }
    check_log(&log, &["warning interrupted"]);
}

#[test]
fn an_interrupted_run() {
    check(
        |run| {
            progress(run).interrupted = true;
            for i in 0..300 {
                run.not_sent(65_000 + i);
            }
        },
        &["warning interrupted"],
    );
}

#[test]
fn a_window_of_less_than_a_minute() {
    let mut run = Run::steady(1_300, 26.0, 12);
    run.manifest().plan.warmup = "30s".parse().ok();
    check_log(&run.build(), &["note short-level"]);
}

#[test]
fn warmups() {
    check(
        |run| {
            run.records().retain(|r| r.phase == Phase::Measure);
            run.manifest().plan.warmup = Some(Warmup::NONE);
        },
        &["warning no-warmup"],
    );
    check(
        |run| run.manifest().plan.duration = Some(Span::seconds(60)),
        &["note short-warmup"],
    );
    check(
        |run| {
            let measured = run
                .records()
                .iter_mut()
                .filter(|r| r.phase == Phase::Measure);
            measured.take(100).for_each(|r| {
                r.requested_prompt_tokens *= 8;
                r.prompt_tokens = r.prompt_tokens.map(|n| n * 8);
            });
        },
        &["note unwarmed-lengths"],
    );
}

#[test]
fn client_and_server_on_one_machine() {
    let place = |loopback, same_host| {
        move |run: &mut Run| {
            let target = &mut run.manifest().environment.target;
            (target.loopback, target.same_host) = (loopback, same_host);
        }
    };
    check(
        place(Some(true), None),
        &["warning host-shared-with-server"],
    );
    check(
        place(Some(false), Some(true)),
        &["warning host-shared-with-server"],
    );
    check(place(Some(false), Some(false)), &[]);
    check(
        |run| {
            place(Some(true), None)(run);
            run.manifest().plan.target = "mock:llama-8b-h100".to_owned();
        },
        &["note host-shared-with-mock"],
    );
}

#[test]
fn percentiles_asked_for() {
    check(
        |run| run.manifest().plan.percentile = vec!["p99.9".to_owned()],
        &["warning percentile-unsupported"],
    );
    check(
        |run| run.manifest().plan.percentile = vec!["p75".to_owned()],
        &[],
    );
    check(
        |run| run.manifest().plan.slo = vec!["ttft.p99.9<1s".parse().expect("an objective")],
        &["warning percentile-unsupported"],
    );
    check(
        |run| {
            run.manifest().plan.slo = vec!["tpot.p50<1s".parse().expect("an objective")];
            run.manifest().plan.no_stream = true;
            run.records().iter_mut().for_each(answers::unstream);
        },
        &["warning slo-without-data"],
    );
}

#[test]
fn requests_that_share_a_queue() {
    check(
        |run| {
            for (i, record) in every(run, 1).enumerate() {
                // A slow wave of 26 s: neighbours are alike.
                let wave = (i as f64 / 520.0 * std::f64::consts::TAU).sin();
                let ns = (wave * 30e6) as i64;
                for chunk in &mut record.chunks {
                    chunk.at = chunk.at.plus(ns);
                    chunk.lower = chunk.at;
                    chunk.seen = chunk.at;
                }
                record.first_byte = record.chunks.first().map(|c| c.at);
                record.finished = record.chunks.last().map(|c| c.at);
                record.closed = record.finished;
            }
        },
        &["note correlated-samples"],
    );
}

#[test]
fn stamps_and_clocks() {
    let program = |nth: usize| {
        move |run: &mut Run| {
            every(run, nth).for_each(|r| r.stamp_source = Some(StampSource::Program));
        }
    };
    check(program(1), &["warning program-stamps"]);
    check(program(200), &["note program-stamps"]);
    check(
        thread(|t| t.reads_without_stamp = 3),
        &["note reads-without-stamp"],
    );
    let departures = |stamped: usize| {
        move |run: &mut Run| {
            run.manifest().plan.audit_send = true;
            every(run, stamped).for_each(|r| r.left = r.send_start);
        }
    };
    check(departures(1), &[]);
    check(departures(2), &["note departures-missing"]);
    check(departures(usize::MAX), &["note departures-missing"]);
    check(
        |run| run.manifest().plan.audit_send = true,
        &["warning departures-missing"],
    );
    check(thread(|t| t.clock_step_ns = -ms(2)), &["note clock-step"]);
}

#[test]
fn lengths_and_sums_of_tokens() {
    check(
        |run| every(run, 50).for_each(|r| r.requested_output_tokens = 20),
        &["warning length-not-obeyed"],
    );
    let disagree = |nth: usize| {
        move |run: &mut Run| {
            for record in every(run, 1) {
                record.token_source = Some(TokenSource::TokenIds);
            }
            for record in every(run, nth) {
                record.output_tokens = Some(15);
                record.requested_output_tokens = 15;
            }
        }
    };
    check(disagree(50), &["warning token-counts-disagree"]);
    check(disagree(200), &["note token-counts-disagree"]);
}

#[test]
fn prompts_as_the_server_counts_them() {
    let add = |n: u32, nth: usize| {
        move |run: &mut Run| {
            every(run, nth).for_each(|r| r.prompt_tokens = Some(r.requested_prompt_tokens + n));
        }
    };
    check(add(36, 1), &["note prompt-overhead"]);
    check(add(300, 1), &["warning prompt-tokens-disagree"]);
    check(
        |run| {
            add(300, 3)(run);
            run.manifest().plan.tools = Some("3".to_owned());
        },
        &["note prompt-overhead"],
    );
    check(add(10, 40), &["warning prompt-tokens-disagree"]);
    // Texts of a dataset: with and without a system prompt, or counted by another tokenizer.
    let of_dataset = |more: fn(u64) -> u32| {
        move |run: &mut Run| {
            run.manifest().plan.dataset = Some("chats.jsonl".into());
            for (i, record) in (0..).zip(every(run, 1)) {
                record.prompt_tokens = Some(record.requested_prompt_tokens + more(i));
            }
        }
    };
    check(
        of_dataset(|i| if i % 3 == 0 { 31 } else { 11 }),
        &["note prompt-overhead"],
    );
    check(
        of_dataset(|i| (i * 7 % 90) as u32),
        &["warning prompt-tokens-disagree"],
    );
    check(
        |run| {
            run.manifest().plan.endpoint = Endpoint::Completions;
            add(1, 1)(run);
        },
        &[],
    );
    check(
        |run| every(run, 1).for_each(|r| r.cached_tokens = Some(16)),
        &["warning prefix-cache-hit"],
    );
    // The same 16 tokens of the template, which no cache forgets; beyond them a text was known.
    let template = |cached: u32| {
        move |run: &mut Run| {
            add(16, 1)(run);
            every(run, 1).for_each(|r| r.cached_tokens = Some(cached));
        }
    };
    check(template(16), &["note prompt-overhead"]);
    check(
        template(19),
        &["warning prefix-cache-hit", "note prompt-overhead"],
    );
    let meant = |share: f64| {
        move |run: &mut Run| {
            run.manifest().environment.workload.shared_prefix_share = Some(share);
            every(run, 1).for_each(|r| r.cached_tokens = Some(16));
        }
    };
    check(meant(0.9), &["note prefix-cache-shared"]);
    check(meant(0.0), &["warning prefix-cache-hit"]);
    check(
        |run| {
            meant(0.9)(run);
            run.manifest().plan.prefix = "hit:0.9".parse().ok();
        },
        &["note prefix-cache-shared"],
    );
}

#[test]
fn prompts_as_the_chat_template_makes_them() {
    let given = |count: PromptCount, tokens: u32| {
        move |run: &mut Run| {
            let plan = &mut run.manifest().plan;
            plan.chat_template = Some("chat.jinja".into());
            plan.count = count;
            run.manifest().environment.workload.template_tokens = Some(36);
            every(run, 1).for_each(|r| r.prompt_tokens = Some(r.requested_prompt_tokens + tokens));
        }
    };
    check(given(PromptCount::Text, 36), &["note prompt-overhead"]);
    check(given(PromptCount::Text, 35), &["warning template-mismatch"]);
    check(given(PromptCount::Text, 0), &["warning template-mismatch"]);
    check(given(PromptCount::Template, 0), &[]);
    check(
        given(PromptCount::Template, 1),
        &["warning template-mismatch"],
    );
}

#[test]
fn counters_tell_what_usage_does_not() {
    let counted = |hits: f64| {
        move |run: &mut Run| {
            let counters = |queries, hits| PrefixCounters { queries, hits };
            run.manifest().environment.target.prefix_cache = Some(PrefixCountersOfRun {
                before: counters(1_000.0, 200.0),
                after: Some(counters(11_000.0, 200.0 + hits)),
            });
        }
    };
    check(counted(0.0), &[]);
    check(counted(3_000.0), &["warning prefix-cache-hit"]);
    // A server that was restarted in between says nothing.
    check(counted(-100.0), &[]);
    let shared = |run: &mut Run| {
        counted(3_000.0)(run);
        run.manifest().environment.workload.shared_prefix_share = Some(0.3);
    };
    check(shared, &["note prefix-cache-shared"]);
    let mut run = Run::steady(1_300, 20.0, 50);
    shared(&mut run);
    let (_, summary) = summarize_log(&run.build());
    let summary = summary.prefix_cache.expect("known");
    assert_eq!((summary.asked, summary.unlimited), (None, Some(0.3)));
    let found = summary.realised.expect("counted");
    assert_eq!((found.share, found.prompt_tokens), (0.3, 10_000));
    assert_eq!(found.source, HitSource::ServerCounters);
}

#[test]
fn tokens_that_cannot_be_counted() {
    check(
        |run| {
            let record = every(run, 10_000).next().expect("a record");
            record.token_source = Some(TokenSource::Unknown);
            record
                .chunks
                .iter_mut()
                .for_each(|c| c.tokens = Chunk::TOKENS_UNKNOWN);
        },
        &["note token-counts-unknown"],
    );
    check(
        |run| {
            for record in every(run, 1) {
                record.token_source = Some(TokenSource::ContinuousUsage);
                record.chunks.iter_mut().for_each(|c| c.tokens = 2);
                record.output_tokens = Some(24);
                record.requested_output_tokens = 24;
            }
        },
        &["note multi-token-chunks"],
    );
    // One chunk of two tokens in four thousand: 1.00 tokens per chunk.
    check(
        |run| {
            for record in every(run, 300) {
                record.token_source = Some(TokenSource::ContinuousUsage);
                record.chunks[5].tokens = 2;
                record.output_tokens = Some(13);
                record.requested_output_tokens = 13;
            }
        },
        &[],
    );
}

#[test]
fn what_the_client_did() {
    check(|run| run.records()[60].attempts = 2, &["note resent"]);
    let open = |nth: usize, cost_ns: i64| {
        move |run: &mut Run| {
            for record in every(run, nth) {
                record.new_connection = Some(true);
                record.connected = record.send_start.map(|s| s.plus(cost_ns));
            }
        }
    };
    check(open(10, 900_000), &["warning connections-opened-inside"]);
    check(open(50, 900_000), &["note connections-opened-inside"]);
    check(open(200, 900_000), &[]);
    // What opening took is nothing beside a TTFT of 50 ms.
    check(open(1, 50_000), &[]);
    check(thread(|t| t.bodies_late = 1), &["note bodies-late"]);
    check(
        thread(|t| t.waits_for_cap = 1),
        &["note waits-for-connection"],
    );
    let drained = |after_ms: i64| {
        move |run: &mut Run| {
            let end = run.manifest().window.expect("a window").end;
            run.records().retain(|r| r.closed.is_some_and(|c| c <= end));
            progress(run).drain_without_load = true;
            progress(run).ended = end.plus(ms(after_ms));
        }
    };
    check(drained(1_000), &["note drain-without-load"]);
    check(drained(1), &[]);
}

#[test]
fn objectives_count_failures() {
    let line = |failed: i64, objective: &str| {
        let mut run = quiet();
        run.manifest().plan.slo = vec![objective.parse().expect("an objective")];
        for i in 0..failed {
            run.failed(i * 1_000, Reason::HttpStatus);
        }
        let summary = summary_of(&run.build());
        (summary.slo[0].status, summary.slo[0].straddles)
    };
    assert_eq!(line(0, "ttft.p99<100ms"), (SloStatus::Met, false));
    assert_eq!(line(20, "ttft.p99<100ms"), (SloStatus::Missed, true));
    assert_eq!(line(60, "ttft.p99<100ms"), (SloStatus::Missed, false));
    assert!(line(0, "ttft.p50<60ms").1);
    assert_eq!(line(0, "itl.p99<50ms"), (SloStatus::Met, false));
    assert_eq!(line(60, "ttfo.p90<100ms"), (SloStatus::Met, false));
}

/// 150 requests, of which every so many take 2 s to the first token, against a p99 that needs 1,000.
#[test]
fn an_objective_is_met_missed_or_undecided() {
    let summary = |slow_every: i64, objective: &str| {
        let mut run = Run::open(5.0, 30);
        for i in 0..150 {
            let slow = slow_every > 0 && i % slow_every == 0;
            run.stream(
                i * 200,
                ms(if slow { 2_000 } else { 20 + i % 7 }),
                ms(10),
                5,
            );
        }
        run.manifest().plan.slo = vec![objective.parse().expect("an objective")];
        summary_of(&run.build())
    };
    let check = |slow_every, objective: &str, status: SloStatus| {
        let summary = summary(slow_every, objective);
        let line = &summary.slo[0];
        assert_eq!(line.status, status, "{line:?}");
        assert_eq!(objectives(&summary), Some(status));
        assert_eq!(line.judged_ms.is_none(), status == SloStatus::Undecided);
    };
    // No value of 150 bounds a p99 from above.
    check(0, "ttft.p99<1s", SloStatus::Undecided);
    // A tenth of them beyond the limit settles it all the same.
    check(10, "ttft.p99<1s", SloStatus::Missed);
    check(0, "ttft.p50<1s", SloStatus::Met);
    check(0, "ttft.p50<1ms", SloStatus::Missed);
    assert_eq!(objectives(&summary_of(&quiet().build())), None);
}

#[test]
fn an_objective_without_a_sample_leaves_goodput_open() {
    let mut run = Run::open(5.0, 10);
    for i in 0..50 {
        run.stream(i * 200, ms(20), ms(10), 1);
    }
    let objective = |text: &str| text.parse().expect("an objective");
    run.manifest().plan.slo = vec![objective("tpot.p50<1s"), objective("ttft.p50<1s")];
    let summary = summary_of(&run.build());
    let status: Vec<SloStatus> = summary.slo.iter().map(|line| line.status).collect();
    assert_eq!(status, [SloStatus::Undecided, SloStatus::Met]);
    assert!(summary.goodput.is_none() && summary.slo[0].attainment.is_none());
}

#[test]
fn what_percentiles_need_grows_outwards() {
    let mut run = Run::open(5.0, 60);
    for i in 0..300 {
        // Two levels, each for 75 requests: the median is worth four of them.
        let slow = if i / 75 % 2 == 0 { 0 } else { 40 };
        run.stream(i * 200, ms(20 + slow + i * 7 % 11), ms(10), 5);
    }
    let summary = summary_of(&run.build());
    let ttft = summary.latency.ttft.intended.as_ref().expect("streams");
    let needed: Vec<_> = ttft.percentiles.values().map(|cell| cell.needed).collect();
    assert!(needed[0] > Some(300), "{needed:?}");
    assert!(needed.is_sorted(), "{needed:?}");
    assert!(ttft.percentiles.values().all(|cell| cell.value.is_none()));
}

#[test]
fn per_user_speed_is_the_reciprocal_of_tpot() {
    let summary = summary_of(&quiet().build());
    let p99 = Percentile::new(99.0).expect("a percentile");
    let tpot = &summary.latency.tpot.as_ref().expect("streams").percentiles[&p99];
    let speed = &summary.latency.per_user_tokens_per_s[&p99];
    assert_eq!(speed.value, tpot.value.map(|v| 1e3 / v));
    assert_eq!(speed.high, tpot.low.map(|v| 1e3 / v));
}

#[test]
fn goodput_counts_requests_that_meet_every_objective() {
    let mut run = Run::open(1.0, 10);
    for at in [0, 1_000, 2_000] {
        run.stream(at, ms(20), ms(10), 5);
    }
    run.stream(3_000, ms(200), ms(10), 5);
    run.failed(4_000, Reason::HttpStatus);
    run.manifest().plan.slo = vec!["ttft.p99<100ms".parse().expect("an objective")];
    let goodput = summary_of(&run.build())
        .goodput
        .expect("an objective is set");
    assert_eq!((goodput.attainment.count, goodput.attainment.n), (3, 5));
    let rate = goodput.requests.expect("a window").per_s;
    assert!((rate - 0.3).abs() < 1e-12);
}

#[test]
fn classes_are_summarised_apart() {
    let mut run = quiet();
    run.manifest().classes = vec!["chat".to_owned(), "code-generation".to_owned()];
    every(&mut run, 2).for_each(|r| r.class = 1);
    let summary = summary_of(&run.build());
    let n: Vec<u64> = summary.classes.iter().map(|c| c.measured.total).collect();
    assert_eq!(n, [650, 650]);
    assert_eq!(n.iter().sum::<u64>(), summary.requests.measured.total);
}

/// A certificate that proves 1 ms up to these loads, with one rung of each ladder there.
fn calibrated_to(events_per_s: f64, requests_per_s: f64) -> Citation {
    let ladders = [
        (LoadKind::Streams, events_per_s),
        (LoadKind::Requests, requests_per_s),
    ];
    let limit = |(kind, per_s): &(LoadKind, f64)| Limit {
        kind: *kind,
        transport: Transport::Plain,
        stamps: StampSource::Kernel,
        bound_us: BOUNDS_US[1],
        proven: Some(Proven {
            rung: kind.as_str().to_owned(),
            per_s: *per_s,
            worst_p99_us: 38.0,
        }),
        ended: LimitEnd::Exceeded,
    };
    let rung = |(kind, per_s): &(LoadKind, f64)| CitedRung {
        name: kind.as_str().to_owned(),
        kind: *kind,
        transport: Transport::Plain,
        per_s: *per_s,
        kernel_p99_us: Some(38.0),
        program_p99_us: None,
    };
    Citation {
        path: "calibration.json".to_owned(),
        sha256: Some(String::new()),
        created: Some("2026-11-22T16:40:00Z".to_owned()),
        infermeter_version: Some("0.1.0".to_owned()),
        stale: Vec::new(),
        rungs: ladders.iter().map(rung).collect(),
        limits: ladders.iter().map(limit).collect(),
    }
}

/// The quiet run has 20 requests/s of 12 tokens.
fn check_calibrated(change: impl FnOnce(&mut Citation), expect: &[&str]) {
    let mut citation = calibrated_to(1_000.0, 100.0);
    change(&mut citation);
    check(|run| run.manifest().calibration = Some(citation), expect);
}

#[test]
fn a_load_that_the_client_is_calibrated_for() {
    check_calibrated(|_| {}, &["note calibrated"]);
    // Nothing is shown about requests: what is shown about events stands.
    check_calibrated(|c| c.limits.truncate(1), &["note calibrated"]);
    // Nothing is shown at all, by no fault of the client.
    check_calibrated(|c| c.limits.clear(), &[]);
}

#[test]
fn a_load_beyond_the_calibration() {
    let few = |c: &mut Citation| *c = calibrated_to(100.0, 100.0);
    check_calibrated(few, &["warning outside-calibration"]);
    let slow = |c: &mut Citation| *c = calibrated_to(1_000.0, 10.0);
    check_calibrated(slow, &["warning outside-calibration"]);
    let failed = |c: &mut Citation| c.limits[0].proven = None;
    check_calibrated(failed, &["warning outside-calibration"]);
}

#[test]
fn a_calibration_of_another_machine() {
    let other = |c: &mut Citation| {
        *c = calibrated_to(1.0, 1.0);
        c.stale.push("kernel 6.1, now 6.18".to_owned());
    };
    check_calibrated(other, &["note calibration-stale"]);
}

#[test]
fn a_calibration_says_what_it_found() {
    let mut run = quiet();
    run.manifest().calibration = Some(calibrated_to(1_000.0, 100.0));
    let log = run.build();
    let (run, summary) = summarize_log(&log);
    let findings = judge(&run, &summary);
    let note = findings.iter().find(|f| f.code == "calibrated");
    let note = note.expect("the note");
    assert!(note.message.ends_with("error p99 38 us."), "{note:?}");
    assert!(note.evidence.contains("20 requests/s"), "{note:?}");
    assert!(note.evidence.contains("2026-11-22"), "{note:?}");
    let calibration = summary.client.calibration.expect("a calibration");
    assert!(calibration.is_inside());
    assert_eq!(calibration.loads[0].proven_per_s, Some(1_000.0));
}
