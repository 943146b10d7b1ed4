//! `infermeter list`: a folder with a run, an experiment, something damaged and something else.

use crate::process::{LIGHT, Scratch, UNPROBED, infermeter, mock};
use serde_json::Value;
use std::fs;

#[test]
fn a_folder_is_listed_and_what_is_damaged_is_named() {
    let scratch = Scratch::new();
    let folder = scratch.path("runs");
    let at = |name: &str| folder.join(name).display().to_string();
    let run = |more: &str| infermeter(&format!("run {} {LIGHT} {UNPROBED} {more}", mock()));
    run(&format!("--out {}", at("one")));
    run(&format!("--repeat 2 --out {}", at("twice")));
    let clean = infermeter(&format!("list {} --json", folder.display()));
    assert_eq!(clean.code, Some(0), "{clean:#?}");
    let entries = clean.json()["entries"].clone();
    let names = |entries: &Value| {
        let entries = entries.as_array().expect("a list").iter();
        let name = |e: &Value| e["directory"].as_str().map(str::to_owned).expect("a path");
        entries.map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&entries), [at("twice"), at("one")]);
    let [experiment, single] = [&entries[0], &entries[1]];
    assert_eq!(experiment["command"], "run");
    assert_eq!(experiment["runs"], 2);
    assert!(experiment["answer"].is_string());
    assert_eq!(single["headline"]["completed"], 6);
    assert_eq!(single["headline"]["ttft"]["origin"], "intended");
    assert!(single["headline"]["ttft"]["p99"]["value"].is_null());

    fs::create_dir_all(folder.join("cut")).expect("a directory");
    fs::write(
        folder.join("cut/run.json"),
        "{\"format_version\": \u{1b}[2J",
    )
    .expect("written");
    fs::create_dir_all(folder.join("others")).expect("a directory");
    let damaged = infermeter(&format!("list {}", folder.display()));
    assert_eq!(damaged.code, Some(3), "{damaged:#?}");
    for said in [
        "1 experiment, 1 run",
        "Damaged",
        "  cut ",
        "twice",
        "2 runs",
        "one",
    ] {
        assert!(
            damaged.out.contains(said),
            "no `{said}` in\n{}",
            damaged.out
        );
    }
    assert!(!damaged.out.contains("others") && !damaged.out.contains('\u{1b}'));
    infermeter(&format!("list {}", at("nothing"))).fails(2, &["cannot be read"]);
}
