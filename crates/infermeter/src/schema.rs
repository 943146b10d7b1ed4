//! The published JSON Schemas: of what infermeter prints for programs, of the files that it leaves, and of those
//! that it reads.
//!
//! They are made from the types by a test (`schema/made.rs`), lie in the book's folder `schemas`, and travel packed
//! in the binary, as making them here would cost ten times the room. Invariant: a schema that is not as its types
//! say fails that test.

#[cfg(test)]
mod made;
#[cfg(test)]
mod readable;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result, bail};
use flate2::read::DeflateDecoder;
use infermeter_core::text::not_one_of;
use infermeter_session::history::HISTORY_VERSION;
use infermeter_session::monitor::MONITOR_VERSION;
use std::io::Read;

/// A published schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    /// What it is asked for by.
    pub name: &'static str,
    /// Version of the format that it describes.
    pub version: u32,
    /// What it describes, in a line.
    pub describes: &'static str,
}

/// All texts, as `build.rs` packs them.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schemas.deflate"));

macro_rules! published {
    ($($name:literal $version:expr, $describes:literal;)+) => {
        /// Every one.
        pub(crate) const PUBLISHED: &[Published] = &[$(Published {
            name: $name,
            version: $version,
            describes: $describes,
        },)+];
    };
}

const RUN: u32 = infermeter_core::run::FORMAT_VERSION;

published! {
    "plan" 1, "plan files: what --config reads and --print-config prints";
    "run" RUN, "run --json, and report --json of a run";
    "run.json" RUN, "the file run.json in the directory of a run";
    "repeat" RUN, "run --repeat --json, report --json of such runs, and their file repeat.json";
    "sweep" RUN, "sweep --json, report --json of a sweep, and its file sweep.json";
    "sweeps" RUN, "report --beside --json: several sweeps";
    "search" RUN, "search --json, report --json of a search, and its file search.json";
    "compare" RUN, "compare --json, report --json of a comparison, and its file compare.json";
    "gate" RUN, "gate --json";
    "capacity" RUN, "capacity --json";
    "audit" infermeter_audit::FORMAT_VERSION, "audit --json";
    "list" RUN, "list --json";
    "doctor" infermeter_analysis::doctor::FORMAT_VERSION, "doctor --json";
    "calibrate" infermeter_core::certificate::FORMAT_VERSION,
        "calibrate --json, and the certificate that it saves";
    "rungs" RUN, "report --json of a calibration that was cut off";
    "dry-run" RUN, "run --dry-run --json";
    "dry-runs" RUN, "--dry-run --json of sweep, search and compare";
    "inspect" RUN, "workload inspect --json";
    "ledger" infermeter_session::book::FORMAT_VERSION,
        "the JSON behind the checksum of each line of experiment.ledger";
    "verify" RUN, "verify --json";
    "metering" infermeter_audit::metering::METERING_VERSION, "metering --json";
    "bundle.json" infermeter_record::BUNDLE_VERSION, "the file bundle.json in front of a bundle";
    "history-add" HISTORY_VERSION, "history add --json";
    "history-list" HISTORY_VERSION, "history list --json";
    "history-show" HISTORY_VERSION,
        "history show --json, and the JSON behind the checksum of each line of a history";
    "history-trend" HISTORY_VERSION, "history trend --json";
    "monitor" MONITOR_VERSION, "each line of monitor --json, and the JSON behind the checksum of each line of \
        monitor.jsonl";
    "monitor-webhook" MONITOR_VERSION, "what monitor --webhook sends";
    "shadow" RUN, "shadow --json, and its file shadow.json";
    "record" RUN, "record --json, and the file capture.json of a capture";
    "bench" infermeter_session::bench::BENCH_VERSION, "bench --json, and its file result.json";
    "coldstart" infermeter_analysis::cold_start::COLD_START_VERSION,
        "coldstart --json, and its file result.json";
    "schemas" RUN, "schema --json without a name";
}

impl Published {
    /// The one of a name.
    ///
    /// # Errors
    /// The names that there are, and the nearest one.
    pub fn named(name: &str) -> Result<&'static Self> {
        if let Some(found) = PUBLISHED.iter().find(|known| known.name == name) {
            return Ok(found);
        }
        let names: Vec<&str> = PUBLISHED.iter().map(|known| known.name).collect();
        bail!("{}", not_one_of(name, &names))
    }

    /// Its identity: the name and the version, and no place to fetch it from.
    pub fn id(&self) -> String {
        format!("urn:infermeter:schema:{}:{}", self.name, self.version)
    }

    /// Its text.
    ///
    /// # Errors
    /// When this binary is damaged.
    pub fn text(&self) -> Result<String> {
        let mut all = String::new();
        let read = DeflateDecoder::new(PACKED).read_to_string(&mut all);
        read.context("the schemas in this binary")?;
        let mut parts = all.split('\0');
        let lists = parts.next().unwrap_or_default();
        let pieces: Vec<&str> = parts.collect();
        let mut lists = lists.lines().map(|list| list.split(' '));
        let list = lists.find_map(|mut words| (words.next() == Some(self.name)).then_some(words));
        let list = list.with_context(|| format!("no schema of {} in this binary", self.name))?;
        let pieces = list.filter_map(|at| pieces.get(at.parse::<usize>().ok()?));
        Ok(pieces.copied().collect())
    }
}
