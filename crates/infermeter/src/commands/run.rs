//! `infermeter run`: measure a server.

use super::report::view;
use crate::calibrate::cite;
use crate::cli::RunArgs;
use crate::dry_run::DryRun;
use crate::exit::{self, ExitError};
use crate::journal::Journal;
use crate::judged::Judged;
use crate::layers;
use crate::load::Load;
use crate::mock_child::MockChild;
use crate::place::{self, Cores, Size};
use crate::progress::Progress;
use crate::receiving::Receiving;
use crate::sent::SentBodies;
use crate::server_metrics::Watching;
use crate::target::{self, ReadyTarget};
use crate::{
    environment, input, output, print_config, repeat, run_id, secrets, sent_before, settle, tiling,
    validate,
};
use anyhow::{Context, Result};
use infermeter_analysis::Run;
use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::engine::EngineConfig;
use infermeter_client::prepared::Prepared;
use infermeter_client::response::Expect;
use infermeter_core::clock::{Clock, realtime_ns};
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::plan::{History, Plan, Until};
use infermeter_core::record::RequestRecord;
use infermeter_core::request::RequestContent;
use infermeter_core::run::{
    ClientHealth, FORMAT_VERSION, RunManifest, RunState, Unwritten, Window,
};
use infermeter_core::schedule::Schedule;
use infermeter_core::source::RecordSource;
use infermeter_probe::host::is_own_address;
use infermeter_record::{
    JOURNAL_FILE, JournalReader, JournalRecords, LeftOpen, ManifestRoom, PARQUET_FILE,
    ParquetRecords, RecordError, RunDirectory, read_server_metrics, seal, write_manifest,
};
use infermeter_runner::{Inputs, RunOutcome, RunSettings, SessionRules};
use infermeter_sys::stamp::Sentinel;
use infermeter_sys::{affinity, limits, signals};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Busy-polling before a send, where the worker has a core of its own.
const SPIN_NS: i64 = 50_000;

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, a target that cannot be used, a directory that
/// cannot be written. Afterwards the verdict and the exit code tell.
pub fn run(args: &RunArgs) -> Result<u8> {
    let mut resolved = layers::resolve(args)?;
    tiling::settle(&mut resolved.plan)?;
    if args.print_config {
        output::print(&print_config::print_config(&resolved));
        return Ok(exit::OK);
    }
    validate::validate(&resolved.plan)?;
    validate::used(&resolved)?;
    input::of_plan(&mut resolved.plan, args.config.as_deref())?;
    target::template(&resolved.plan)?;
    let plan = resolved.plan.clone();
    if !args.dry_run && (plan.repeat.is_some() || plan.until.is_some()) {
        return repeat::run(&plan);
    }
    let run_id = run_id::random_run_id()?;
    let salt = plan.salt.unwrap_or_else(|| run_id::salt_of(&run_id));
    let load = Load::from_plan(&plan, salt)?;
    validate::lengths_used(&resolved, load.workload.trace_facts())?;
    if args.dry_run {
        let dry_run = DryRun::new(&plan, &load);
        match plan.json {
            true => output::print(&format!("{:#}\n", dry_run.json())),
            false => output::print(&dry_run.text(&plan)),
        }
        return Ok(exit::OK);
    }
    let judged = measure(&plan, &load, &run_id, salt)?;
    Ok(judged.exit_code(plan.strict))
}

/// Measures, records, judges and prints.
fn measure(plan: &Plan, load: &Load, run_id: &str, salt: u64) -> Result<Judged> {
    let ended = measure_into(plan, load, (run_id, salt), None)?;
    show(plan, &ended.judged);
    match ended.unwritten {
        None => {
            show_place(plan, ended.interrupted, &ended.directory);
            Ok(ended.judged)
        }
        Some(error) => Err(error),
    }
}

/// A run that has ended.
pub(crate) struct Ended {
    /// The run, judged.
    pub judged: Judged,
    /// A signal ended it.
    pub interrupted: bool,
    /// Where its record is.
    pub directory: PathBuf,
    /// Why the record is not complete.
    pub unwritten: Option<anyhow::Error>,
}

/// Measures, records and judges; `until` is a precision that repeated runs are looked at for.
///
/// # Errors
/// When nothing was measured.
pub(crate) fn measure_into(
    plan: &Plan,
    load: &Load,
    (run_id, salt): (&str, u64),
    until: Option<&Until>,
) -> Result<Ended> {
    let directory = match &plan.out {
        Some(path) => path.clone(),
        None => run_id::default_directory(realtime_ns(), run_id),
    };
    signals::count_from_now().context("signal handlers")?;
    let directory = RunDirectory::create(&directory)?;
    let outcome = prepare_and_execute(plan, load, run_id, salt, directory.path());
    match outcome {
        Ok(executed) => {
            let interrupted = executed.interrupted;
            let (judged, unwritten) = finish(executed, directory.path(), until)?;
            Ok(Ended {
                judged,
                interrupted,
                directory: directory.path().to_owned(),
                unwritten,
            })
        }
        Err(error) if JournalRecords::open(directory.path()).is_ok_and(|r| !r.is_empty()) => {
            Err(unfinished(&error, directory.path()))
        }
        Err(error) => {
            // Nothing was measured: an empty directory would only be in the way.
            let _ = std::fs::remove_dir_all(directory.path());
            Err(error)
        }
    }
}

fn prepare_and_execute(
    plan: &Plan,
    load: &Load,
    run_id: &str,
    salt: u64,
    directory: &Path,
) -> Result<Executed> {
    let cores = place::split_cores(plan);
    let mock = match plan.target.strip_prefix("mock:") {
        Some(preset) => Some(MockChild::start(preset, &cores.mock)?),
        None => None,
    };
    if !cores.mock.is_empty() {
        // Pinning is a help, not a need: a sandbox may forbid it.
        let _ = affinity::restrict_to(&cores.client);
    }
    let mock_url = mock.as_ref().map(|mock| mock.url.as_str());
    execute_on(plan, load, (run_id, salt), (&cores, mock_url), directory)
}

/// A run that has been executed.
#[derive(Debug)]
pub(crate) struct Executed {
    /// `run.json`, as far as it is known without the record.
    pub manifest: RunManifest,
    /// A signal ended it.
    pub interrupted: bool,
    /// Room for that `run.json`.
    room: ManifestRoom,
    /// The journal, by whatever name.
    journal: File,
}

/// Executes a plan on `cores`; the simulator of a `mock:` target serves already, at its URL. The
/// journal and `run.json` are in `directory` afterwards.
///
/// # Errors
/// When the target cannot be used, a file cannot be written, or a worker cannot go on.
pub(crate) fn execute_on(
    plan: &Plan,
    load: &Load,
    (run_id, salt): (&str, u64),
    (cores, mock_url): (&Cores, Option<&str>),
    directory: &Path,
) -> Result<Executed> {
    let size = place::size(plan, &load.schedule, cores)?;
    let target = target::prepare_unless_stopped(plan, mock_url, run_id)?;
    let environment = environment::environment(plan, &target, load, (cores, size), salt);
    let mut manifest = first_manifest(plan, load, run_id, &target, environment);
    let sentinel = Sentinel::start();
    let receiving = Receiving::choose(plan.io, sentinel.is_some())?;
    manifest.environment["client"]["io"] = receiving.facts();
    manifest.calibration = cite::cite(plan, size.threads, &receiving);
    manifest
        .run_findings
        .extend(sent_before::finding(plan, &manifest, directory));
    let settings = run_settings(plan, load, &target, (cores, size), &receiving);
    execute((plan, load, &target), &settings, manifest, directory)
}

/// `run.json` as far as it is known before the clock starts.
fn first_manifest(
    plan: &Plan,
    load: &Load,
    run_id: &str,
    target: &ReadyTarget,
    environment: serde_json::Value,
) -> RunManifest {
    let shown = secrets::redact(plan);
    // What is measured, not where it is written or how it is shown.
    let hashed = Plan {
        out: None,
        json: false,
        quiet: false,
        full: false,
        ..shown.clone()
    };
    let canonical = serde_json::to_vec(&hashed).unwrap_or_default();
    let hash = Sha256::digest(&canonical);
    let window = match &load.schedule {
        Schedule::Open(open) => Some(Window {
            start: open.window_start,
            end: open.window_end,
        }),
        Schedule::Closed(_) => None,
    };
    RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: run_id.to_owned(),
        state: RunState::Running,
        plan: shown,
        plan_hash: hash.iter().map(|b| format!("{b:02x}")).collect(),
        seeds: plan.seeds(),
        model: shown_model(target),
        load_model: load.model(),
        rate_asked: load.rate_asked(plan),
        classes: load.workload.classes().to_vec(),
        clock: Clock::starting_in(0),
        window,
        progress: None,
        environment,
        calibration: None,
        control_requests: target.control.clone(),
        run_findings: target.findings.clone(),
        client_health: None,
        verdict: None,
        findings: Vec::new(),
        summary: None,
        seal: None,
    }
}

/// The model's name, without what must not be repeated.
fn shown_model(target: &ReadyTarget) -> String {
    let mut model = infermeter_core::text::inert(&target.model, 200);
    target.secrets.scrub(&mut model);
    model
}

/// Sends the load and records it. Returns the manifest as far as the run fills it.
fn execute(
    (plan, load, target): (&Plan, &Load, &ReadyTarget),
    settings: &RunSettings,
    mut manifest: RunManifest,
    directory: &Path,
) -> Result<Executed> {
    // A disk that has no room for this ends the run before it begins.
    write_manifest(directory, &manifest)?;
    let room = ManifestRoom::take(directory, &manifest, settings.threads)?;
    let (mut sink, journal) = Journal::create(directory, &target.secrets)?;
    let prompt_problem = Mutex::new(None);
    let bodies = SentBodies::default();
    let make = |id, answers: &[Arc<str>]| {
        let place = (load, target, manifest.run_id.as_str());
        let made = prepare_request(plan, place, (id, answers), &prompt_problem);
        bodies.note(id, &made.bytes);
        made
    };
    let mut progress = Progress::new(plan.quiet);
    let mut started = None;
    let watching = watching(plan, target, settings, (&manifest.run_id, directory))?;
    let outcome = infermeter_runner::run(
        &load.schedule,
        settings,
        Inputs {
            make: &make,
            spec: &|id| load.workload.spec(id),
            next: &|spec| load.follow_ups(spec),
            sink: &mut sink,
            on_start: &mut |clock| {
                let running = RunManifest {
                    clock: *clock,
                    ..manifest.clone()
                };
                started = write_manifest(directory, &running).err();
                if let Some(watching) = &watching {
                    watching.start_at(*clock);
                }
            },
            on_phase: &mut |phase| {
                if let Some(watching) = &watching {
                    watching.phase(phase);
                }
            },
            on_progress: &mut |snapshot| progress.show(snapshot),
        },
    )?;
    progress.end();
    // Who stops a run does not want to wait for more.
    if !outcome.progress.interrupted {
        if let Some(watching) = watching {
            watching.end();
        }
        target.read_counters_after(&mut manifest);
    }
    if let Some(error) = started {
        manifest.run_findings.push(unwritten(&error.to_string()));
    }
    if let Some(problem) = prompt_problem.into_inner().unwrap_or_default() {
        manifest.run_findings.push(prompt_inexact(&problem));
    }
    let unwritten = sink.unwritten();
    manifest.environment["workload"]["sent_sha256"] = bodies.hash(sink.sent).into();
    Ok(Executed {
        interrupted: outcome.progress.interrupted,
        manifest: ended(manifest, outcome, unwritten),
        room,
        journal,
    })
}

/// The manifest of a run that has ended.
fn ended(
    mut manifest: RunManifest,
    outcome: RunOutcome,
    unwritten: Option<Unwritten>,
) -> RunManifest {
    manifest.clock = outcome.clock;
    manifest.window = outcome.window;
    manifest.state = if outcome.progress.interrupted {
        RunState::Interrupted
    } else {
        RunState::Finished
    };
    manifest.progress = Some(outcome.progress);
    manifest.client_health = Some(ClientHealth {
        unwritten,
        ..outcome.health
    });
    manifest
}

/// Has the server's metrics read during the run, where it has a page, on cores that no worker has.
fn watching(
    plan: &Plan,
    target: &ReadyTarget,
    settings: &RunSettings,
    (run_id, directory): (&str, &Path),
) -> Result<Option<Watching>> {
    let Some(known) = &target.metrics else {
        return Ok(None);
    };
    let workers = settings.cores.get(..settings.threads).unwrap_or_default();
    let mut free = affinity::allowed_cores();
    free.retain(|core| !workers.contains(core));
    let free = if workers.is_empty() { Vec::new() } else { free };
    let watching = Watching::start(known, (plan, run_id), (directory, free), &target.secrets)?;
    Ok(Some(watching))
}

fn run_settings(
    plan: &Plan,
    load: &Load,
    target: &ReadyTarget,
    place: (&Cores, Size),
    receiving: &Receiving,
) -> RunSettings {
    let (cores, size) = place;
    // A target on this host that is not the embedded simulator shares its cores with the client.
    let shares_cores = is_own_address(target.address.ip()) && !plan.is_mock();
    let own_core = !shares_cores && size.threads <= cores.client.len();
    RunSettings {
        threads: size.threads,
        cores: if own_core {
            cores.client.clone()
        } else {
            Vec::new()
        },
        engine: EngineConfig {
            address: target.address,
            tls: target.tls.clone(),
            clock: Clock::starting_in(0),
            io: receiving.io,
            kernel_stamps: receiving.kernel_stamps,
            audit_send: plan.audit_send,
            max_connections: size.max_connections,
            first_connection: 0,
            connection_stride: size.threads as u32,
            connect_timeout: plan.connect_timeout.ns(),
            timeout: plan.timeout.ns(),
            first_token_timeout: plan.first_token_timeout.map(|t| t.ns()),
            idle_timeout: plan.idle_timeout.map(|t| t.ns()),
            keepalive: plan.keepalive.ns(),
            spare_connections: match load.schedule {
                Schedule::Open(_) => 2,
                Schedule::Closed(_) => 0,
            },
            reuse: target.reuse,
            retry_stale: plan.retry_stale,
            last_connect: Arc::default(),
            budget: Arc::default(),
            burn: plan.burn.map_or(0, |b| b.ns()),
            spin: if own_core { SPIN_NS } else { 0 },
        },
        open_ahead: size.open_ahead,
        sessions: session_rules(plan),
        drain_without_load: load.drain_without_load,
    }
}

/// A turn of a trace that fails ends its conversation.
fn session_rules(plan: &Plan) -> SessionRules {
    let sessions = plan.sessions().ok().flatten();
    sessions.map_or_else(SessionRules::default, |sessions| SessionRules {
        on_failure: sessions.on_failure,
        live: sessions.history == History::Live,
    })
}

fn prepare_request(
    plan: &Plan,
    (load, target, run_id): (&Load, &ReadyTarget, &str),
    (id, answers): (u64, &[Arc<str>]),
    problem: &Mutex<Option<String>>,
) -> Prepared {
    let spec = load.workload.spec(id);
    let content = load.workload.content(&spec, answers);
    let content = content.unwrap_or_else(|error| {
        if let Ok(mut slot) = problem.lock() {
            slot.get_or_insert_with(|| error.to_string());
        }
        RequestContent::plain(plan.endpoint.api().input, "Count.")
    });
    let bytes = target
        .encoder
        .encode(&format!("{run_id}-{id}"), &spec, &content);
    let keep_texts = if !plan.endpoint.generates() {
        KeepTexts::No
    } else if plan.save_responses || plan.has_live_history() {
        KeepTexts::Always
    } else {
        KeepTexts::UntilSettled
    };
    let expect = Expect {
        dialect: Dialect::of(plan.endpoint),
        streaming: plan.streams(),
        keep_texts,
        output_tokens: spec.output_tokens as usize,
        numbers: target.encoder.numbers(spec.items),
    };
    Prepared {
        spec,
        bytes,
        expect,
        waited: load.waited(&spec),
        next: load.follow_ups(&spec),
        pause_ns: load.pause_ns(&spec),
    }
}

/// Converts the record and judges it. Where it cannot be converted (a full disk), the journal
/// stays, what it holds is judged all the same, and the reason is handed on.
fn finish(
    executed: Executed,
    directory: &Path,
    until: Option<&Until>,
) -> Result<(Judged, Option<anyhow::Error>)> {
    let Executed {
        mut manifest,
        room,
        journal,
        ..
    } = executed;
    let path = directory.join(JOURNAL_FILE);
    if !path.exists() {
        manifest.run_findings.push(removed(directory));
        let records = JournalRecords::of_file(journal, path)?;
        let judged = judged(manifest, directory, &records, until)?;
        return Ok((judged, Some(gone(directory))));
    }
    // What the run knows of itself comes first: the record may find no room any more.
    let written = write_manifest(directory, &manifest).or_else(|error| {
        let kept = room.write(&manifest);
        kept.map_err(|_| error)
    });
    let converted = written
        .map_err(anyhow::Error::from)
        .and_then(|()| settle::settle(directory, &manifest, LeftOpen::LeftOut));
    if let Some(health) = &mut manifest.client_health {
        // The conversion has had its peak, too. Set before judging: `report` must find the same.
        health.peak_rss_bytes = limits::peak_rss_bytes();
    }
    let judged = match converted {
        Ok(_) => judged(
            manifest,
            directory,
            &ParquetRecords::open(directory)?,
            until,
        )?,
        Err(_) => judged(
            manifest,
            directory,
            &JournalRecords::of_file(journal, path)?,
            until,
        )?,
    };
    let mut judged = judged;
    let written = converted.and_then(|_| {
        judged.manifest.seal = Some(seal(directory)?);
        Ok(write_manifest(directory, &judged.manifest)?)
    });
    let unwritten = written.err().map(|error| unfinished(&error, directory));
    Ok((judged, unwritten))
}

fn judged<S: RecordSource<Error = RecordError>>(
    manifest: RunManifest,
    directory: &Path,
    records: &S,
    until: Option<&Until>,
) -> Result<Judged> {
    let mut run = Run::read(manifest, records)?;
    run.server = read_server_metrics(directory)?;
    Ok(Judged::of(run, records, until)?)
}

fn show(plan: &Plan, judged: &Judged) {
    if plan.json {
        output::json(&judged.json());
    } else if plan.quiet {
        output::print(&format!("{}\n", judged.verdict.as_str()));
        for line in infermeter_report::not_met(&judged.summary) {
            output::note(&line);
        }
    } else {
        output::print(&format!("{}\n", judged.text(view(plan.full))));
    }
}

fn show_place(plan: &Plan, interrupted: bool, directory: &Path) {
    let how = match (plan.quiet, interrupted) {
        (true, _) => "",
        (false, true) => "Interrupted; record in ",
        (false, false) => "Record in ",
    };
    let line = format!("{how}{}", directory.display());
    match (plan.json, plan.quiet) {
        (false, _) => output::print(&format!("{line}\n")),
        // Standard output is one JSON value and nothing else.
        (true, false) => output::note(&line),
        (true, true) => {}
    }
}

/// What the journal holds, in id order.
pub(crate) fn journal_records(directory: &Path) -> Result<Vec<RequestRecord>> {
    let mut reader = JournalReader::open(directory)?;
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        records.extend(batch);
    }
    records.sort_by_key(|record| record.id);
    records.dedup_by_key(|record| record.id);
    Ok(records)
}

/// The error, and where the records are that it leaves behind.
fn unfinished(error: &anyhow::Error, directory: &Path) -> anyhow::Error {
    let journal = directory.join(JOURNAL_FILE).exists();
    let file = if journal { JOURNAL_FILE } else { PARQUET_FILE };
    let directory = directory.display();
    ExitError {
        // The command line was right: what was measured cannot be relied on as it stands.
        code: match exit::code_of(error) {
            exit::USAGE => exit::INVALID,
            other => other,
        },
        message: format!(
            "{error:#}\n  the records are in {directory}/{file}; once the disk has room, \
             `infermeter report {directory}` completes the rest"
        ),
    }
    .into()
}

/// The record has no name any more: its figures are printed, and that is all that is left of it.
fn gone(directory: &Path) -> anyhow::Error {
    let directory = directory.display();
    ExitError {
        code: exit::INVALID,
        message: format!(
            "{directory} was removed while the run wrote its record there: nothing is left of it but \
             what is printed; run again, and leave the directory alone until the run ends"
        ),
    }
    .into()
}

fn removed(directory: &Path) -> Finding {
    Finding::new(
        Severity::Error,
        "record-removed",
        "The record was removed while the run wrote it: these figures cannot be computed again.",
        format!("{} is gone.", directory.display()),
        "Run again, and leave the directory alone until the run ends.",
    )
}

fn unwritten(problem: &str) -> Finding {
    Finding::new(
        Severity::Warning,
        "manifest-unwritten",
        "run.json could not be written when the run began",
        problem,
        "free space on the disk of --out",
    )
}

fn prompt_inexact(problem: &str) -> Finding {
    Finding::new(
        Severity::Error,
        "prompt-inexact",
        "some prompts could not be made as planned",
        problem,
        "check --tokenizer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::finding::Verdict;

    #[test]
    fn what_goes_wrong_beside_the_measurement_weighs_as_documented() {
        let check = |finding: Finding, code: &str, verdict| {
            assert_eq!(finding.code, code);
            assert_eq!(finding.evidence, "why");
            assert_eq!(Verdict::of(&[finding]), verdict);
        };
        check(
            unwritten("why"),
            "manifest-unwritten",
            Verdict::Questionable,
        );
        check(prompt_inexact("why"), "prompt-inexact", Verdict::Invalid);
    }
}
