//! `infermeter monitor`: the same small run at fixed instants, for ever, and what changed.
//!
//! The loop is the library's. Invariant: nothing is told to anybody while something is measured.

use super::monitor_output::{self, WebhookMessage};
use crate::cli::Given;
use crate::cli::tables::{MonitorArgs, NOT_REPEATED};
use crate::dry_run::DryRun;
use crate::layers::{self, Resolved};
use crate::live_page::LivePage;
use crate::screen::Drawing;
use crate::show::{Shown, Terminal};
use crate::{exit, input, output, print_config, several, validate};
use anyhow::{Result, bail};
use infermeter_core::plan::Plan;
use infermeter_protocol::Coordinates;
use infermeter_report::{Headline, number};
use infermeter_session::experiment::Experiment;
use infermeter_session::history::looked_at;
use infermeter_session::live::Live;
use infermeter_session::load::Load;
use infermeter_session::monitor::webhook::Webhook;
use infermeter_session::monitor::{
    Keep, MachinePace, MonitorLine, Onward, SlotState, Watch, Watched, default_folder, watch,
};
use infermeter_session::{found, outlook, tiling};
use std::path::Path;
use std::slice;

/// Figures that a line shows where none is asked for.
const SHOWN: [&str; 4] = ["ttft.p50", "ttft.p99", "tpot.p50", "error_rate"];

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, a folder that cannot be written.
pub(crate) fn monitor(given: &Given) -> Result<u8> {
    let args: MonitorArgs = given.read()?;
    let config = args.config.as_deref();
    let mut resolved = layers::resolve(given, config)?;
    only_a_run(&resolved)?;
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
    let load = Load::of(&experiment, plan.salt.unwrap_or(0))?;
    validate::lengths_used(&resolved, load.workload.trace_facts())?;
    validate::classes_asked(plan, &[], load.workload.classes())?;
    if args.dry_run {
        let dry_run = DryRun::new(plan, &load);
        Shown::json_if(plan.json).print(|| dry_run.document(plan), || &dry_run);
        return Ok(exit::OK);
    }
    drop(load);
    watched(plan, &args)
}

/// A plan file may ask for what a monitor does not do.
fn only_a_run(resolved: &Resolved) -> Result<()> {
    match NOT_REPEATED.into_iter().find(|key| resolved.given(key)) {
        Some(key) => bail!("`{key}` is not for monitor: leave it out of the plan file"),
        None => Ok(()),
    }
}

fn watched(plan: &Plan, args: &MonitorArgs) -> Result<u8> {
    let folder = plan.out.clone();
    let folder = folder.unwrap_or_else(|| default_folder(&plan.target));
    let mut teller = Teller::of(plan, args)?;
    let live_page = LivePage::of(plan)?;
    let host = several::host()?;
    let drawn = Plan {
        // In a log every line of progress would be one more.
        quiet: Drawing::choose(plan.quiet) != Drawing::Over,
        ..plan.clone()
    };
    let observer = Terminal::of(&drawn);
    if !plan.quiet {
        announce(plan, args, &folder);
    }
    let asked = Watch {
        plan,
        folder: &folder,
        every: args.every,
        runs: args.runs,
        lasting: args.end_after,
        keep: Keep {
            runs: args.keep,
            bytes: args.keep_bytes,
        },
        server: args.server.as_deref(),
        figures: &args.figure,
        headline: |summary| serde_json::to_value(Headline::of(summary)).unwrap_or_default(),
    };
    let watched = watch(
        &asked,
        &mut MachinePace,
        &mut || Live::new(&host, &observer).exposed(live_page.exposed()),
        &mut |line| teller.tell(line),
    )?;
    if !plan.quiet {
        output::note(&monitor_output::summary(&watched));
        output::note(&format!(
            "Figures over time: infermeter history trend {}",
            folder.display()
        ));
    }
    Ok(live_page.end(exit_code(&watched, args)))
}

fn announce(plan: &Plan, args: &MonitorArgs, folder: &Path) {
    let every = number::span(args.every.as_seconds());
    let takes = outlook::seconds(slice::from_ref(plan), &[Coordinates::default()]);
    let of_run = takes.map_or_else(String::new, |s| format!(" of {}", number::span(s)));
    output::note(&format!(
        "A run{of_run} every {every}, into {}; Ctrl-C ends it",
        folder.display()
    ));
    if takes.is_some_and(|seconds| seconds >= args.every.as_seconds()) {
        output::note(
            "note: a run takes longer than --every, so that instants will be passed over: give a longer --every",
        );
    }
}

/// Says what became of an instant, to whom it concerns.
struct Teller<'a> {
    plan: &'a Plan,
    args: &'a MonitorArgs,
    /// Figures of a line.
    shown: Vec<String>,
    webhook: Option<Webhook>,
}

impl<'a> Teller<'a> {
    fn of(plan: &'a Plan, args: &'a MonitorArgs) -> Result<Self> {
        let asked = looked_at(&args.figure);
        Ok(Self {
            plan,
            args,
            shown: match args.figure.is_empty() {
                true => SHOWN.map(str::to_owned).to_vec(),
                false => asked.iter().map(ToString::to_string).collect(),
            },
            webhook: args.webhook.as_deref().map(Webhook::to).transpose()?,
        })
    }

    fn tell(&mut self, line: &MonitorLine) -> Onward {
        self.print(line);
        self.send(line);
        let is_worse = line.news.iter().any(|news| news.kind.is_regression());
        match self.args.exit_on_regression && is_worse {
            true => Onward::End,
            false => Onward::GoOn,
        }
    }

    fn print(&self, line: &MonitorLine) {
        let as_usual = line.state == SlotState::Measured
            && line.news.is_empty()
            && line.problems.is_empty()
            && line.skipped == 0;
        match (self.plan.json, self.plan.quiet && as_usual) {
            (true, _) => output::json_line(line),
            (false, true) => {}
            (false, false) => {
                for text in monitor_output::lines(line, &self.shown) {
                    output::print(&format!("{text}\n"));
                }
            }
        }
    }

    /// Tells the webhook of the news, and again of those that it did not take.
    fn send(&mut self, line: &MonitorLine) {
        let Some(webhook) = &mut self.webhook else {
            return;
        };
        if !line.news.is_empty() {
            webhook.add(&WebhookMessage::of(line));
        }
        let went = webhook.deliver(&mut MachinePace);
        if let Some(why) = went.why {
            output::note(&format!(
                "{why}; {} wait for the next run, {} dropped so far",
                went.waiting, went.dropped
            ));
        }
    }
}

/// Without an answer of the target there is nothing to go by.
fn exit_code(watched: &Watched, args: &MonitorArgs) -> u8 {
    exit::gravest(&exit::of_what_is_so([
        (watched.stopped, exit::INTERRUPTED),
        (watched.measured == 0 && watched.down > 0, exit::TARGET),
        (watched.measured == 0 && watched.failed > 0, exit::INVALID),
        (
            args.exit_on_regression && watched.regressions > 0,
            exit::MISSED,
        ),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let check = |watched: Watched, exits: bool, expect: u8| {
            let args = MonitorArgs {
                exit_on_regression: exits,
                ..MonitorArgs::defaults()
            };
            assert_eq!(exit_code(&watched, &args), expect, "{watched:?}");
        };
        let of = |measured: u64, down: u64, regressions: u64| Watched {
            slots: measured + down,
            measured,
            down,
            regressions,
            ..Watched::default()
        };
        check(of(3, 0, 0), true, exit::OK);
        check(of(3, 1, 1), true, exit::MISSED);
        check(of(3, 1, 1), false, exit::OK);
        check(of(0, 3, 0), false, exit::TARGET);
        let stopped = Watched {
            stopped: true,
            ..of(3, 0, 1)
        };
        check(stopped, true, exit::INTERRUPTED);
    }
}
