//! What a bench says: its rows, the records that they left, their figures, and the comparison with the first.
//!
//! Starts nothing. Invariants: every figure is computed from the records; what could not be tested is said, with the
//! reason.

use super::compare::primary;
use crate::compare::Whole;
use crate::exit;
use crate::told::ANSWER;
use anyhow::{Context, Result};
use infermeter_analysis::bench::{BenchPoints, BenchRun};
use infermeter_analysis::cold_start::ColdInstant;
use infermeter_analysis::{
    CompareSpec, Comparison, LoadRounds, Round, RunSetup, SideRun, Summary, Turns,
};
use infermeter_core::finding::Verdict;
use infermeter_core::plan::Plan;
use infermeter_core::text::inert_lines;
use infermeter_protocol::ProtocolSpec;
use infermeter_report::{BenchConfiguration, BenchView, Document, bench_line, of_bench};
use infermeter_session::bench::{BENCH_VERSION, BenchRow, BenchSeen, BenchState, Configuration};
use infermeter_session::directories::is_experiment;
use infermeter_session::kept::KeptRun;
use infermeter_session::kept_experiment::{KeptExperiment, setups};
use infermeter_session::redact::redact_command;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Changes within it do not matter: that of `compare`, where none is given.
const MARGIN: f64 = 0.03;
/// The files of answers, in the directories of experiments.
const ANSWERS: [&str; 2] = ["sweep.json", "search.json"];

/// A run that a row left.
struct Kept {
    load: String,
    summary: Summary,
    verdict: Verdict,
    setup: Option<RunSetup>,
    plan: Plan,
}

/// A row with what it left.
struct Measured {
    row: BenchRow,
    runs: Vec<Kept>,
    answer: Option<String>,
    /// Its runs are repeats at one load: those of one start are one observation.
    repeats: bool,
}

/// A bench with all that its records say.
pub(crate) struct Table {
    configurations: Vec<Configuration>,
    measured: Vec<Measured>,
    points: BenchPoints,
    comparison: Option<Whole>,
    untested: Option<String>,
    interrupted: bool,
}

/// A bench for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BenchOutput<'a> {
    /// Version of the format.
    format_version: u32,
    /// Every configuration, in order.
    configurations: Vec<ConfigurationTold<'a>>,
    /// Their figures at each load.
    bench: &'a BenchPoints,
    /// The comparison of each with the first; absent where none could be made.
    comparison: Option<&'a Comparison>,
    /// What could not be tested, and why; absent where everything was.
    untested: Option<&'a str>,
    /// The answer in a line.
    answer_in_a_line: String,
}

/// A configuration for programs.
#[derive(Debug, Serialize, JsonSchema)]
struct ConfigurationTold<'a> {
    /// Its number, from 1.
    number: usize,
    /// What it has of its own.
    name: String,
    /// The command that serves it.
    command: &'a str,
    /// Its starts, in the order of measuring.
    starts: Vec<StartTold<'a>>,
}

/// A start of a configuration for programs.
#[derive(Debug, Serialize, JsonSchema)]
struct StartTold<'a> {
    /// How it went.
    row: &'a BenchRow,
    /// The answer of its measurement in a line; absent of a single run, and without a record.
    answer: Option<&'a str>,
    /// What its record knows of the set-up, by name: what was declared, and what the server's answers told.
    facts: BTreeMap<&'a str, &'a str>,
    /// Runs in its record.
    runs: usize,
}

impl Table {
    /// Reads the records that the rows left in `folder`.
    pub fn read(
        folder: &Path,
        configurations: &[Configuration],
        seen: &BenchSeen,
        rounds: u32,
    ) -> Self {
        let rows = seen.rows.iter().cloned();
        let measured: Vec<Measured> = rows.map(|row| Measured::of(folder, row)).collect();
        let runs: Vec<BenchRun<'_>> = measured
            .iter()
            .flat_map(|one| {
                one.runs.iter().map(|run| BenchRun {
                    configuration: one.row.configuration,
                    load: &run.load,
                    summary: &run.summary,
                    verdict: run.verdict,
                })
            })
            .collect();
        let points = BenchPoints::of(&runs);
        drop(runs);
        let compared = Rounds {
            configurations,
            measured: &measured,
            rounds,
        }
        .compared();
        let (comparison, untested) = match compared {
            Ok(tested) => (Some(Whole::of(tested.comparison)), tested.left_out),
            Err(why) => (None, Some(why)),
        };
        Self {
            configurations: configurations.iter().map(told_of).collect(),
            measured,
            points,
            comparison,
            untested,
            interrupted: seen.interrupted,
        }
    }

    fn of(&self, number: usize) -> impl Iterator<Item = &Measured> {
        let all = self.measured.iter();
        all.filter(move |one| one.row.configuration == number)
    }

    /// For people.
    pub fn document(&self) -> Document {
        of_bench(&self.view())
    }

    fn view(&self) -> BenchView<'_> {
        BenchView {
            configurations: self
                .configurations
                .iter()
                .map(|one| self.told(one))
                .collect(),
            points: &self.points,
            untested: self.untested.as_deref(),
            comparison: self.comparison.as_ref().map(Whole::document),
        }
    }

    fn told<'a>(&'a self, one: &'a Configuration) -> BenchConfiguration<'a> {
        let all: Vec<&Measured> = self.of(one.number).collect();
        let last = all.last();
        BenchConfiguration {
            number: one.number,
            name: one.name(),
            command: &one.command,
            measured: all
                .iter()
                .filter(|m| m.row.state == BenchState::Measured)
                .count(),
            starts: all.len(),
            ready_ms: all
                .iter()
                .filter_map(|m| m.row.at(ColdInstant::FirstAnswer))
                .collect(),
            phases: last.map_or(&[], |measured| measured.row.phases.as_slice()),
            answers: all.iter().filter_map(|m| m.answer.clone()).collect(),
            whys: all.iter().filter_map(|m| m.row.why.as_deref()).collect(),
            config_lines: last.map_or(&[], |measured| measured.row.config_lines.as_slice()),
        }
    }

    /// For programs.
    pub fn output(&self) -> BenchOutput<'_> {
        let told = self.configurations.iter().map(|one| ConfigurationTold {
            number: one.number,
            name: one.name(),
            command: &one.command,
            starts: self.of(one.number).map(StartTold::of).collect(),
        });
        BenchOutput {
            format_version: BENCH_VERSION,
            configurations: told.collect(),
            bench: &self.points,
            comparison: self.comparison.as_ref().map(|whole| &whole.found),
            untested: self.untested.as_deref(),
            answer_in_a_line: line(self),
        }
    }

    /// Interrupted; nothing measured; all that was measured is Invalid, or the comparison is.
    pub fn codes(&self) -> Vec<u8> {
        let measured = self
            .measured
            .iter()
            .filter(|m| m.row.state == BenchState::Measured);
        let runs = self.measured.iter().flat_map(|m| &m.runs);
        let verdicts: Vec<Verdict> = runs.map(|run| run.verdict).collect();
        let invalid = !verdicts.is_empty() && verdicts.iter().all(|v| *v == Verdict::Invalid);
        let codes = exit::of_what_is_so([
            (self.interrupted, exit::INTERRUPTED),
            (measured.count() == 0, exit::TARGET),
            (invalid, exit::INVALID),
        ]);
        let compared = self.comparison.as_ref();
        let compared = compared.map(|whole| exit::of_verdict(whole.found.verdict, false));
        codes.into_iter().chain(compared).collect()
    }
}

/// A configuration as it is told: its command without secrets.
fn told_of(one: &Configuration) -> Configuration {
    Configuration {
        command: redact_command(&one.command),
        ..one.clone()
    }
}

/// All of it in a line.
pub(crate) fn line(table: &Table) -> String {
    bench_line(&table.view())
}

impl<'a> StartTold<'a> {
    fn of(measured: &'a Measured) -> Self {
        let setup = measured.runs.first().and_then(|run| run.setup.as_ref());
        let facts = setup.into_iter().flat_map(|setup| &setup.facts);
        Self {
            row: &measured.row,
            answer: measured.answer.as_deref(),
            facts: facts
                .map(|fact| (fact.name.as_str(), fact.value.as_str()))
                .collect(),
            runs: measured.runs.len(),
        }
    }
}

impl Measured {
    /// A row whose record cannot be read has not been measured: the others have.
    fn of(folder: &Path, row: BenchRow) -> Self {
        Self::read(folder, row.clone()).unwrap_or_else(|error| Self {
            row: BenchRow {
                state: BenchState::NotMeasured,
                why: Some(inert_lines(&format!(
                    "its record cannot be read: {error:#}"
                ))),
                ..row
            },
            runs: Vec::new(),
            answer: None,
            repeats: false,
        })
    }

    fn read(folder: &Path, row: BenchRow) -> Result<Self> {
        let directory = folder.join(&row.directory).join("measured");
        let mut measured = Self {
            row,
            runs: Vec::new(),
            answer: None,
            repeats: false,
        };
        // What a server left that died is a record of a run that was cut off: it is in no figure.
        if measured.row.state != BenchState::Measured {
            return Ok(measured);
        }
        let place = || directory.display().to_string();
        if !is_experiment(&directory) {
            measured
                .runs
                .push(Kept::run(&directory).with_context(place)?);
            return Ok(measured);
        }
        let kept = KeptExperiment::open(&directory, &|_| {}).with_context(place)?;
        measured.repeats = matches!(kept.asked.protocol, ProtocolSpec::Repeat { .. });
        measured.answer = answer(&directory);
        let setups = setups(&kept.points);
        for (at, point) in kept.points.iter().enumerate() {
            if !point.seen.is_whole() {
                continue;
            }
            let plan = kept.asked.variants.get(point.at.variant);
            measured.runs.push(Kept {
                load: point.at.load.map_or_else(usual, |load| load.to_string()),
                summary: point.seen.summary.clone(),
                verdict: point.seen.verdict,
                setup: setups.as_ref().and_then(|all| all.get(at)).cloned(),
                plan: plan.cloned().context("a run of a plan that is not there")?,
            });
        }
        Ok(measured)
    }
}

/// A load that no protocol has set.
fn usual() -> String {
    "the plan's load".to_owned()
}

/// The answer of an experiment in a line.
fn answer(directory: &Path) -> Option<String> {
    ANSWERS.iter().find_map(|name| {
        let text = std::fs::read_to_string(directory.join(name)).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        Some(value.get(ANSWER)?.as_str()?.to_owned())
    })
}

impl Kept {
    fn run(directory: &Path) -> Result<Self> {
        let judged = KeptRun::open(directory)?.judge(None)?;
        let rate = judged.manifest.rate_asked;
        Ok(Self {
            load: rate.map_or_else(usual, |rate| {
                format!("{} requests/s", (rate * 1e4).round() / 1e4)
            }),
            setup: Some(RunSetup::of(&judged.manifest, &judged.summary)),
            plan: judged.manifest.plan.clone(),
            verdict: judged.verdict,
            summary: judged.summary,
        })
    }

    fn side(&self) -> SideRun<'_> {
        SideRun {
            summary: &self.summary,
            verdict: self.verdict,
            setup: self.setup.as_ref(),
        }
    }
}

/// What could be tested.
struct Tested {
    comparison: Comparison,
    /// Which configurations are not in it.
    left_out: Option<String>,
}

/// The rounds of a bench, as a comparison sees them.
struct Rounds<'a> {
    configurations: &'a [Configuration],
    measured: &'a [Measured],
    rounds: u32,
}

impl<'a> Rounds<'a> {
    /// Each configuration that has runs against the first, by the test of `compare`.
    ///
    /// # Errors
    /// Why nothing can be tested.
    fn compared(&self) -> Result<Tested, String> {
        if self.configurations.len() < 2 {
            return Err("one configuration has nothing to be compared with".to_owned());
        }
        if self.rounds < 2 {
            return Err(
                "with one start of each configuration a difference may be that of two starts: --rounds 6 compares them"
                    .to_owned(),
            );
        }
        if self.measured.iter().any(|one| one.repeats) {
            return Err(
                "runs that were repeated on one start are not independent of each other: give --rounds instead of --repeat"
                    .to_owned(),
            );
        }
        let (there, missing) = self.there()?;
        let loads = self.shared_loads(&there);
        if loads.is_empty() {
            return Err(
                "no load was measured for every configuration in two rounds: give the same ones, as in -- sweep --rates 2,8"
                    .to_owned(),
            );
        }
        let runs = || self.measured.iter().flat_map(|one| &one.runs);
        let plans: Vec<&Plan> = runs().map(|run| &run.plan).collect();
        let asked = CompareSpec {
            sides: there.iter().map(|one| one.name()).collect(),
            primary: primary(&[], &plans).map_err(|error| error.to_string())?,
            margin: MARGIN,
            claims: Vec::new(),
        };
        let loads: Vec<LoadRounds<'_>> = loads.iter().map(|load| self.at(load, &there)).collect();
        let missing: Vec<String> = missing.iter().map(|one| one.name()).collect();
        Ok(Tested {
            comparison: Comparison::of(&asked, &loads, Turns::InTurn),
            left_out: (!missing.is_empty()).then(|| {
                format!(
                    "not compared, for want of runs in two rounds: {}",
                    missing.join("; ")
                )
            }),
        })
    }

    /// The configurations that have runs in two rounds at least, and the others.
    ///
    /// # Errors
    /// Where the first is one of the others, or alone.
    fn there(&self) -> Result<(Vec<&'a Configuration>, Vec<&'a Configuration>), String> {
        let has_runs = |one: &&Configuration| {
            let of = self.measured.iter();
            let rounds = of.filter(|m| m.row.configuration == one.number && !m.runs.is_empty());
            rounds.count() > 1
        };
        let (there, missing): (Vec<_>, Vec<_>) = self.configurations.iter().partition(has_runs);
        match missing.first() {
            Some(first) if first.number == self.configurations[0].number => Err(format!(
                "the first configuration ({}), which the others are compared with, has no runs in two rounds: put one \
                 first that starts",
                first.name()
            )),
            _ if there.len() < 2 => Err(format!(
                "no configuration but the first ({}) has runs in two rounds",
                self.configurations[0].name()
            )),
            _ => Ok((there, missing)),
        }
    }

    /// The run of a configuration in a round at a load: the first, where there are several.
    fn run(&self, configuration: usize, round: u32, load: &str) -> Option<&'a Kept> {
        let row = self
            .measured
            .iter()
            .find(|one| one.row.is_of(configuration, round))?;
        row.runs.iter().find(|run| run.load == load)
    }

    /// Loads that each of these configurations has in two rounds at least.
    fn shared_loads(&self, there: &[&Configuration]) -> Vec<String> {
        let mut loads: Vec<String> = Vec::new();
        for run in self.measured.iter().flat_map(|one| &one.runs) {
            let everywhere = there.iter().all(|one| {
                let has = |round: &u32| self.run(one.number, *round, &run.load).is_some();
                (1..=self.rounds).filter(has).count() > 1
            });
            if everywhere && !loads.contains(&run.load) {
                loads.push(run.load.clone());
            }
        }
        loads
    }

    fn at(&self, load: &str, there: &[&Configuration]) -> LoadRounds<'a> {
        let round = |round: u32| {
            let side = |one: &&Configuration| self.run(one.number, round, load).map(Kept::side);
            let runs: Vec<Option<SideRun<'a>>> = there.iter().map(side).collect();
            let first_and_other = runs.first()?.is_some() && runs.iter().flatten().count() > 1;
            first_and_other.then_some(Round {
                number: round as usize,
                runs,
            })
        };
        LoadRounds {
            load: load.to_owned(),
            rounds: (1..=self.rounds).filter_map(round).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_session::bench::configurations;

    fn row(configuration: usize, state: BenchState) -> BenchRow {
        BenchRow {
            format_version: BENCH_VERSION,
            configuration,
            round: 1,
            name: "c".to_owned(),
            command: "serve".to_owned(),
            begun_ns: 0,
            state,
            why: None,
            exit_code: Some(0),
            reached: Vec::new(),
            phases: Vec::new(),
            config_lines: Vec::new(),
            directory: "c001/round-01".into(),
            stopped: String::new(),
            log_bytes_lost: 0,
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_a_row_with_its_reason() {
        let folder = tempfile::tempdir().expect("a directory");
        let record = folder.path().join("c001/round-01/measured");
        std::fs::create_dir_all(record).expect("made");
        let all = configurations("serve {flags}", &["a=1".to_owned()], None).expect("one");
        let seen = BenchSeen {
            rows: vec![row(1, BenchState::Measured)],
            interrupted: false,
        };
        let table = Table::read(folder.path(), &all, &seen, 1);
        let row = &table.measured[0].row;
        assert_eq!(row.state, BenchState::NotMeasured);
        let why = row.why.as_deref().expect("why");
        assert!(why.contains("cannot be read"), "{why}");
        assert_eq!(table.codes(), [exit::TARGET]);
    }

    #[test]
    fn a_secret_of_a_command_is_not_told() {
        let folder = tempfile::tempdir().expect("a directory");
        let serve = "vllm serve m --api-key sk-1 {flags}";
        let all = configurations(serve, &["a=1".to_owned()], None).expect("one");
        let seen = BenchSeen {
            rows: vec![row(1, BenchState::NotStarted)],
            interrupted: false,
        };
        let table = Table::read(folder.path(), &all, &seen, 1);
        let told = serde_json::to_string(&table.output()).expect("JSON");
        assert!(
            told.contains("--api-key ***") && !told.contains("sk-1"),
            "{told}"
        );
    }
}
