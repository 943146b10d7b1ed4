//! `infermeter report DIR`: recompute and print everything from the record of a run, or from those of an
//! experiment's runs.

use crate::cli::tables::ReportArgs;
use crate::compare::Compared;
use crate::output;
use crate::several::{self, Reported};
use crate::show::{self, Shown};
use crate::sweep::Swept;
use crate::together::Repeated;
use anyhow::Result;
use infermeter_core::plan::Deadlines;
use infermeter_core::run::RunManifest;
use infermeter_core::slo::Slo;
use infermeter_protocol::{ProtocolSpec, Repeat, Sweep};
use infermeter_record::write_manifest;
use infermeter_session::book::AskedRuns;
use infermeter_session::kept::KeptRun;
use infermeter_session::kept_experiment::{KeptExperiment, is_experiment};

/// Runs the subcommand.
///
/// # Errors
/// When the directory holds neither a run nor an experiment, or its files cannot be read.
pub fn report(args: &ReportArgs, shown: Shown) -> Result<u8> {
    let asked = Asked::of(args);
    match is_experiment(&args.run_dir) {
        true => experiment(args, &asked, shown),
        false => run(args, &asked, shown),
    }
}

fn run(args: &ReportArgs, asked: &Asked, shown: Shown) -> Result<u8> {
    let mut kept = KeptRun::open(&args.run_dir)?;
    let own_plan = asked.is_none() && kept.manifest.plan.strict >= args.strict;
    asked.put_into(&mut kept.manifest);
    let judged = kept.judge(None)?;
    if own_plan && let Err(error) = write_manifest(&args.run_dir, &judged.manifest) {
        // An archive may be read-only: the report is no worse for that.
        output::note(&format!("note: run.json is left as it was: {error}"));
    }
    let document = || show::of_run(&judged, show::view(args.full));
    shown.print(document, || show::json_of_run(&judged));
    Ok(show::exit_code(&judged, args.strict))
}

/// Every run that is there, what they say, and what is missing.
fn experiment(args: &ReportArgs, asked: &Asked, shown: Shown) -> Result<u8> {
    let kept = KeptExperiment::open(&args.run_dir, &|manifest| asked.put_into(manifest))?;
    let reported = Reported {
        directory: &args.run_dir,
        kept,
        shown,
        strict: args.strict,
    };
    let AskedRuns { variants, protocol } = &reported.kept.asked;
    match protocol {
        ProtocolSpec::Compare(compare) => several::report(&reported, compare, &Compared::default()),
        ProtocolSpec::Repeat { requests } => {
            let protocol = Repeat::of(&variants[0], *requests)?;
            several::report(&reported, &protocol, &Repeated)
        }
        ProtocolSpec::Sweep(spec) => {
            let protocol = Sweep::of(spec, variants)?;
            several::report(&reported, &protocol, &Swept)
        }
    }
}

/// What is judged instead of what a run was measured for.
struct Asked {
    objectives: Vec<Slo>,
    fluidity: Option<Deadlines>,
    strict: bool,
}

impl Asked {
    fn of(args: &ReportArgs) -> Self {
        Self {
            objectives: args.slo.clone(),
            fluidity: args.fluidity,
            strict: args.strict,
        }
    }

    fn is_none(&self) -> bool {
        self.objectives.is_empty() && self.fluidity.is_none()
    }

    fn put_into(&self, manifest: &mut RunManifest) {
        let plan = &mut manifest.plan;
        plan.fluidity = self.fluidity.or(plan.fluidity);
        if !self.objectives.is_empty() {
            plan.slo = self.objectives.clone();
        }
        plan.strict |= self.strict;
    }
}
