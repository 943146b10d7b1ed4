//! An import: files in, rows of a trace out.
//!
//! Two passes: calls are read, made anonymous and sorted on disk; then each session is worked out in order of
//! time and its rows are written, packed on a thread of their own. Invariant: records read are calls, or
//! counted as left out; rows written are calls in order of their instants, which count from the first.

use super::asked::{ImportOptions, Imported, LogError};
use super::finish::finish;
use super::format::LogFormat;
use super::left_out::{LeftOut, Place, Reason};
use super::reader::{Reader, names};
use super::records::{Batch, End, OpenLog, Source, Told, read};
use super::sink::Sink;
use infermeter_core::text::inert;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Records of a file that are looked at until one is of a known format.
const MOST_UNKNOWN: u64 = 100;

/// Imports the files at `paths`, which `open` opens one after the other, and writes rows to `out`.
///
/// # Errors
/// When a file cannot be read or is of no known format, when no call is left, and when writing fails. A record
/// that cannot be read is counted instead.
pub fn import_logs(
    paths: &[PathBuf],
    open: OpenLog,
    options: &ImportOptions<'_>,
    out: Box<dyn Write + Send>,
) -> Result<Imported, LogError> {
    let sources = paths.iter().cloned();
    let sources = sources.map(|path| Source::File(path, open)).collect();
    import_sources(sources, paths, options, out)
}

/// The same of any sources; `paths` name them in messages.
pub(super) fn import_sources(
    sources: Vec<Source>,
    paths: &[PathBuf],
    options: &ImportOptions<'_>,
    out: Box<dyn Write + Send>,
) -> Result<Imported, LogError> {
    let mut sink = Sink::new(options);
    let formats = read_all(sources, paths, options, &mut sink)?;
    if sink.calls == 0 {
        return Err(LogError::NoCalls {
            left_out: described(&sink.left_out.clone().into_list(), paths),
        });
    }
    finish(sink, formats, out)
}

fn described(left_out: &[LeftOut], paths: &[PathBuf]) -> String {
    if left_out.is_empty() {
        return "the files are empty".to_owned();
    }
    let files = file_names(paths);
    let one = |left: &LeftOut| left.described(&files);
    let all: Vec<String> = left_out.iter().map(one).collect();
    all.join("; ")
}

/// Names of files without their folders.
pub(super) fn file_names(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| {
        let name = path.file_name().unwrap_or(path.as_os_str());
        inert(&name.to_string_lossy(), 80)
    };
    paths.iter().map(name).collect()
}

/// Reads every record of every file.
fn read_all(
    sources: Vec<Source>,
    paths: &[PathBuf],
    options: &ImportOptions<'_>,
    sink: &mut Sink<'_>,
) -> Result<Vec<LogFormat>, LogError> {
    let (told, thread) = read(sources);
    let mut formats = Vec::new();
    let mut file = File::default();
    for told in told {
        match told {
            Told::Begins => {
                file.end(sink);
                file = File::default();
            }
            Told::Records(batch) => file.take(&batch, options, sink, &mut formats, paths)?,
            Told::Broken(number, source) => {
                // A file that was cut off while it was packed has lines before that.
                if file.reader.is_none() {
                    let path = path_of(paths, number);
                    return Err(LogError::Read { path, source });
                }
                sink.leave(Reason::CutOff, file.last);
            }
        }
        if let Some(error) = sink.error.take() {
            return Err(error);
        }
    }
    file.end(sink);
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
    match sink.error.take() {
        Some(error) => Err(error),
        None => Ok(formats),
    }
}

fn path_of(paths: &[PathBuf], number: u32) -> PathBuf {
    paths
        .get(number as usize)
        .map_or(PathBuf::new(), |path| Path::to_owned(path))
}

/// The file being read.
#[derive(Default)]
struct File<'m> {
    reader: Option<Reader<'m>>,
    /// Records before one of a known format.
    unknown: u64,
    last: Place,
}

impl<'m> File<'m> {
    fn take(
        &mut self,
        batch: &Batch,
        options: &'m ImportOptions<'m>,
        sink: &mut Sink<'_>,
        formats: &mut Vec<LogFormat>,
        paths: &[PathBuf],
    ) -> Result<(), LogError> {
        for record in batch.records() {
            self.last = record.place;
            if self.reader.is_none() && !record.bytes.trim_ascii().is_empty() {
                self.reader = Reader::new(&record, options.format, options.mapping);
                if let Some(reader) = &self.reader {
                    sink.format = reader.format();
                    sink.last = None;
                    if !formats.contains(&reader.format()) {
                        formats.push(reader.format());
                    }
                }
            }
            match &mut self.reader {
                Some(reader) => reader.read(&record, sink),
                None if record.end == End::TooLong => sink.leave(Reason::TooLong, record.place),
                None if record.bytes.trim_ascii().is_empty() => {}
                None => {
                    self.unknown += 1;
                    let whole = record.bytes.trim_ascii().ends_with(b"}");
                    if self.unknown > MOST_UNKNOWN || (self.unknown == 1 && whole) {
                        return Err(LogError::Unrecognised {
                            path: path_of(paths, record.place.file),
                            line: record.place.line,
                            found: names(record.bytes),
                        });
                    }
                    sink.records += 1;
                    sink.leave(
                        match record.end {
                            End::WithFile => Reason::CutOff,
                            End::Whole | End::TooLong => Reason::Broken,
                        },
                        record.place,
                    );
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        if let Some(reader) = &mut self.reader {
            reader.finish(self.last, sink);
        }
    }
}
