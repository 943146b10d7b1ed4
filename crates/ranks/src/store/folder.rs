//! A folder that all ranks see: of this host, or of a server (NFS).
//!
//! Bytes are written under a name of their own, synced, and get theirs by `link`, which the server of a shared folder does
//! as one step and refuses where the name is taken. (A file that is opened for creation alone would be seen before it has
//! its bytes.) Invariant: no name of a meeting ever refers to a part of its bytes.

use super::error::{checked, checked_prefix};
use super::{MOST_BYTES, Put, Store, StoreError};
use crate::fresh::fresh;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How names of files begin that have none yet.
const PART: &str = ".put-";
/// Bytes that are copied at a time: what a server of shared folders takes in one request.
const PIECE: usize = 1 << 20;

/// A folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens a folder, and makes it with its parents where it is missing.
    ///
    /// # Errors
    /// When it cannot be made, or is something else.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let folder = Self {
            path: path.to_owned(),
        };
        match fs::create_dir_all(path) {
            Ok(()) => Ok(folder),
            // That is what a file in its place is to the system.
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Err(StoreError::NotFolder {
                place: folder.describe(),
            }),
            Err(cause) => Err(folder.error("to make the directory", &cause)),
        }
    }

    fn error(&self, doing: impl Into<String>, cause: &io::Error) -> StoreError {
        StoreError::of_folder(&self.path, doing.into(), cause)
    }

    /// A file with these bytes, synced, in the folder where `name` is to be.
    fn part(&self, name: &str, bytes: &mut dyn Read) -> Result<Part, StoreError> {
        let doing = || format!("to write {name}");
        let target = self.path.join(name);
        let folder = target.parent().unwrap_or(&self.path).to_owned();
        if name.contains('/') {
            fs::create_dir_all(&folder).map_err(|cause| self.error(doing(), &cause))?;
        }
        let path = folder.join(format!(
            "{PART}{}",
            fresh().map_err(|cause| self.error(doing(), &cause))?
        ));
        let file = File::create_new(&path).map_err(|cause| self.error(doing(), &cause))?;
        let part = Part {
            path,
            folder,
            target,
        };
        // The file is closed here: that is when a client of NFS hands over what it still holds.
        let written = write_all(file, bytes);
        written.map_err(|cause| self.error(doing(), &cause))?;
        Ok(part)
    }

    /// A file that has a name, and its length; `None` where the name is free.
    fn opened(&self, name: &str) -> Result<Option<Opened>, StoreError> {
        let path = self.path.join(checked(name)?);
        let error = |cause: &io::Error| self.error(format!("to read {name}"), cause);
        let file = match open_file(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                // A client of NFS remembers for half a minute that a name was free, until it opens the folder.
                let _ = fs::read_dir(path.parent().unwrap_or(&self.path));
                open_file(&path)
            }
            opened => opened,
        };
        let file = match file {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|cause| error(&cause))?,
        };
        let about = file.metadata().map_err(|cause| error(&cause))?;
        match about.is_file() {
            true => Ok(Some(Opened {
                bytes: about.len(),
                file,
            })),
            false => Err(error(&io::Error::other("it is not a file"))),
        }
    }

    fn too_large(&self, name: &str, most: u64) -> StoreError {
        StoreError::TooLarge {
            place: self.describe(),
            name: name.to_owned(),
            most,
        }
    }
}

/// A file that is read.
struct Opened {
    file: File,
    bytes: u64,
}

/// A file that has its bytes and not its name. Dropped, it is gone.
struct Part {
    path: PathBuf,
    folder: PathBuf,
    target: PathBuf,
}

impl Part {
    /// Gives it its name, unless that is taken.
    fn link(&self) -> io::Result<Put> {
        let linked = fs::hard_link(&self.path, &self.target);
        // An answer may be lost on the way from a server, and what is asked again then be refused: whether it has two
        // names is what tells.
        let has_two = || fs::symlink_metadata(&self.path).is_ok_and(|about| about.nlink() == 2);
        match linked {
            Err(cause) if !has_two() => match cause.kind() {
                ErrorKind::AlreadyExists => Ok(Put::Taken),
                _ => Err(cause),
            },
            _ => Ok(Put::New),
        }
    }

    /// Makes its name durable. Not every file system can be asked for that, and those that cannot do it by themselves.
    fn sync_name(&self) -> io::Result<()> {
        match File::open(&self.folder)?.sync_all() {
            Err(cause) if is_not_supported(&cause) => Ok(()),
            synced => synced,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // A leftover begins with a dot and is looked at by nobody.
        let _ = fs::remove_file(&self.path);
    }
}

impl Store for Folder {
    fn put_new(&self, name: &str, mut bytes: &[u8]) -> Result<Put, StoreError> {
        let part = self.part(checked(name)?, &mut bytes)?;
        match part.link() {
            Ok(Put::Taken) => Ok(Put::Taken),
            Ok(Put::New) => match part.sync_name() {
                Ok(()) => Ok(Put::New),
                Err(cause) => Err(self.error(format!("to write {name}"), &cause)),
            },
            Err(cause) if has_no_links(&cause) => Err(StoreError::NoCreateIfAbsent {
                place: self.describe(),
                why: format!("its file system has no hard links ({cause})"),
            }),
            Err(cause) => Err(self.error(format!("to write {name}"), &cause)),
        }
    }

    fn put_file(&self, name: &str, path: &Path) -> Result<(), StoreError> {
        let mut file = File::open(path).map_err(|cause| StoreError::local(path, cause))?;
        let part = self.part(checked(name)?, &mut file)?;
        fs::rename(&part.path, &part.target)
            .and_then(|()| part.sync_name())
            .map_err(|cause| self.error(format!("to write {name}"), &cause))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(Opened { file, bytes }) = self.opened(name)? else {
            return Ok(None);
        };
        if bytes > MOST_BYTES {
            return Err(self.too_large(name, MOST_BYTES));
        }
        let mut read = Vec::new();
        // It has not changed since it has its name; who changes it all the same makes it no longer than that.
        file.take(MOST_BYTES)
            .read_to_end(&mut read)
            .map_err(|cause| self.error(format!("to read {name}"), &cause))?;
        Ok(Some(read))
    }

    fn get_file(&self, name: &str, path: &Path, most: u64) -> Result<(), StoreError> {
        let Some(Opened { file, bytes }) = self.opened(name)? else {
            return Err(StoreError::Absent {
                place: self.describe(),
                name: name.to_owned(),
            });
        };
        if bytes > most {
            return Err(self.too_large(name, most));
        }
        let into = File::create_new(path).map_err(|cause| StoreError::local(path, cause))?;
        write_all(into, &mut file.take(most)).map_err(|cause| StoreError::local(path, cause))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let prefix = checked_prefix(prefix)?;
        let below = prefix.rfind('/').map_or("", |at| &prefix[..=at]);
        let error = |cause: io::Error| self.error("to list it", &cause);
        let entries = match fs::read_dir(self.path.join(below)) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(error)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(error)?;
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let name = entry.file_name().into_string().ok();
            let name = name.map(|name| format!("{below}{name}"));
            // What others have put beside it is not theirs to read.
            let ours = |name: &String| name.starts_with(prefix) && checked(name).is_ok();
            names.extend(name.filter(ours).filter(|_| is_file));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn modified_ns(&self, name: &str) -> Result<Option<i64>, StoreError> {
        match fs::symlink_metadata(self.path.join(checked(name)?)) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.error(format!("to look at {name}"), &cause)),
            Ok(about) => {
                let whole = about.mtime().saturating_mul(1_000_000_000);
                Ok(Some(whole.saturating_add(about.mtime_nsec())))
            }
        }
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path.join(checked(name)?)) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => {
                Err(self.error(format!("to remove {name}"), &cause))
            }
            _ => Ok(()),
        }
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}

/// Writes all that is read, and syncs it; the file is closed afterwards.
fn write_all(file: File, bytes: &mut dyn Read) -> io::Result<()> {
    let mut into = BufWriter::with_capacity(PIECE, file);
    io::copy(bytes, &mut into)?;
    into.flush()?;
    into.get_ref().sync_all()
}

/// Opens a file to read it. What others may have put in its place is neither followed nor waited for.
fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The file system gives a file one name and no other.
fn has_no_links(cause: &io::Error) -> bool {
    // The first is what `link(2)` says of such file systems.
    matches!(
        Errno::from_io_error(cause),
        Some(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::MLINK)
    )
}

fn is_not_supported(cause: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(cause),
        Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::BADF)
    )
}
