//! The files of a capture: rows as they come, in order of time at the end, and what they are.
//!
//! Each row is one write, so what a kill leaves is readable to its last whole line. Invariant: the file of rows has its
//! name from the first row on, and is only ever replaced by one that is whole.

use super::told::Captured;
use super::{CaptureAsk, KeptTexts};
use anyhow::{Context, Result};
use infermeter_record::RunDirectory;
use infermeter_workload::{BlockOrigin, Row, RowsHeader, RowsWriter};
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The rows.
pub const TRACE_FILE: &str = "trace.jsonl";
/// What they are.
const CAPTURE_FILE: &str = "capture.json";

/// Rows whose places are remembered so that they can be put in order: 24 bytes each.
const MOST_ORDERED: usize = 20_000_000;

/// Where a row stands.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at_ns: i64,
    offset: u64,
    bytes: u64,
}

/// The rows of a capture.
#[derive(Debug)]
pub(super) struct RowFile {
    directory: PathBuf,
    header_bytes: u64,
    rows: Option<RowsWriter<File>>,
    ats: Vec<i64>,
    sorted: bool,
}

impl RowFile {
    pub(super) fn create(directory: &Path, ask: &CaptureAsk, tokenizer: &str) -> Result<Self> {
        RunDirectory::create(directory)?;
        let path = directory.join(TRACE_FILE);
        let file = File::create_new(&path).with_context(|| path.display().to_string())?;
        let hashed = ask.texts != KeptTexts::None;
        let header = RowsHeader {
            block_tokens: hashed.then_some(ask.block_tokens),
            blocks: match hashed {
                true => BlockOrigin::Recorded,
                false => BlockOrigin::None,
            },
            tokenizer: Some(tokenizer.to_owned()),
            ..RowsHeader::of("record")
        };
        let rows = RowsWriter::new(file, &header).with_context(|| path.display().to_string())?;
        let header_bytes = std::fs::metadata(&path)?.len();
        Ok(Self {
            directory: directory.to_owned(),
            header_bytes,
            rows: Some(rows),
            ats: Vec::new(),
            sorted: true,
        })
    }

    /// Appends a row: it is in the file when this returns.
    pub(super) fn write(&mut self, row: &Row, members: &[(&str, Value)]) -> Result<()> {
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        if let Err(error) = rows.write(row, members) {
            self.rows = None;
            // Half a row is none: without it the rest can be read.
            let _ = self.cut();
            let path = self.directory.join(TRACE_FILE);
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
        let at = row.at_ns.unwrap_or(0);
        self.sorted &= self.ats.last().is_none_or(|last| *last <= at);
        if self.ats.len() <= MOST_ORDERED {
            self.ats.push(at);
        }
        Ok(())
    }

    /// Takes away what follows the last whole row.
    fn cut(&self) -> Result<()> {
        if self.ats.len() > MOST_ORDERED {
            return Ok(());
        }
        let path = self.directory.join(TRACE_FILE);
        let marks = self.marks(&path)?;
        let end = marks.last();
        let end = end.map_or(self.header_bytes, |mark| mark.offset + mark.bytes);
        Ok(File::options().write(true).open(&path)?.set_len(end)?)
    }

    /// As on a disk that is full from now on.
    #[cfg(test)]
    pub(super) fn fill_disk(&mut self) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let header = RowsHeader::of("record");
        let rows = RowsWriter::new(File::from(std::os::fd::OwnedFd::from(writer)), &header);
        self.rows = Some(rows.expect("a header"));
        drop(reader);
        let path = self.directory.join(TRACE_FILE);
        let file = File::options().append(true).open(path);
        file.expect("rows").write_all(b"{\"half a").expect("bytes");
    }

    /// Puts the rows in order and says what they are.
    pub(super) fn finish(&mut self, captured: &Captured) -> Result<()> {
        drop(self.rows.take());
        let path = self.directory.join(TRACE_FILE);
        if !self.sorted && self.ats.len() <= MOST_ORDERED {
            let context = || path.display().to_string();
            self.order(&path).with_context(context)?;
        }
        let text = serde_json::to_string_pretty(captured)? + "\n";
        replace(&self.directory.join(CAPTURE_FILE), |file| {
            file.write_all(text.as_bytes())
        })
    }

    fn order(&self, path: &Path) -> Result<()> {
        let mut marks = self.marks(path)?;
        marks.sort_by_key(|mark| mark.at_ns);
        let mut source = File::open(path)?;
        replace(path, |file| {
            let mut out = BufWriter::new(file);
            io::copy(&mut (&source).take(self.header_bytes), &mut out)?;
            for mark in &marks {
                source.seek(SeekFrom::Start(mark.offset))?;
                io::copy(&mut (&source).take(mark.bytes), &mut out)?;
            }
            out.flush()
        })
    }

    /// Where each line stands, in the order in which they were written.
    fn marks(&self, path: &Path) -> Result<Vec<Mark>> {
        let mut input = BufReader::with_capacity(256 << 10, File::open(path)?);
        input.seek(SeekFrom::Start(self.header_bytes))?;
        let mut offset = self.header_bytes;
        let mut line = Vec::new();
        let mut marks = Vec::with_capacity(self.ats.len());
        for at_ns in &self.ats {
            line.clear();
            let bytes = io::BufRead::read_until(&mut input, b'\n', &mut line)? as u64;
            marks.push(Mark {
                at_ns: *at_ns,
                offset,
                bytes,
            });
            offset += bytes;
        }
        Ok(marks)
    }
}

/// Writes a file under a temporary name, and gives it its own when it is whole.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let part = path.with_extension("part");
    let written = File::create(&part).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&part, path));
    if renamed.is_err() {
        // What was not finished is of no use.
        let _ = std::fs::remove_file(&part);
    }
    renamed.with_context(|| format!("cannot write {}", path.display()))
}
