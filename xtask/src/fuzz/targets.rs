//! The targets: what reads bytes from outside, and where its seeds are.
//!
//! What must hold stands in the crates. Invariant: each has a file in `fuzz/fuzz_targets/`, too.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A reader of bytes from outside.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// Panics where a property is broken.
    pub(super) run: fn(&[u8]),
    /// Seeds beside those in `fuzz/seeds/NAME`.
    more_seeds: Option<&'static str>,
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target {
        name,
        run,
        more_seeds: None,
    }
}

pub(super) const TARGETS: [Target; 18] = [
    target("http", infermeter_client::fuzzing::http),
    target("sse", infermeter_client::fuzzing::sse),
    target("answer", infermeter_client::fuzzing::answer),
    target("json", infermeter_client::fuzzing::json),
    target("list", infermeter_client::fuzzing::list),
    target("screen", infermeter_proxy::fuzzing::screen),
    target("metrics", infermeter_probe::fuzzing::metrics),
    target("asked", infermeter_probe::fuzzing::asked),
    target("otlp", infermeter_probe::fuzzing::otlp),
    Target {
        name: "trace",
        run: infermeter_workload::fuzzing::trace,
        more_seeds: Some("fuzz/seeds/trace-refused"),
    },
    target("logs", infermeter_workload::fuzzing::logs),
    target("said", infermeter_answers::fuzzing::said),
    target("margins", infermeter_answers::fuzzing::margins),
    target("objective", infermeter_core::fuzzing::objective),
    target("journal", infermeter_record::fuzzing::journal),
    target("bundle", infermeter_record::fuzzing::bundle),
    target("meeting", infermeter_ranks::fuzzing::meeting),
    Target {
        name: "results",
        run: infermeter_audit::fuzzing::results,
        more_seeds: Some("crates/audit/tests/golden"),
    },
];

/// The project's folder.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Target {
    /// Its seeds, in order of their names.
    pub(super) fn seeds(&self) -> Result<Vec<Vec<u8>>> {
        let own = format!("fuzz/seeds/{}", self.name);
        let folders = [Some(own.as_str()), self.more_seeds];
        let mut paths = Vec::new();
        for folder in folders.into_iter().flatten() {
            let folder = root().join(folder);
            let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
            for entry in entries {
                paths.push(entry?.path());
            }
        }
        paths.retain(|path| path.is_file());
        paths.sort();
        let read = |path: &PathBuf| fs::read(path).with_context(|| path.display().to_string());
        paths.iter().map(read).collect()
    }
}
