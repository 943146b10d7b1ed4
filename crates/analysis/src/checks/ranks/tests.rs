//! Runs of several ranks: clean ones, and one for each thing in which ranks may differ.

use crate::checks::tests::{check_log, quiet};
use infermeter_core::run::{ClientRun, ClockOffset, OffsetSource, RankFacts};
use infermeter_metrics::fixture::{later, ms, ranked};

/// Findings of a quiet run of four ranks, of which the third was changed.
fn check(change: impl FnOnce(&mut ClientRun), expect: &[&str]) {
    let mut log = ranked(quiet().build(), 4);
    change(&mut log.manifest.clients[2]);
    check_log(&log, expect);
}

fn facts(client: &mut ClientRun) -> &mut RankFacts {
    client.rank.as_mut().expect("a rank")
}

fn known_to(client: &mut ClientRun, offset_ns: i64, bound_ns: i64) {
    facts(client).clock = Some(ClockOffset {
        offset_ns,
        bound_ns,
        by: OffsetSource::Ntp,
    });
}

#[test]
fn ranks_that_agree_raise_nothing() {
    check(|_| {}, &[]);
    check_log(&ranked(quiet().build(), 1), &[]);
}

#[test]
fn ranks_of_another_build_or_with_other_cores() {
    let warning = ["warning ranks-differ"];
    check(
        |client| facts(client).version = "0.2.0".to_owned(),
        &warning,
    );
    check(
        |client| facts(client).program = Some("cd".repeat(32)),
        &warning,
    );
    check(|client| facts(client).arch = "aarch64".to_owned(), &warning);
    check(|client| client.health.cores = 64, &["note ranks-differ"]);
    // What is not known is no difference.
    check(|client| facts(client).program = None, &[]);
    check(
        |client| client.rank = None,
        &["warning clock-offset-unknown"],
    );
}

#[test]
fn clocks_that_are_known_badly_or_not_at_all() {
    check(
        |client| facts(client).clock = None,
        &["warning clock-offset-unknown"],
    );
    let large = ["warning clock-offset-large"];
    // The window has 65 s: 50 ms are less than a hundredth of it.
    check(|client| known_to(client, 0, ms(51)), &large);
    check(|client| known_to(client, 0, ms(49)), &[]);
    // An offset that is known well has been taken off.
    check(
        |client| {
            known_to(client, ms(9_000), ms(1));
            client.clock = client.clock.map(|clock| later(clock, ms(9_000)));
        },
        &[],
    );
}

#[test]
fn ranks_that_began_one_after_the_other() {
    let by = |ns: i64| {
        move |client: &mut ClientRun| {
            client.clock = client.clock.map(|clock| later(clock, ns));
        }
    };
    check(by(ms(51)), &["warning ranks-started-apart"]);
    check(by(ms(49)), &[]);
    check(by(-ms(51)), &["warning ranks-started-apart"]);
    // What is known no better than that says nothing.
    check(
        |client| {
            known_to(client, 0, ms(120));
            by(ms(100))(client);
        },
        &["warning clock-offset-large"],
    );
}

#[test]
fn messages_name_the_ranks() {
    let mut log = ranked(quiet().build(), 12);
    for client in &mut log.manifest.clients[2..] {
        facts(client).version = "0.2.0".to_owned();
    }
    known_to(&mut log.manifest.clients[5], 0, ms(300));
    let (run, summary) = crate::summarize_log(&log);
    let findings = crate::judge(&run, &summary);
    let evidence = |code: &str| {
        let found = findings.iter().find(|finding| finding.code == code);
        found.expect("raised").evidence.clone()
    };
    assert_eq!(
        evidence("ranks-differ"),
        "version 0.1.0 (ranks 0 and 1), 0.2.0 (ranks 2, 3, 4, 5, 6, 7, 8, 9 and 2 more)."
    );
    assert!(
        evidence("clock-offset-large")
            .contains("that of rank 5 (node-5): 300.0 ms, by what the hosts'"),
        "{}",
        evidence("clock-offset-large")
    );
}
