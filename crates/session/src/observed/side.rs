//! One side of a load that a proxy saw, as an ordinary run directory: a journal while it goes on, a record at the end.
//!
//! It reads no answers. Invariants: the load is said to be its users' own; no word of a prompt, an answer or a server's
//! message is written; a run that was cut off is recovered by `infermeter report`, as any other.

use super::question::Question;
use crate::answers::References;
use crate::judged::Judged;
use crate::run_id::random_run_id;
use crate::settle;
use anyhow::Result;
use infermeter_analysis::{Run, raised};
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::finding::Finding;
use infermeter_core::plan::{Endpoint, Plan};
use infermeter_core::record::{Reason, RequestRecord};
use infermeter_core::run::{FORMAT_VERSION, LoadModel, Progress, RunManifest, RunState, Window};
use infermeter_record::{
    JournalWriter, LeftOpen, ParquetRecords, RunDirectory, seal, write_manifest,
};
use std::path::{Path, PathBuf};

/// Where a side's requests went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideAbout {
    /// The URL, without secrets.
    pub target: String,
    /// The model's name, where the proxy writes it into the requests.
    pub model: Option<String>,
}

/// A run directory in the making.
#[derive(Debug)]
pub(super) struct SideRun {
    directory: PathBuf,
    manifest: RunManifest,
    journal: JournalWriter,
    /// The models that requests named.
    model: Option<String>,
    endpoint: Option<Endpoint>,
    first: Option<Offset>,
    last: Offset,
    records: u64,
    /// Records that could not be written.
    unwritten: Option<String>,
}

impl SideRun {
    /// Begins one in a new directory.
    pub(super) fn create(directory: &Path, about: &SideAbout, clock: Clock) -> Result<Self> {
        RunDirectory::create(directory)?;
        let mut manifest = manifest(about, clock)?;
        // What a kill leaves says whose load it was.
        manifest.run_findings.push(observed(None, None));
        write_manifest(directory, &manifest)?;
        Ok(Self {
            journal: JournalWriter::create(directory)?,
            directory: directory.to_owned(),
            model: about.model.clone(),
            endpoint: None,
            manifest,
            first: None,
            last: Offset::ZERO,
            records: 0,
            unwritten: None,
        })
    }

    /// Adds a record, whose texts were taken out.
    pub(super) fn add(&mut self, record: &mut RequestRecord, question: &Question) {
        silence(record);
        let begun = record.intended;
        self.first = Some(self.first.map_or(begun, |first| first.min(begun)));
        self.last = self.last.max(record.closed.unwrap_or(begun));
        self.records += 1;
        let told = (self.endpoint, self.model.clone());
        self.endpoint.get_or_insert(question.endpoint);
        if self.model.is_none() {
            self.model.clone_from(&question.model);
        }
        if told != (self.endpoint, self.model.clone()) {
            self.tell();
        }
        let written = self.journal.append(record);
        self.note(written.err().map(|e| e.to_string()));
    }

    /// Writes what requests told of the run: what a kill leaves says it, too.
    fn tell(&mut self) {
        self.describe();
        let written = write_manifest(&self.directory, &self.manifest);
        self.note(written.err().map(|e| e.to_string()));
    }

    fn describe(&mut self) {
        if let Some(model) = &self.model {
            self.manifest.model.clone_from(model);
        }
        if let Some(endpoint) = self.endpoint {
            self.manifest.plan.endpoint = endpoint;
        }
    }

    /// What was added by now is on disk.
    pub(super) fn flush(&mut self, now: Offset) {
        let written = self.journal.flush_as_of(now);
        self.note(written.err().map(|e| e.to_string()));
    }

    fn note(&mut self, problem: Option<String>) {
        if self.unwritten.is_none() {
            self.unwritten = problem;
        }
    }

    /// Ends it: the record is written and judged.
    pub(super) fn finish(mut self) -> Result<Judged> {
        self.flush(self.last);
        self.describe();
        // The lock goes with the writer.
        drop(self.journal);
        let mut manifest = self.manifest;
        // Nobody had planned an end: whatever ended it, it is as long as it is.
        manifest.state = RunState::Finished;
        manifest.window = self.first.map(|start| Window {
            start,
            // A window is without its end.
            end: self.last.max(start).plus(1),
        });
        manifest.progress = Some(Progress {
            scheduled: self.records,
            drain_not_reached: 0,
            unfinished_sessions: Vec::new(),
            drain_without_load: false,
            ended: self.last,
            interrupted: false,
            recovered: false,
            counted: None,
        });
        // In place of the one from the beginning.
        manifest.run_findings = vec![observed(Some(self.records), self.unwritten.as_deref())];
        let directory = &self.directory;
        settle::settle(
            directory,
            &manifest,
            LeftOpen::LeftOut,
            References::default(),
        )?;
        let records = ParquetRecords::open(directory)?;
        let run = Run::read(manifest, &records)?;
        let mut judged = Judged::of(run, &records, None)?;
        judged.manifest.seal = Some(seal(directory)?);
        write_manifest(directory, &judged.manifest)?;
        Ok(judged)
    }
}

/// How an observation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowEnded {
    /// By its time, its number or its decision.
    AsAsked,
    /// By a signal.
    Stopped,
}

/// What a server said of an error may repeat a prompt, and where it sends a client may hold a key: the reason stays, and
/// the status.
fn silence(record: &mut RequestRecord) {
    record.texts = None;
    record.unknown_members = None;
    let status = record.status;
    let Some(error) = &mut record.error else {
        return;
    };
    match error.reason {
        Reason::HttpStatus => {
            error.text = status.map_or_else(String::new, |status| format!("status {status}"));
        }
        Reason::InBandError
        | Reason::UnexpectedContent
        | Reason::MalformedEvent
        | Reason::Aborted
        | Reason::HttpProtocol => error.text.clear(),
        _ => {}
    }
}

/// Without a number while it goes on.
fn observed(records: Option<u64>, unwritten: Option<&str>) -> Finding {
    let lost = unwritten.map(|why| format!(" The record is not complete: {why}."));
    let requests = records.map_or_else(
        || "Requests".to_owned(),
        |records| format!("{records} requests"),
    );
    raised::OBSERVED.found(
        "The load was its users' own: nobody chose its rate, its lengths or its order, and it cannot be repeated \
         as it was.",
        format!(
            "{requests}, seen by a proxy.{}",
            lost.unwrap_or_default()
        ),
        "Compare it with what went through the same proxy at the same time; `infermeter record` keeps such a load \
         so that it can be sent again.",
    )
}

fn manifest(about: &SideAbout, clock: Clock) -> Result<RunManifest> {
    let mut plan = Plan::defaults();
    plan.target.clone_from(&about.target);
    let seeds = plan.seeds();
    Ok(RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: random_run_id()?,
        state: RunState::Running,
        plan_hash: String::new(),
        seeds,
        model: about.model.clone().unwrap_or_else(|| "unknown".to_owned()),
        load_model: LoadModel::Observed,
        rate_asked: None,
        addresses: vec![about.target.clone()],
        classes: vec!["observed".to_owned()],
        clock,
        window: None,
        schedule: None,
        progress: None,
        environment: Default::default(),
        calibration: None,
        imported: None,
        control_requests: Vec::new(),
        run_findings: Vec::new(),
        client_health: None,
        clients: Vec::new(),
        rank: None,
        evals: Vec::new(),
        solo: None,
        verdict: None,
        findings: Vec::new(),
        summary: None,
        seal: None,
        plan,
    })
}

#[cfg(test)]
mod tests {
    use super::super::answer::Answers;
    use super::super::fixture::{end, event, header, seen, side};
    use super::*;
    use infermeter_record::read_manifest;

    const BODY: &str =
        r#"{"model":"m","stream":true,"prompt":"Hi","messages":[{"role":"user","content":"Hi"}]}"#;
    const CANARY: &str = "zanzibarquokka";

    #[test]
    fn where_a_redirect_leads_is_not_kept() {
        let mut redirect = side(101, &[]);
        redirect.status = Some(307);
        redirect.headers = vec![header("location", &format!("/v1?key={CANARY}"))];
        let seen = seen(7, 100, BODY, redirect);
        let question = Question::of(&seen).expect("a question");
        let record = Answers::default().record(&seen, &seen.primary, &question);
        let mut record = record.expect("a record");
        let said = |record: &RequestRecord| record.error.clone().expect("an error").text;
        assert!(said(&record).contains(CANARY), "{}", said(&record));
        silence(&mut record);
        assert_eq!(said(&record), "status 307");
    }

    #[test]
    fn what_a_kill_leaves_says_what_it_was() {
        let scratch = tempfile::tempdir().expect("a folder");
        let directory = scratch.path().join("primary");
        let about = SideAbout {
            target: "http://localhost:8000".to_owned(),
            model: None,
        };
        let mut run =
            SideRun::create(&directory, &about, Clock::starting_in(0)).expect("a directory");
        let seen = seen(7, 100, BODY, side(101, &[event("one"), end(5, 1)]));
        let question = Question::of(&seen).expect("a question");
        let record = Answers::default().record(&seen, &seen.primary, &question);
        run.add(&mut record.expect("a record"), &question);
        let kept = read_manifest(&directory).expect("a manifest");
        assert_eq!((kept.model.as_str(), kept.state), ("m", RunState::Running));
        assert_eq!(kept.plan.endpoint, question.endpoint);
        assert_eq!(kept.run_findings[0].code, "load-observed");
    }
}
