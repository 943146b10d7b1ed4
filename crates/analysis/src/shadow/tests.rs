//! Pairs made by hand: what is found of them, and what is not.

use super::*;
use infermeter_core::seed::splitmix64;

/// A number from 0 to 1.
fn noise(number: u64) -> f64 {
    (splitmix64(number) >> 11) as f64 / (1_u64 << 53) as f64
}

fn side(ttft_ms: f64) -> SideAnswer {
    SideAnswer {
        completed: true,
        ttft_ms: Some(ttft_ms),
        tpot_ms: Some(ttft_ms / 10.0),
        e2e_ms: Some(ttft_ms * 3.0),
        output_tokens: Some(20),
    }
}

/// A pair a second; the shadow takes `factor` times as long, give or take 5 %.
fn pair(number: u64, factor: f64) -> ShadowPair {
    let load = 100.0 + 50.0 * noise(number);
    let off = 1.0 + 0.05 * (noise(number ^ 0xff00) - 0.5);
    ShadowPair {
        at_ns: number as i64 * 1_000_000_000,
        tee_ns: 200_000,
        primary: side(load),
        shadow: side(load * factor * off),
        answers: Sameness::Sampled,
        same_finish: Some(true),
    }
}

fn failed(mut pair: ShadowPair) -> ShadowPair {
    pair.shadow = SideAnswer::default();
    pair.answers = Sameness::NotKnown;
    pair.same_finish = None;
    pair
}

fn compared(pairs: &[ShadowPair], looks: usize) -> ShadowComparison {
    let doubts = ShadowDoubts {
        requests: 2 * pairs.len() as u64,
        shadowed: pairs.len() as u64,
        ..ShadowDoubts::default()
    };
    let asked = ShadowAsked {
        margin: 0.03,
        looks,
    };
    ShadowComparison::of(pairs, asked, &doubts)
}

fn answers(found: &ShadowComparison) -> Vec<Answer> {
    found.changes.iter().map(|c| c.decision.answer).collect()
}

fn codes(found: &ShadowComparison) -> Vec<&str> {
    found.findings.iter().map(|f| f.code.as_str()).collect()
}

#[test]
fn a_server_beside_itself_is_equivalent_and_not_slower() {
    let pairs: Vec<ShadowPair> = (0..300).map(|n| pair(n, 1.0)).collect();
    let found = compared(&pairs, 1);
    assert_eq!(answers(&found), [Answer::Equivalent; 4], "{found:#?}");
    assert!(found.changes.iter().all(|c| c.not_worse == Some(true)));
    assert!(found.is_decided());
    assert_eq!(
        (codes(&found), found.verdict),
        (vec!["shadow-share"], Verdict::Valid)
    );
    let tee = found.tee_delay.expect("pairs");
    assert_eq!((tee.p50_us, tee.max_us), (200.0, 200.0));
}

#[test]
fn a_slow_shadow_is_found() {
    let pairs: Vec<ShadowPair> = (0..300).map(|n| pair(n, 1.1)).collect();
    let found = compared(&pairs, 1);
    assert_eq!(answers(&found)[..3], [Answer::Worse; 3], "{found:#?}");
    let ttft = found.changes[0].change.as_ref().expect("blocks");
    assert!((ttft.estimate - 1.1).abs() < 0.01, "{ttft:?}");
    assert_eq!(found.changes[0].not_worse, Some(false));
}

#[test]
fn a_little_slower_is_within_the_margin() {
    let pairs: Vec<ShadowPair> = (0..600).map(|n| pair(n, 1.015)).collect();
    assert_eq!(answers(&compared(&pairs, 1))[0], Answer::WorseWithinMargin);
}

#[test]
fn looks_share_the_error() {
    let pairs: Vec<ShadowPair> = (0..300).map(|n| pair(n, 1.1)).collect();
    let (one, six) = (compared(&pairs, 1), compared(&pairs, 6));
    let p = |found: &ShadowComparison| {
        found.changes[0]
            .change
            .as_ref()
            .expect("blocks")
            .signed_rank_p
    };
    assert!(p(&six) > p(&one), "{} {}", p(&six), p(&one));
    assert!(least_blocks(6) > least_blocks(1));
}

#[test]
fn few_pairs_decide_nothing() {
    let pairs: Vec<ShadowPair> = (0..30).map(|n| pair(n, 2.0)).collect();
    let found = compared(&pairs, 1);
    assert_eq!(answers(&found), [Answer::NotTested; 4]);
    assert_eq!(found.blocks, None);
    assert!(codes(&found).contains(&"few-pairs") && !found.is_decided());
    let none = compared(&[], 1);
    assert_eq!(
        (none.pairs, none.tee_delay, none.is_decided()),
        (0, None, false)
    );
}

/// Half a minute of slowness, half a minute of quickness, and so on.
#[test]
fn blocks_are_longer_where_pairs_resemble_their_neighbours() {
    let slow = |n: u64| {
        pair(
            n,
            if (n / 40).is_multiple_of(2) {
                1.05
            } else {
                0.95
            },
        )
    };
    let pairs: Vec<ShadowPair> = (0..2_000).map(slow).collect();
    let found = compared(&pairs, 1).blocks.expect("blocks");
    let quick: Vec<ShadowPair> = (0..2_000).map(|n| pair(n, 1.0)).collect();
    let short = compared(&quick, 1).blocks.expect("blocks");
    assert!(
        found.pairs_each >= 4 * short.pairs_each,
        "{found:?} {short:?}"
    );
    assert!(found.count * found.pairs_each <= 2_000);
}

#[test]
fn failures_are_a_figure_and_a_doubt() {
    let pairs: Vec<ShadowPair> = (0..400)
        .map(|n| {
            if n % 5 == 0 {
                failed(pair(n, 1.0))
            } else {
                pair(n, 1.0)
            }
        })
        .collect();
    let doubts = ShadowDoubts {
        requests: 400,
        shadowed: 400,
        breaker_openings: 2,
        failures: vec![("disconnected".to_owned(), 80)],
        lost: vec![("coded answers".to_owned(), 3)],
        ..ShadowDoubts::default()
    };
    let asked = ShadowAsked {
        margin: 0.03,
        looks: 1,
    };
    let found = ShadowComparison::of(&pairs, asked, &doubts);
    assert_eq!(found.ends.shadow_failed, 80);
    assert_eq!(
        found.changes[3].decision.answer,
        Answer::Worse,
        "{found:#?}"
    );
    assert_eq!(
        codes(&found),
        ["shadow-failed", "observations-lost", "shadow-share"]
    );
    assert!(
        found.findings[0].evidence.contains("80 disconnected"),
        "{:?}",
        found.findings[0]
    );
    assert_eq!(found.verdict, Verdict::Questionable);
}

/// The exact bound of 40 pairs without a failure is 7.2 %.
#[test]
fn no_failure_in_few_pairs_shows_little() {
    let pairs: Vec<ShadowPair> = (0..40).map(|n| pair(n, 1.0)).collect();
    let found = &compared(&pairs, 1).changes[3];
    assert_eq!(found.decision.answer, Answer::Undecided, "{found:#?}");
    assert_eq!(found.not_worse, Some(false));
    let worst = found.at_most_worse.expect("blocks");
    assert!((worst - 0.072).abs() < 0.001, "{worst}");
}

/// Three of four blocks have no failure, so that the ranks of blocks see none.
#[test]
fn a_share_of_failures_beyond_the_margin_is_not_shown_to_be_within_it() {
    let every_twentieth = |n: u64| match n % 20 {
        0 => failed(pair(n, 1.0)),
        _ => pair(n, 1.0),
    };
    let pairs: Vec<ShadowPair> = (0..400).map(every_twentieth).collect();
    let found = &compared(&pairs, 1).changes[3];
    assert_eq!(found.not_worse, Some(false), "{found:#?}");
    assert!(found.at_most_worse > Some(0.049), "{found:#?}");
}

/// The shadow becomes slower all the time: there are no blocks that do not depend on each other.
#[test]
fn blocks_that_stay_correlated_decide_nothing() {
    let pairs: Vec<ShadowPair> = (0..400)
        .map(|n| pair(n, 1.1 + 0.2 * n as f64 / 400.0))
        .collect();
    let found = compared(&pairs, 1);
    assert_eq!(answers(&found), [Answer::Undecided; 4], "{found:#?}");
    assert!(
        found
            .changes
            .iter()
            .all(|change| change.not_worse.is_none())
    );
    assert!(codes(&found).contains(&"blocks-correlated"));
    assert_eq!(found.verdict, Verdict::Questionable);
}

#[test]
fn pairs_that_were_broken_off_are_said_with_their_direction() {
    let pairs: Vec<ShadowPair> = (0..300).map(|n| pair(n, 1.0)).collect();
    let with = |primary: u64, shadow: u64| {
        let doubts = ShadowDoubts {
            broken_off: BrokenOff {
                primary,
                shadow,
                both: 1,
            },
            ..ShadowDoubts::default()
        };
        let asked = ShadowAsked {
            margin: 0.03,
            looks: 1,
        };
        ShadowComparison::of(&pairs, asked, &doubts)
    };
    let few = with(0, 1);
    assert_eq!(codes(&few), ["pairs-broken-off"]);
    assert!(few.findings[0].message.contains("the shadow's"), "{few:#?}");
    assert_eq!(few.verdict, Verdict::Valid);
    let many = with(20, 3);
    assert!(many.findings[0].message.contains("the primary's"));
    assert!(many.findings[0].evidence.contains("alone 20"));
    assert_eq!(many.verdict, Verdict::Questionable);
}

#[test]
fn answers_that_differ_are_said_of_repeatable_requests_alone() {
    let of = |n: u64, answers: Sameness| ShadowPair {
        answers,
        ..pair(n, 1.0)
    };
    let pairs: Vec<ShadowPair> = (0..100)
        .map(|n| match n % 4 {
            0 => of(n, Sameness::Equal),
            1 => of(n, Sameness::Differ),
            _ => of(n, Sameness::Sampled),
        })
        .collect();
    let found = compared(&pairs, 1);
    let answers = (
        found.answers.equal,
        found.answers.differ,
        found.answers.sampled,
    );
    assert_eq!(answers, (25, 25, 50));
    assert!(codes(&found).contains(&"shadow-answers-differ"));
}
