//! `infermeter history`: runs added from directories and bundles, shown, and held against.

use crate::process::{LIGHT, Scratch, UNPROBED, infermeter, mock, run};
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
    for said in ["ttft.p75", "e2e.mean", "mock:fixed"] {
        assert!(show.out.contains(said), "no `{said}` in {}", show.out);
    }
    infermeter(&format!("history show {folder} zzz")).fails(2, &["has an id that begins with zzz"]);

    let page = scratch.path("trend.html");
    let trend = infermeter(&format!("history trend {folder} --html={}", page.display()));
    assert_eq!(trend.code, Some(0), "{trend:#?}");
    assert!(
        trend.out.contains("needs 10 runs") || trend.out.contains("needs 8 runs"),
        "{}",
        trend.out
    );
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.contains("e2e.p50 over time"), "no chart");
    let figures = infermeter(&format!("history trend {folder} --figure e2e.mean --json")).json();
    let points = &figures["plans"][0]["trend"]["figures"][0]["points"];
    assert_eq!(
        points.as_array().expect("a list").len(),
        2,
        "runs of one experiment are one point"
    );
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
        "history add {folder} {none} {killed} {}",
        one.dir.display()
    ));
    assert_eq!(added.code, Some(2), "{added:#?}");
    for said in ["cannot open", "its record is not complete", "added"] {
        assert!(added.out.contains(said), "no `{said}` in {}", added.out);
    }
    let path = scratch.path("nightly/history.jsonl");
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, format!("rubbish\n{text}")).expect("written");
    let list = infermeter(&format!("history list {folder}"));
    assert_eq!(list.code, Some(3), "{list:#?}");
    for said in ["line 1", "it is not a line of this file", "mock:fixed"] {
        assert!(list.out.contains(said), "no `{said}` in {}", list.out);
    }
    infermeter(&format!("history trend {folder} --figure tttf.p50"))
        .fails(2, &["did you mean `ttft`?"]);
    infermeter(&format!("history trend {folder} --plan zzz"))
        .fails(2, &["no plan of this history"]);
}

/// Between runs that are few nothing is decided, and it is said how many it takes.
#[test]
fn a_gate_says_how_many_runs_it_needs() {
    let scratch = Scratch::new();
    let folder = scratch.path("nightly").display().to_string();
    let (old, new) = (run(mock(), ""), run(mock(), "--seed 2"));
    infermeter(&format!("history add {folder} {}", old.dir.display()));
    let line = format!(
        "gate {} --baseline {folder} --fail-if 'e2e.mean>+5%'",
        new.dir.display()
    );
    let gate = infermeter(&line);
    assert_eq!(gate.code, Some(5), "{gate:#?}");
    for said in [
        "needs 19 for 1 run here",
        "1 run of",
        "without a change among them",
    ] {
        assert!(gate.out.contains(said), "no `{said}` in {}", gate.out);
    }
    let other = run(mock(), "--rate 40");
    let line = format!(
        "gate {} --baseline {folder} --fail-if 'e2e.mean>+5%'",
        other.dir.display()
    );
    infermeter(&line).fails(2, &["has no runs of this plan", "rate is"]);
}
