//! Writes a workload file.
//!
//! It makes no request. Invariant: the file has its name only when it is whole; until then it is
//! `NAME.part` beside it.

use super::error::FileError;
use super::line::{FileRequest, FullLine};
use super::{FORMAT, FilePhases, Header, VERSION, hex};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What the header of a new file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileHeader {
    /// [`crate::Tokenizer::identity`] of the tokenizer that lengths are meant under.
    pub tokenizer: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// What it is made from, for people.
    pub description: String,
    /// Phases that its instants are made for.
    pub phases: Option<FilePhases>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Requests.
    pub requests: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The workload's hash, hex.
    pub sha256: String,
}

/// Writes the requests of one workload, in order of their ids.
#[derive(Debug)]
pub struct WorkloadWriter {
    path: PathBuf,
    part: PathBuf,
    output: BufWriter<File>,
    header: Header,
    /// Bytes that the header takes, line break included.
    room: usize,
    hasher: Sha256,
    written: u64,
}

impl WorkloadWriter {
    /// Begins the file at `path`.
    ///
    /// # Errors
    /// When it exists or cannot be created.
    pub fn create(path: &Path, about: FileHeader) -> Result<Self, FileError> {
        if path.exists() {
            let source = std::io::ErrorKind::AlreadyExists.into();
            return Err(io(path, "create")(source));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            // As wide as any: rewritten in place at the end.
            requests: u64::MAX,
            sha256: "0".repeat(64),
            tokenizer: about.tokenizer,
            classes: about.classes,
            made_by: format!("infermeter {}", env!("CARGO_PKG_VERSION")),
            description: about.description,
            phases: about.phases,
        };
        let file = File::create(&part).map_err(io(&part, "create"))?;
        let mut writer = Self {
            path: path.to_owned(),
            part,
            output: BufWriter::with_capacity(1 << 20, file),
            room: 0,
            hasher: header.hasher(),
            header,
            written: 0,
        };
        let line = writer.header_line();
        writer.room = line.len();
        writer.put(&line)?;
        Ok(writer)
    }

    /// Appends lines made by [`encode_line`], `requests` of them, in order of their ids.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&mut self, lines: &[u8], requests: u64) -> Result<(), FileError> {
        self.hasher.update(lines);
        self.header.requests = match self.header.requests {
            u64::MAX => requests,
            before => before + requests,
        };
        self.put(lines)
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<Written, FileError> {
        self.header.sha256 = hex(&self.hasher.clone().finalize());
        if self.header.requests == u64::MAX {
            self.header.requests = 0;
        }
        let mut line = self.header_line();
        line.pop();
        line.resize(self.room - 1, b' ');
        line.push(b'\n');
        self.output.flush().map_err(io(&self.part, "write"))?;
        let file = self.output.get_ref();
        file.write_all_at(&line, 0)
            .and_then(|()| file.sync_all())
            .map_err(io(&self.part, "write"))?;
        std::fs::rename(&self.part, &self.path).map_err(io(&self.part, "rename"))?;
        Ok(Written {
            requests: self.header.requests,
            bytes: self.written,
            sha256: self.header.sha256.clone(),
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.written += bytes.len() as u64;
        let written = self.output.write_all(bytes);
        written.map_err(io(&self.part, "write"))
    }

    fn header_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(&self.header).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Appends a request's line to `out`; `class` is the name of its class.
///
/// # Errors
/// When a member of its body is not JSON.
pub fn encode_line(out: &mut Vec<u8>, request: &FileRequest, class: &str) -> Result<(), String> {
    let line = FullLine::of(request, class)?;
    serde_json::to_writer(&mut *out, &line).map_err(|e| e.to_string())?;
    out.push(b'\n');
    Ok(())
}

impl Drop for WorkloadWriter {
    /// What was not finished is of no use.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.part);
    }
}

fn io(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { what, path, source }
}
