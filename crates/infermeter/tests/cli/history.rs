//! `infermeter history`: runs added from directories and bundles, shown, and held against.

use crate::process::{LIGHT, Run, Scratch, UNPROBED, everything_in, infermeter, mock, run};
use std::fs;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records");

#[test]
fn runs_are_added_once_listed_shown_and_drawn() {
    let scratch = Scratch::new();
    let folder = scratch.path("nightly").display().to_string();
    let one = run(mock(), "");
    let dir = one.dir.display();
    let added = infermeter(&format!(
        "history add {folder} {dir} --figure 'ttft.p75' --json"
    ));
    assert_eq!(added.code, Some(0), "{added:#?}");
    assert_eq!(added.json()["runs"][0]["result"], "added");
    let bundle = scratch.path("one.tar.gz").display().to_string();
    infermeter(&format!("bundle {dir} --out {bundle}"));
    let again = infermeter(&format!("history add {folder} {bundle} --json"));
    assert_eq!(
        again.json()["runs"][0]["result"],
        "there already",
        "{again:#?}"
    );
    let twice = scratch.path("twice").display().to_string();
    infermeter(&format!(
        "run {} {LIGHT} {UNPROBED} --repeat 2 --out {twice}",
        mock()
    ));
    infermeter(&format!("history add {folder} {twice}"));
    // The runs may be gone.
    fs::remove_dir_all(&one.dir).expect("removed");

    let list = infermeter(&format!("history list {folder} --json"));
    assert_eq!(list.code, Some(0), "{list:#?}");
    let plans = list.json()["plans"].clone();
    assert_eq!(
        plans.as_array().expect("a list").len(),
        1,
        "one plan: {plans:#}"
    );
    assert_eq!(plans[0]["runs"].as_array().expect("a list").len(), 3);
    let id = plans[0]["runs"][0]["run_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(plans[0]["runs"][0]["headline"]["completed"], 6);
    let show = infermeter(&format!("history show {folder} {}", &id[..8]));
    assert_eq!(show.code, Some(0), "{show:#?}");
    for said in ["ttft.p75", "e2e.mean", "mock/fixed"] {
        assert!(show.out.contains(said), "no `{said}` in {}", show.out);
    }
    infermeter(&format!("history show {folder} zzz")).fails(2, &["has an id that begins with zzz"]);

    // Of so few requests nothing else is sure to have a value.
    let asked = format!("history trend {folder} --figure error_rate");
    let page = scratch.path("trend.html");
    let trend = infermeter(&format!("{asked} --html={}", page.display()));
    assert_eq!(trend.code, Some(0), "{trend:#?}");
    assert!(trend.out.contains("needs 8 runs"), "{}", trend.out);
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("error_rate over time"), "no chart");
    let figure = &infermeter(&format!("{asked} --json")).json()["plans"][0]["trend"]["figures"][0];
    let points = |name: &str| figure[name].as_array().expect("a list").len();
    let all = points("points") + points("unused");
    assert_eq!(all, 2, "runs of one experiment are one point");
    let charts = infermeter(&format!("plot {folder}"));
    assert!(charts.out.contains("trend-"), "{charts:#?}");
}

#[test]
fn what_cannot_be_added_or_read_is_named() {
    let scratch = Scratch::new();
    let folder = scratch.path("nightly").display().to_string();
    infermeter(&format!("history list {folder}")).fails(2, &["holds no history"]);
    let one = run(mock(), "");
    let killed = format!("{KEPT}/killed");
    let none = scratch.path("none").display().to_string();
    let added = infermeter(&format!(
        "history add {folder} {none} {killed} {} --json",
        one.dir.display()
    ));
    assert_eq!(added.code, Some(2), "{added:#?}");
    for said in ["cannot open", "its record is not complete", "\"added\""] {
        assert!(added.out.contains(said), "no `{said}` in {}", added.out);
    }
    let path = scratch.path("nightly/history.jsonl");
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, format!("rubbish\n{text}")).expect("written");
    let list = infermeter(&format!("history list {folder}"));
    assert_eq!(list.code, Some(3), "{list:#?}");
    for said in ["line 1", "it is not a line of this file", "mock/fixed"] {
        assert!(list.out.contains(said), "no `{said}` in {}", list.out);
    }
    infermeter(&format!("history trend {folder} --figure tttf.p50"))
        .fails(2, &["did you mean `ttft`?"]);
    infermeter(&format!("history trend {folder} --plan zzz"))
        .fails(2, &["no plan of this history"]);
}

/// The folder is the first argument: who forgets it names a run.
#[test]
fn a_run_is_not_made_a_history() {
    let scratch = Scratch::new();
    let one = run(mock(), "");
    let before = everything_in(&one.dir);
    let none = scratch.path("none").display().to_string();
    infermeter(&format!("history add {} {none}", one.dir.display()))
        .fails(2, &["holds a run, not a history"]);
    assert_eq!(everything_in(&one.dir), before);
    let folder = scratch.path("nightly");
    let added = infermeter(&format!("history add {} {none}", folder.display()));
    assert_eq!(added.code, Some(2), "{added:#?}");
    assert!(!folder.exists());
}

/// Between runs that are few nothing is decided.
#[test]
fn a_gate_takes_the_folder_of_a_history() {
    let scratch = Scratch::new();
    let folder = scratch.path("nightly").display().to_string();
    let (old, new) = (run(mock(), ""), run(mock(), "--seed 2"));
    infermeter(&format!("history add {folder} {}", old.dir.display()));
    let gate = |run: &Run| {
        let dir = run.dir.display();
        infermeter(&format!(
            "gate {dir} --baseline {folder} --fail-if 'throughput<-5%'"
        ))
    };
    let judged = gate(&new);
    // An Invalid run, as on a busy machine, ends with 3.
    assert!(matches!(judged.code, Some(3 | 5)), "{judged:#?}");
    for said in ["Gate: inconclusive", "without a change among them"] {
        assert!(judged.out.contains(said), "no `{said}` in {}", judged.out);
    }
    let other = run(mock(), "--timeout 77s");
    gate(&other).fails(2, &["has no runs of this plan", "timeout is"]);
    let path = scratch.path("nightly/history.jsonl");
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, format!("rubbish\n{text}")).expect("written");
    let judged = gate(&new);
    let words: Vec<&str> = judged.out.split_whitespace().collect();
    let text = words.join(" ");
    assert!(
        text.contains("1 line of it is damaged and not read"),
        "{text}"
    );
}
