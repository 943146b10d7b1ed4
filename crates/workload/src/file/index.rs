//! A workload file to send from: lengths, instants and places of its requests in memory, the texts
//! in the file.
//!
//! It keeps no text. Invariant: requests are in order of their ids, and what [`WorkloadFile`] hands
//! out was in the file when it was opened, or is an error.

use super::error::FileError;
use super::line::{FullLine, IndexLine};
use super::{FORMAT, Header, VERSION, hex};
use crate::slot::SlotKey;
use crate::trace::MAX_TOKENS;
use infermeter_core::request::{FollowUp, RequestContent, RequestId, RequestSpec};
use infermeter_core::text::inert;
use sha2::Digest;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is known of a request without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Lengths, class and place in a session.
    pub spec: RequestSpec,
    /// Nanoseconds after the first request, where it has an instant of its own.
    pub at_ns: Option<i64>,
    /// The requests that wait for this one.
    pub next: Vec<FollowUp>,
    /// The request that this one waits for.
    pub parent: Option<RequestId>,
    /// Where the number in its slot comes from.
    pub slot: Option<SlotKey>,
    /// Place of its line.
    offset: u64,
    /// Length of its line.
    bytes: u32,
}

/// A workload file, opened.
#[derive(Debug)]
pub struct WorkloadFile {
    path: PathBuf,
    file: File,
    header: Header,
    entries: Vec<FileEntry>,
}

impl WorkloadFile {
    /// Reads the file through: checks every request, and the hash.
    ///
    /// # Errors
    /// With the line that is wrong, and when the file is not a workload file, was cut off or changed.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = Self::read(path)?;
        let (said, found) = (&file.0.header.sha256, &file.1);
        if said != found {
            return Err(FileError::Hash {
                path: path.to_owned(),
                found: found.clone(),
                said: said.clone(),
            });
        }
        Ok(file.0)
    }

    /// As [`WorkloadFile::open`], whatever hash and number of requests the header says: for a file
    /// that was edited.
    ///
    /// # Errors
    /// With the line that is wrong.
    pub fn open_edited(path: &Path) -> Result<Self, FileError> {
        let (header, mut reader) = begin(path)?;
        reader.header.requests = u64::MAX;
        let (mut file, found) = reader.all(header)?;
        file.header.sha256 = found;
        file.header.requests = file.entries.len() as u64;
        Ok(file)
    }

    fn read(path: &Path) -> Result<(Self, String), FileError> {
        let (header, reader) = begin(path)?;
        reader.all(header)
    }

    /// Its first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its requests, in order of their ids.
    pub fn entries(&self) -> &[FileEntry] {
        &self.entries
    }

    /// The request with an id.
    pub fn entry(&self, id: RequestId) -> Option<&FileEntry> {
        let at = self.entries.binary_search_by_key(&id, |e| e.spec.id).ok()?;
        self.entries.get(at)
    }

    /// What a request says, without its slot.
    ///
    /// # Errors
    /// When its line cannot be read any more.
    pub fn content(&self, entry: &FileEntry) -> Result<RequestContent, FileError> {
        let mut bytes = vec![0; entry.bytes as usize];
        self.file
            .read_exact_at(&mut bytes, entry.offset)
            .map_err(io(&self.path, "read"))?;
        let line: FullLine<'_> = serde_json::from_slice(&bytes).map_err(|error| {
            let id = entry.spec.id;
            FileError::NotOne {
                path: self.path.clone(),
                problem: format!("request {id} cannot be read ({})", said(&error)),
            }
        })?;
        Ok(line.content())
    }
}

/// Reads the lines after the header.
struct Reader {
    path: PathBuf,
    input: BufReader<File>,
    header: Header,
    classes: HashMap<String, u16>,
    entries: Vec<FileEntry>,
    /// Instant of the last request that has one.
    last_at: i64,
    offset: u64,
}

/// Opens a file and reads its header.
fn begin(path: &Path) -> Result<(Header, Reader), FileError> {
    let file = File::open(path).map_err(io(path, "open"))?;
    let mut input = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    let read = input
        .read_until(b'\n', &mut line)
        .map_err(io(path, "read"))?;
    let no = |problem: String| FileError::NotOne {
        path: path.to_owned(),
        problem,
    };
    if line.starts_with(b"\x1f\x8b") {
        return Err(no("it is compressed: unpack it first".to_owned()));
    }
    let value: serde_json::Value = serde_json::from_slice(&line).map_err(|_| {
        no("its first line is not a JSON object; `infermeter workload convert` makes one of a trace or \
            a dataset"
            .to_owned())
    })?;
    if value["format"] != FORMAT {
        return Err(no(format!(
            "its first line has no \"format\": \"{FORMAT}\"; `infermeter workload convert` makes one \
             of a trace or a dataset"
        )));
    }
    let version = value["version"].as_u64().unwrap_or(0);
    if version > u64::from(VERSION) {
        return Err(FileError::Newer {
            path: path.to_owned(),
            found: u32::try_from(version).unwrap_or(u32::MAX),
        });
    }
    let header: Header =
        serde_json::from_value(value).map_err(|e| no(format!("its header: {}", said(&e))))?;
    let classes = header.classes.iter().cloned().zip(0..).collect();
    let reader = Reader {
        path: path.to_owned(),
        input,
        header: header.clone(),
        classes,
        entries: Vec::new(),
        last_at: 0,
        offset: read as u64,
    };
    Ok((header, reader))
}

impl Reader {
    /// All requests and their hash.
    fn all(mut self, header: Header) -> Result<(WorkloadFile, String), FileError> {
        let mut hasher = header.hasher();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = self.input.read_until(b'\n', &mut line);
            let read = read.map_err(io(&self.path, "read"))?;
            if read == 0 {
                break;
            }
            if line.last() != Some(&b'\n') {
                return Err(self.wrong("the file ends inside this line: it was cut off".to_owned()));
            }
            hasher.update(&line);
            self.add(&line)?;
            self.offset += read as u64;
        }
        let found = self.entries.len() as u64;
        if found == 0 {
            return Err(FileError::NotOne {
                path: self.path,
                problem: "it holds no requests".to_owned(),
            });
        }
        if self.header.requests != u64::MAX && self.header.requests != found {
            return Err(FileError::Count {
                path: self.path,
                found,
                said: self.header.requests,
            });
        }
        self.check_follow_ups()?;
        let file = WorkloadFile {
            path: self.path,
            file: self.input.into_inner(),
            header,
            entries: self.entries,
        };
        Ok((file, hex(&hasher.finalize())))
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let line: IndexLine<'_> =
            serde_json::from_slice(bytes).map_err(|e| self.wrong(said(&e)))?;
        let Some(class) = self.classes.get(&*line.class) else {
            let known = self.header.classes.join(", ");
            let class = inert(&line.class, 80);
            return Err(self.wrong(format!(
                "unknown class `{class}`: the header has {}",
                inert(&known, 200)
            )));
        };
        let entry = FileEntry {
            spec: line.spec(*class),
            at_ns: line.at_ns,
            next: line.follow_ups(),
            parent: None,
            slot: line.salt,
            offset: self.offset,
            bytes: u32::try_from(bytes.len())
                .map_err(|_| self.wrong("longer than 4 GiB".to_owned()))?,
        };
        self.check(&entry)?;
        self.last_at = entry.at_ns.unwrap_or(self.last_at);
        self.entries.push(entry);
        Ok(())
    }

    fn check(&self, entry: &FileEntry) -> Result<(), FileError> {
        let spec = &entry.spec;
        for (name, tokens) in [
            ("prompt_tokens", spec.prompt_tokens),
            ("output_tokens", spec.output_tokens),
        ] {
            if !(1..=MAX_TOKENS).contains(&tokens) {
                return Err(self.wrong(format!("{name} is {tokens}: 1 to 4,000,000 are possible")));
            }
        }
        if entry.at_ns.is_some_and(|at| at < 0) || entry.next.iter().any(|n| n.delay_ns < 0) {
            return Err(self.wrong("a time before 0".to_owned()));
        }
        let last = self.entries.last().map(|last| last.spec.id);
        if let Some(last) = last.filter(|last| spec.id <= *last) {
            return Err(self.wrong(format!(
                "id {} after {last}: requests stand in order of their ids",
                spec.id
            )));
        }
        if let Some(at) = entry.at_ns.filter(|at| *at < self.last_at) {
            return Err(self.wrong(format!(
                "at_ns {at} after {}: requests stand in order of time",
                self.last_at
            )));
        }
        Ok(())
    }

    /// Each request that waits is there, and waits for one alone; notes for which.
    fn check_follow_ups(&mut self) -> Result<(), FileError> {
        let mut waiting = HashMap::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let wrong = |problem: String| FileError::Line {
                path: self.path.clone(),
                line: number as u64 + 2,
                problem,
            };
            for next in &entry.next {
                let exists = self.entries.binary_search_by_key(&next.id, |e| e.spec.id);
                if exists.is_err() || next.id <= entry.spec.id {
                    return Err(wrong(format!(
                        "the next request {} is not further down in the file",
                        next.id
                    )));
                }
                if let Some(other) = waiting.insert(next.id, entry.spec.id) {
                    return Err(wrong(format!(
                        "request {} waits for {other} already",
                        next.id
                    )));
                }
            }
        }
        for entry in &mut self.entries {
            entry.parent = waiting.get(&entry.spec.id).copied();
        }
        Ok(())
    }

    fn wrong(&self, problem: String) -> FileError {
        FileError::Line {
            path: self.path.clone(),
            line: self.entries.len() as u64 + 2,
            problem,
        }
    }
}

fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    inert(text.split(" at line ").next().unwrap_or(&text), 200)
}

fn io(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| match source.kind() {
        ErrorKind::UnexpectedEof => FileError::NotOne {
            path,
            problem: "it became shorter while it was used".to_owned(),
        },
        _ => FileError::Io { what, path, source },
    }
}
