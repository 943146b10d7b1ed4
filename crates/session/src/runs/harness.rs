//! Experiments of a protocol in virtual time, for the tests of every protocol: begun, gone on with, bounded.

use super::*;
use crate::book::Header;
use crate::drive::{Driven, End, News, drive};
use crate::kept_experiment::{Resumed, create, header, resume};
use crate::load::Load;
use crate::virtually::Virtual;
use infermeter_protocol::{OfRuns, ProtocolSpec, RunPoint};
use infermeter_record::LEDGER_FILE;
use std::collections::BTreeMap;
use std::fs;

/// A protocol over plans.
pub(super) struct Asked<P> {
    pub(super) plans: Vec<Plan>,
    pub(super) protocol: P,
    pub(super) spec: ProtocolSpec,
}

/// How it went.
pub(super) type Went<P> =
    Driven<Coordinates, RunSeen, <P as infermeter_protocol::Protocol>::Answer>;

/// The answer it ended with.
pub(super) fn answer<A: std::fmt::Debug>(went: &Driven<Coordinates, RunSeen, A>) -> &A {
    match &went.end {
        End::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

impl<P: OfRuns> Asked<P> {
    fn header(&self) -> Header {
        let planned = self.plans.iter().map(|plan| {
            let load = Load::from_plan(plan, 0).expect("a load");
            (plan.clone(), load)
        });
        let planned: Vec<_> = planned.collect();
        header(&planned, self.spec.clone()).expect("a header")
    }

    /// What was announced before a run bounds what is announced after it.
    fn drive(&self, measure: impl Measure, directory: &Path, begun: Resumed) -> Went<P> {
        let Resumed { mut book, points } = begun;
        let into = Into::Experiment(directory.to_owned());
        let mut runs = Runs::new(measure, &self.plans, into);
        let mut most = points.len() + OfRuns::ahead(&self.protocol, &points).len();
        let mut bounded = |news: News<'_, Coordinates, RunSeen>| {
            let News::Point(points) = news else {
                return;
            };
            let now = points.len() + OfRuns::ahead(&self.protocol, points).len();
            assert!(now <= most, "{now} runs, {most} were announced");
            most = now;
        };
        drive(&self.protocol, &mut runs, &mut book, points, &mut bounded).expect("driven")
    }

    /// Measures it into a new directory.
    pub(super) fn whole(&self, directory: &Path) -> Went<P> {
        self.measured(Virtual, directory)
    }

    /// The same with something else that measures.
    pub(super) fn measured(&self, measure: impl Measure, directory: &Path) -> Went<P> {
        let book = create(directory, &self.header()).expect("a book");
        let points = Vec::new();
        self.drive(measure, directory, Resumed { book, points })
    }

    /// Goes on with that of a directory.
    pub(super) fn resumed(&self, directory: &Path) -> Went<P> {
        let begun = resume(directory, &self.header(), &self.protocol).expect("resumed");
        self.drive(Virtual, directory, begun)
    }

    /// Measures it, kills it at that many instants, goes on each time: the answer is the same, from the same
    /// runs, and none that had ended is measured again. How many runs it had.
    pub(super) fn survives_kills(&self, kills: usize) -> usize
    where
        P::Answer: PartialEq + std::fmt::Debug,
    {
        let scratch = tempfile::tempdir().expect("a directory");
        let directory = scratch.path().join("whole");
        let whole = self.whole(&directory);
        let runs = whole.points.len();
        let expected = ids(&whole.points);
        let mut random = 7;
        let mut draw = |below: usize| {
            random = splitmix64(random);
            (random >> 33) as usize % below
        };
        for kill in 0..kills {
            let (ended, left) = (draw(runs), Left::ALL[draw(4)]);
            let scratch = killed(&directory, (ended, left), draw(1_000) as u64);
            let resumed = self.resumed(scratch.path());
            let at = format!("kill {kill}: {ended} {left:?}");
            assert_eq!(answer(&resumed), answer(&whole), "{at}");
            let there = match left {
                Left::Nothing | Left::PartOfIt => ended,
                Left::AllButItsLine | Left::AllAndPartOfItsLine => ended + 1,
            };
            let found = ids(&resumed.points);
            assert_eq!(found.len(), runs, "{at}");
            for number in 1..=there {
                assert_eq!(found[&number], expected[&number], "{at}: run {number}");
            }
        }
        runs
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("copied")),
        }
    }
}

/// What a kill leaves behind of the run that was going on.
#[derive(Debug, Clone, Copy)]
enum Left {
    Nothing,
    PartOfIt,
    AllButItsLine,
    AllAndPartOfItsLine,
}

impl Left {
    const ALL: [Self; 4] = [
        Self::Nothing,
        Self::PartOfIt,
        Self::AllButItsLine,
        Self::AllAndPartOfItsLine,
    ];
}

/// The directory of an experiment that was killed behind its first `ended` runs.
fn killed(whole: &Path, (ended, left): (usize, Left), byte: u64) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = scratch.path();
    for number in 1..=ended {
        let name = run_name(number);
        copy(&whole.join(&name), &directory.join(&name));
    }
    let bytes = fs::read(whole.join(LEDGER_FILE)).expect("a ledger");
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    let ends: Vec<usize> = ends.map(|(at, _)| at + 1).collect();
    let (from, to) = (ends[ended], ends[ended + 1]);
    let name = run_name(ended + 1);
    let mut cut = from;
    match left {
        Left::Nothing => {}
        Left::PartOfIt => {
            fs::create_dir(directory.join(&name)).expect("made");
            fs::write(directory.join(&name).join("requests.journal"), "part").expect("written");
        }
        Left::AllButItsLine => copy(&whole.join(&name), &directory.join(&name)),
        Left::AllAndPartOfItsLine => {
            copy(&whole.join(&name), &directory.join(&name));
            cut += byte as usize % (to - from);
        }
    }
    fs::write(directory.join(LEDGER_FILE), &bytes[..cut]).expect("written");
    scratch
}

fn ids(points: &[RunPoint]) -> BTreeMap<usize, String> {
    let id = |point: &RunPoint| (point.number, point.seen.place.run_id.clone());
    points.iter().map(id).collect()
}
