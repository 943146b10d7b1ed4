//! Runs of a protocol, for every command of several runs: announced, measured, kept, shown.
//!
//! What a protocol's answer looks like is its [`Rendering`]'s; nothing here knows any. Invariant: whatever
//! ends a protocol, what was measured is shown, its file is written, and what is missing is named.

use crate::ahead::{self, Ahead, Known};
use crate::cli::Given;
use crate::commands::gate::{self, Gating};
use crate::dry_run::DryRun;
use crate::live_page::LivePage;
use crate::page::{self, Delivery};
use crate::show::{self, Shown, Terminal};
use crate::{exit, output, validate};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_analysis::{Gated, is_overloaded};
use infermeter_core::clock::{monotonic_ns, realtime_ns};
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::text::listed;
use infermeter_protocol::{AnyOfRuns, Coordinates, Kept, OfRuns, ProtocolSpec, RunPoint, RunSeen};
use infermeter_report::{Block, Document, Format, Notes, RunJudged, Section, Tone, number};
use infermeter_session::book::AskedRuns;
use infermeter_session::drive::{Bench, Driven, End, News, Order, drive};
use infermeter_session::host::Host;
use infermeter_session::kept_experiment::{self, KeptExperiment, Missing, Resumed};
use infermeter_session::live::Live;
use infermeter_session::load::Load;
use infermeter_session::runs::{Into, RunEntry, Runs};
use infermeter_session::{outlook, run_id};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What is measured.
pub(crate) struct Several<'a> {
    /// The plans that coordinates name by their number, each with its first load. What the first says of
    /// the output, and of where the record goes, holds for all.
    pub planned: Vec<(Plan, Load)>,
    /// What decides, for the ledger.
    pub spec: ProtocolSpec,
    /// The experiment that goes on.
    pub resume: Option<&'a Path>,
    /// Done before each run.
    pub before: Option<Before<'a>>,
    /// What is held against a baseline once it is measured.
    pub gating: Option<Gating>,
    /// Nothing is sent: it is said what would be.
    pub dry_run: bool,
    /// The form of the answer.
    pub shown: Shown,
}

/// What is done before a run.
pub(crate) type Before<'a> = Box<dyn Fn(Order<'_, Coordinates>) -> Result<()> + 'a>;

/// Runs, and what they say.
pub(crate) struct Seen<'a, P: OfRuns> {
    /// What decides over them.
    pub protocol: &'a P,
    /// The plans.
    pub variants: &'a [Plan],
    /// Those that are there.
    pub points: &'a [RunPoint],
    /// Those that are not.
    pub missing: &'a [Missing],
    /// How to measure those.
    pub goes_on: String,
    /// What they say.
    pub answer: P::Answer,
}

/// What is said of each run, for the verdict over all.
pub(crate) fn judged(points: &[RunPoint]) -> Vec<RunJudged<'_>> {
    let judged = points.iter().map(|point| RunJudged {
        number: point.number,
        overloaded: is_overloaded(&point.seen.summary),
        verdict: point.seen.verdict,
        findings: &point.seen.findings,
    });
    judged.collect()
}

/// How the runs of a protocol are shown.
pub(crate) trait Rendering<P: OfRuns> {
    /// The file of the answer as JSON, in the experiment's directory.
    const FILE: &'static str;

    /// What the plans are called, by number; none where there is one.
    fn names(&self, _protocol: &P, _variants: &[Plan]) -> Vec<String> {
        Vec::new()
    }

    /// What it can find, before the first run; the number of runs and their time are said already.
    fn finds(&self, protocol: &P) -> Vec<String>;

    /// What is said of the last of these runs.
    fn lines(&self, protocol: &P, points: &[RunPoint]) -> Vec<String>;

    /// What is there, where some runs are missing.
    fn there(&self, _protocol: &P, points: &[RunPoint]) -> String {
        counted(points.len() as u64, "run")
            + if points.len() == 1 {
                " is there"
            } else {
                " are there"
            }
    }

    /// Which runs these are, missing for one reason.
    fn place(&self, _protocol: &P, missing: &[Missing]) -> String {
        at_loads(missing)
    }

    /// The answer.
    fn document(&self, seen: &Seen<'_, P>) -> Document;

    /// The same as JSON, with the gate that it was held against.
    fn json(&self, seen: &Seen<'_, P>, gate: Option<&Gated>) -> Value;

    /// The same in a word, or a line, for `--quiet`.
    fn word(&self, seen: &Seen<'_, P>) -> String;

    /// The exit code.
    fn code(&self, seen: &Seen<'_, P>, strict: bool) -> u8;
}

/// What an experiment that goes on asks for.
pub(crate) struct KeptAsked {
    /// Its first plan.
    pub plan: Plan,
    /// All of it.
    pub asked: AskedRuns,
}

/// What an experiment that goes on asks for, where `command` measures such.
///
/// # Errors
/// Where the directory holds no such experiment.
pub(crate) fn kept(directory: &Path, command: &str, given: &Given) -> Result<KeptAsked> {
    if given.flags.iter().any(|flag| flag.key == "out") {
        bail!("--resume and --out exclude each other: it goes on where it was");
    }
    let asked = kept_experiment::asked(directory)?;
    let own = asked.protocol.command();
    if own != command {
        bail!(
            "--resume: {} is an experiment of {own}: `infermeter {own} --resume {0}` continues it",
            directory.display()
        );
    }
    let plan = asked.variants.first().cloned();
    Ok(KeptAsked {
        plan: plan.context("its ledger has no plan")?,
        asked,
    })
}

/// Claims the host for this process, whose own program starts simulators.
///
/// # Errors
/// When another one has it.
pub(crate) fn host() -> Result<Host> {
    let program = std::env::current_exe().context("own program not found")?;
    Host::claim(program)
}

/// Measures the runs that are not there yet, and shows what all of them say; under `--dry-run` what they would be.
/// The answer is the exit code.
///
/// # Errors
/// When a run cannot be started or its files cannot be written; the runs before it stay.
pub(crate) fn measure<P: OfRuns, R: Rendering<P>>(
    several: Several<'_>,
    protocol: &P,
    rendering: &R,
) -> Result<u8> {
    let criteria = several.gating.as_ref().map_or(&[][..], Gating::criteria);
    for (plan, load) in &several.planned {
        validate::classes_asked(plan, criteria, load.workload.classes())?;
    }
    match several.dry_run {
        true => dry_run(&several, protocol, rendering),
        false => {
            let (plan, _) = several.planned.first().context("there is no plan")?;
            let live_page = LivePage::of(plan)?;
            let code = measure_now(several, protocol, rendering, &live_page)?;
            Ok(live_page.end(code))
        }
    }
}

fn dry_run<P: OfRuns, R: Rendering<P>>(
    several: &Several<'_>,
    protocol: &P,
    rendering: &R,
) -> Result<u8> {
    let points = match several.resume {
        Some(directory) => {
            let header = kept_experiment::header(&several.planned, several.spec.clone())?;
            kept_experiment::there(directory, &header, protocol)?
        }
        None => Vec::new(),
    };
    let next = OfRuns::ahead(protocol, &points);
    let variant = next.first().map_or(0, |at| at.variant);
    let (plan, load) = several.planned.get(variant).context("there is no plan")?;
    let variants: Vec<Plan> = several
        .planned
        .iter()
        .map(|(plan, _)| plan.clone())
        .collect();
    let ahead = Ahead::of(Known {
        command: several.spec.command(),
        variants: &variants,
        names: rendering.names(protocol, &variants),
        finds: rendering.finds(protocol),
        there: points.len(),
        ahead: &next,
    });
    let one = DryRun::new(plan, load);
    several
        .shown
        .print(|| ahead.document(&one, plan), || ahead.output(&one));
    Ok(exit::OK)
}

fn measure_now<P: OfRuns, R: Rendering<P>>(
    several: Several<'_>,
    protocol: &P,
    rendering: &R,
    live_page: &LivePage,
) -> Result<u8> {
    let command = several.spec.command();
    let breaks = matches!(&several.spec, ProtocolSpec::Sweep(spec) if spec.breaking_point);
    let header = kept_experiment::header(&several.planned, several.spec)?;
    let (variants, mut loads): (Vec<Plan>, Vec<Load>) = several.planned.into_iter().unzip();
    let plan = variants.first().context("there is no plan")?;
    page::check(plan.html.as_deref())?;
    let directory = directory(plan, several.resume)?;
    let host = host()?;
    let Resumed { mut book, points } = match several.resume {
        Some(_) => kept_experiment::resume(&directory, &header, protocol)?,
        None => Resumed {
            book: kept_experiment::create(&directory, &header)?,
            points: Vec::new(),
        },
    };
    let mut teller = Teller {
        protocol,
        rendering,
        variants: &variants,
        began_ns: monotonic_ns(),
        there: points.len(),
        lost: Vec::new(),
    };
    if !plan.quiet {
        teller.announce(&points);
    }
    let observer = Terminal::of(plan);
    let live = Live::new(&host, &observer).exposed(live_page.exposed());
    let as_planned = protocol.next_at(&points) == Some(Coordinates::default());
    let live = match points.is_empty() && as_planned {
        true => live.with_load(loads.swap_remove(0)),
        // It has seeds of its own.
        false => live,
    };
    let mut bench = Prepared {
        runs: Runs::new(live, &variants, Into::Experiment(directory.clone()))
            .to_the_breaking_point(breaks),
        before: several.before,
    };
    let mut tell = |news: News<'_, Coordinates, RunSeen>| teller.tell(plan.quiet, news);
    let driven = drive(protocol, &mut bench, &mut book, points, &mut tell)?;
    drop(book);
    if !driven.points.is_empty() {
        let place = Place {
            command,
            variants: &variants,
            directory: &directory,
            gating: several.gating.as_ref(),
            shown: several.shown,
        };
        return finish(&place, protocol, rendering, driven);
    }
    if several.resume.is_none() {
        // Nothing was measured: an empty directory would only be in the way.
        let _ = std::fs::remove_dir_all(&directory);
    }
    match driven.end {
        End::Failed(error) => Err(error),
        End::Answered(_) | End::Interrupted => Ok(exit::INTERRUPTED),
    }
}

/// Runs, each after what has to be done before it.
struct Prepared<'a, B> {
    runs: B,
    before: Option<Before<'a>>,
}

impl<B: Bench<At = Coordinates, Seen = RunSeen, Entry = RunEntry>> Bench for Prepared<'_, B> {
    type At = Coordinates;
    type Seen = RunSeen;
    type Entry = RunEntry;

    fn measure(&mut self, order: Order<'_, Coordinates>) -> Result<RunSeen> {
        if let Some(before) = &self.before {
            before(order).with_context(|| format!("before run {}", order.number))?;
        }
        self.runs.measure(order)
    }

    fn entry(&self, seen: &RunSeen) -> RunEntry {
        self.runs.entry(seen)
    }

    fn is_stopped(&self) -> bool {
        self.runs.is_stopped()
    }
}

fn directory(plan: &Plan, resume: Option<&Path>) -> Result<PathBuf> {
    match resume.or(plan.out.as_deref()) {
        Some(path) => Ok(path.to_owned()),
        None => {
            let id = run_id::random_run_id()?;
            Ok(run_id::default_directory(realtime_ns(), &id))
        }
    }
}

/// Says how it goes, on standard error.
struct Teller<'a, P, R> {
    protocol: &'a P,
    rendering: &'a R,
    variants: &'a [Plan],
    began_ns: i64,
    /// Runs that were there when this process began.
    there: usize,
    /// Variants that cannot be measured any more.
    lost: Vec<usize>,
}

impl<P: OfRuns, R: Rendering<P>> Teller<'_, P, R> {
    /// Before the first run: how many there may be, how long they may take, what they can find, and which
    /// are there already.
    fn announce(&self, points: &[RunPoint]) {
        let ahead = OfRuns::ahead(self.protocol, points);
        let seconds = outlook::seconds(self.variants, &ahead);
        output::note(&ahead::at_most(points.len(), ahead.len(), seconds));
        for line in self.rendering.finds(self.protocol) {
            output::note(&line);
        }
        for there in 1..=points.len() {
            self.lines(&points[..there]);
        }
    }

    fn lines(&self, points: &[RunPoint]) {
        for line in self.rendering.lines(self.protocol, points) {
            output::note(&line);
        }
    }

    /// What has happened.
    fn tell(&mut self, quiet: bool, news: News<'_, Coordinates, RunSeen>) {
        match news {
            News::Point(points) => self.after(quiet, points),
            News::Lost { at, error } => {
                self.lost.push(at.variant);
                let names = self.rendering.names(self.protocol, self.variants);
                let name = names.get(at.variant).map_or("a target", String::as_str);
                output::note(&format!(
                    "{name} is left out from here on, and the others go on: {error:#}"
                ));
            }
        }
    }

    /// After a run, last of `points`.
    fn after(&self, quiet: bool, points: &[RunPoint]) {
        if let Some(RunPoint { number, seen, .. }) = points.last()
            && let Kept::InPart { why } = &seen.kept
        {
            output::note(&format!("run {number}: its record is not complete: {why}"));
        }
        if quiet {
            return;
        }
        self.lines(points);
        let mut ahead = OfRuns::ahead(self.protocol, points);
        ahead.retain(|at| !self.lost.contains(&at.variant));
        if let Some(line) = self.time_left(points, &ahead) {
            output::note(&line);
        }
    }

    /// What has passed, and what is left at most: what runs took beyond their windows so far is expected of
    /// the others.
    fn time_left(&self, points: &[RunPoint], ahead: &[Coordinates]) -> Option<String> {
        if ahead.is_empty() {
            return None;
        }
        let passed = (monotonic_ns() - self.began_ns) as f64 / 1e9;
        let measured: Vec<Coordinates> = points[self.there..].iter().map(|p| p.at).collect();
        let planned = outlook::seconds(self.variants, &measured)?;
        let beyond = (passed - planned).max(0.0) / measured.len().max(1) as f64;
        let left = outlook::seconds(self.variants, ahead)? + beyond * ahead.len() as f64;
        Some(format!(
            "  {} so far; at most {}, about {}",
            number::span(passed),
            ahead::to_come(points.len(), ahead.len()),
            number::span(left)
        ))
    }
}

/// Where an experiment is.
struct Place<'a> {
    command: &'static str,
    variants: &'a [Plan],
    directory: &'a Path,
    gating: Option<&'a Gating>,
    shown: Shown,
}

/// Writes the file of the answer, and prints it.
fn finish<P: OfRuns, R: Rendering<P>>(
    place: &Place<'_>,
    protocol: &P,
    rendering: &R,
    driven: Driven<Coordinates, RunSeen, P::Answer>,
) -> Result<u8> {
    let Driven { mut points, end } = driven;
    // As whoever reads them again has them.
    points.sort_by_key(|point| point.number);
    let (answer, failed) = match end {
        End::Answered(answer) => (answer, None),
        End::Interrupted => (protocol.so_far(&points), Some(Ok(exit::INTERRUPTED))),
        End::Failed(error) => (protocol.so_far(&points), Some(Err(error))),
    };
    let missing = match &failed {
        Some(_) => KeptExperiment::open(place.directory, &|_| {})?.missing,
        None => Vec::new(),
    };
    let seen = Seen {
        protocol,
        variants: place.variants,
        points: &points,
        missing: &missing,
        goes_on: goes_on(place.command, place.directory),
        answer,
    };
    let path = place.directory.join(R::FILE);
    std::fs::write(&path, format!("{:#}\n", rendering.json(&seen, None)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let gated = place.gating.map(|gating| gating.judge(place.directory));
    let found = gated.as_ref().and_then(|gated| gated.as_ref().ok());
    place.print(rendering, &seen, found);
    let page = place.variants[0].html.as_deref();
    page::write(page, Some(place.directory), || {
        let document = whole_document(rendering, &seen, Notes::Told);
        gate::in_page(document, found, page::PAGE)
    })?;
    let code = match failed {
        Some(Err(error)) => return Err(error),
        Some(Ok(code)) => code,
        None => rendering.code(&seen, place.variants[0].strict),
    };
    match (place.gating, gated.transpose()?) {
        (Some(gating), Some(gated)) => Ok(exit::gravest(&[code, gating.code(&gated)])),
        _ => Ok(code),
    }
}

impl Place<'_> {
    /// The answer, the gate, and where the records are.
    fn print<P: OfRuns, R: Rendering<P>>(
        &self,
        rendering: &R,
        seen: &Seen<'_, P>,
        gated: Option<&Gated>,
    ) {
        let (shown, quiet) = (self.shown, self.variants[0].quiet);
        let document = || {
            let document = whole_document(rendering, seen, show::notes(self.variants[0].notes));
            gate::in_page(document, gated, shown)
        };
        let value = || rendering.json(seen, gated);
        match (shown, quiet) {
            (Shown::Document(Format::Terminal), true) => {
                output::print(&format!("{}\n", rendering.word(seen)));
            }
            (Shown::Document(Format::Terminal), false) => {
                output::print("\n");
                shown.print(document, value);
                output::print("\n");
            }
            _ => shown.print(document, value),
        }
        if shown == Shown::Json {
            return;
        }
        if let (Some(gating), Some(gated)) = (self.gating, gated) {
            gating.print(gated, shown, quiet);
        }
        shown.print_place(quiet, &format!("Records in {}", self.directory.display()));
    }
}

/// The answer, and what is missing.
fn whole_document<P: OfRuns, R: Rendering<P>>(
    rendering: &R,
    seen: &Seen<'_, P>,
    notes: Notes,
) -> Document {
    let mut document = Document {
        notes,
        ..rendering.document(seen)
    };
    let mut missing = missing_lines(rendering, seen.protocol, seen.points, seen.missing);
    if !missing.is_empty() {
        missing.push(seen.goes_on.clone());
    }
    document.push(section("Missing", missing));
    document
}

/// How to measure what is missing.
fn goes_on(command: &str, directory: &Path) -> String {
    format!(
        "`infermeter {command} --resume {}` goes on.",
        directory.display()
    )
}

/// What is there, and what is not: a line for all runs that are missing for one reason.
fn missing_lines<P: OfRuns, R: Rendering<P>>(
    rendering: &R,
    protocol: &P,
    points: &[RunPoint],
    missing: &[Missing],
) -> Vec<String> {
    if missing.is_empty() {
        return Vec::new();
    }
    let mut alike: Vec<Vec<Missing>> = Vec::new();
    for one in missing {
        match alike.iter_mut().find(|group| group[0].why == one.why) {
            Some(group) => group.push(one.clone()),
            None => alike.push(vec![one.clone()]),
        }
    }
    let line = |group: &Vec<Missing>| {
        let (runs, place) = (numbers(group), rendering.place(protocol, group));
        format!("  {runs}{place}: {}", group[0].why)
    };
    let there = format!("{}. Missing:", rendering.there(protocol, points));
    std::iter::once(there)
        .chain(alike.iter().map(line))
        .collect()
}

/// `run 3`, `runs 4 to 9`, `runs 2, 5 and 8 to 10`.
fn numbers(missing: &[Missing]) -> String {
    let next = missing.chunk_by(|a, b| a.run + 1 == b.run);
    let stretches: Vec<String> = next
        .map(|stretch| match (stretch.first(), stretch.last()) {
            (Some(first), Some(last)) if first.run < last.run => {
                format!("{} to {}", first.run, last.run)
            }
            (first, _) => first.map_or_else(String::new, |one| one.run.to_string()),
        })
        .collect();
    let word = if missing.len() == 1 { "run" } else { "runs" };
    format!("{word} {}", listed(&stretches))
}

/// ` at 20 requests/s and 40 requests/s`, where every load is decided.
fn at_loads(missing: &[Missing]) -> String {
    let mut loads: Vec<String> = Vec::new();
    for run in missing {
        let Some(load) = run.at.and_then(|at| at.load) else {
            return String::new();
        };
        let load = load.to_string();
        if !loads.contains(&load) {
            loads.push(load);
        }
    }
    match loads.is_empty() {
        true => String::new(),
        false => format!(" at {}", listed(&loads)),
    }
}

fn section(heading: &str, lines: Vec<String>) -> Section {
    let lines = lines.into_iter().map(|line| Block::Text(Tone::Plain, line));
    lines.fold(Section::new(heading), Section::with)
}

/// An experiment on disk, and how it is shown.
pub(crate) struct Reported<'a> {
    /// Where it is.
    pub directory: &'a Path,
    /// What is there.
    pub kept: KeptExperiment,
    /// How it is shown.
    pub delivery: &'a Delivery<'a>,
    /// How much is said of notes.
    pub notes: Notes,
    /// What is questionable fails.
    pub strict: bool,
}

/// Shows an experiment that is on disk: every run that is there, what they say, and what is missing. The
/// answer is the exit code.
///
/// # Errors
/// Where no run of it has ended.
pub(crate) fn report<P: OfRuns, R: Rendering<P>>(
    reported: &Reported<'_>,
    protocol: &P,
    rendering: &R,
) -> Result<u8> {
    let kept = &reported.kept;
    if kept.points.is_empty() {
        let missing = missing_lines(rendering, protocol, &[], &kept.missing);
        return Err(anyhow!(
            "{} has no run that has ended\n{}",
            reported.directory.display(),
            missing.join("\n")
        ));
    }
    let seen = Seen {
        protocol,
        variants: &kept.asked.variants,
        points: &kept.points,
        missing: &kept.missing,
        goes_on: goes_on(kept.asked.protocol.command(), reported.directory),
        answer: protocol.so_far(&kept.points),
    };
    let document = |_| {
        let mut document = whole_document(rendering, &seen, reported.notes);
        let each = (1..=seen.points.len())
            .flat_map(|there| rendering.lines(protocol, &seen.points[..there]));
        let each = section("Runs", each.collect());
        document.sections.insert(0, each);
        document
    };
    reported
        .delivery
        .deliver(Some(reported.directory), document, || {
            rendering.json(&seen, None)
        })?;
    let code = rendering.code(&seen, reported.strict);
    let unfinished = match (kept.stopped.last(), kept.missing.is_empty()) {
        (_, true) => exit::OK,
        (Some(stopped), false) => exit::of_cause(stopped.cause),
        (None, false) => exit::INTERRUPTED,
    };
    Ok(exit::gravest(&[code, unfinished]))
}

/// The gravest of the exit codes of runs, on their own.
pub(crate) fn code_of_runs(points: &[RunPoint], strict: bool) -> u8 {
    let of = |point: &RunPoint| {
        let seen = &point.seen;
        let code = exit::of_run(seen.state, &seen.summary, seen.verdict, strict);
        match &seen.kept {
            Kept::Whole => code,
            Kept::InPart { .. } => exit::gravest(&[code, exit::INVALID]),
        }
    };
    let codes: Vec<u8> = points.iter().map(of).collect();
    exit::gravest(&codes)
}
