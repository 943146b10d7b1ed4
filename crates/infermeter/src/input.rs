//! `-` where a file is read: standard input.
//!
//! Files are read several times, and at places. So what comes through a pipe goes first into a file
//! without a name in the folder for temporary files, which then takes the place of standard input:
//! `/dev/stdin` names it, as often as it is opened, and it goes when the process does.
//!
//! Invariant: at most one file of a command is standard input, and at most `MOST` bytes of it are
//! taken.

use anyhow::{Context, Result, bail};
use infermeter_core::plan::Plan;
use infermeter_session::observed::capture::TRACE_FILE;
use infermeter_session::run_id;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, stdin};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What stands for standard input, and for standard output.
pub(crate) const DASH: &str = "-";

/// The name under which it is opened.
const STDIN: &str = "/dev/stdin";

/// Most bytes taken: more than any file of requests that is sent.
const MOST: u64 = 16 << 30;

/// The path to open for one that was given as `named`.
///
/// # Errors
/// When it is `-` and standard input cannot be kept.
pub fn path(named: &Path) -> Result<PathBuf> {
    if named != Path::new(DASH) {
        return Ok(of_capture(named).unwrap_or_else(|| named.to_owned()));
    }
    keep().context("standard input (-)")?;
    Ok(STDIN.into())
}

/// The rows of a capture, where its directory was given.
fn of_capture(named: &Path) -> Option<PathBuf> {
    let rows = named.join(TRACE_FILE);
    (named.is_dir() && rows.is_file()).then_some(rows)
}

/// The paths to open for several.
///
/// # Errors
/// As [`path`], and when two of them are `-`.
pub fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if named
        .iter()
        .filter(|path| **path == Path::new(DASH))
        .count()
        > 1
    {
        bail!("- is given twice: standard input is read once");
    }
    named.iter().map(|named| path(named)).collect()
}

/// The same for the files of a plan; `config` is its own file.
///
/// # Errors
/// As [`path`], when two files are `-`, and for keys that cannot be.
pub(crate) fn of_plan(plan: &mut Plan, config: Option<&Path>) -> Result<()> {
    if plan.out.as_deref() == Some(Path::new(DASH)) {
        bail!("--out: a record is a directory: - cannot be one; --json prints the result");
    }
    let Plan {
        trace,
        dataset,
        workload_file,
        body_template,
        chat_template,
        schema,
        grammar,
        api_key_file,
        tls_ca,
        ..
    } = plan;
    if let Some(rows) = trace.as_deref().and_then(of_capture) {
        *trace = Some(rows);
    }
    let mut given: Vec<(&str, &mut PathBuf)> = [
        ("--trace", trace.as_mut()),
        ("--dataset", dataset.as_mut()),
        ("--workload-file", workload_file.as_mut()),
        ("--body-template", body_template.as_mut()),
        ("--chat-template", chat_template.as_mut()),
        ("--schema", schema.as_mut()),
        ("--grammar", grammar.as_mut()),
        ("--api-key-file", api_key_file.as_mut()),
        ("--tls-ca", tls_ca.as_mut()),
    ]
    .into_iter()
    .filter_map(|(flag, path)| Some((flag, path.filter(|path| *path == Path::new(DASH))?)))
    .collect();
    let own = config.filter(|path| *path == Path::new(DASH));
    let mut flags: Vec<&str> = given.iter().map(|(flag, _)| *flag).collect();
    flags.extend(own.map(|_| "--config"));
    if let [_, _, ..] = flags.as_slice() {
        bail!(
            "{} are all - (standard input), which is read once: give all but one a file",
            flags.join(" and ")
        );
    }
    for (_, named) in &mut given {
        **named = path(named)?;
    }
    Ok(())
}

/// Makes standard input a file that can be opened again.
fn keep() -> Result<()> {
    let input = stdin();
    if is_file(&input)? {
        return Ok(());
    }
    if input.is_terminal() {
        crate::output::note("reading standard input; end it with Ctrl-D");
    }
    let name = format!("infermeter-{}.stdin", run_id::random_run_id()?);
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    // Nothing is left behind, however the process ends.
    std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    let taken = std::io::copy(&mut input.lock().take(MOST + 1), &mut file);
    let taken = taken.with_context(|| format!("cannot be kept in {}", path.display()))?;
    if taken > MOST {
        bail!("more than {MOST} bytes: give a file");
    }
    infermeter_sys::stdin::replace(&file).context("cannot be replaced")?;
    Ok(())
}

fn is_file(input: &impl AsFd) -> Result<bool> {
    let file = File::from(input.as_fd().try_clone_to_owned()?);
    Ok(file.metadata()?.is_file())
}
