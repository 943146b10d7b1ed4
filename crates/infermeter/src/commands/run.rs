//! `infermeter run`: measure a server.

use super::gate::{self, Gating};
use super::repeat;
use crate::cli::Given;
use crate::cli::tables::{MeasureArgs, RunArgs};
use crate::dry_run::DryRun;
use crate::live_page::LivePage;
use crate::show::{self, Shown, Terminal};
use crate::{exit, input, layers, output, page, print_config, several, validate};
use anyhow::Result;
use infermeter_analysis::Gated;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_protocol::Once;
use infermeter_report::{Format, Notes};
use infermeter_session::book::Book;
use infermeter_session::drive::{End, drive};
use infermeter_session::experiment::Experiment;
use infermeter_session::judged::Judged;
use infermeter_session::kept::KeptRun;
use infermeter_session::live::Live;
use infermeter_session::load::Load;
use infermeter_session::runs::{Into, Runs};
use infermeter_session::{found, tiling};
use std::path::Path;
use std::slice;

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, a target that cannot be used, a directory that
/// cannot be written. Afterwards the verdict and the exit code tell.
pub fn run(given: &Given) -> Result<u8> {
    let RunArgs { resume } = given.read()?;
    let args: MeasureArgs = given.read()?;
    let config = args.config.as_deref();
    let mut resolved = match &resume {
        None => layers::resolve(given, config)?,
        Some(directory) => {
            let kept = several::kept(directory, "run", given)?;
            layers::resolve_over(&kept.plan, given, config)?
        }
    };
    tiling::settle(&mut resolved.plan)?;
    if args.print_config {
        output::print(&print_config::print_config(&resolved));
        return Ok(exit::OK);
    }
    validate::validate(&resolved)?;
    input::of_plan(&mut resolved.plan, config)?;
    let plan = &resolved.plan;
    let experiment = Experiment::of(plan)?;
    found::template(&experiment.requests)?;
    let repeated = plan.repeat.is_some() || plan.until.is_some();
    let gating = Gating::of(given)?;
    gating
        .as_ref()
        .map_or(Ok(()), |gating| gating.check(plan))?;
    let load = Load::of(&experiment, plan.salt.unwrap_or(0))?;
    validate::lengths_used(&resolved, load.workload.trace_facts())?;
    let criteria = gating.as_ref().map_or(&[][..], Gating::criteria);
    validate::classes_asked(plan, criteria, load.workload.classes())?;
    let showing = Showing {
        plan,
        shown: args.shown(plan.json),
        gating: gating.as_ref(),
    };
    if args.dry_run {
        let dry_run = DryRun::new(plan, &load);
        let print = showing.shown;
        print.print(|| dry_run.document(plan), || &dry_run);
        return Ok(exit::OK);
    }
    match repeated {
        true => repeat::run(plan, load, resume.as_deref(), gating.clone(), showing.shown),
        false => {
            let live_page = LivePage::of(plan)?;
            let code = showing.once(load, &live_page)?;
            Ok(live_page.end(code))
        }
    }
}

/// How what was measured is shown, and held against a baseline.
struct Showing<'a> {
    plan: &'a Plan,
    shown: Shown,
    gating: Option<&'a Gating>,
}

impl Showing<'_> {
    /// Measures once, and shows it.
    fn once(&self, load: Load, live_page: &LivePage) -> Result<u8> {
        let plan = self.plan;
        page::check(plan.html.as_deref())?;
        let host = several::host()?;
        let observer = Terminal::of(plan);
        let live = Live::new(&host, &observer).with_load(load);
        let live = live.exposed(live_page.exposed());
        let mut runs = Runs::new(live, slice::from_ref(plan), Into::Alone(plan.out.clone()));
        let driven = drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {})?;
        if let End::Failed(error) = driven.end {
            return Err(error);
        }
        let (Some(ended), Some(point)) = (runs.take_last(), driven.points.last()) else {
            return Ok(exit::INTERRUPTED);
        };
        let directory = &point.seen.place.directory;
        let gating = self.gating.filter(|_| ended.unwritten.is_none());
        let gated = gating.map(|gating| gating.judge(directory));
        let found = gated.as_ref().and_then(|gated| gated.as_ref().ok());
        let whole = ended.unwritten.is_none();
        let judged = self.with_charts(ended.judged, directory, whole);
        self.show(&judged, found);
        if let Some(error) = ended.unwritten {
            return Err(error);
        }
        let mut codes = vec![show::exit_code(&judged, plan.strict)];
        if let (Some(gating), Some(gated)) = (gating, found) {
            if self.shown != Shown::Json {
                gating.print(gated, self.shown, plan.quiet);
            }
            codes.push(gating.code(gated));
        }
        self.show_place(point.seen.state, directory);
        page::write(plan.html.as_deref(), Some(directory), || {
            let document = show::of_run(&judged, page::PAGE.view(plan.full), Notes::Told);
            gate::in_page(document, found, page::PAGE)
        })?;
        gated.transpose()?;
        Ok(exit::gravest(&codes))
    }

    /// With what its charts show, where they will be seen: for that the record is read once more.
    fn with_charts(&self, judged: Judged, directory: &Path, whole: bool) -> Judged {
        let seen = self.shown == page::PAGE || self.plan.html.is_some();
        if !seen || !whole {
            return judged;
        }
        match KeptRun::open(directory).and_then(KeptRun::pictured) {
            Ok(pictured) => pictured,
            Err(error) => {
                output::note(&format!("note: there are no charts: {error}"));
                judged
            }
        }
    }

    fn show(&self, judged: &Judged, gated: Option<&Gated>) {
        let terminal = self.shown == Shown::Document(Format::Terminal);
        if self.plan.quiet && terminal {
            output::print(&format!("{}\n", judged.verdict.as_str()));
            for line in infermeter_report::not_met(&judged.summary) {
                output::note(&line);
            }
            return;
        }
        let (view, notes) = (
            self.shown.view(self.plan.full),
            show::notes(self.plan.notes),
        );
        let document = || gate::in_page(show::of_run(judged, view, notes), gated, self.shown);
        self.shown.print(document, || {
            let mut output = show::output_of_run(judged);
            output.gate = gated;
            output
        });
        if terminal {
            output::print("\n");
        }
    }

    fn show_place(&self, state: RunState, directory: &Path) {
        let quiet = self.plan.quiet;
        let how = match (quiet, state) {
            (true, _) => "",
            (false, RunState::Interrupted) => "Interrupted; record in ",
            (false, RunState::Running | RunState::Finished) => "Record in ",
        };
        let line = format!("{how}{}", directory.display());
        self.shown.print_place(quiet, &line);
    }
}
