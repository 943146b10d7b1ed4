//! One rung, measured: the simulator starts with a truth log, the client runs the load as `run`
//! does, and what both wrote is read back.
//!
//! Judges nothing. Invariant: the simulator has ended and its files are gone afterwards.

use super::bystanders::{Bystanders, Seen};
use super::spec::Spec;
use crate::commands::run::{execute_on, journal_records};
use crate::load::Load;
use crate::mock_child::MockChild;
use crate::place::Cores;
use crate::run_id;
use anyhow::{Context, Result};
use infermeter_core::certificate::Transport;
use infermeter_core::plan::{Io, Plan};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::RunManifest;
use infermeter_core::units::Span;
use infermeter_mock::truth::{self, Truth};
use infermeter_record::RunDirectory;
use std::path::{Path, PathBuf};

/// What all rungs share.
#[derive(Debug, Clone)]
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
    /// Cores of the two sides.
    pub cores: Cores,
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

/// What a rung left.
#[derive(Debug)]
pub struct Measured {
    /// As `run.json` would have it.
    pub manifest: RunManifest,
    /// One per request.
    pub records: Vec<RequestRecord>,
    /// The simulator's log.
    pub truth: Truth,
    /// What else happened meanwhile.
    pub seen: Seen,
    /// A signal cut it short.
    pub interrupted: bool,
}

/// Measures a rung, with its files below `scratch`.
///
/// # Errors
/// When the simulator does not start, a file cannot be written or read, or the client cannot go
/// on. Failed requests are records.
pub fn measure(spec: Spec, settings: &Settings, scratch: &Scratch) -> Result<Measured> {
    let files = scratch.folder()?;
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
    let mock = MockChild::start_with(&flags, &settings.cores.mock)?;
    let plan = Plan {
        threads: settings.threads,
        burn: settings.burn,
        io: settings.io,
        tls_ca: tls.as_ref().map(|files| files.certificate.clone()),
        ..spec.plan(settings.duration, settings.warmup)
    };
    let run_id = run_id::random_run_id()?;
    let salt = run_id::salt_of(&run_id);
    let load = Load::from_plan(&plan, salt)?;
    let directory = RunDirectory::create(&files.path().join("run"))?;
    let cores = [&settings.cores.mock[..], &settings.cores.client].concat();
    let bystanders = Bystanders::watch(mock.pid(), &cores);
    let executed = execute_on(
        &plan,
        &load,
        (&run_id, salt),
        (&settings.cores, Some(&mock.url)),
        directory.path(),
    )?;
    let seen = bystanders.seen();
    mock.end()?;
    Ok(Measured {
        records: journal_records(directory.path())?,
        truth: truth::read(&truth_file)?,
        seen,
        interrupted: executed.interrupted,
        manifest: executed.manifest,
    })
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A directory that goes when it is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one among the system's temporary files.
    ///
    /// # Errors
    /// When it cannot be made; the message says where.
    pub fn new() -> Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    /// A further one inside.
    fn folder(&self) -> Result<Self> {
        Self::below(&self.0)
    }

    fn below(parent: &Path) -> Result<Self> {
        let name = format!("infermeter-calibrate-{}", run_id::random_run_id()?);
        let path = parent.join(name);
        std::fs::create_dir(&path).with_context(|| {
            format!(
                "{} cannot be made: set TMPDIR to a directory with room",
                path.display()
            )
        })?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The system clears its temporary files sooner or later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
