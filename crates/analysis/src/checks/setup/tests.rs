//! Servers that were cold, cached, or logged.

use crate::checks::tests::{check, every, postpone_answer};
use infermeter_core::plan::PrefixMode;
use infermeter_metrics::fixture::{Run, ms};

#[test]
fn a_cold_server_in_the_window() {
    // TTFT of the others is at most 80 ms.
    let cold = |n: usize, ns: i64| {
        move |run: &mut Run| every(run, 1).take(n).for_each(|r| postpone_answer(r, ns))
    };
    check(cold(1, ms(900)), &["warning cold-start-samples"]);
    check(cold(3, ms(300)), &["warning cold-start-samples"]);
    check(cold(1, ms(100)), &[]);
    // A prompt far longer than all later ones has a reason of its own.
    check(
        |run| {
            cold(1, ms(900))(run);
            every(run, 10_000).for_each(|r| {
                r.requested_prompt_tokens = 9_000;
                r.prompt_tokens = Some(9_000);
            });
        },
        &[],
    );
    // Slow, but not the first ones.
    check(
        |run| {
            every(run, 300)
                .skip(1)
                .take(1)
                .for_each(|r| postpone_answer(r, ms(900)))
        },
        &[],
    );
}

#[test]
fn a_file_that_was_not_sent_whole() {
    let left_out = |texts: &'static [&'static str]| {
        move |run: &mut Run| {
            run.manifest().environment.workload.left_out =
                Some(texts.iter().map(|&text| text.to_owned()).collect());
        }
    };
    check(
        left_out(&["left out 1 row (line 3): an empty prompt"]),
        &["note file-not-whole"],
    );
    check(left_out(&[]), &[]);
}

#[test]
fn a_dataset_that_was_sent_again() {
    let texts = |texts: u64, prefix: Option<PrefixMode>| {
        move |run: &mut Run| {
            run.manifest().environment.workload.texts_before_repeating = Some(texts);
            run.manifest().plan.prefix = prefix;
        }
    };
    check(texts(10, None), &["warning dataset-repeated"]);
    check(texts(1_340, None), &["note dataset-repeated"]);
    check(
        texts(10, Some(PrefixMode::Bust)),
        &["note dataset-repeated"],
    );
    check(texts(1_000_000, None), &[]);
}

#[test]
fn a_server_that_is_said_to_log_much() {
    let said = |engine_info: &'static str| {
        move |run: &mut Run| run.manifest().plan.engine_info = Some(engine_info.to_owned())
    };
    let expect = &["note verbose-server-logging"];
    check(said("logging=requests"), expect);
    check(
        said("engine=vllm, flags=--enable-log-requests --seed 1"),
        expect,
    );
    check(said("flags=--log-level=DEBUG"), expect);
    check(said("logging=warning"), &[]);
    check(said("flags=--disable-log-requests --log-level info"), &[]);
}

#[test]
fn shared_beginnings_of_unknown_effect() {
    let shared = |engine_info: Option<&'static str>| {
        move |run: &mut Run| {
            let manifest = run.manifest();
            manifest.plan.publication = true;
            manifest.plan.engine_info = engine_info.map(str::to_owned);
            manifest.environment.workload.shared_prefix_share = Some(0.4);
        }
    };
    let found_of = |change: &dyn Fn(&mut Run)| {
        let mut run = Run::steady(1_300, 20.0, 12);
        change(&mut run);
        let (run, summary) = crate::summarize_log(&run.build());
        super::hits_undeclared(&run, &summary).map(|f| f.code)
    };
    let found = |engine_info| found_of(&shared(engine_info));
    let code = Some("cache-hits-undeclared".to_owned());
    assert_eq!(found(None), code);
    assert_eq!(found(Some("prefix-cache=on")), code);
    assert_eq!(found(Some("prefix-cache=off")), None);
    assert_eq!(found(Some("hit-rate=0.38")), None);
    let again = |prefix| found_of(&move |run: &mut Run| run.manifest().plan.prefix = prefix);
    assert_eq!(again(Some(PrefixMode::None)), code);
    assert_eq!(again(Some(PrefixMode::Bust)), None);
    assert_eq!(again(None), None);
}
