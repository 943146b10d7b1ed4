//! The files behind an audit: which are read, and how.
//!
//! Formats are told by content in `infermeter-audit`; here are paths, limits and messages.
//! Invariant: a path given by name that holds no result is an error; a file met inside a directory
//! that holds none is named and left out.

use anyhow::{Context, Result, anyhow, bail};
use infermeter_analysis::Run;
use infermeter_audit::Side;
use infermeter_audit::evidence;
use infermeter_audit::facts::{Facts, SetupItem};
use infermeter_audit::import::{self, ImportError, Mapping};
use infermeter_core::text::closest;
use infermeter_record::{
    MANIFEST_FILE, ParquetRecords, RESPONSES_FILE, RecordState, Response, RunDirectory,
    read_manifest,
};
use infermeter_session::altered;
use infermeter_session::judged::Judged;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Largest file read, bytes.
const MAX_FILE_BYTES: u64 = 2 << 30;
/// Most files of a directory looked at.
const MAX_FILES: usize = 10_000;
/// Deepest directory looked into.
const MAX_DEPTH: usize = 6;
/// Endings of files that may hold a result.
const ENDINGS: [&str; 6] = ["json", "jsonl", "ndjson", "csv", "yaml", "yml"];
/// Logs of MLPerf LoadGen that may.
const LOGS: [&str; 2] = ["mlperf_log_summary.txt", "mlperf_log_detail.txt"];

/// The results below a path.
#[derive(Debug)]
pub struct Gathered {
    /// The results, by side.
    pub sides: Vec<Side>,
    /// Files left out, with the reason.
    pub skipped: Vec<String>,
}

/// Reads what a path holds: a file, a run directory, or a directory of either.
///
/// # Errors
/// When a file cannot be read or is not a result, or a directory holds none.
pub(crate) fn gather(path: &Path, mapping: Option<&Mapping>) -> Result<Gathered> {
    let name = path.display().to_string();
    if !path.is_dir() {
        let results = read_file(path, mapping)?;
        let sides = evidence::sides(&name, results);
        return Ok(Gathered {
            sides,
            skipped: Vec::new(),
        });
    }
    let mut found = Found::default();
    found.seen.extend(path.canonicalize().ok());
    look_into(path, MAX_DEPTH, &mut found)?;
    let mut skipped = std::mem::take(&mut found.skipped);
    let mut results = Vec::new();
    if found.runs.iter().any(|run| run == path) {
        results.push(read_run(path)?);
        found.runs.clear();
    }
    let runs = found
        .runs
        .iter()
        .map(|run| read_run(run).map(|facts| vec![facts]));
    let files = found.files.iter().map(|file| read_file(file, mapping));
    for read in runs.chain(files) {
        match read {
            Ok(mut read) => results.append(&mut read),
            Err(error) => skipped.push(format!("left out: {error:#}")),
        }
    }
    if results.is_empty() {
        let reasons: String = skipped.iter().take(3).map(|s| format!("; {s}")).collect();
        bail!("{name} holds no result that can be read{reasons}");
    }
    Ok(Gathered {
        sides: evidence::sides(&name, results),
        skipped,
    })
}

/// Paths below a directory.
#[derive(Debug, Default)]
struct Found {
    /// What was seen, by the names that links lead to.
    seen: BTreeSet<PathBuf>,
    runs: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Directories left out, with the reason.
    skipped: Vec<String>,
}

fn look_into(directory: &Path, depth: usize, found: &mut Found) -> Result<()> {
    if directory.join(MANIFEST_FILE).is_file() {
        found.runs.push(directory.to_owned());
        return Ok(());
    }
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if depth < MAX_DEPTH => {
            let name = directory.display();
            found.skipped.push(format!("left out: {name}: {error}"));
            return Ok(());
        }
        Err(error) => return Err(error).with_context(|| directory.display().to_string()),
    };
    let mut entries: Vec<PathBuf> = listing.filter_map(|e| Some(e.ok()?.path())).collect();
    entries.sort();
    for path in entries {
        // A link that leads nowhere, or to what was seen, adds nothing.
        let Ok(real) = path.canonicalize() else {
            continue;
        };
        if !found.seen.insert(real) {
            continue;
        }
        if found.runs.len() + found.files.len() >= MAX_FILES {
            bail!(
                "{} holds more than {MAX_FILES} files: name a part of it",
                directory.display()
            );
        }
        if path.is_dir() {
            match depth.checked_sub(1) {
                Some(depth) => look_into(&path, depth, found)?,
                None => found.skipped.push(format!(
                    "left out: {}: more than {MAX_DEPTH} directories deep",
                    path.display()
                )),
            }
        } else if path.is_file() && is_candidate(&path) && !is_beside_runs(&path) {
            found.files.push(path);
        }
    }
    Ok(())
}

/// Whether a file met in a directory may hold a result. Text files are many: only LoadGen's logs are
/// looked at.
fn is_candidate(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    let ending = ending.map(str::to_ascii_lowercase).unwrap_or_default();
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
    let is_log = LOGS.contains(&name);
    ENDINGS.contains(&ending.as_str()) || is_log
}

/// What `run --repeat` says over its runs, which are read themselves.
fn is_beside_runs(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "repeat.json")
}

fn read_file(path: &Path, mapping: Option<&Mapping>) -> Result<Vec<Facts>> {
    let name = path.display().to_string();
    let read = read_bytes(&bytes_of(path)?, mapping);
    let mut results = read.with_context(|| name.clone())?;
    for facts in &mut results {
        facts.source = match facts.source.as_str() {
            "" => name.clone(),
            part => format!("{name}, {part}"),
        };
    }
    Ok(results)
}

/// The results in bytes: of a known format, else by the mapping.
///
/// # Errors
/// Where they are of no known format, or damaged.
pub(crate) fn read_bytes(
    bytes: &[u8],
    mapping: Option<&Mapping>,
) -> Result<Vec<Facts>, ImportError> {
    match (import::read(bytes), mapping) {
        (Err(ImportError::Unknown { .. } | ImportError::NotJson), Some(mapping)) => {
            mapping.read(bytes)
        }
        (read, _) => read,
    }
}

/// The bytes of a file of results.
///
/// # Errors
/// Where it cannot be read, or is larger than any.
pub(crate) fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let name = || path.display().to_string();
    let size = fs::metadata(path).with_context(name)?.len();
    if size > MAX_FILE_BYTES {
        bail!(
            "{}: {size} bytes; at most {MAX_FILE_BYTES} are read",
            path.display()
        );
    }
    fs::read(path).with_context(name)
}

/// A run of infermeter, judged afresh from its record.
fn read_run(path: &Path) -> Result<Facts> {
    let directory = RunDirectory::open(path)?;
    let mut manifest = read_manifest(directory.path())?;
    altered::note(directory.path(), &mut manifest)?;
    match directory.state()? {
        RecordState::Finished => {}
        RecordState::NeedsRecovery => bail!(
            "{0}: the run did not complete its record; run `infermeter report {0}` first",
            path.display()
        ),
        RecordState::Empty => bail!("{} has no record", path.display()),
    }
    let records = ParquetRecords::open(directory.path())?;
    let run = Run::read(manifest, &records)?;
    let mut facts = import::of_run(&run.manifest, &run.collected.requests);
    let answers = answers(directory.path())?;
    import::add_answers(&mut facts, &run.collected.requests, &answers);
    let judged = Judged::of(run, &records, None)?;
    import::add_judgement(&mut facts, &judged.manifest.findings, &judged.summary);
    facts.source = path.display().to_string();
    Ok(facts)
}

/// What tells the answers of a run apart, by request; nothing where their texts were not kept.
fn answers(run: &Path) -> Result<BTreeMap<u64, u64>> {
    let path = run.join(RESPONSES_FILE);
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let file = fs::File::open(&path).with_context(|| path.display().to_string())?;
    let mut keys = BTreeMap::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), index + 1);
        let line: Response =
            serde_json::from_str(&line.with_context(place)?).with_context(place)?;
        let parts = [&line.reasoning, &line.text, &line.tool_calls].map(Option::as_deref);
        if parts.iter().any(Option::is_some) {
            let mut hasher = DefaultHasher::new();
            parts.hash(&mut hasher);
            keys.insert(line.id, hasher.finish());
        }
    }
    Ok(keys)
}

/// Facts of the set-up given on the command line.
#[derive(Debug, Default)]
pub(crate) struct Declared(Vec<(SetupItem, String)>);

impl Declared {
    /// Reads `NAME=VALUE`.
    ///
    /// # Errors
    /// For an unknown name, with the nearest one, or a value that is not there.
    pub fn parse(texts: &[String]) -> Result<Self> {
        texts
            .iter()
            .map(|text| one(text))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// States them of a result, where it does not say itself.
    pub fn apply(&self, facts: &mut Facts) {
        for (item, value) in &self.0 {
            if facts.stated(*item).is_none() {
                facts.setup.insert(*item, value.clone());
            }
        }
    }
}

fn one(text: &str) -> Result<(SetupItem, String)> {
    let (name, value) = text
        .split_once('=')
        .filter(|(_, value)| !value.trim().is_empty())
        .ok_or_else(|| anyhow!("--state {text}: write NAME=VALUE"))?;
    let item = SetupItem::parse(name).ok_or_else(|| {
        let names: Vec<&str> = SetupItem::ALL.iter().map(|item| item.name()).collect();
        let hint = closest(name, names.iter().copied()).map_or_else(
            || format!("one of {}", names.join(", ")),
            |n| format!("did you mean {n}?"),
        );
        anyhow!("--state {name}: no such fact; {hint}")
    })?;
    let cores = value
        .trim()
        .parse()
        .is_ok_and(|n: f64| n > 0.0 && n.is_finite());
    if item == SetupItem::ClientCores && !cores {
        bail!("--state {name}: `{value}` is not a number of cores; write a number above 0");
    }
    Ok((item, value.to_owned()))
}
