//! Objectives judged on records made by hand.

use super::*;
use crate::summary::summarize_log;
use infermeter_core::answer::{AnswerFacts, Doubt, Doubts, Question, QuestionKind};
use infermeter_core::record::Reason;
use infermeter_metrics::fixture::{Run, ms};

/// 150 answers of 5 tokens at 5/s, TTFT 20 to 26 ms, 10 ms between tokens; prompts of 100 tokens.
fn run() -> Run {
    let mut run = Run::open(5.0, 30);
    for i in 0..150 {
        run.stream(i * 200, ms(20 + i % 7), ms(10), 5);
    }
    run
}

fn lines(mut run: Run, objectives: &[&str]) -> Vec<SloLine> {
    let objectives = objectives
        .iter()
        .map(|text| text.parse().expect("an objective"));
    run.manifest().plan.slo = objectives.collect();
    summarize_log(&run.build()).1.slo
}

#[track_caller]
fn check(run: Run, objective: &str, status: SloStatus, doubt: Option<SloDoubt>) -> SloLine {
    let line = lines(run, &[objective]).remove(0);
    assert_eq!(
        (line.status, line.measured.doubt),
        (status, doubt),
        "{line:#?}"
    );
    line
}

#[track_caller]
fn met(objective: &str) {
    check(run(), objective, SloStatus::Met, None);
}

#[track_caller]
fn missed(objective: &str) {
    check(run(), objective, SloStatus::Missed, None);
}

#[track_caller]
fn undecided(objective: &str, doubt: SloDoubt) {
    check(run(), objective, SloStatus::Undecided, Some(doubt));
}

/// The same with a tenth of the requests failing.
fn failing() -> Run {
    let mut run = run();
    for i in 0..15 {
        run.failed(i * 2_000 + 100, Reason::HttpStatus);
    }
    run
}

#[test]
fn means_lie_within_beyond_or_among_the_failures() {
    met("ttft.mean<25ms");
    missed("ttft.mean<20ms");
    undecided("ttft.mean<22.95ms", SloDoubt::Straddles);
    met("tpot.mean<11ms");
    met("itl.mean<11ms");
    missed("itl.mean<9ms");
    for objective in ["ttft.mean<1h", "itl.mean<1h", "e2e.max<1h"] {
        let line = check(failing(), objective, SloStatus::Missed, None);
        assert!(
            line.measured.infinite && line.measured.value.is_none(),
            "{line:#?}"
        );
    }
}

#[test]
fn a_maximum_can_only_be_missed() {
    missed("e2e.max<60ms");
    missed("itl.max<9ms");
    undecided("itl.max<1h", SloDoubt::OnlyAMissIsCertain);
    let within = SloDoubt::OnlyAMissIsCertain;
    let line = check(run(), "e2e.max<1h", SloStatus::Undecided, Some(within));
    assert_eq!(
        (line.measured.value, line.measured.low),
        (Some(66.0), Some(66.0))
    );
    assert_eq!(line.measured.high, None);
    // Of 150 requests none beyond: at least 97.6 % of all lie within.
    let within = line.attainment.expect("requests");
    assert!(within.low.is_some_and(|low| low > 0.9), "{within:?}");
}

#[test]
fn shares_are_judged_by_their_intervals() {
    met("error_rate<50%");
    undecided("error_rate<0.1%", SloDoubt::Straddles);
    check(failing(), "error_rate<1%", SloStatus::Missed, None);
    met("attainment(ttft<1s, tpot<1s)>=80%");
    undecided("attainment(ttft<1s, tpot<1s)>=99.9%", SloDoubt::Straddles);
    missed("attainment(ttft<1s, tpot<9ms)>=80%");
    let line = check(
        failing(),
        "attainment(ttft<1s)>=99%",
        SloStatus::Missed,
        None,
    );
    assert_eq!(
        line.attainment.map(|share| (share.count, share.n)),
        Some((150, 165))
    );
    assert_eq!(line.certain(), SloStatus::Missed);
}

#[test]
fn rates_are_judged_by_their_intervals() {
    met("throughput>=3/s");
    missed("throughput>=8/s");
    met("output_throughput>=15/s");
    undecided("goodput>=1/s", SloDoubt::NothingToMeet);
    let both = lines(run(), &["ttft.p50<1s", "goodput>=3/s"]);
    assert_eq!(both[1].status, SloStatus::Met, "{both:#?}");
    let none = lines(run(), &["ttft.p50<1ms", "goodput>=3/s"]);
    assert_ne!(none[1].status, SloStatus::Met, "{none:#?}");
}

#[test]
fn deadlines_of_tokens() {
    met("fluidity(30ms/10ms).mean>=90%");
    met("fluidity(30ms/10ms).p90>=90%");
    missed("fluidity(1ms/10ms).mean>=90%");
    missed("fluidity(1ms/10ms).p50>=90%");
    missed("fluidity(1ms/10ms).max>=90%");
    undecided("fluidity(30ms/10ms).max>=90%", SloDoubt::OnlyAMissIsCertain);
    undecided("fluidity.mean>=90%", SloDoubt::NoDeadlines);
    met("attainment(fluidity(30ms/10ms)>=100%)>=80%");
    let line = lines(failing(), &["fluidity(30ms/10ms).mean>=99%"]).remove(0);
    let value = line.measured.value.expect("a mean");
    assert!((value - 150.0 / 165.0).abs() < 1e-9, "{line:#?}");
}

#[test]
fn limits_that_grow_with_the_prompt() {
    // 0.1 ms for each of 100 tokens: 10 to 16 ms are left.
    met("ttft.p50<17ms+0.1ms/input_token");
    missed("ttft.p50<9ms+0.1ms/input_token");
    met("ttft.mean<15ms+0.1ms/input_token");
    met("attainment(ttft<17ms+0.1ms/input_token)>=80%");
    missed("attainment(ttft<9ms+0.1ms/input_token)>=80%");
}

#[test]
fn without_a_sample_nothing_is_met() {
    undecided("ttft.p50{class=none}<1h", SloDoubt::UnknownClass);
    let mut whole = run();
    whole.manifest().plan.no_stream = true;
    for objective in [
        "ttft.mean<1h",
        "itl.max<1h",
        "fluidity(1h/1h).mean>=1%",
        "ttft.p50<1h",
    ] {
        check(
            whole.clone(),
            objective,
            SloStatus::Undecided,
            Some(SloDoubt::NoSample),
        );
    }
    let mut empty = Run::open(5.0, 30);
    empty.warmup_stream(-500, ms(20), ms(10), 5);
    for objective in [
        "ttft.p50<1h",
        "error_rate<50%",
        "attainment(e2e<1h)>=1%",
        "e2e.max<1h",
    ] {
        let line = lines(empty.clone(), &[objective]).remove(0);
        assert_eq!(line.status, SloStatus::Undecided, "{line:#?}");
    }
}

#[test]
fn classes_are_judged_by_themselves() {
    let mut run = run();
    run.manifest().classes = vec!["fast".to_owned(), "slow".to_owned()];
    let mut slow = run.clone();
    for (i, record) in slow.records().iter_mut().enumerate() {
        record.class = (i % 2) as u16;
    }
    let lines = lines(
        slow,
        &[
            "ttft.p50{class=fast}<1s",
            "itl.p50{class=slow}<1s",
            "throughput{class=slow}>=8/s",
        ],
    );
    let n: Vec<usize> = lines.iter().map(|line| line.measured.n).collect();
    assert_eq!(n, [75, 300, 75]);
    assert_eq!(lines[2].status, SloStatus::Missed);
}

/// A percentile decided by the share within its limit; the errors of the two answers are told apart.
#[test]
fn a_share_decides_a_percentile() {
    let p99 = Percentile::new(99.0).expect("a percentile");
    let at = |share: f64, effective_n: f64, met: f64, missed: f64| {
        let within = Share {
            value: share,
            low: None,
            high: None,
            count: 0,
            n: 0,
            effective_n,
        };
        by_share(within, p99, LookError { met, missed })
    };
    // 0.99^n falls to the error at ln 0.00357 / ln 0.99 = 560.7.
    let error = 0.025 / 7.0;
    assert_eq!(at(1.0, 561.0, error, error), SloStatus::Met);
    assert_eq!(at(1.0, 560.0, error, error), SloStatus::Undecided);
    assert_eq!(at(1.0, 561.0, 1e-9, 0.025), SloStatus::Undecided);
    // `qbeta(1 - 0.025, 981, 20)` is 0.9877, `qbeta(1 - 1e-9, 981, 20)` 0.9965.
    assert_eq!(at(0.98, 1_000.0, 1e-9, 0.025), SloStatus::Missed);
    assert_eq!(at(0.98, 1_000.0, 0.025, 1e-9), SloStatus::Undecided);
    assert_eq!(at(0.0, 0.0, 0.025, 0.025), SloStatus::Undecided);
}

/// What a run leaves open for want of requests is not met over several runs either; failures are beyond the limit.
#[test]
fn no_share_meets_what_its_run_leaves_open() {
    let errors = LookError {
        met: 0.025,
        missed: 0.025,
    };
    let mut line = lines(run(), &["ttft.p50<500ms"]).remove(0);
    assert_eq!(line.at(errors), SloStatus::Met, "{line:#?}");
    line.measured.doubt = Some(SloDoubt::TooFew { needed: 1_000 });
    assert_eq!(line.at(errors), SloStatus::Undecided);
    let line = lines(failing(), &["ttft.p90<500ms"]).remove(0);
    let within = line.within.expect("a share");
    assert_eq!((within.count, within.n), (150, 165), "{line:#?}");
}

#[test]
fn a_session_is_judged_as_a_whole() {
    let sessions = |failed: bool| {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 2);
        run.stream(1_000, ms(20), ms(10), 2);
        if failed {
            run.failed(2_000, infermeter_core::record::Reason::HttpStatus);
        }
        for (record, (session, number)) in run.records().iter_mut().zip([(0, 0), (0, 1), (2, 0)]) {
            record.turn = Some(infermeter_core::request::Turn { session, number });
            record.parent = (number > 0).then_some(0);
        }
        run
    };
    let within = Some(SloDoubt::OnlyAMissIsCertain);
    check(
        sessions(false),
        "session.e2e.max<2s",
        SloStatus::Undecided,
        within,
    );
    check(
        sessions(false),
        "session.e2e.max<1s",
        SloStatus::Missed,
        None,
    );
    // A session that failed never ends.
    check(
        sessions(true),
        "session.e2e.max<2s",
        SloStatus::Missed,
        None,
    );
    undecided("session.e2e.max<2s", SloDoubt::NoSample);
}

#[test]
fn a_session_that_the_run_cut_off_is_a_miss_or_a_doubt() {
    let sessions = |gap_ns: i64, cut: usize| {
        let mut run = Run::open(10.0, 30);
        for i in 0..200 {
            run.stream(i * 100, ms(20 + i % 7), gap_ns, 2);
        }
        for (session, record) in (0..).zip(run.records()) {
            record.turn = Some(infermeter_core::request::Turn { session, number: 0 });
        }
        let progress = run.manifest().progress.as_mut().expect("a progress");
        progress.unfinished_sessions = (0..cut as u64).collect();
        run
    };
    let objective = "session.e2e.p50<1s";
    check(sessions(ms(10), 0), objective, SloStatus::Met, None);
    // Few of them change nothing; as many as the others may all be long.
    check(sessions(ms(10), 5), objective, SloStatus::Met, None);
    let doubt = Some(SloDoubt::Straddles);
    check(
        sessions(ms(10), 120),
        objective,
        SloStatus::Undecided,
        doubt,
    );
    // They are beyond the limit already.
    check(sessions(ms(2_000), 200), objective, SloStatus::Missed, None);
}

/// The run with answers of which every `nth` is corrupted.
fn answered(nth: usize) -> Run {
    let mut run = run();
    run.manifest().plan.check_answers = true;
    for (place, record) in run.records().iter_mut().enumerate() {
        let mut doubts = Doubts::default();
        if place % nth == 0 {
            doubts.insert(Doubt::Gibberish);
        }
        record.answer = Some(Box::new(AnswerFacts {
            doubts,
            chars: 100,
            script: None,
            text_hash: place as u64 + 1,
            prompt_hash: place as u64 + 1,
            question: Some(Question {
                kind: QuestionKind::Copy,
                row: place as u32,
            }),
            correct: Some(place % nth != 0),
            reference: None,
        }));
    }
    run
}

#[test]
fn shares_of_answers_are_judged_where_answers_were_checked() {
    undecided("answers.corrupted<1%", SloDoubt::NotChecked);
    undecided("canary.accuracy>99%", SloDoubt::NotChecked);
    check(answered(2), "answers.corrupted<1%", SloStatus::Missed, None);
    check(
        answered(1_000),
        "answers.corrupted<5%",
        SloStatus::Met,
        None,
    );
    let straddles = Some(SloDoubt::Straddles);
    check(
        answered(1_000),
        "answers.corrupted<0.1%",
        SloStatus::Undecided,
        straddles,
    );
    let line = check(
        answered(2),
        "answers.corrupted{class=chat}<1%",
        SloStatus::Missed,
        None,
    );
    assert_eq!((line.measured.value, line.measured.n), (Some(0.5), 150));
    let mut run = answered(2);
    run.manifest().plan.canaries = "5%".parse().ok();
    check(run, "canary.accuracy>90%", SloStatus::Missed, None);
    // Nobody asked for evaluations.
    check(
        answered(2),
        "eval.accuracy>60%",
        SloStatus::Undecided,
        Some(SloDoubt::NotChecked),
    );
    check(
        answered(2),
        "reference.equal>60%",
        SloStatus::Undecided,
        Some(SloDoubt::NotChecked),
    );
}

#[test]
fn corrupted_answers_are_no_good_requests() {
    let goodput = |mut run: Run| {
        run.manifest().plan.slo = vec!["ttft.p50<1s".parse().expect("an objective")];
        summarize_log(&run.build()).1.goodput.expect("goodput")
    };
    let (all, half) = (goodput(run()), goodput(answered(2)));
    assert_eq!((all.attainment.count, all.sound_only), (150, false));
    assert_eq!((half.attainment.count, half.sound_only), (75, true));
    let whole = lines(answered(2), &["attainment(ttft<1s)>=99%"]).remove(0);
    assert_eq!(whole.measured.value, Some(0.5));
}
