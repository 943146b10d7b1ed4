//! `compare RUN_A RUN_B` and `compare EXPERIMENT`: what saved runs allow.
//!
//! Measures nothing. Invariant: only runs that were sent the same requests at the same instants are paired;
//! what was measured apart is labelled so.

use crate::compare::{Compared, Whole};
use crate::page::Delivery;
use crate::several::{self, Reported};
use anyhow::{Result, bail};
use infermeter_analysis::{
    CompareSpec, Comparison, LoadRounds, Round, RunSetup, SideRun, Summary, Turns,
};
use infermeter_core::finding::Verdict;
use infermeter_core::plan::Plan;
use infermeter_protocol::{CompareFlags, ProtocolSpec};
use infermeter_report::{Document, Notes};
use infermeter_session::directories::is_experiment;
use infermeter_session::kept::KeptRun;
use infermeter_session::kept_experiment::KeptExperiment;
use std::path::{Path, PathBuf};

/// A run that is on disk.
struct Saved {
    summary: Summary,
    verdict: Verdict,
    setup: RunSetup,
    plan: Plan,
    load: String,
}

/// How saved runs are looked at.
pub(crate) struct Look<'a> {
    /// What is asked of them.
    pub flags: &'a CompareFlags,
    /// One of the flags that ask it, as it was written.
    pub asking: Option<&'a str>,
    /// How the answer is shown.
    pub delivery: Delivery<'a>,
    /// How much is said of notes.
    pub notes: Notes,
    /// What is questionable fails.
    pub strict: bool,
}

/// Compares what lies in these directories; the answer is the exit code.
///
/// # Errors
/// Where there is nothing to compare, and where the sides were sent different requests.
pub(crate) fn compare(paths: &[String], look: &Look<'_>) -> Result<u8> {
    match paths {
        [one] => experiment(Path::new(one), look),
        sides => {
            let runs: Result<Vec<Vec<Saved>>> =
                sides.iter().map(|path| runs(Path::new(path))).collect();
            side_by_side(sides, &runs?, look)
        }
    }
}

/// A comparison that was measured.
fn experiment(directory: &Path, look: &Look<'_>) -> Result<u8> {
    if !directory.exists() {
        bail!("there is no directory {}", directory.display());
    }
    if !is_experiment(directory) {
        bail!(
            "{} is one run, or none: compare takes two of them, or the directory of a comparison",
            directory.display()
        );
    }
    let kept = KeptExperiment::open(directory, &|_| {})?;
    let ProtocolSpec::Compare(compare) = kept.asked.protocol.clone() else {
        bail!(
            "{} is an experiment of `{}`, not of `compare`: give a second directory to compare it with",
            directory.display(),
            kept.asked.protocol.command()
        );
    };
    if let Some(written) = look.asking {
        bail!(
            "{written}: {} has declared before its first run what it asks; that is not changed afterwards",
            directory.display()
        );
    }
    let reported = Reported {
        directory,
        kept,
        delivery: &look.delivery,
        notes: look.notes,
        strict: look.strict,
    };
    several::report(&reported, &compare, &Compared::default())
}

/// The runs of a directory: one, or those of an experiment.
fn runs(directory: &Path) -> Result<Vec<Saved>> {
    let places: Vec<PathBuf> = match is_experiment(directory) {
        true => {
            let kept = KeptExperiment::open(directory, &|_| {})?;
            if !matches!(kept.asked.protocol, ProtocolSpec::Repeat { .. }) {
                bail!(
                    "{} is an experiment of `{}`, whose runs measure several things: give the directories of runs, \
                     or of runs that were repeated",
                    directory.display(),
                    kept.asked.protocol.command()
                );
            }
            let whole = kept
                .points
                .into_iter()
                .filter(|point| point.seen.is_whole());
            whole.map(|point| point.seen.place.directory).collect()
        }
        false => vec![directory.to_owned()],
    };
    places.iter().map(|place| Saved::open(place)).collect()
}

impl Saved {
    fn open(directory: &Path) -> Result<Self> {
        let judged = KeptRun::open(directory)?.judge(None)?;
        let rate = judged.manifest.rate_asked;
        Ok(Self {
            setup: RunSetup::of(&judged.manifest, &judged.summary),
            verdict: judged.verdict,
            plan: judged.manifest.plan.clone(),
            load: rate.map_or_else(
                || "the plan's load".to_owned(),
                |rate| format!("{} requests/s", (rate * 1e4).round() / 1e4),
            ),
            summary: judged.summary,
        })
    }

    fn side_run(&self) -> SideRun<'_> {
        SideRun {
            summary: &self.summary,
            verdict: self.verdict,
            setup: Some(&self.setup),
        }
    }
}

fn side_by_side(names: &[String], sides: &[Vec<Saved>], look: &Look<'_>) -> Result<u8> {
    let flags = look.flags;
    let paired = sides.iter().map(Vec::len).min().unwrap_or(0);
    let Some(first) = sides.first().and_then(|side| side.first()) else {
        bail!("{} has no run that has ended", names[0]);
    };
    if paired == 0 {
        let empty = names.iter().zip(sides).find(|(_, side)| side.is_empty());
        bail!(
            "{} has no run that has ended",
            empty.map_or("a side", |(name, _)| name)
        );
    }
    let rounds: Vec<Vec<SideRun<'_>>> = (0..paired)
        .map(|round| sides.iter().map(|side| side[round].side_run()).collect())
        .collect();
    let unlike = rounds.iter().any(|round| !has_one_load(round));
    if unlike && !flags.force {
        bail!(
            "the runs were sent different requests, or at different instants: they are not two sides of one \
             comparison. Measure both with one --seed and one load; --force shows them side by side, and \
             labels them"
        );
    }
    let plans: Vec<&Plan> = sides.iter().map(|side| &side[0].plan).collect();
    let asked = CompareSpec {
        sides: names.to_vec(),
        // What was not sent the same is not paired, and nothing of it is tested.
        primary: match unlike {
            true => Vec::new(),
            false => super::primary(&flags.primary, &plans)?,
        },
        margin: flags.margin,
        claims: super::claims(&plans, flags),
    };
    let load = LoadRounds {
        load: first.load.clone(),
        rounds: (1..)
            .zip(rounds)
            .map(|(number, round)| Round {
                number,
                runs: round.into_iter().map(Some).collect(),
            })
            .collect(),
    };
    let whole = Whole::of(Comparison::of(&asked, &[load], Turns::Apart));
    let document = |_| Document {
        notes: look.notes,
        ..whole.document()
    };
    look.delivery.deliver(None, document, || whole.json())?;
    Ok(whole.code(look.strict))
}

fn has_one_load(round: &[SideRun<'_>]) -> bool {
    let mut setups = round.iter().filter_map(|run| run.setup);
    let Some(first) = setups.next() else {
        return false;
    };
    setups.all(|other| first.has_load_of(other) == Some(true))
}
