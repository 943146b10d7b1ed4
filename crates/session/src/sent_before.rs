//! Whether an earlier run has sent the same prompts: a server that caches then has them already.
//!
//! Asked only of a plan that fixes its salt: without one every run's prompts are its own. Looks at the
//! records beside the new one, the latest first, and no further than [`MOST_RECORDS`]. What cannot be read
//! is passed over: this is a warning, never a reason not to measure.

use crate::experiment::Experiment;
use infermeter_analysis::raised;
use infermeter_core::finding::Finding;
use infermeter_core::run::RunManifest;
use infermeter_core::text::inert;
use infermeter_record::{MANIFEST_FILE, read_manifest};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Records looked at.
const MOST_RECORDS: usize = 200;

/// Entries of the directory that are listed to find these.
const MOST_ENTRIES: usize = 10_000;

/// Manifests longer than this are none of ours, bytes.
const LONGEST_MANIFEST: u64 = 16 << 20;

/// The earlier run, as a finding; `directory` is that of the new one, of a run of several ranks that of the whole.
pub(crate) fn finding(
    experiment: &Experiment,
    manifest: &RunManifest,
    directory: &Path,
) -> Option<Finding> {
    // The embedded simulator is a new server each time.
    let salt = experiment.requests.salt;
    let salt = salt.filter(|_| !experiment.is_simulated())?;
    let same = |earlier: &RunManifest| {
        earlier.run_id != manifest.run_id
            && earlier.plan.salt == Some(salt)
            && earlier.seeds == manifest.seeds
            && earlier.plan.target == manifest.plan.target
            && earlier.plan.more_targets == manifest.plan.more_targets
    };
    let mut beside = beside(directory).into_iter();
    let earlier = beside.find(|path| read_manifest(path).is_ok_and(|earlier| same(&earlier)))?;
    Some(raised::PROMPTS_SENT_BEFORE.found(
        "An earlier run sent the same prompts to this server: a cache has them already.",
        format!(
            "--salt {salt} and both seeds are those of {}.",
            inert(&earlier.display().to_string(), 300)
        ),
        "Leave --salt out, or give another one, so that the prompts are new; or restart the server \
         between the runs.",
    ))
}

/// The records beside a directory, the latest first.
fn beside(directory: &Path) -> Vec<PathBuf> {
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(SystemTime, PathBuf)> = entries
        .take(MOST_ENTRIES)
        .map(|entry| entry.path())
        .filter(|path| path.file_name() != directory.file_name())
        .filter_map(|path| Some((written_at(&path.join(MANIFEST_FILE))?, path)))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(MOST_RECORDS);
    found.into_iter().map(|(_, path)| path).collect()
}

/// When a manifest was written; absent where it is none.
fn written_at(path: &Path) -> Option<SystemTime> {
    let facts = fs::metadata(path).ok()?;
    let fits = facts.is_file() && facts.len() <= LONGEST_MANIFEST;
    facts.modified().ok().filter(|_| fits)
}
