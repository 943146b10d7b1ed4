//! A record without the texts of its errors: a server may have repeated prompts in them.
//!
//! Invariant: no figure changes but those texts themselves.

use crate::kept::KeptRun;
use crate::redact::HIDDEN;
use anyhow::{Context, Result};
use infermeter_core::finding::Finding;
use infermeter_core::record::{Reason, RequestError};
use infermeter_core::run::RunManifest;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_record::{
    MANIFEST_FILE, PARQUET_FILE, ParquetRecords, RecordError, RecordsWriter, SERVER_METRICS_FILE,
    digest_of,
};
use serde_json::Value;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// Writes the rows of `directory` into `folder` without the texts of errors; the digest of that file. `None` where
/// there is no such text.
pub(super) fn without(
    directory: &Path,
    folder: &Path,
    manifest: &RunManifest,
) -> Result<Option<String>> {
    let records = ParquetRecords::open(directory)?;
    let mut any = false;
    records.in_order(ChunkFields::default(), &mut |record| {
        any = record
            .error
            .as_ref()
            .is_some_and(|error| !error.text.is_empty());
        match any {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if !any {
        return Ok(None);
    }
    let mut writer = RecordsWriter::create(folder, &manifest.classes)?;
    let mut written: Result<(), RecordError> = Ok(());
    records.in_order(ChunkFields::ALL, &mut |record| {
        let mut record = record.clone();
        if let Some(error) = record.error.as_mut().filter(|error| is_said(error)) {
            error.text = String::new();
        }
        written = writer.append(record);
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    written?;
    writer.finish()?;
    Ok(digest_of(&folder.join(PARQUET_FILE))?)
}

/// There is a text, and the server may have had a part in it.
fn is_said(error: &RequestError) -> bool {
    let own = match error.reason {
        Reason::ConnectFailed
        | Reason::TlsFailed
        | Reason::HttpProtocol
        | Reason::HttpStatus
        | Reason::UnexpectedContent
        | Reason::MalformedEvent
        | Reason::InBandError
        | Reason::NoTokens
        | Reason::Aborted
        | Reason::Truncated
        | Reason::LimitExceeded
        | Reason::ConnectBackoff
        | Reason::Imported => false,
        Reason::ConnectTimeout
        | Reason::StaleConnection
        | Reason::Disconnected
        | Reason::FirstTokenTimeout
        | Reason::IdleTimeout
        | Reason::RequestTimeout
        | Reason::DrainEnded
        | Reason::Interrupted
        | Reason::RunKilled
        | Reason::SessionEnded
        | Reason::LocalResource => true,
    };
    !own && !error.text.is_empty()
}

/// Takes the texts out of what a run states, too: wherever what its rows give depends on them, what they give
/// without them is put.
pub(super) fn restate(directory: &Path, folder: &Path, manifest: &mut RunManifest) -> Result<()> {
    for name in [MANIFEST_FILE, SERVER_METRICS_FILE] {
        let (from, to) = (directory.join(name), folder.join(name));
        if from.exists() {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    let judged = |directory: &Path| -> Result<RunManifest> {
        Ok(KeptRun::open(directory)?.judge(None)?.manifest)
    };
    let (with, without) = (judged(directory)?, judged(folder)?);
    if let (Some(stated), Some(with), Some(without)) =
        (&mut manifest.summary, &with.summary, &without.summary)
    {
        put(stated, with, without);
    }
    for finding in &mut manifest.findings {
        put_finding(finding, &with.findings, &without.findings);
    }
    Ok(())
}

fn put(stated: &mut Value, with: &Value, without: &Value) {
    if with == without {
        return;
    }
    match (stated, with, without) {
        (Value::Object(stated), Value::Object(with), Value::Object(without)) => {
            for (key, stated) in stated {
                let side = |side: &serde_json::Map<String, Value>| side.get(key).cloned();
                put(
                    stated,
                    &side(with).unwrap_or_default(),
                    &side(without).unwrap_or_default(),
                );
            }
        }
        (Value::Array(stated), Value::Array(with), Value::Array(without))
            if stated.len() == with.len() && with.len() == without.len() =>
        {
            for ((stated, with), without) in stated.iter_mut().zip(with).zip(without) {
                put(stated, with, without);
            }
        }
        // What was stated of the texts was never so: it may hold any.
        (stated, with, without) => {
            *stated = match *stated == *with {
                true => without.clone(),
                false => Value::from(HIDDEN),
            }
        }
    }
}

fn put_finding(stated: &mut Finding, with: &[Finding], without: &[Finding]) {
    let find = |all: &[Finding]| {
        all.iter()
            .find(|finding| finding.code == stated.code)
            .cloned()
    };
    let (with, without) = (find(with), find(without));
    if with == without {
        return;
    }
    if let (true, Some(without)) = (Some(&*stated) == with.as_ref(), without) {
        *stated = without;
        return;
    }
    for text in [&mut stated.message, &mut stated.evidence] {
        HIDDEN.clone_into(text);
    }
}
