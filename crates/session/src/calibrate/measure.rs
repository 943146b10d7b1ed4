//! Rungs, measured: a simulator starts with a truth log, the client runs the load as for any other
//! target, and what both wrote is read back.
//!
//! Judges nothing. Invariant: the simulator has ended and its files are gone afterwards.

use super::bystanders::Bystanders;
use super::ladder::RungAt;
use super::rung::{RungRecord, rung};
use super::spec::Spec;
use crate::drive::{Bench, Order};
use crate::experiment::Experiment;
use crate::finish::journal_records;
use crate::host::Host;
use crate::live::Live;
use crate::measure::{Measure, Site};
use crate::mock_child::MockChild;
use crate::observer::Unobserved;
use crate::run_id::{RunIdentity, random_run_id};
use crate::target::Target;
use anyhow::{Context, Result};
use infermeter_core::certificate::{Rung, Transport};
use infermeter_core::plan::{Io, Plan};
use infermeter_core::units::Span;
use infermeter_mock::truth;
use infermeter_record::RunDirectory;
use std::path::{Path, PathBuf};

/// What all rungs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Measured time of a rung.
    pub duration: Span,
    /// Time before it.
    pub warmup: Span,
    /// Client threads, where asked for.
    pub threads: Option<u32>,
    /// What the client receives with.
    pub io: Io,
    /// Artificial client load per chunk.
    pub burn: Option<Span>,
}

/// A certificate for 127.0.0.1 and its key, PEM. The client trusts it as its own authority.
struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl TlsFiles {
    /// Makes both for one rung; they go with its folder.
    fn make(folder: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])
            .context("a certificate for the simulator")?;
        let files = Self {
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        std::fs::write(&files.certificate, made.cert.pem()).context("the certificate's file")?;
        std::fs::write(&files.key, made.signing_key.serialize_pem()).context("the key's file")?;
        Ok(files)
    }
}

/// Measures rungs for a ladder, each on a simulator of its own: its truth log is the rung's.
pub struct Rungs<'a> {
    host: &'a Host,
    settings: &'a Settings,
    /// Where its files go, each rung's in a folder that goes with it.
    directory: &'a Path,
    on_begin: &'a dyn Fn(RungAt),
}

impl<'a> Rungs<'a> {
    /// With files below `directory`; `on_begin` hears of each rung before it is measured.
    pub fn new(
        host: &'a Host,
        settings: &'a Settings,
        directory: &'a Path,
        on_begin: &'a dyn Fn(RungAt),
    ) -> Self {
        Self {
            host,
            settings,
            directory,
            on_begin,
        }
    }

    /// Failed requests are records.
    fn record(&self, spec: Spec) -> Result<RungRecord> {
        let files = Scratch::below(self.directory)?;
        let truth_file = files.path().join("truth.jsonl");
        let mut flags = spec.mock_flags();
        flags.extend(["--truth".to_owned(), text(&truth_file)]);
        let tls = match spec.transport {
            Transport::Plain => None,
            Transport::Tls => Some(TlsFiles::make(files.path())?),
        };
        if let Some(TlsFiles { certificate, key }) = &tls {
            flags.extend(["--tls-cert".to_owned(), text(certificate)]);
            flags.extend(["--tls-key".to_owned(), text(key)]);
        }
        let settings = self.settings;
        let plan = Plan {
            threads: settings.threads,
            burn: settings.burn,
            io: settings.io,
            tls_ca: tls.as_ref().map(|files| files.certificate.clone()),
            ..spec.plan(settings.duration, settings.warmup)
        };
        let experiment = Experiment::of(&plan)?;
        let site = Site {
            plan,
            identity: RunIdentity::fresh(None)?,
            directory: files.path().join("run"),
            part: None,
        };
        RunDirectory::create(&site.directory)?;
        let cores = self.host.cores(true);
        let mock = MockChild::start_with(self.host.program(), &flags, &cores.mock)?;
        let both = [&cores.mock[..], &cores.client].concat();
        let bystanders = Bystanders::watch(mock.pid(), &both);
        let unobserved = &Unobserved;
        let target =
            Target::of_simulator(self.host, &experiment, &site.identity, mock, unobserved)?;
        let mut live = Live::on(self.host, unobserved, &experiment, target);
        let measured = live.measure(&experiment, &site)?;
        let seen = bystanders.seen();
        live.into_target().map_or(Ok(()), Target::end)?;
        Ok(RungRecord {
            records: journal_records(&site.directory)?,
            truth: truth::read(&truth_file)?,
            seen,
            interrupted: measured.interrupted,
            manifest: measured.manifest,
        })
    }
}

impl Bench for Rungs<'_> {
    type At = RungAt;
    type Seen = Rung;
    type Entry = Rung;

    fn measure(&mut self, order: Order<'_, RungAt>) -> Result<Rung> {
        let spec = order.at.spec;
        (self.on_begin)(*order.at);
        let record = self.record(spec);
        Ok(rung(spec, &record.with_context(|| format!("rung {spec}"))?))
    }

    fn entry(&self, seen: &Rung) -> Rung {
        seen.clone()
    }

    fn is_stopped(&self) -> bool {
        self.host.is_stopped()
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A directory that goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one below `parent`.
    ///
    /// # Errors
    /// When it cannot be made; the message says where.
    pub(crate) fn below(parent: &Path) -> Result<Self> {
        let name = format!("infermeter-calibrate-{}", random_run_id()?);
        let path = parent.join(name);
        std::fs::create_dir(&path).with_context(|| {
            format!(
                "{} cannot be made: set TMPDIR to a directory with room",
                path.display()
            )
        })?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The system clears its temporary files sooner or later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
