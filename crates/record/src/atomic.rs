//! Files that are there whole or not at all: written under a temporary name, synced, renamed.
//!
//! Does not lock: two writers of one file in one directory are a bug of the caller.
//!
//! Invariant: the final name never refers to a partly written file.

use crate::error::RecordError;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// A file on its way to its final name. Dropped without [`AtomicFile::commit`] it is removed.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    file: BufWriter<File>,
    directory: PathBuf,
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Starts `name` in `directory`; what an earlier attempt left is overwritten.
    pub(crate) fn create(directory: &Path, name: &str) -> Result<Self, RecordError> {
        let temporary = directory.join(format!("{name}.tmp"));
        let file = File::create(&temporary).map_err(RecordError::io("create", &temporary))?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 16, file),
            directory: directory.to_owned(),
            temporary,
            target: directory.join(name),
            committed: false,
        })
    }

    /// Starts `name` in room that was taken for it before: what fits needs no new room on the disk.
    pub(crate) fn in_room(room: Room, name: &str) -> Self {
        Self {
            directory: room.directory.clone(),
            target: room.directory.join(name),
            temporary: room.path.clone(),
            file: BufWriter::with_capacity(1 << 16, room.into_file()),
            committed: false,
        }
    }

    /// The final name, for messages.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its final name, contents and name on disk.
    pub(crate) fn commit(mut self) -> Result<(), RecordError> {
        self.file
            .flush()
            .and_then(|()| self.cut_behind())
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(RecordError::io("write", &self.target))?;
        fs::rename(&self.temporary, &self.target)
            .map_err(RecordError::io("rename into place", &self.target))?;
        self.committed = true;
        sync_directory(&self.directory)
    }
}

impl AtomicFile {
    /// Cuts off what room that was taken before has behind the contents.
    fn cut_behind(&self) -> io::Result<()> {
        let mut file = self.file.get_ref();
        let end = file.stream_position()?;
        file.set_len(end)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing depends on it: a leftover is overwritten by the next attempt.
            fs::remove_file(&self.temporary).ok();
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Room on a disk that may be full later. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Room {
    /// Absent once it is used.
    file: Option<File>,
    directory: PathBuf,
    path: PathBuf,
}

impl Room {
    /// Takes `bytes` under the name `name` in `directory`: written, because a file that is only
    /// made longer has no room, and synced, because the system may find out later.
    pub(crate) fn take(directory: &Path, name: &str, bytes: usize) -> Result<Self, RecordError> {
        let path = directory.join(name);
        let mut file = File::create(&path).map_err(RecordError::io("create", &path))?;
        let taken = file
            .write_all(&vec![0; bytes])
            .and_then(|()| file.sync_all())
            .and_then(|()| file.rewind());
        let room = Self {
            file: Some(file),
            directory: directory.to_owned(),
            path,
        };
        taken.map_err(RecordError::io("write", &room.path))?;
        Ok(room)
    }

    fn into_file(mut self) -> File {
        self.file.take().expect("it is taken once, with the room")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.file.is_some() {
            // A leftover is only in the way.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Makes renames and removals in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), RecordError> {
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(RecordError::io("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abandoned_file_leaves_the_old_one_and_no_trace() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut first = AtomicFile::create(dir.path(), "f").expect("created");
        first.write_all(b"old").expect("written");
        first.commit().expect("committed");
        let mut second = AtomicFile::create(dir.path(), "f").expect("created");
        second.write_all(b"new").expect("written");
        drop(second);
        assert_eq!(fs::read(dir.path().join("f")).expect("there"), b"old");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn room_that_was_taken_becomes_the_file_or_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let take = || Room::take(dir.path(), "f.room", 1_000).expect("room");
        let room = take();
        let length = fs::metadata(dir.path().join("f.room"))
            .expect("there")
            .len();
        assert_eq!(length, 1_000);
        let mut file = AtomicFile::in_room(room, "f");
        file.write_all(b"short").expect("written");
        file.commit().expect("committed");
        drop(take());
        assert_eq!(fs::read(dir.path().join("f")).expect("there"), b"short");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }
}
