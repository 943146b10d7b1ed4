//! Comparisons of fabricated rounds.

use super::*;
use crate::prefix_cache::{HitRate, HitSource, PrefixCacheSummary};
use crate::summarize_log;
use infermeter_metrics::fixture::Run;

/// A run whose tokens come `late_ns` later than usual.
fn run(late_ns: i64) -> Summary {
    let mut run = Run::steady(120, 20.0, 12);
    for record in run.records() {
        for chunk in &mut record.chunks {
            chunk.at.0 += late_ns;
            chunk.seen.0 += late_ns;
            chunk.lower.0 += late_ns;
        }
        let later = [
            &mut record.first_byte,
            &mut record.first_byte_seen,
            &mut record.finished,
            &mut record.closed,
        ];
        later.into_iter().flatten().for_each(|at| at.0 += late_ns);
    }
    summarize_log(&run.build()).1
}

fn asked(sides: &[&str]) -> CompareSpec {
    CompareSpec {
        sides: sides.iter().map(|side| (*side).to_owned()).collect(),
        primary: ["ttft.p50", "e2e.mean"]
            .map(|name| name.parse().expect(name))
            .to_vec(),
        margin: 0.03,
        claims: Vec::new(),
    }
}

/// Rounds in which every side is later than the first by so many milliseconds.
fn rounds(sides: &[&[i64]]) -> Vec<Vec<Summary>> {
    let late = |ms: &i64| run(ms * 1_000_000);
    sides
        .iter()
        .map(|late_ms| late_ms.iter().map(late).collect())
        .collect()
}

fn loads(runs: &[Vec<Summary>]) -> Vec<LoadRounds<'_>> {
    let of = |summary| SideRun {
        summary,
        verdict: Verdict::Valid,
        setup: None,
    };
    vec![LoadRounds {
        load: "20 requests/s".to_owned(),
        rounds: (1..)
            .zip(runs)
            .map(|(number, round)| Round {
                number,
                runs: round.iter().map(of).map(Some).collect(),
            })
            .collect(),
    }]
}

fn compared(asked: &CompareSpec, sides: &[&[i64]]) -> Comparison {
    let runs = rounds(sides);
    Comparison::of(asked, &loads(&runs), Turns::InTurn)
}

const SLOWER: [&[i64]; 8] = [
    &[0, 40],
    &[1, 42],
    &[2, 41],
    &[0, 39],
    &[1, 40],
    &[3, 44],
    &[2, 43],
    &[1, 38],
];

#[test]
fn a_slower_side_is_found_and_told_in_every_figure() {
    let found = compared(&asked(&["A", "B"]), &SLOWER);
    let answers: Vec<Answer> = found.answers().collect();
    assert_eq!(answers[0], Answer::Worse, "{:?}", found.loads[0].changes[0]);
    assert_eq!(
        (found.family, answers.len(), found.verdict),
        (2, 2, Verdict::Valid)
    );
    let load = &found.loads[0];
    assert_eq!(load.rounds, 8);
    let primary: Vec<String> = load.changes[..2]
        .iter()
        .map(|c| c.axis.to_string())
        .collect();
    assert_eq!(primary, ["ttft.p50", "e2e.mean"]);
    assert!(
        load.changes[2..]
            .iter()
            .all(|change| change.decision.is_none())
    );
    let ttft = load
        .figures
        .iter()
        .find(|f| f.axis.to_string() == "ttft.p50");
    let [Some(first), Some(other)] = ttft.expect("a figure").sides[..] else {
        panic!("both sides have it");
    };
    assert!(other - first > 35.0, "{first} {other}");
    assert!(
        load.figures
            .iter()
            .all(|f| !f.axis.to_string().starts_with("ttfo"))
    );
}

#[test]
fn five_rounds_say_that_they_are_too_few() {
    let found = compared(&asked(&["A", "B"]), &SLOWER[..5]);
    let codes: Vec<&str> = found.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["few-rounds"]);
    assert!(found.findings[0].evidence.contains("5 of at least 7"));
    assert!(found.answers().all(|answer| answer == Answer::NotTested));
}

#[test]
fn three_sides_are_one_family() {
    let sides: Vec<Vec<i64>> = SLOWER
        .iter()
        .map(|round| [round, &round[1..]].concat())
        .collect();
    let sides: Vec<&[i64]> = sides.iter().map(Vec::as_slice).collect();
    let found = compared(&asked(&["A", "B", "C"]), &sides);
    assert_eq!(found.family, 4);
    let ttft: Vec<&ComparedChange> = found.loads[0]
        .changes
        .iter()
        .filter(|change| change.axis.to_string() == "ttft.p50")
        .collect();
    assert_eq!(ttft.iter().map(|c| c.side).collect::<Vec<_>>(), [1, 2]);
    // Four tests of eight equal signs: 4 x 2 / 256.
    let decision = ttft[1].decision.expect("primary");
    assert_eq!(
        (decision.answer, decision.adjusted_p),
        (Answer::Worse, Some(8.0 / 256.0))
    );
}

#[test]
fn what_speaks_against_it_is_found() {
    let treatment = "prefix_cache_hit_rate>0.3".parse().expect("a treatment");
    let asked = CompareSpec {
        claims: vec![Claim::declared(treatment, 0, 1)],
        ..asked(&["A", "B"])
    };
    let codes = |found: &Comparison| -> Vec<String> {
        found.findings.iter().map(|f| f.code.clone()).collect()
    };
    let found = compared(&asked, &SLOWER);
    assert_eq!(codes(&found), ["treatment-unproven"]);
    let runs = rounds(&SLOWER);
    let setup = |workload: &str| RunSetup {
        workload: Some(workload.to_owned()),
        schedule: None,
        facts: Vec::new(),
        began_ns: None,
        alone: None,
        cache_unused: false,
    };
    let setups = [setup("one"), setup("two")];
    let mut loads = loads(&runs);
    for round in &mut loads[0].rounds[6..] {
        for (run, setup) in round.runs.iter_mut().flatten().zip(&setups) {
            run.setup = Some(setup);
        }
    }
    let doubtful = loads[0].rounds[0].runs[1].as_mut().expect("a run");
    doubtful.verdict = Verdict::Questionable;
    let found = Comparison::of(&asked, &loads, Turns::Apart);
    let expect = [
        "treatment-unproven",
        "loads-differ",
        "sides-not-valid",
        "sides-apart",
    ];
    assert_eq!(codes(&found), expect);
    assert!(
        found.findings[1].evidence.contains("7, 8"),
        "{:?}",
        found.findings[1]
    );
    assert_eq!(found.verdict, Verdict::Invalid);
}

#[test]
fn treatments_and_answers_come_before_any_speed() {
    let treatment = "prefix_cache_hit_rate>0.3".parse().expect("a treatment");
    let asked = CompareSpec {
        claims: vec![Claim::declared(treatment, 0, 1)],
        ..asked(&["A", "B"])
    };
    let mut runs = rounds(&SLOWER);
    for summary in runs.iter_mut().flatten() {
        summary.prefix_cache = Some(PrefixCacheSummary {
            asked: None,
            unlimited: None,
            realised: Some(HitRate {
                share: 0.0,
                cached_tokens: 0,
                prompt_tokens: 900,
                source: HitSource::Usage,
            }),
        });
    }
    for round in &mut runs {
        round[1].tokens.output_tokens /= 2;
    }
    let found = Comparison::of(&asked, &loads(&runs), Turns::InTurn);
    let codes: Vec<&str> = found.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["treatment-inactive", "answers-differ"]);
    assert_eq!(found.verdict, Verdict::Invalid);
}

#[test]
fn a_pilot_says_what_can_be_found() {
    let runs = rounds(&SLOWER[..3]);
    let figures = pilot(&asked(&["A", "B"]), &loads(&runs), 8);
    assert_eq!(figures.len(), 2);
    let ttft = &figures[0];
    assert_eq!(
        (ttft.axis.to_string().as_str(), ttft.rounds),
        ("ttft.p50", 3)
    );
    assert!(ttft.std_upper > 2.0 * ttft.std && ttft.detectable.expect("eight") > ttft.std);
    let few = pilot(&asked(&["A", "B"]), &loads(&runs), 5);
    assert_eq!(few[0].detectable, None);
}

/// The third side was there for two rounds of eight.
#[test]
fn a_side_that_is_missing_leaves_the_others_to_be_compared() {
    let three = |round: &&[i64]| -> Vec<i64> { vec![round[0], round[1], 5] };
    let sides: Vec<Vec<i64>> = SLOWER.iter().map(three).collect();
    let sides: Vec<&[i64]> = sides.iter().map(Vec::as_slice).collect();
    let (runs, asked) = (rounds(&sides), asked(&["A", "B", "C"]));
    let mut loads = loads(&runs);
    for round in &mut loads[0].rounds[2..] {
        round.runs[2] = None;
    }
    let found = Comparison::of(&asked, &loads, Turns::InTurn);
    let load = &found.loads[0];
    assert_eq!((load.rounds, &load.shared[..]), (8, &[8, 2][..]));
    assert_eq!(found.family, 4, "it was declared, whatever came");
    let answers: Vec<Answer> = found.answers().collect();
    assert_eq!(answers[0], Answer::Worse);
    assert_eq!(&answers[2..], [Answer::NotTested; 2]);
    let ttft = load.changes.iter().find(|change| change.side == 2);
    let pairs = ttft
        .and_then(|change| change.change.as_ref())
        .map(|c| c.pairs);
    assert_eq!(pairs, Some(2));
    assert_eq!(found.findings[0].code, "few-rounds");
    assert!(
        found.findings[0]
            .evidence
            .starts_with("C has 2 of at least"),
        "{:?}",
        found.findings[0]
    );
}

#[test]
fn a_side_that_was_measured_later_is_named() {
    let runs = rounds(&SLOWER);
    let late = |began: &dyn Fn(i64, i64) -> i64| {
        let setup = |round: i64, side: i64| RunSetup {
            workload: None,
            schedule: None,
            facts: Vec::new(),
            began_ns: Some(began(round, side)),
            alone: None,
            cache_unused: false,
        };
        let setups: Vec<RunSetup> = (0..8)
            .flat_map(|round| [setup(round, 0), setup(round, 1)])
            .collect();
        let mut loads = loads(&runs);
        let all = loads[0]
            .rounds
            .iter_mut()
            .flat_map(|round| &mut round.runs)
            .flatten();
        for (run, setup) in all.zip(&setups) {
            run.setup = Some(setup);
        }
        let found = Comparison::of(&asked(&["A", "B"]), &loads, Turns::InTurn);
        let evidence = found.findings.into_iter().map(|f| f.evidence);
        evidence.collect::<Vec<String>>()
    };
    assert_eq!(late(&|round, side| 2 * round + side), [""; 0]);
    let seventh = |round, side| match (round, side) {
        (6, 1) => 100,
        _ => 2 * round + side,
    };
    assert_eq!(
        late(&seventh),
        ["Other rounds lie between the runs of round 7."]
    );
}

#[test]
fn a_price_that_one_side_does_not_tell_is_no_price() {
    let mut runs = rounds(&SLOWER);
    let mut log = Run::steady(120, 20.0, 12).build();
    let plan = &mut log.manifest.plan;
    (plan.gpus, plan.gpu_hour) = (Some(8), Some(2.5));
    let (_, priced) = summarize_log(&log);
    for round in &mut runs {
        round[0] = priced.clone();
    }
    let found = Comparison::of(&asked(&["A", "B"]), &loads(&runs), Turns::InTurn);
    let figure = |name: &str| {
        let mut figures = found.loads[0].figures.iter();
        figures.find(|figure| figure.axis.to_string() == name)
    };
    let cost = figure("cost_per_million_output_tokens").expect("one side knows");
    assert!(cost.sides[0] > Some(0.0), "{cost:?}");
    assert_eq!((cost.sides[1], &cost.undeclared[..]), (None, &[1][..]));
    assert!(
        figure("cost_per_good_request").is_none(),
        "no objective says what is good"
    );
}
