//! Where the files of an export go: standard output, a file, a folder.
//!
//! Invariants: a file that is there already is written over only where that was asked; no file is ever half written
//! under its own name, and of several none has its name before all are on disk; what could not be written leaves
//! nothing behind.

use crate::page;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_exchange::export::{ExportFormat, Out};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::path::{Path, PathBuf};

/// Where files go.
pub(crate) enum Place {
    /// One file, to standard output.
    Output(Output),
    /// One file.
    File { path: PathBuf, part: Option<Part> },
    /// Files by their names.
    Folder {
        path: PathBuf,
        parts: Vec<(&'static str, Part)>,
        made: Option<MadeFolder>,
    },
}

impl Place {
    /// The place that is asked for, if it can be written.
    ///
    /// # Errors
    /// Where a file is there already, a folder is not, or a format of several files has none.
    pub fn of(format: ExportFormat, out: Option<&Path>, force: bool) -> Result<Self> {
        let name = format.name();
        let Some(out) = out else {
            if format.files().len() > 1 {
                bail!(
                    "{name} is {}: give a folder with --out DIR",
                    format.files().join(", ")
                );
            }
            return Ok(Self::Output(Output::default()));
        };
        if !format.is_folder() {
            free(out, force).context("--out")?;
            return Ok(Self::File {
                path: out.to_owned(),
                part: None,
            });
        }
        let shown = out.display();
        if out.symlink_metadata().is_ok() && !out.is_dir() {
            bail!("--out {shown} is a file: {name} is written into a folder");
        }
        if out.is_dir() {
            let mut files = format.files().iter();
            files.try_for_each(|file| free(&out.join(file), force).context("--out"))?;
        }
        Ok(Self::Folder {
            path: out.to_owned(),
            parts: Vec::new(),
            made: None,
        })
    }

    /// Gives the files their names.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn commit(self) -> Result<()> {
        match self {
            Self::Output(mut output) => output.flush().context("cannot write to standard output"),
            Self::File { part, .. } => commit(part.into_iter().collect()),
            Self::Folder { parts, made, .. } => {
                let committed = commit(parts.into_iter().map(|(_, part)| part).collect());
                // Only now: what was not committed has to leave the folder first.
                drop(made);
                committed
            }
        }
    }
}

impl Out for Place {
    fn file(&mut self, name: &'static str) -> io::Result<&mut dyn Write> {
        match self {
            Self::Output(output) => Ok(output),
            Self::File { path, part } => {
                if part.is_none() {
                    *part = Some(Part::begin(path)?);
                }
                let part = part.as_mut().ok_or(ErrorKind::NotFound)?;
                Ok(part)
            }
            Self::Folder { path, parts, made } => {
                if parts.is_empty() {
                    *made = MadeFolder::at(path)?;
                }
                let found = parts.iter().position(|(of, _)| *of == name);
                let index = match found {
                    Some(index) => index,
                    None => {
                        parts.push((name, Part::begin(&path.join(name))?));
                        parts.len() - 1
                    }
                };
                Ok(&mut parts[index].1)
            }
        }
    }
}

/// Gives files their names, once all of them are on disk.
fn commit(mut parts: Vec<Part>) -> Result<()> {
    parts.iter_mut().try_for_each(Part::complete)?;
    parts.into_iter().try_for_each(Part::name)
}

/// Whether a file can be written under this name.
fn free(path: &Path, force: bool) -> Result<()> {
    // Of what a link leads to: one to a file is no device.
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let is_other = path.exists() && !is_file && !path.is_dir();
    match is_other || (force && is_file) {
        // A device or a pipe takes what is written, and is not replaced.
        true => Ok(()),
        false => page::check_file(path).map_err(|error| match is_file {
            true => anyhow!("{} exists: name another, or give --force", path.display()),
            false => error,
        }),
    }
}

/// Standard output. A reader that went away is no error; a full disk is.
#[derive(Default)]
pub(crate) struct Output(Option<BufWriter<Stdout>>);

impl Output {
    fn gone(error: io::Error) -> io::Result<()> {
        match error.kind() {
            ErrorKind::BrokenPipe => Ok(()),
            kind => Err(io::Error::new(
                kind,
                format!("cannot write to standard output: {error}"),
            )),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let out = self.0.get_or_insert_with(|| BufWriter::new(io::stdout()));
        out.write_all(bytes).or_else(Self::gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.0.as_mut().map_or(Ok(()), Write::flush);
        flushed.or_else(Self::gone)
    }
}

/// A folder that was made for files; it goes where none stays in it.
pub(crate) struct MadeFolder(PathBuf);

impl MadeFolder {
    /// Makes it; `None` where it is there already.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        if path.is_dir() {
            return Ok(None);
        }
        fs::create_dir_all(path).map_err(|error| named(path, error))?;
        Ok(Some(Self(path.to_owned())))
    }
}

impl Drop for MadeFolder {
    fn drop(&mut self) {
        // A folder with files is kept: removing it is refused.
        let _ = fs::remove_dir(&self.0);
    }
}

/// A file that has not got its name yet.
pub(crate) struct Part {
    file: BufWriter<File>,
    /// Where it is; absent where it is written in place.
    at: Option<PathBuf>,
    path: PathBuf,
}

impl Part {
    fn begin(path: &Path) -> io::Result<Self> {
        let of = |error| named(path, error);
        let special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        if special {
            let file = File::options().write(true).open(path).map_err(of)?;
            return Ok(Self {
                file: BufWriter::new(file),
                at: None,
                path: path.to_owned(),
            });
        }
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        let at = path.with_file_name(name);
        let file = File::create_new(&at).map_err(of)?;
        Ok(Self {
            file: BufWriter::new(file),
            at: Some(at),
            path: path.to_owned(),
        })
    }

    /// Puts all of it on disk.
    fn complete(&mut self) -> Result<()> {
        let written = self.file.flush().and_then(|()| match &self.at {
            Some(_) => self.file.get_ref().sync_all(),
            None => Ok(()),
        });
        Ok(written.map_err(|error| named(&self.path, error))?)
    }

    /// Gives it its name.
    fn name(mut self) -> Result<()> {
        if let Some(at) = &self.at {
            fs::rename(at, &self.path).map_err(|error| named(&self.path, error))?;
        }
        self.at = None;
        Ok(())
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        written.map_err(|error| named(&self.path, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        flushed.map_err(|error| named(&self.path, error))
    }
}

/// The error with the file that it is about.
fn named(path: &Path, error: io::Error) -> io::Error {
    let message = format!("cannot write {}: {error}", path.display());
    io::Error::new(error.kind(), message)
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(at) = &self.at {
            let _ = fs::remove_file(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(place: &mut Place, text: &str) -> io::Result<()> {
        write_to(place, "runs.csv", text)
    }

    fn write_to(place: &mut Place, name: &'static str, text: &str) -> io::Result<()> {
        place.file(name)?.write_all(text.as_bytes())
    }

    #[test]
    fn what_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        fs::write(&path, "mine").expect("a file");
        let refused = Place::of(ExportFormat::Vllm, Some(&path), false).err();
        let refused = format!("{:#}", refused.expect("it is there"));
        assert!(refused.contains("--force"), "{refused}");
        let mut place = Place::of(ExportFormat::Vllm, Some(&path), true).expect("forced");
        write(&mut place, "theirs").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("still"), "mine");
        place.commit().expect("named");
        assert_eq!(fs::read_to_string(&path).expect("now"), "theirs");
    }

    #[test]
    fn what_was_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("tables");
        let mut place = Place::of(ExportFormat::Csv, Some(&out), false).expect("a place");
        write(&mut place, "a").expect("written");
        write(&mut place, "b").expect("written");
        assert!(out.is_dir());
        drop(place);
        assert!(!out.exists());
        let mut place = Place::of(ExportFormat::Csv, Some(&out), false).expect("a place");
        write(&mut place, "a").expect("written");
        place.commit().expect("named");
        let refused = Place::of(ExportFormat::Csv, Some(&out), false).err();
        assert!(format!("{:#}", refused.expect("there")).contains("runs.csv exists"));
    }

    #[test]
    fn a_link_to_a_file_is_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("a.json"), folder.path().join("b.json"));
        fs::write(&path, "mine").expect("a file");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let refused = Place::of(ExportFormat::Vllm, Some(&link), false).err();
        let refused = format!("{:#}", refused.expect("it is there"));
        assert!(refused.contains("--force"), "{refused}");
        let mut place = Place::of(ExportFormat::Vllm, Some(&link), true).expect("forced");
        write(&mut place, "theirs").expect("written");
        place.commit().expect("named");
        assert_eq!(fs::read_to_string(&link).expect("now"), "theirs");
    }

    #[test]
    fn of_several_files_all_get_their_names_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("tables");
        let mut place = Place::of(ExportFormat::Csv, Some(&out), false).expect("a place");
        assert!(!out.exists(), "nothing is written yet");
        write(&mut place, "a").expect("written");
        // The second is on a disk that is full.
        let full = Part::begin(Path::new("/dev/full")).expect("a device");
        let Place::Folder { parts, .. } = &mut place else {
            panic!("tables are a folder");
        };
        parts.push(("figures.csv", full));
        write_to(&mut place, "figures.csv", "b").expect("it is buffered");
        assert!(place.commit().is_err());
        assert!(!out.exists());
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        let full = Path::new("/dev/full");
        let mut place = Place::of(ExportFormat::Vllm, Some(full), true).expect("a place");
        write(&mut place, "a").expect("it is buffered");
        let error = format!("{:#}", place.commit().expect_err("it is full"));
        assert!(
            error.contains("cannot write /dev/full: No space left"),
            "{error}"
        );
        assert!(fs::metadata(full).is_ok_and(|found| !found.is_file()));
    }

    #[test]
    fn several_files_need_a_folder() {
        let error = Place::of(ExportFormat::Csv, None, false).err();
        assert!(format!("{:#}", error.expect("no folder")).contains("--out DIR"));
    }
}
