//! `cargo xtask kills`: sweeps and comparisons over sockets, killed at random instants and continued.
//!
//! Needs a built `infermeter`. The sides are simulators whose answers no busy machine turns round: the objective is
//! met by far, and one side is twice as slow. Invariant: what a kill left in the ledger is in the end among the runs,
//! with the same id; the decision is the one without a kill, unless the machine was too busy for one; and it is what
//! the records say when they are read again.

use crate::ci::scratch_directory;
use anyhow::{Context, Result, bail, ensure};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::seed::splitmix64;
use infermeter_record::Ledger;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Kills of each protocol where nothing is said.
const KILLS: u64 = 10;

/// Longest time that one process may take.
const PATIENCE: Duration = Duration::from_secs(300);

const LOAD: &str = "--workload fixed:16,4 --duration 1s --warmup 0 --threads 1 --quiet";

/// A protocol that is killed.
struct Subject {
    command: &'static str,
    /// What it measures, without its place.
    flags: String,
    file: &'static str,
    /// What was decided, of its file; null where the machine was too busy for a decision.
    decision: fn(&Value) -> Value,
}

fn subjects() -> [Subject; 2] {
    [
        Subject {
            command: "sweep",
            flags: format!("mock:fixed {LOAD} --rates 40,50,60,70 --looks 1 --slo ttft.p50<10s"),
            file: "sweep.json",
            decision: |found| {
                let levels = found["curves"][0]["levels"].as_array();
                // What a busy client has spoilt decides nothing.
                match levels
                    .into_iter()
                    .flatten()
                    .any(|level| level["verdict"] == "invalid")
                {
                    true => Value::Null,
                    false => found["curves"][0]["highest"].clone(),
                }
            },
        },
        Subject {
            command: "compare",
            flags: format!(
                "mock:fixed mock:fixed?step=60ms {LOAD} --rate 60 --rounds 6 --primary e2e.mean"
            ),
            file: "compare.json",
            decision: |found| {
                let changes = found["comparison"]["loads"][0]["changes"].as_array();
                let answers = changes.into_iter().flatten();
                let answers = answers.map(|change| change["decision"]["answer"].clone());
                let decided: Vec<Value> = answers.filter(|answer| !answer.is_null()).collect();
                // A round in which a busy client missed the figure leaves too few of them.
                match decided.iter().any(|answer| answer == "not_tested") {
                    true => Value::Null,
                    false => decided.into(),
                }
            },
        },
    ]
}

/// Kills as often as is asked: `[--kills N] PROGRAM`.
pub fn run(arguments: &[String]) -> Result<()> {
    let (kills, program) = match arguments {
        [flag, kills, program] if flag == "--kills" => (kills.parse()?, program),
        [program] => (KILLS, program),
        _ => bail!(
            "cargo xtask kills [--kills N] PROGRAM: the infermeter that is killed, as in target/debug/infermeter"
        ),
    };
    let scratch = scratch_directory("kills");
    for subject in subjects() {
        let tried = Tried {
            program: Path::new(program),
            subject: &subject,
            scratch: scratch.join(subject.command),
        };
        tried.all(kills)?;
    }
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}

struct Tried<'a> {
    program: &'a Path,
    subject: &'a Subject,
    scratch: PathBuf,
}

impl Tried<'_> {
    fn all(&self, kills: u64) -> Result<()> {
        fs::create_dir_all(&self.scratch)?;
        let whole = self.scratch.join("whole");
        let began = monotonic_ns();
        ended(self.begin(&whole)?)?;
        let takes = since(began);
        let expect = self.decided(&whole)?;
        let command = self.subject.command;
        println!(
            "{command}: {:.1} s without a kill, decides {expect}",
            takes.as_secs_f64()
        );
        for kill in 0..kills {
            let share = (splitmix64(kill ^ 0x6b69) >> 11) as f64 / (1_u64 << 53) as f64;
            let after = takes.mul_f64(share);
            let directory = self.scratch.join(format!("kill-{kill}"));
            let there = self.killed(&directory, after)?;
            let at = format!("{command}: kill {kill} after {:.1} s", after.as_secs_f64());
            self.goes_on(&directory, &there, &expect)
                .with_context(|| format!("{at}: its records are in {}", directory.display()))?;
            println!(
                "{at}: {} runs were there, the decision is the same",
                there.len()
            );
        }
        Ok(())
    }

    fn infermeter(&self, line: &str, directory: &Path) -> Result<Child> {
        let child = Command::new(self.program)
            .args(line.split(' '))
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        child.with_context(|| format!("cannot start {}", self.program.display()))
    }

    fn begin(&self, directory: &Path) -> Result<Child> {
        let line = format!("{} {} --out", self.subject.command, self.subject.flags);
        self.infermeter(&line, directory)
    }

    /// Kills it after so long; the runs that are in its ledger then.
    fn killed(&self, directory: &Path, after: Duration) -> Result<BTreeMap<u64, String>> {
        let mut child = self.begin(directory)?;
        sleep(after);
        // It may have ended by itself.
        let _ = child.kill();
        child.wait()?;
        Ok(entered(directory))
    }

    fn goes_on(
        &self,
        directory: &Path,
        there: &BTreeMap<u64, String>,
        expect: &Value,
    ) -> Result<()> {
        if Ledger::read(directory).is_err() {
            // Killed before there was anything to go on with.
            return Ok(());
        }
        let line = format!("{} --quiet --resume", self.subject.command);
        ended(self.infermeter(&line, directory)?)?;
        let found = self.decided(directory)?;
        let both = !found.is_null() && !expect.is_null();
        ensure!(
            !both || found == *expect,
            "it decides {found}, not {expect}"
        );
        let runs = entered(directory);
        for (number, id) in there {
            ensure!(
                runs.get(number) == Some(id),
                "run {number} was measured again"
            );
        }
        let numbers: Vec<u64> = runs.keys().copied().collect();
        let all: Vec<u64> = (1..=numbers.len() as u64).collect();
        ensure!(numbers == all, "runs are missing: {numbers:?}");
        Ok(())
    }

    /// What was decided, which is what the records say.
    fn decided(&self, directory: &Path) -> Result<Value> {
        let path = directory.join(self.subject.file);
        let kept = fs::read(&path).with_context(|| format!("no {}", path.display()))?;
        let kept: Value = serde_json::from_slice(&kept)?;
        let again = Command::new(self.program)
            .args(["report", "--json"])
            .arg(directory)
            .stderr(Stdio::null())
            .output()?;
        let again: Value = serde_json::from_slice(&again.stdout).context("report --json")?;
        ensure!(
            again == kept,
            "the records say something else than {}",
            path.display()
        );
        Ok((self.subject.decision)(&kept))
    }
}

fn since(began_ns: i64) -> Duration {
    Duration::from_nanos((monotonic_ns() - began_ns).unsigned_abs())
}

/// Waits for its end, for as long as is bearable.
fn ended(mut child: Child) -> Result<()> {
    let began = monotonic_ns();
    while child.try_wait()?.is_none() {
        if since(began) > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("it takes longer than {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The runs of a ledger: their ids, by number.
fn entered(directory: &Path) -> BTreeMap<u64, String> {
    let Ok(contents) = Ledger::read(directory) else {
        return BTreeMap::new();
    };
    let runs = contents.entries.iter().filter_map(|line| {
        let number = line["number"].as_u64()?;
        let id = line["seen"]["run_id"].as_str()?;
        Some((number, id.to_owned()))
    });
    runs.collect()
}
