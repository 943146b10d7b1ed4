//! `--repeat` and `--until`: several runs of one plan, each with its own seeds, salt, warm-up and
//! record, and what they say together.
//!
//! Invariant: every run's record is complete and can be reported on its own; `repeat.json` holds
//! nothing that cannot be computed again from them.

use crate::commands::run::{Ended, measure_into};
use crate::exit;
use crate::judged::Judged;
use crate::load::Load;
use crate::shown::Shown;
use crate::{output, run_id};
use anyhow::{Context, Result, anyhow};
use infermeter_analysis::{Precision, PrecisionLook, PrecisionState, Repeated, Summary};
use infermeter_core::clock::realtime_ns;
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_core::schedule::Schedule;
use infermeter_core::seed::splitmix64;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The most runs of `--until` without `--repeat`.
pub const MOST_RUNS: u32 = 12;

/// Measured requests of a run that does not say: only the tuning of a sequence rests on it.
const REQUESTS: usize = 1_000;

/// Runs a plan repeatedly.
///
/// # Errors
/// When a run cannot be started or its files cannot be written; the runs before it stay.
pub fn run(plan: &Plan) -> Result<u8> {
    let most = plan.repeat.unwrap_or(MOST_RUNS) as usize;
    let directory = match &plan.out {
        Some(path) => path.clone(),
        None => run_id::default_directory(realtime_ns(), &run_id::random_run_id()?),
    };
    if directory.exists() {
        return Err(anyhow!(
            "{} exists: choose another --out",
            directory.display()
        ));
    }
    let mut runs = Runs::new(plan, most)?;
    for number in 1..=most {
        let ended = one(plan, number, &directory)?;
        let over = ended.interrupted || ended.unwritten.is_some();
        if let Some(error) = &ended.unwritten {
            output::note(&format!(
                "run {number}: its record is not complete: {error:#}"
            ));
        }
        let unwritten = ended.unwritten.is_some();
        runs.add(ended, &directory, number);
        if unwritten {
            runs.codes.push(exit::INVALID);
        }
        if over || runs.is_precise() {
            break;
        }
    }
    let code = runs.finish(plan, &directory)?;
    Ok(code)
}

/// The plan of run `number`: seeds of its own from the second run on, so that the first is what the
/// plan measures without being repeated.
fn plan_of(plan: &Plan, number: usize, directory: &Path) -> Plan {
    let seeds = plan.seeds();
    let own = |seed: u64| match number {
        1 => seed,
        number => splitmix64(seed ^ splitmix64(number as u64)),
    };
    Plan {
        out: Some(directory.join(format!("run-{number:02}"))),
        workload_seed: Some(own(seeds.workload)),
        schedule_seed: Some(own(seeds.schedule)),
        salt: plan.salt.map(|salt| salt.wrapping_add(number as u64 - 1)),
        ..plan.clone()
    }
}

fn one(plan: &Plan, number: usize, directory: &Path) -> Result<Ended> {
    let own = plan_of(plan, number, directory);
    let id = run_id::random_run_id()?;
    let salt = own.salt.unwrap_or_else(|| run_id::salt_of(&id));
    let load = Load::from_plan(&own, salt)?;
    let ended = measure_into(&own, &load, (&id, salt), plan.until.as_ref());
    ended.with_context(|| format!("run {number}"))
}

/// What the runs so far gave.
struct Runs<'a> {
    plan: &'a Plan,
    most: usize,
    precision: Option<Precision>,
    looks: Vec<PrecisionLook>,
    judged: Vec<(Summary, Verdict)>,
    about: Vec<Value>,
    codes: Vec<u8>,
}

impl<'a> Runs<'a> {
    fn new(plan: &'a Plan, most: usize) -> Result<Self> {
        let precision = match plan.until {
            None => None,
            Some(until) => Some(
                Precision::new(until, most, requests(plan)?)
                    .map_err(|_| anyhow!("--until needs at least two runs: raise --repeat"))?,
            ),
        };
        let runs = Self {
            plan,
            most,
            precision,
            looks: Vec::new(),
            judged: Vec::new(),
            about: Vec::new(),
            codes: Vec::new(),
        };
        runs.announce();
        Ok(runs)
    }

    /// Says before the first run how many there may be.
    fn announce(&self) {
        if let (Some(precision), Some(until)) = (&self.precision, &self.plan.until) {
            let looks: Vec<String> = precision.looks().iter().map(usize::to_string).collect();
            self.say(&format!(
                "{until}: at most {} runs; a look after each while requests are independent, else \
                 after {} runs",
                self.most,
                looks.join(", ")
            ));
        }
    }

    fn add(&mut self, ended: Ended, directory: &Path, number: usize) {
        let Judged {
            manifest,
            summary,
            verdict,
            precision,
        } = &ended.judged;
        self.codes.push(ended.judged.exit_code(self.plan.strict));
        self.about.push(json!({
            "directory": directory.join(format!("run-{number:02}")),
            "run_id": manifest.run_id,
            "verdict": verdict,
            "seeds": manifest.seeds,
            "state": manifest.state,
        }));
        self.judged.push((summary.clone(), *verdict));
        let so_far = Repeated::of(&self.judged);
        let line = infermeter_report::run_line(number, self.most, *verdict, &so_far);
        self.say(&line);
        let whole = manifest.state == RunState::Finished;
        if let (Some(precision), Some(run), true) = (&mut self.precision, precision, whole) {
            let look = precision.look(run.clone());
            self.say(&format!("  {}", infermeter_report::look_line(&look)));
            self.looks.push(look);
        }
    }

    fn is_precise(&self) -> bool {
        let last = self.looks.last();
        last.is_some_and(|look| look.state == PrecisionState::Reached)
    }

    /// Judges the runs together, writes `repeat.json` and prints.
    fn finish(&self, plan: &Plan, directory: &Path) -> Result<u8> {
        let repeated = Repeated::of(&self.judged);
        let findings = repeated.findings(plan.is_replay());
        let verdict = Verdict::of(&findings);
        let value = json!({
            "format_version": infermeter_core::run::FORMAT_VERSION,
            "verdict": verdict,
            "findings": findings,
            "precision": self.looks,
            "repeated": repeated,
            "runs": self.about,
        });
        let path = directory.join("repeat.json");
        std::fs::write(&path, format!("{value:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
        self.show(&value, &repeated, (verdict, &findings), directory);
        Ok(self.code(verdict))
    }

    fn show(
        &self,
        value: &Value,
        repeated: &Repeated,
        (verdict, findings): (Verdict, &[Finding]),
        directory: &Path,
    ) {
        let shown = Shown::json_if(self.plan.json);
        if shown == Shown::Json {
            output::json(value);
            return;
        }
        if self.plan.quiet {
            output::print(&format!("{}\n", verdict.as_str()));
        } else {
            let looks = &self.looks;
            let document = || infermeter_report::of_repeated(repeated, looks, verdict, findings);
            output::print("\n");
            shown.print(document, || value.clone());
            output::print("\n");
        }
        output::print(&format!("Records in {}\n", directory.display()));
    }

    /// The gravest of the runs' exit codes, and of the verdict on all of them.
    fn code(&self, verdict: Verdict) -> u8 {
        let accepted = match self.plan.strict {
            true => Verdict::Valid,
            false => Verdict::Questionable,
        };
        let together = match verdict > accepted {
            true => exit::INVALID,
            false => exit::OK,
        };
        exit::gravest(&[self.codes.as_slice(), &[together]].concat())
    }

    fn say(&self, line: &str) {
        if !self.plan.quiet {
            output::note(line);
        }
    }
}

/// Measured requests that a run of the plan is expected to have.
fn requests(plan: &Plan) -> Result<usize> {
    let load = Load::from_plan(&plan_of(plan, 1, &PathBuf::new()), 0)?;
    Ok(match load.schedule {
        Schedule::Open(open) => open.drain_from - open.measure_from,
        Schedule::Closed(closed) => closed.requests.map_or(REQUESTS, |n| n as usize),
    })
}
