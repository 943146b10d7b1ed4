//! Everything that decides over several runs, in virtual time: what is measured, entered, cut off, resumed.

use super::*;
use crate::book::Book;
use crate::book::Header;
use crate::drive::{Driven, End, drive};
use crate::failure::{Cause, Failure};
use crate::kept::KeptRun;
use crate::kept_experiment::{self, KeptExperiment, Resumed, create, resume};
use crate::load::Load;
use crate::measure::Measured;
use crate::virtually::Virtual;
use infermeter_analysis::Summary;
use infermeter_core::seed::Seeds;
use infermeter_protocol::{OfRuns, Once, Protocol, ProtocolSpec, Repeat, RunPoint, Together};
use infermeter_record::LEDGER_FILE;
use std::fs;
use std::slice;

/// Measures in virtual time until the server dies.
struct Dying {
    runs: usize,
}

impl Measure for Dying {
    fn measure(&mut self, experiment: &Experiment, site: &Site) -> Result<Measured> {
        self.runs = self
            .runs
            .checked_sub(1)
            .ok_or_else(|| Failure::target("target http://gone cannot be reached"))?;
        Virtual.measure(experiment, site)
    }
}

/// Measures in virtual time a server that nobody finds afterwards.
struct GoneAfter;

impl Measure for GoneAfter {
    fn measure(&mut self, experiment: &Experiment, site: &Site) -> Result<Measured> {
        Virtual.measure(experiment, site)
    }

    fn look_again(&self, _experiment: &Experiment) -> Result<()> {
        Err(Failure::target("target http://gone cannot be reached").into())
    }
}

fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = Plan {
        target: "mock:fixed".to_owned(),
        rate: Some(20.0),
        duration: "3s".parse().ok(),
        warmup: "0".parse().ok(),
        workload: "fixed:20,4".parse().expect("a workload"),
        repeat: Some(3),
        ..Plan::defaults()
    };
    change(&mut plan);
    plan
}

fn load(plan: &Plan) -> Load {
    Load::from_plan(plan, 0).expect("a load")
}

fn repeat(plan: &Plan) -> Repeat {
    Repeat::of(plan, load(plan).expected_requests()).expect("a protocol")
}

fn header(plan: &Plan) -> Header {
    let load = load(plan);
    let requests = load.expected_requests();
    let spec = ProtocolSpec::Repeat { requests };
    kept_experiment::header(&[(plan.clone(), load)], spec).expect("a header")
}

/// What the runs of a kept experiment say together.
fn said_by(kept: &KeptExperiment) -> Together {
    repeat(&kept.asked.variants[0]).so_far(&kept.points)
}

/// Drives a protocol into a new experiment.
fn driven<P>(
    plan: &Plan,
    protocol: &P,
    measure: impl Measure,
    directory: &Path,
) -> Driven<Coordinates, RunSeen, P::Answer>
where
    P: Protocol<At = Coordinates, Seen = RunSeen>,
{
    let header = header(plan);
    let mut book = create(directory, &header).expect("a book");
    let into = Into::Experiment(directory.to_owned());
    let mut runs = Runs::new(measure, slice::from_ref(plan), into);
    drive(protocol, &mut runs, &mut book, Vec::new(), &mut |_| {}).expect("driven")
}

fn answered(end: End<Together>) -> Together {
    match end {
        End::Answered(together) => together,
        other => panic!("{other:?}"),
    }
}

#[test]
fn runs_have_seeds_and_records_of_their_own() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (plan, directory) = (plan(|_| {}), scratch.path().join("r"));
    let driven = driven(&plan, &repeat(&plan), Virtual, &directory);
    assert_eq!(driven.points.len(), 3);
    let seeds: Vec<Seeds> = driven.points.iter().map(|p| p.seen.place.seeds).collect();
    assert_eq!(seeds[0], Seeds::derive(1));
    assert!(seeds[1] != seeds[0] && seeds[2] != seeds[1] && seeds[2] != seeds[0]);
    for point in &driven.points {
        let kept = KeptRun::open(&point.seen.place.directory).expect("a run");
        let judged = kept.judge(None).expect("judged");
        assert_eq!(judged.summary, point.seen.summary);
        assert_eq!(judged.verdict, point.seen.verdict);
        let codes: Vec<&str> = judged
            .manifest
            .findings
            .iter()
            .map(|finding| &*finding.code)
            .collect();
        assert!(judged.summary.requests.measured.completed > 30, "{codes:?}");
    }
    let together = answered(driven.end);
    assert_eq!(together.repeated.runs, 3);
    let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
    assert_eq!(said_by(&kept), together);
    assert_eq!(kept.missing, []);
}

/// The figures of a run, without the memory that this process had by then.
fn figures(seen: &RunSeen) -> Summary {
    let mut summary = seen.summary.clone();
    if let Some(threads) = &mut summary.client.threads {
        threads.peak_rss_bytes = None;
    }
    summary
}

#[test]
fn a_run_alone_is_the_first_of_several() {
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = plan(|_| {});
    let several = driven(&plan, &repeat(&plan), Virtual, &scratch.path().join("r"));
    let into = Into::Alone(Some(scratch.path().join("alone")));
    let mut runs = Runs::new(Virtual, slice::from_ref(&plan), into);
    let alone = drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {});
    let alone = alone.expect("driven").points;
    assert!(figures(&alone[0].seen) == figures(&several.points[0].seen));
    let ended = runs.take_last().expect("a run");
    assert_eq!(ended.judged.summary, alone[0].seen.summary);
    assert!(!scratch.path().join("alone").join(LEDGER_FILE).exists());
}

#[test]
fn a_target_that_dies_leaves_what_is_there_and_names_what_is_not() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (plan, directory) = (plan(|_| {}), scratch.path().join("r"));
    let driven = driven(&plan, &repeat(&plan), Dying { runs: 1 }, &directory);
    assert_eq!(driven.points.len(), 1);
    assert!(matches!(driven.end, End::Failed(_)), "{:?}", driven.end);
    let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
    assert_eq!(kept.points.len(), 1);
    let missing: Vec<_> = kept.missing.iter().map(|m| (m.run, &*m.why)).collect();
    let why = "not measured: target http://gone cannot be reached";
    assert_eq!(missing, [(2, why), (3, "not begun")]);
}

/// Goes on with an experiment, in virtual time.
fn resumed(plan: &Plan, directory: &Path) -> Driven<Coordinates, RunSeen, Together> {
    let protocol = repeat(plan);
    let header = header(plan);
    let Resumed { mut book, points } = resume(directory, &header, &protocol).expect("resumed");
    let into = Into::Experiment(directory.to_owned());
    let mut runs = Runs::new(Virtual, slice::from_ref(plan), into);
    drive(&protocol, &mut runs, &mut book, points, &mut |_| {}).expect("driven")
}

#[test]
fn an_experiment_that_was_cut_off_ends_as_one_that_was_not() {
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = plan(|_| {});
    let whole = driven(
        &plan,
        &repeat(&plan),
        Virtual,
        &scratch.path().join("whole"),
    );
    let directory = scratch.path().join("cut");
    driven(&plan, &repeat(&plan), Dying { runs: 1 }, &directory);
    // What a killed second run leaves: a directory without an end.
    fs::create_dir(directory.join("run-02")).expect("made");
    fs::write(directory.join("run-02/requests.journal"), "part").expect("written");
    let resumed = resumed(&plan, &directory);
    let all = |points: &[RunPoint]| -> Vec<Summary> {
        points.iter().map(|point| figures(&point.seen)).collect()
    };
    assert!(all(&resumed.points) == all(&whole.points));
    assert_eq!(answered(resumed.end), answered(whole.end));
    let aside = directory.join("run-02.cut-1/requests.journal");
    assert_eq!(fs::read(aside).expect("kept"), b"part");
}

#[test]
fn a_ledger_cut_at_any_byte_loses_no_run_that_has_ended() {
    let scratch = tempfile::tempdir().expect("a directory");
    let plan = plan(|plan| {
        plan.repeat = Some(2);
        plan.duration = None;
        plan.requests = Some(2);
    });
    let directory = scratch.path().join("r");
    driven(&plan, &repeat(&plan), Virtual, &directory);
    let path = directory.join(LEDGER_FILE);
    let bytes = fs::read(&path).expect("a ledger");
    let header = bytes.iter().position(|b| *b == b'\n').expect("a line") + 1;
    // The file's own tests cut it at every byte.
    let edge = |cut: usize| bytes[cut - 1] == b'\n' || bytes[cut] == b'\n';
    for cut in (header..bytes.len()).filter(|cut| cut % 40 == 0 || edge(*cut)) {
        fs::write(&path, &bytes[..cut]).expect("written");
        let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
        let numbers: Vec<usize> = kept.points.iter().map(|point| point.number).collect();
        assert_eq!(
            (numbers, kept.missing),
            (vec![1, 2], vec![]),
            "cut at {cut}"
        );
    }
    // Going on enters what was not, and measures nothing again.
    fs::write(&path, &bytes[..header + 10]).expect("written");
    let resumed = resumed(&plan, &directory);
    assert_eq!(resumed.points.len(), 2);
    assert_eq!(fs::read(&path).expect("a ledger"), bytes);
}

#[test]
fn another_experiment_is_not_gone_on_with() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (first, directory) = (plan(|_| {}), scratch.path().join("r"));
    driven(&first, &repeat(&first), Dying { runs: 1 }, &directory);
    let refused = |change: fn(&mut Plan), word: &str| {
        let other = plan(change);
        let header = header(&other);
        let error = resume(&directory, &header, &repeat(&other)).expect_err(word);
        assert!(error.to_string().contains(word), "{error}");
    };
    refused(|p| p.rate = Some(30.0), "rate is 20.0 there and 30.0 here");
    refused(|p| p.repeat = Some(4), "repeat is 3 there and 4 here");
    refused(|p| p.seed = 2, "seed is 1 there and 2 here");
    // How it is shown is no part of it.
    let shown = plan(|p| (p.json, p.quiet) = (true, true));
    assert_eq!(resumed(&shown, &directory).points.len(), 3);
}

#[test]
fn a_precision_ends_the_runs_early() {
    let scratch = tempfile::tempdir().expect("a directory");
    let until = |text: &str| {
        let until = text.parse().ok();
        plan(|p| (p.until, p.repeat) = (until, Some(6)))
    };
    let easy = until("e2e.p50+-90%");
    let reached = driven(&easy, &repeat(&easy), Virtual, &scratch.path().join("easy"));
    assert!((1..6).contains(&reached.points.len()));
    let kept = KeptExperiment::open(&scratch.path().join("easy"), &|_| {}).expect("kept");
    assert_eq!(kept.missing, [], "an answer was reached");
    let together = answered(reached.end);
    assert_eq!(said_by(&kept).looks, together.looks);
    assert_eq!(together.looks.len(), reached.points.len());
    let hard = until("e2e.p50+-0.0000001%");
    let failed = driven(&hard, &repeat(&hard), Virtual, &scratch.path().join("hard"));
    assert_eq!(failed.points.len(), 6);
}

#[test]
fn plans_that_are_compared_have_the_same_seeds_and_every_length_its_own() {
    let plans = [plan(|_| {}), plan(|p| p.target = "mock:null".to_owned())];
    let seeds = |at: Coordinates, replicate: usize| {
        let order = Order {
            number: 7,
            at: &at,
            replicate,
        };
        plan_of(&plans[at.variant], order).seeds()
    };
    let first = Coordinates::at(Intensity::Rate(5.0));
    let other = Coordinates {
        variant: 1,
        ..first
    };
    let longer = Coordinates {
        length: Some(Length::Requests(9)),
        ..first
    };
    assert_eq!(seeds(first, 0), seeds(other, 0));
    assert_eq!(seeds(first, 3), seeds(other, 3));
    assert_ne!(seeds(first, 0), seeds(first, 1));
    assert_ne!(seeds(first, 0), seeds(longer, 0));
    let twice = Coordinates {
        length: Some(Length::Times(2)),
        ..first
    };
    assert_ne!(seeds(first, 0), seeds(twice, 0));
    let higher = Coordinates::at(Intensity::Rate(6.0));
    assert_ne!(seeds(first, 0), seeds(higher, 0));
}

#[test]
fn an_experiment_of_the_first_version_is_read_and_not_gone_on_with() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (plan, directory) = (plan(|p| p.repeat = Some(2)), scratch.path().join("r"));
    driven(&plan, &repeat(&plan), Virtual, &directory);
    let now = Book::header(&directory).expect("a header");
    let mut value = serde_json::to_value(&now).expect("JSON");
    value["format_version"] = 1.into();
    value["asked"] = serde_json::json!({
        "kind": "runs", "plan": value["asked"]["variants"][0], "requests": 60,
    });
    fs::remove_file(directory.join(LEDGER_FILE)).expect("removed");
    drop(infermeter_record::Ledger::create(&directory, &value).expect("a ledger"));
    let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
    assert_eq!(kept.asked.protocol, ProtocolSpec::Repeat { requests: 60 });
    let there: Vec<usize> = kept.points.iter().map(|point| point.number).collect();
    assert_eq!(there, [1, 2]);
    let refused = resume(&directory, &header(&plan), &repeat(&plan)).expect_err("earlier");
    assert!(
        refused.to_string().contains("an earlier build"),
        "{refused}"
    );
}

/// A run whose server is gone is none, where requests failed; where none did, its death came later.
#[test]
fn a_run_that_its_server_did_not_survive_is_set_aside() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (well, directory) = (plan(|_| {}), scratch.path().join("well"));
    let went = driven(&well, &repeat(&well), GoneAfter, &directory);
    assert_eq!(went.points.len(), 3);

    let failing = plan(|plan| plan.target = "mock:fixed?faults=status=503@nth:3".to_owned());
    let directory = scratch.path().join("failing");
    let went = driven(&failing, &repeat(&failing), GoneAfter, &directory);
    assert_eq!(went.points.len(), 0);
    let End::Failed(error) = went.end else {
        panic!("it ended well");
    };
    assert!(
        format!("{error:#}").contains("the server died while it was measured"),
        "{error:#}"
    );
    assert!(directory.join("run-01.cut-1").exists() && !directory.join("run-01").exists());
    let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
    assert!(
        kept.missing[0].why.contains("run-01.cut-1"),
        "{:?}",
        kept.missing
    );
    assert_eq!(Cause::of(&error), Cause::Target);

    // Where it is meant to break, that is the answer.
    let into = Into::Experiment(scratch.path().join("broken"));
    fs::create_dir(scratch.path().join("broken")).expect("made");
    let mut runs =
        Runs::new(GoneAfter, slice::from_ref(&failing), into).to_the_breaking_point(true);
    let order = Order {
        number: 1,
        at: &Coordinates::default(),
        replicate: 0,
    };
    assert!(runs.measure(order).is_ok());
}
