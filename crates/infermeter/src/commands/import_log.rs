//! `infermeter workload import FILE|DIR|-`: logs of production become rows of a trace.
//!
//! It sends nothing. Invariant: rows have their name once all of them are written (`.part` before), what could
//! not be completed is removed again, and an existing file is refused.

use super::audit::mapping;
use crate::cli::tables::{ImportLogArgs, ImportTexts};
use crate::{exit, input, output};
use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use infermeter_audit::import::Mapping;
use infermeter_core::number::{count, counted};
use infermeter_report::number::{JOIN, span};
use infermeter_session::dataset_file::DatasetFile;
use infermeter_session::run_id::random;
use infermeter_workload::{
    BlockOrigin, HashKey, ImportOptions, Imported, LogFormat, MappedCall, TextsKept, Tokenizer,
    TraceOptions, first_row, import_logs, import_trace,
};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Most files of a folder.
const MOST_FILES: usize = 100_000;
/// Bytes that are packed at once.
const PART: usize = 256 << 10;
/// Parts that wait to be packed.
const WAITING: usize = 8;

/// Runs the subcommand.
///
/// # Errors
/// When a file cannot be read, is of no known format or has no calls, and when the rows cannot be written.
pub(crate) fn import(args: &ImportLogArgs) -> Result<u8> {
    let paths = files(&args.file)?;
    if args.out.exists() {
        bail!("--out: {} exists: name another file", args.out.display());
    }
    let named = || format!("--out {}", args.out.display());
    let part = part(&args.out);
    // Left over from an import that was killed.
    let _ = fs::remove_file(&part);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if args.texts == ImportTexts::Plain {
        options.mode(0o600);
    }
    let file = options.open(&part).with_context(named)?;
    let told = written(args, &paths, file).and_then(|told| {
        fs::rename(&part, &args.out)
            .with_context(named)
            .map(|()| told)
    });
    if told.is_err() {
        let _ = fs::remove_file(&part);
    }
    output::print(&told?);
    Ok(exit::OK)
}

/// The name of rows that are being written.
fn part(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Writes the rows; what is to be told of them.
fn written(args: &ImportLogArgs, paths: &[PathBuf], file: File) -> Result<String> {
    let packed = args.out.extension() == Some(OsStr::new("gz"));
    if packed && args.texts == ImportTexts::Plain {
        bail!(
            "--texts plain: texts are read back at their places, so the file cannot be packed: leave .gz out"
        );
    }
    let (out, thread) = writer(file, packed.then(Compression::fast));
    let told = match trace_of(args, paths) {
        Some(first) => of_trace(&paths[0], &first, out),
        None => of_logs(args, paths, out),
    };
    let told = ended(told, thread, &args.out)?;
    Ok(format!("{told}rows in {}\n", args.out.display()))
}

fn of_trace(
    path: &Path,
    first: &infermeter_workload::Row,
    out: Box<dyn Write + Send>,
) -> Result<String> {
    let facts = import_trace(path, first, &TraceOptions::default(), out)?;
    let mut told = format!(
        "{} from a trace ({})\n",
        counted(facts.rows, "row"),
        facts.format
    );
    let remarks = facts.remarks();
    remarks
        .iter()
        .for_each(|remark| told += &format!("note: {remark}\n"));
    Ok(told)
}

/// What is to be told, once the writing thread has ended: why that could not write comes before what broke for it.
fn ended(told: Result<String>, thread: JoinHandle<io::Result<()>>, out: &Path) -> Result<String> {
    match thread.join() {
        Ok(done) => done.with_context(|| format!("--out {}", out.display()))?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    told
}

/// The first row of what is no log but a trace, where it is one.
fn trace_of(args: &ImportLogArgs, paths: &[PathBuf]) -> Option<infermeter_workload::Row> {
    match paths {
        [path] if args.map.is_none() && args.format.is_none() => {
            first_row(path, &TraceOptions::default())
        }
        _ => None,
    }
}

fn of_logs(args: &ImportLogArgs, paths: &[PathBuf], out: Box<dyn Write + Send>) -> Result<String> {
    let mapping = args.map.as_deref().map(mapping).transpose()?;
    if mapping
        .as_ref()
        .is_some_and(|mapping| !mapping.is_of_requests())
    {
        bail!(
            "--map: a log needs rows = \"requests\" and no rows-at: each line, or each object of an array, is one"
        );
    }
    let format = args.format.as_deref().map(str::parse::<LogFormat>);
    let format = format
        .transpose()
        .map_err(|known| anyhow::anyhow!("--format: {known}"))?;
    let read = |row: &Value| mapped(mapping.as_ref(), row);
    let options = ImportOptions {
        format,
        block_tokens: args.block_size,
        texts: match args.texts {
            ImportTexts::None => TextsKept::None,
            ImportTexts::Hashed => TextsKept::Hashed,
            ImportTexts::Plain => TextsKept::Plain,
        },
        tokenizer: Tokenizer::open(&args.tokenizer)?,
        counter: None,
        key: HashKey::new(random()?),
        folder: folder(&args.out),
        mapping: mapping.is_some().then_some(&read),
    };
    // Parquet is unpacked to JSON lines when its turn comes.
    let imported = import_logs(paths, DatasetFile::open_log, &options, out)?;
    Ok(told(&imported, paths))
}

/// Where chunks are sorted: beside the rows, which take as much room.
fn folder(out: &Path) -> PathBuf {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn mapped(mapping: Option<&Mapping>, row: &Value) -> Result<MappedCall, String> {
    let mapping = mapping.ok_or_else(|| "no mapping".to_owned())?;
    let row = mapping.row(row)?;
    Ok(MappedCall {
        start_s: row.request.start_s,
        start_text: row.start_text,
        e2e_ms: row.request.e2e_ms,
        input_tokens: row.request.input_tokens,
        output_tokens: row.request.output_tokens,
        cached_tokens: row.cached_tokens,
        session: row.session,
        prompt: row.prompt,
        failed: Some(row.request.failed),
    })
}

/// The files to read, in order of their names.
fn files(named: &Path) -> Result<Vec<PathBuf>> {
    let path = input::path(named)?;
    let about = fs::metadata(&path).with_context(|| path.display().to_string())?;
    if !about.is_dir() {
        return Ok(vec![path]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(&path).with_context(|| path.display().to_string())? {
        let entry = entry.with_context(|| path.display().to_string())?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.path().is_file() && !hidden {
            files.push(entry.path());
        }
        if files.len() > MOST_FILES {
            bail!(
                "{}: more than {MOST_FILES} files: give a part of them",
                path.display()
            );
        }
    }
    if files.is_empty() {
        bail!("{}: no files: name a folder of logs", path.display());
    }
    files.sort();
    Ok(files)
}

/// What was imported, in lines.
fn told(imported: &Imported, paths: &[PathBuf]) -> String {
    let names = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        infermeter_core::text::inert(&name, 80)
    };
    let files: Vec<String> = paths.iter().map(names).collect();
    let formats: Vec<&str> = imported
        .formats
        .iter()
        .map(|format| format.name())
        .collect();
    let span = imported.span_ns.map_or(String::new(), |ns| {
        format!(" over {}", span(ns as f64 / 1e9).replace(JOIN, " "))
    });
    let mut told = format!(
        "{} of {} records ({}, {}){span}\n",
        counted(imported.rows, "row"),
        count(imported.records),
        formats.join(", "),
        counted(files.len() as u64, "file"),
    );
    if imported.sessions > 0 {
        told += &format!(
            "{}; waiting for another call: {}, {} of them for several\n",
            counted(imported.sessions, "session"),
            counted(imported.waiting, "row"),
            count(imported.joining)
        );
    }
    told += blocks(imported).as_str();
    for left in &imported.left_out {
        told += &format!("left out: {}\n", left.described(&files));
    }
    if imported.jumps > 0 {
        let places = infermeter_workload::places(&imported.first_jumps, imported.jumps, &files);
        told += &format!(
            "clock jumps: {} ({places}): instants are kept as recorded\n",
            count(imported.jumps)
        );
    }
    if imported.waits_beyond > 0 {
        told += &format!(
            "waits beyond 16 a call are left out: {}\n",
            count(imported.waits_beyond)
        );
    }
    for note in &imported.notes {
        told += &format!("note: {note}\n");
    }
    told
}

fn blocks(imported: &Imported) -> String {
    let reuse = imported.reuse;
    match imported.blocks {
        BlockOrigin::None => "no blocks: what prompts share is unknown\n".to_owned(),
        BlockOrigin::Recorded => "blocks by the log's hashes or texts\n".to_owned(),
        BlockOrigin::PerSession => format!(
            "cached tokens: {} recorded, {} in blocks of their session, {} of other sessions\n",
            count(reuse.recorded),
            count(reuse.reproduced),
            count(reuse.of_others)
        ),
    }
}

/// Packs and writes on a thread of its own.
fn writer(
    file: File,
    packed: Option<Compression>,
) -> (Box<dyn Write + Send>, JoinHandle<io::Result<()>>) {
    let (send, parts) = sync_channel(WAITING);
    let thread = thread::spawn(move || match packed {
        Some(level) => {
            let mut out = GzEncoder::new(BufWriter::new(file), level);
            drain(&parts, &mut out)?;
            out.finish()?.flush()
        }
        None => {
            let mut out = BufWriter::new(file);
            drain(&parts, &mut out)?;
            out.flush()
        }
    });
    let part = Vec::with_capacity(PART);
    (Box::new(Parts { part, send }), thread)
}

fn drain(parts: &Receiver<Vec<u8>>, out: &mut impl Write) -> io::Result<()> {
    for part in parts {
        out.write_all(&part)?;
    }
    Ok(())
}

/// Hands parts over to the thread that packs them.
struct Parts {
    part: Vec<u8>,
    send: SyncSender<Vec<u8>>,
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let part = std::mem::replace(&mut self.part, Vec::with_capacity(PART));
        let sent = part.is_empty() || self.send.send(part).is_ok();
        // Why the thread ended is what it says itself.
        sent.then_some(())
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        let full = OpenOptions::new().write(true).open("/dev/full");
        let (mut out, thread) = writer(full.expect("a device"), None);
        let written = out.write_all(&vec![b'x'; PART]).and_then(|()| out.flush());
        drop(out);
        let told = written.map(|()| String::new()).map_err(anyhow::Error::from);
        let error = ended(told, thread, Path::new("rows.jsonl")).expect_err("no room");
        let said = format!("{error:#}");
        assert!(
            said.starts_with("--out rows.jsonl: No space left"),
            "{said}"
        );
    }
}
