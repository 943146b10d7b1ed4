//! Monitors of runs in virtual time, with a clock that the runs move on: no test here waits.

use super::*;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::measure::{Measured, Site};
use crate::virtually::Virtual;
use anyhow::anyhow;
use std::cell::Cell;
use std::fs;

const FAST: Act = Act::Answers("mock:fixed");
const SLOWER: Act = Act::Answers("mock:fixed?step=23ms");

/// What a server does at an instant.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// It is this simulator.
    Answers(&'static str),
    /// Nobody is there.
    Gone,
    /// The client cannot measure.
    Broken,
    /// A signal comes before the first request.
    Signal,
}

/// A clock, and servers as they come.
struct Scene<'a> {
    now_ns: Cell<i64>,
    /// Runs that were begun.
    begun: Cell<usize>,
    acts: &'a [Act],
    /// How long each takes.
    takes: &'a [Span],
}

const SECOND: Span = Span::seconds(1);

impl<'a> Scene<'a> {
    fn of(acts: &'a [Act]) -> Self {
        Self {
            now_ns: Cell::new(50),
            begun: Cell::new(0),
            acts,
            takes: &[SECOND],
        }
    }
}

struct ScenePace<'a>(&'a Scene<'a>);

impl Pace for ScenePace<'_> {
    fn now_ns(&self) -> i64 {
        self.0.now_ns.get()
    }

    fn unix_ns(&self) -> i64 {
        1_700_000_000_000_000_000 + self.now_ns()
    }

    fn is_stopped(&self) -> bool {
        false
    }

    fn wait_until(&mut self, at_ns: i64) -> Waited {
        self.0.now_ns.set(at_ns.max(self.now_ns()));
        match self.0.begun.get() < self.0.acts.len() {
            true => Waited::Due,
            false => Waited::Stopped,
        }
    }
}

/// Measures what the scene has next, under the plan that was asked for.
struct Served<'a>(&'a Scene<'a>);

impl Measure for Served<'_> {
    fn measure(&mut self, _: &Experiment, site: &Site) -> Result<Measured> {
        let scene = self.0;
        let number = scene.begun.get();
        scene.begun.set(number + 1);
        let takes = scene.takes[number % scene.takes.len()];
        scene.now_ns.set(scene.now_ns.get() + takes.ns());
        match scene.acts[number] {
            Act::Answers(target) => {
                // Requests that differ, so that no two runs have the same rows.
                let plan = Plan {
                    target: target.to_owned(),
                    seed: site.identity.salt % 1_000_000,
                    ..site.plan.clone()
                };
                Virtual.measure(&Experiment::of(&plan)?, site)
            }
            Act::Gone => Err(Failure::target("nobody is there").into()),
            Act::Broken => Err(anyhow!("no room\u{7}")),
            Act::Signal => Err(Failure::interrupted("stopped").into()),
        }
    }
}

fn plan() -> Plan {
    Plan {
        target: "mock:fixed".to_owned(),
        rate: Some(30.0),
        duration: "5s".parse().ok(),
        warmup: "0".parse().ok(),
        workload: "fixed:20,8".parse().expect("a workload"),
        ..Plan::defaults()
    }
}

/// Watches a scene into `folder`, every ten seconds, and hands on what was said.
fn watched(scene: &Scene<'_>, folder: &Path) -> (Watched, Vec<MonitorLine>) {
    let plan = plan();
    let asked = Watch {
        plan: &plan,
        folder,
        every: Span::seconds(10),
        runs: None,
        lasting: None,
        keep: Keep {
            runs: 3,
            bytes: None,
        },
        server: Some("prod"),
        figures: &["tpot.p50".parse().expect("a figure")],
        headline: |_| Value::Null,
    };
    let mut lines = Vec::new();
    let watched = watch(
        &asked,
        &mut ScenePace(scene),
        &mut || Served(scene),
        &mut |line| {
            lines.push(line.clone());
            Onward::GoOn
        },
    );
    (watched.expect("watched"), lines)
}

fn kinds(lines: &[MonitorLine]) -> Vec<(u64, NewsKind)> {
    let news = lines.iter().flat_map(|line| {
        let kinds = line.news.iter().map(|news| news.kind);
        kinds.map(|kind| (line.slot, kind))
    });
    news.collect()
}

#[test]
fn a_regression_is_told_once_also_over_a_restart() {
    let scratch = tempfile::tempdir().expect("a directory");
    let folder = scratch.path().join("watched");
    let acts = [[FAST; 10].as_slice(), &[SLOWER; 8]].concat();
    let (first, second) = acts.split_at(13);
    let (_, mut lines) = watched(&Scene::of(first), &folder);
    let (last, more) = watched(&Scene::of(second), &folder);
    lines.extend(more);
    let slots: Vec<u64> = lines.iter().map(|line| line.slot).collect();
    assert_eq!(slots, (1..=18).collect::<Vec<u64>>());
    let news = kinds(&lines);
    let [(slot, NewsKind::Regression)] = news[..] else {
        panic!("{news:?}");
    };
    assert!((12..=16).contains(&slot), "{slot}");
    assert!(last.regressions <= 1);
    let told = lines.iter().find_map(|line| line.news.first());
    let change = told
        .and_then(|news| news.change.as_ref())
        .expect("a change");
    let tenth = lines[10].run.as_ref().expect("a run");
    assert_eq!(change.first_run, tenth.run_id);
    assert_eq!(change.figure, "tpot.p50");
    assert!(
        change.change.is_some_and(|by| (by - 0.15).abs() < 0.02),
        "{change:?}"
    );
    assert_eq!(change.runs_before, 10);
}

#[test]
fn what_fails_is_a_line_and_the_oldest_records_go() {
    let scratch = tempfile::tempdir().expect("a directory");
    let folder = scratch.path().join("watched");
    let acts = [FAST, Act::Gone, Act::Gone, FAST, Act::Broken, FAST, FAST];
    let (seen, lines) = watched(&Scene::of(&acts), &folder);
    assert_eq!(
        seen,
        Watched {
            slots: 7,
            measured: 4,
            down: 2,
            failed: 1,
            stopped: true,
            ..Watched::default()
        }
    );
    assert_eq!(kinds(&lines), [(2, NewsKind::Down), (4, NewsKind::Up)]);
    let up = &lines[3].news[0];
    assert_eq!((up.lasted, up.since_ns), (Some(2), lines[1].due_ns));
    let error = lines[1].error.as_ref().expect("an error");
    assert_eq!(
        (error.cause, error.message.as_str()),
        (Cause::Target, "nobody is there")
    );
    assert!(lines[1].run.is_none());
    assert!(
        !lines[4]
            .error
            .as_ref()
            .expect("an error")
            .message
            .contains('\u{7}')
    );
    // Three records stay, the figures of all, and a line of each instant.
    let removed: u64 = lines.iter().map(|line| line.removed).sum();
    assert_eq!(removed, 1);
    let left = fs::read_dir(folder.join("runs")).expect("listed").count();
    assert_eq!(left, 3);
    let history = History::read(&folder).expect("a history");
    assert_eq!(history.runs().count(), 4);
    let text = fs::read_to_string(folder.join(MONITOR_FILE)).expect("lines");
    assert_eq!(text.lines().count(), 7);
}

#[test]
fn instants_do_not_drift_and_an_overrun_is_said() {
    let scratch = tempfile::tempdir().expect("a directory");
    let takes = [
        Span::seconds(3),
        Span::seconds(25),
        Span::seconds(10),
        SECOND,
    ];
    let scene = Scene {
        takes: &takes,
        ..Scene::of(&[Act::Gone; 4])
    };
    let (seen, lines) = watched(&scene, &scratch.path().join("watched"));
    let said = lines.iter().map(|line| {
        let later = (line.due_ns - lines[0].due_ns) / 1_000_000_000;
        (line.slot, later, line.skipped)
    });
    let said: Vec<_> = said.collect();
    assert_eq!(said, [(1, 0, 0), (2, 10, 0), (5, 40, 2), (6, 50, 0)]);
    assert_eq!(seen.skipped, 2);
    assert!(lines.iter().all(|line| line.late_ms == 0.0));
}

#[test]
fn it_ends_when_it_was_enough() {
    let plan = plan();
    let check = |runs: Option<u64>, lasting: Option<Span>, end: Onward, slots: u64| {
        let scratch = tempfile::tempdir().expect("a directory");
        let acts = [Act::Gone; 9];
        let scene = Scene::of(&acts);
        let asked = Watch {
            plan: &plan,
            folder: scratch.path(),
            every: Span::seconds(10),
            runs,
            lasting,
            keep: Keep {
                runs: 3,
                bytes: None,
            },
            server: None,
            figures: &[],
            headline: |_| Value::Null,
        };
        let seen = watch(
            &asked,
            &mut ScenePace(&scene),
            &mut || Served(&scene),
            &mut |_| end,
        );
        assert_eq!(seen.expect("watched").slots, slots, "{runs:?} {lasting:?}");
    };
    check(Some(2), None, Onward::GoOn, 2);
    check(None, Some(Span::seconds(30)), Onward::GoOn, 4);
    check(None, Some(Span(0)), Onward::GoOn, 1);
    check(Some(5), None, Onward::End, 1);
}

#[test]
fn a_wrong_plan_ends_it_and_a_signal_leaves_no_line() {
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = plan();
    let acts = [Act::Broken];
    let scene = Scene::of(&acts);
    let asked = Watch {
        plan: &plan,
        folder: scratch.path(),
        every: SECOND,
        runs: Some(1),
        lasting: None,
        keep: Keep {
            runs: 1,
            bytes: None,
        },
        server: None,
        figures: &[],
        headline: |_| Value::Null,
    };
    let mut tell = |_: &MonitorLine| Onward::GoOn;
    let wrong = watch(
        &asked,
        &mut ScenePace(&scene),
        &mut || Served(&scene),
        &mut tell,
    );
    assert!(wrong.is_err());
    let (seen, lines) = watched(&Scene::of(&[FAST, Act::Signal]), scratch.path());
    assert!(seen.stopped);
    assert_eq!((seen.slots, lines.len()), (1, 1));
}

/// A run that was cut off, or ended just before its line was written.
#[test]
fn what_a_kill_leaves_is_taken_up() {
    let scratch = tempfile::tempdir().expect("a directory");
    let folder = scratch.path().join("watched");
    watched(&Scene::of(&[FAST, FAST]), &folder);
    // As if it had been killed between the end of the second run and its line in either file.
    for file in [MONITOR_FILE, "history.jsonl"] {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).expect("lines");
        let first = text.find('\n').expect("a line") + 1;
        // Of the second line a part is there.
        fs::write(&path, &text[..first + 20]).expect("written");
    }
    fs::create_dir(folder.join("runs/slot-000003")).expect("made");
    let (_, lines) = watched(&Scene::of(&[FAST]), &folder);
    assert_eq!(lines[0].slot, 4);
    assert_eq!(lines[0].problems.len(), 1, "{:?}", lines[0].problems);
    let history = History::read(&folder).expect("a history");
    assert_eq!(history.runs().count(), 3);
    assert!(history.damaged.is_empty());
}
