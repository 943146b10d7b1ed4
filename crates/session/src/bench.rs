//! One server in several configurations: each is started, awaited, measured by a command of this program, and stopped.
//!
//! It reads no result and compares nothing. Invariants: a row is on disk before the next configuration is started; one
//! that does not start is a row like any other; the server of a row is gone before the next one.

mod configurations;
mod folder;
mod measuring;

pub use configurations::{Configuration, Setting, configurations};
pub use folder::{BENCH_VERSION, BenchAsked, BenchRow, BenchState};

use crate::coldstart::Going;
use crate::experiment::Experiment;
use crate::failure::{Cause, Failure};
use crate::observer::Observer;
use crate::redact::redact_command;
use crate::run_id::{random_run_id, salt_of};
use crate::serve::door::{Door, nobody_answers};
use crate::serve::log::LogLine;
use crate::serve::phases::Patterns;
use crate::serve::process::{ServeSpec, Served, told};
use crate::serve::ready::{Ready, Wait};
use crate::serve::{GONE, LOOK, unless_signalled};
use anyhow::Result;
use folder::Folder;
use infermeter_analysis::cold_start::{ColdInstant, ReachedAt};
use infermeter_core::clock::{monotonic_ns, realtime_ns};
use infermeter_core::text::inert_lines;
use infermeter_core::units::Span;
use measuring::Measuring;
use std::path::{Path, PathBuf};

/// Lines of a log that tell the configuration, at the most, and bytes of each.
const CONFIG_LINES: usize = 8;
const CONFIG_BYTES: usize = 2_000;
/// What they hold: vLLM and SGLang print their arguments, llama.cpp its context, TensorRT-LLM its LLM arguments. From
/// documentation.
const CONFIG_MARKS: [&str; 6] = [
    "non-default args:",
    "Initializing a V1 LLM engine",
    "server_args=",
    "llama_context: n_ctx",
    "LLM Args:",
    "preset ",
];

/// What is measured.
pub struct Bench<'a> {
    /// The configurations.
    pub configurations: &'a [Configuration],
    /// The target, as it is asked whether it is ready.
    pub experiment: &'a Experiment,
    /// What stops a server, and for how long it is waited for.
    pub stop: Option<String>,
    /// Time for each step of stopping it.
    pub grace: Span,
    /// Time for a start to get to its first answer.
    pub start_timeout: Span,
    /// Path of the health page.
    pub health: String,
    /// Patterns for phases in the log.
    pub patterns: Patterns,
    /// Starts of each configuration.
    pub rounds: u32,
    /// This program.
    pub program: &'a Path,
    /// The words that measure, without where it goes and the seed.
    pub words: Vec<String>,
    /// The seed of the first round.
    pub seed: u64,
    /// Where everything goes.
    pub folder: &'a Path,
    /// What is asked, for the folder.
    pub asked: BenchAsked,
    /// Whether the folder is there.
    pub resumes: Going,
}

/// What came of it.
#[derive(Debug)]
pub struct BenchSeen {
    /// The last row of each configuration in each round, in the order of measuring.
    pub rows: Vec<BenchRow>,
    /// A signal ended it.
    pub interrupted: bool,
}

/// What is told while it goes on.
pub enum BenchNews<'a> {
    /// A configuration is started, in this round.
    Starting(&'a Configuration, u32),
    /// It has answered, so many milliseconds after its start, and is measured.
    Ready(f64),
    /// It is over.
    Ended(&'a BenchRow),
}

/// A bench that may begin: its folder is there, and nobody answers in the place of its servers.
pub struct BenchBegun<'a> {
    asked: &'a Bench<'a>,
    folder: Folder,
    /// Those that are there already.
    rows: Vec<BenchRow>,
}

impl Bench<'_> {
    /// Looks whether it may begin, and opens its folder. What is refused leaves nothing behind.
    ///
    /// # Errors
    /// When the target cannot be asked, when somebody answers already, and when the folder cannot be used.
    pub fn begin(&self) -> Result<BenchBegun<'_>> {
        if self.resumes == Going::New {
            nobody_answers(&self.door()?, self.folder)?;
        }
        let (folder, rows) = Folder::open(self.folder, &self.asked, self.resumes)?;
        Ok(BenchBegun {
            asked: self,
            folder,
            rows,
        })
    }

    fn door(&self) -> Result<Door> {
        let salt = salt_of(&random_run_id()?);
        Door::of(self.experiment, salt, &self.health)
    }
}

impl BenchBegun<'_> {
    /// Measures what is not there yet. What failed before is tried again.
    ///
    /// # Errors
    /// When the folder cannot be used, when somebody answers by now, and when a server cannot be stopped.
    pub fn measure(
        self,
        observer: &dyn Observer,
        tell: &mut dyn FnMut(BenchNews<'_>),
    ) -> Result<BenchSeen> {
        let Self {
            asked,
            mut folder,
            rows,
        } = self;
        let mut seen = BenchSeen {
            rows,
            interrupted: false,
        };
        for round in 1..=asked.rounds {
            for configuration in in_turn(asked.configurations, round) {
                let is_it = |row: &BenchRow| row.is_of(configuration.number, round);
                if seen
                    .rows
                    .iter()
                    .any(|row| is_it(row) && row.state == BenchState::Measured)
                {
                    continue;
                }
                tell(BenchNews::Starting(configuration, round));
                let one = One {
                    asked,
                    configuration,
                    round,
                    observer,
                };
                let gone = one.row(&folder, tell).and_then(|(row, door)| {
                    folder.add(&row)?;
                    tell(BenchNews::Ended(&row));
                    let gone = is_gone(&door, &row, asked.grace);
                    seen.rows.retain(|row| !is_it(row));
                    seen.rows.push(row);
                    gone
                });
                match gone {
                    Ok(()) => {}
                    Err(error) if Cause::of(&error) == Cause::Interrupted => {
                        seen.interrupted = true;
                        return Ok(seen);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(seen)
    }
}

/// Every second round goes backwards, so that what drifts favours nobody.
fn in_turn(all: &[Configuration], round: u32) -> Vec<&Configuration> {
    let mut order: Vec<&Configuration> = all.iter().collect();
    if round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

/// One configuration in one round.
struct One<'a> {
    asked: &'a Bench<'a>,
    configuration: &'a Configuration,
    round: u32,
    observer: &'a dyn Observer,
}

impl One<'_> {
    /// Starts it, measures it, stops it. Whether it is gone then is still to be seen, by the door.
    ///
    /// # Errors
    /// When a signal came, when somebody answers already.
    fn row(
        &self,
        folder: &Folder,
        tell: &mut dyn FnMut(BenchNews<'_>),
    ) -> Result<(BenchRow, Door)> {
        let asked = self.asked;
        let mut door = asked.door()?;
        nobody_answers(&door, &folder.place(self.configuration, self.round))?;
        unless_signalled()?;
        let place = folder.of_row(self.configuration, self.round)?;
        let mut row = self.empty(place.name);
        let spec = ServeSpec {
            command: self.configuration.command.clone(),
            stop: asked.stop.clone(),
            grace: asked.grace,
        };
        let mut served = Served::start(&spec, &place.path)?;
        let origin_ns = served.begun_ns();
        let ready = self.ready(&mut door, &mut row.reached, &mut served);
        let ended = match ready {
            Ok(()) => {
                if let Some(answered_ms) = row.at(ColdInstant::FirstAnswer) {
                    tell(BenchNews::Ready(answered_ms));
                }
                self.measure(&place.path, &mut row, &mut served)
            }
            Err(error) => {
                row.state = BenchState::NotStarted;
                Err(error)
            }
        };
        if let Err(error) = ended {
            if Cause::of(&error) == Cause::Interrupted {
                served.stop();
                return Err(error);
            }
            let alive = served.is_alive().is_ok();
            let tail = if alive {
                told(served.log())
            } else {
                String::new()
            };
            row.why = Some(inert_lines(&format!("{error:#}{tail}")));
        }
        let lines = served.log().lines();
        row.phases = asked.patterns.read(&lines, origin_ns);
        row.config_lines = config_lines(&lines);
        row.log_bytes_lost = served.log().size().bytes_lost;
        let stopped = served.stop();
        row.stopped = match &stopped.problem {
            Some(problem) => format!("{}, but {problem}", stopped.how),
            None => stopped.how,
        };
        Ok((row, door))
    }

    fn empty(&self, directory: PathBuf) -> BenchRow {
        BenchRow {
            format_version: BENCH_VERSION,
            configuration: self.configuration.number,
            round: self.round,
            name: self.configuration.name(),
            command: redact_command(&self.configuration.command),
            begun_ns: realtime_ns(),
            state: BenchState::Measured,
            why: None,
            exit_code: None,
            reached: Vec::new(),
            phases: Vec::new(),
            config_lines: Vec::new(),
            directory,
            stopped: String::new(),
            log_bytes_lost: 0,
        }
    }

    fn ready(
        &self,
        door: &mut Door,
        reached: &mut Vec<ReachedAt>,
        served: &mut Served,
    ) -> Result<()> {
        let origin_ns = served.begun_ns();
        let mut wait = Wait {
            origin_ns,
            until_ns: origin_ns.saturating_add(self.asked.start_timeout.ns()),
            flag: "--start-timeout",
            alive: &mut || served.is_alive(),
            observer: self.observer,
        };
        let address = wait.ready(door, reached)?;
        let mut ready = Ready::at(address, std::mem::take(reached));
        let first = wait.first_answer(door, &mut ready);
        *reached = ready.reached;
        first.map(drop)
    }

    /// Measures a server that is ready.
    fn measure(&self, directory: &Path, row: &mut BenchRow, served: &mut Served) -> Result<()> {
        let mut words = self.asked.words.clone();
        let seed = self.asked.seed.wrapping_add(u64::from(self.round - 1));
        words.extend(["--seed".to_owned(), seed.to_string(), "--out".to_owned()]);
        words.push(directory.join("measured").display().to_string());
        let measuring = Measuring {
            program: self.asked.program,
            words: &words,
            directory,
        };
        let ended = measuring.run(&mut || served.is_alive())?;
        row.exit_code = ended.code;
        if let Some(why) = ended.server_died {
            row.state = BenchState::ServerDied;
            return Err(Failure::target(why).into());
        }
        if !has_measured(ended.code) || !directory.join("measured").is_dir() {
            row.state = BenchState::NotMeasured;
            return Err(Failure::target(ended.said).into());
        }
        Ok(())
    }
}

/// Exit codes of a whole measurement: well, an objective missed, Invalid, an objective undecided. With any other one
/// its record is of a target that failed, was cut off, or is not complete.
fn has_measured(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 1 | 3 | 5))
}

/// A server that goes on serving would be taken for the next one. A command that stops it may return before it is gone:
/// it has as long as a step of stopping.
fn is_gone(door: &Door, row: &BenchRow, grace: Span) -> Result<()> {
    let until_ns = monotonic_ns().saturating_add(grace.max(GONE).ns());
    while door.open().is_ok() {
        unless_signalled()?;
        if monotonic_ns() > until_ns {
            return Err(Failure::target(format!(
                "{} still answers after {} was stopped ({}): give --stop a command that ends it",
                door.name(),
                row.name,
                row.stopped
            ))
            .into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Lines of a log in which a server tells how it is configured.
fn config_lines(lines: &[LogLine]) -> Vec<String> {
    let tells = |line: &&LogLine| CONFIG_MARKS.iter().any(|mark| line.text.contains(mark));
    let told = lines.iter().filter(tells).take(CONFIG_LINES);
    told.map(|line| line.text.chars().take(CONFIG_BYTES).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_round_goes_backwards() {
        let vary = ["a=1,2,3".to_owned()];
        let all = configurations("serve {flags}", &vary, None).expect("three");
        let numbers =
            |round| -> Vec<usize> { in_turn(&all, round).iter().map(|one| one.number).collect() };
        assert_eq!((numbers(1), numbers(2)), (vec![1, 2, 3], vec![3, 2, 1]));
    }

    #[test]
    fn a_measurement_that_failed_is_none() {
        for code in [0, 1, 3, 5] {
            assert!(has_measured(Some(code)), "{code}");
        }
        for code in [Some(2), Some(4), Some(130), None] {
            assert!(!has_measured(code), "{code:?}");
        }
    }

    #[test]
    fn a_log_tells_how_its_server_is_configured() {
        let line = |text: &str| LogLine {
            at_ns: 0,
            text: text.to_owned(),
        };
        let lines = [
            line("INFO non-default args: {'max_num_seqs': 64}"),
            line("INFO started"),
        ];
        assert_eq!(config_lines(&lines), [lines[0].text.as_str()]);
    }
}
