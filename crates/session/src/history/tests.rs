//! Histories of runs that were measured in virtual time.

use super::*;
use crate::book::Book;
use crate::drive::drive;
use crate::gate::{GateSpec, gate};
use crate::runs::{Into, Runs};
use crate::virtually::Virtual;
use infermeter_analysis::{GateAnswer, GateDoubt};
use infermeter_core::plan::Plan;
use infermeter_protocol::Once;
use serde_json::Value;
use std::path::PathBuf;
use std::slice;

const SLOWER: &str = "mock:fixed?step=21500us";

/// Measures a run into a new directory.
fn measured(target: &str, seed: u64, directory: &Path) {
    let plan = Plan {
        target: target.to_owned(),
        rate: Some(30.0),
        duration: "10s".parse().ok(),
        warmup: "0".parse().ok(),
        workload: "fixed:20,8".parse().expect("a workload"),
        seed,
        ..Plan::defaults()
    };
    let into = Into::Alone(Some(directory.to_owned()));
    let mut runs = Runs::new(Virtual, slice::from_ref(&plan), into);
    let driven = drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {});
    assert!(driven.is_ok(), "{driven:?}");
}

fn kept(directory: &Path, server: Option<&str>) -> Entry {
    let origin = Origin {
        from: directory,
        occasion: None,
        server,
        more: &[],
        headline: |_| Value::Null,
    };
    entry(directory, &origin).expect("an entry")
}

/// A history of runs of a server that became slower behind the eighth, in a folder below `scratch`.
fn became_slower(scratch: &Path) -> (PathBuf, Vec<Entry>) {
    let entries = (0..14).map(|number: u64| {
        let directory = scratch.join(format!("run-{number}"));
        measured(
            if number < 8 { "mock:fixed" } else { SLOWER },
            number,
            &directory,
        );
        kept(&directory, Some("prod"))
    });
    let entries: Vec<Entry> = entries.collect();
    let folder = scratch.join("history");
    let added = add(&folder, &entries).expect("added");
    assert_eq!(added, vec![Added::New; 14]);
    (folder, entries)
}

#[test]
fn a_server_that_became_slower_is_found_with_what_else_changed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (folder, entries) = became_slower(scratch.path());
    let history = History::read(&folder).expect("a history");
    let [plan] = &history.plans[..] else {
        panic!(
            "{:?}",
            history.plans.iter().map(|p| &p.id).collect::<Vec<_>>()
        );
    };
    assert_eq!(plan.runs, entries);
    let trend = plan.trend(&looked_at(&[]));
    let figure = |name: &str| trend.figures.iter().find(|f| f.name == name).expect(name);
    let changes = &figure("tpot.p50").changes;
    let [change] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!((change.before, change.at, change.worse), (7, 8, true));
    assert!(
        change
            .change
            .is_some_and(|size| (0.05..0.1).contains(&size)),
        "{change:?}"
    );
    let beside = change.beside.join("\n");
    assert!(
        beside.contains("plan.target: mock:fixed, then mock:fixed?step=21500us"),
        "{beside}"
    );
    assert!(!beside.contains("seed"), "{beside}");
    assert!(figure("error_rate").changes.is_empty());
}

/// Three runs of the slower server are like its six before; against all fourteen they would be slower.
#[test]
fn a_gate_holds_runs_against_those_since_the_last_change() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (folder, _) = became_slower(scratch.path());
    let candidate = scratch.path().join("candidate");
    for number in 0..3 {
        measured(
            SLOWER,
            90 + number,
            &candidate.join(format!("run-{number}")),
        );
    }
    let spec = |criterion: &str| GateSpec {
        criteria: vec![criterion.parse().expect("a gate")],
        baseline: Some(folder.clone()),
        force: false,
    };
    let gated = gate(&candidate, &spec("tpot.p50>+2%")).expect("judged");
    assert_eq!(gated.baseline.len(), 6, "{gated:#?}");
    assert_eq!(gated.gate.answer, GateAnswer::Pass, "{gated:#?}");
    let history = gated.history.expect("a history");
    assert!(history.contains("tpot.p50 changed last"), "{history}");
    let one = gate(&candidate.join("run-0"), &spec("tpot.p50>+2%")).expect("judged");
    assert_eq!(
        one.gate.lines[0].doubt,
        Some(GateDoubt::TooFewRuns { needed: 19 })
    );
    let unkept = gate(&candidate, &spec("tpot.p12>+2%")).expect_err("not kept");
    assert!(
        format!("{unkept:#}").contains("keeps no tpot.p12"),
        "{unkept:#}"
    );
    let level = gate(&candidate, &spec("error_rate>1%")).expect("judged");
    assert_eq!(level.gate.answer, GateAnswer::Pass, "{level:#?}");
    // A line that is not read may have been a run of the baseline.
    let path = folder.join(HISTORY_FILE);
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, format!("rubbish\n{text}")).expect("written");
    let damaged = gate(&candidate, &spec("tpot.p50>+2%")).expect("judged");
    let history = damaged.history.expect("a history");
    assert!(
        history.contains("1 line of it is damaged and not read"),
        "{history}"
    );
    fs::write(&path, text).expect("written");
    // What is judged is no part of its own baseline.
    let own = gate(&scratch.path().join("run-13"), &spec("tpot.p50>+2%")).expect("judged");
    assert_eq!(own.baseline.len(), 5);
}

#[test]
fn a_run_is_in_it_once_and_an_invalid_one_is_never_used() {
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = scratch.path().join("run");
    measured("mock:fixed", 1, &directory);
    let valid = kept(&directory, None);
    let invalid = Entry {
        run_id: "another".to_owned(),
        record: "other rows".to_owned(),
        occasion: "another".to_owned(),
        verdict: Verdict::Invalid,
        ..valid.clone()
    };
    let folder = scratch.path().join("history");
    let all = [valid.clone(), invalid.clone()];
    assert_eq!(add(&folder, &all).expect("added"), [Added::New, Added::New]);
    let copied = Entry {
        run_id: "copied".to_owned(),
        ..valid.clone()
    };
    let again = add(&folder, &[invalid, copied]).expect("read");
    assert_eq!(again, [Added::Known, Added::Known]);
    let history = History::read(&folder).expect("a history");
    assert_eq!(history.runs().count(), 2);
    let trend = history.plans[0].trend(&looked_at(&[]));
    assert!(
        trend
            .figures
            .iter()
            .all(|f| (f.points.len(), f.unused.len()) == (1, 1))
    );

    // A damaged line is named, and the rest is read.
    let path = folder.join(HISTORY_FILE);
    let text = fs::read_to_string(&path).expect("there");
    fs::write(
        &path,
        text.replacen("\"format_version\":1", "\"format_version\":2", 1),
    )
    .expect("written");
    let damaged = History::read(&folder).expect("a history");
    assert_eq!((damaged.runs().count(), damaged.damaged[0].line), (1, 1));
    assert!(History::read(scratch.path()).is_err());
}

/// A record is no place for a history, and a history without runs is none.
#[test]
fn a_folder_that_holds_a_record_is_left_as_it_is() {
    let scratch = tempfile::tempdir().expect("a directory");
    let run = scratch.path().join("run");
    measured("mock:fixed", 1, &run);
    let names = |folder: &Path| -> Vec<String> {
        let names = fs::read_dir(folder).expect("listed");
        let mut names: Vec<String> = names
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    };
    let before = names(&run);
    let entry = kept(&run, None);
    for entries in [&[][..], slice::from_ref(&entry)] {
        let error = add(&run, entries).expect_err("a run");
        assert!(
            error.to_string().contains("holds a run, not a history"),
            "{error}"
        );
    }
    assert_eq!(names(&run), before);
    let none = scratch.path().join("none");
    assert_eq!(add(&none, &[]).expect("nothing to do"), []);
    assert!(!none.exists());
    fs::create_dir(&none).expect("created");
    fs::write(none.join(LEDGER_FILE), "").expect("written");
    assert!(add(&none, &[entry]).is_err());
    assert_eq!(names(&none), [LEDGER_FILE]);
}

/// A failure is the slowest of all: it counts, and is not left out.
#[test]
fn medians_rank_failures_highest() {
    let told = |value: f64| SloFigure {
        value: Some(value),
        n: 9,
        ..SloFigure::default()
    };
    let failed = SloFigure {
        infinite: true,
        n: 9,
        ..SloFigure::default()
    };
    let check = |all: &[&SloFigure], value: Option<f64>, infinite: bool| {
        let found = together(all);
        assert_eq!((found.value, found.infinite), (value, infinite), "{all:?}");
    };
    let (one, two) = (told(1.0), told(2.0));
    check(&[&failed, &one, &two], Some(2.0), false);
    check(&[&failed, &one, &failed], None, true);
    check(&[&failed, &one], None, true);
    check(&[&failed], None, true);
    check(&[&SloFigure::default(), &one, &two], Some(1.5), false);
}

/// Where half of the requests fail, half of the times are greater than any: that is kept, and drawn.
#[test]
fn a_figure_among_the_failures_is_kept() {
    let scratch = tempfile::tempdir().expect("a directory");
    let run = scratch.path().join("run");
    measured("mock:fixed?faults=status=503@70%", 1, &run);
    let kept = kept(&run, None);
    let figure = &kept.figures["ttft.p50"];
    assert!(figure.infinite && figure.value.is_none(), "{figure:?}");
    let plan = KeptPlan {
        id: String::new(),
        runs: vec![Entry {
            verdict: Verdict::Valid,
            ..kept
        }],
    };
    let trend = plan.trend(&looked_at(&[]));
    let point = trend
        .figures
        .iter()
        .find(|f| f.name == "ttft.p50")
        .expect("a figure")
        .points[0];
    assert_eq!(point.value, None);
}

#[test]
fn runs_that_were_measured_together_are_one() {
    let scratch = tempfile::tempdir().expect("a directory");
    let entries = (0..4).map(|number: u64| {
        let directory = scratch.path().join(format!("run-{number}"));
        measured("mock:fixed", number, &directory);
        Entry {
            occasion: format!("occasion-{}", number / 3),
            ..kept(&directory, None)
        }
    });
    let runs: Vec<Entry> = entries.collect();
    let mut of_three: Vec<f64> = runs[..3]
        .iter()
        .filter_map(|r| r.figures["e2e.mean"].value)
        .collect();
    of_three.sort_by(f64::total_cmp);
    let plan = KeptPlan {
        id: String::new(),
        runs,
    };
    let occasions = plan.occasions();
    assert_eq!(
        occasions.iter().map(|o| o.runs.len()).collect::<Vec<_>>(),
        [3, 1]
    );
    let together = occasions[0].figures();
    assert_eq!(together.figures["e2e.mean"].value, Some(of_three[1]));
    assert_eq!(together.figures["e2e.mean"].low, None);
    assert!(occasions[1].figures().figures["e2e.mean"].low.is_some());
}
