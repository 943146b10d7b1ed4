//! The file of a dataset: as it is, or unpacked to JSON lines where it is Parquet.
//!
//! It reads no text. Invariant: an unpacked file goes when this value does; that of a log has no name from
//! the beginning.

use anyhow::{Context, Result};
use infermeter_record::{rows_as_json_lines, texts_as_json_lines};
use infermeter_workload::is_request_member;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The first bytes of a Parquet file.
const PARQUET: [u8; 4] = *b"PAR1";

/// Where the texts can be read.
#[derive(Debug)]
pub enum DatasetFile {
    /// The file itself.
    Plain(PathBuf),
    /// JSON lines in the folder for temporary files.
    Unpacked(PathBuf),
}

impl DatasetFile {
    /// Unpacks the file at `path` where it is Parquet.
    ///
    /// # Errors
    /// When it is Parquet without texts, or there is no room to unpack it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::unpacked(path, &|out| {
            texts_as_json_lines(path, &is_request_member, out)?;
            Ok(())
        })
    }

    /// Opens a log, whose columns are kept as they are where it is Parquet.
    ///
    /// # Errors
    /// When it cannot be opened, is Parquet that cannot be read, or there is no room to unpack it.
    pub fn open_log(path: &Path) -> io::Result<Box<dyn Read + Send>> {
        if !is_parquet(path) {
            return Ok(Box::new(File::open(path)?));
        }
        let unpack = || -> Result<File> {
            let (unpacked, file) = temporary()?;
            // A run that is killed leaves nothing of it: it is read by what is open.
            std::fs::remove_file(&unpacked)?;
            let mut out = BufWriter::new(file);
            rows_as_json_lines(path, &mut out)?;
            let mut file = out.into_inner().context("cannot unpack it")?;
            file.rewind()?;
            Ok(file)
        };
        match unpack() {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(io::Error::other(format!("{error:#}"))),
        }
    }

    fn unpacked(path: &Path, unpack: &dyn Fn(&mut dyn Write) -> Result<()>) -> Result<Self> {
        if !is_parquet(path) {
            return Ok(Self::Plain(path.to_owned()));
        }
        let (unpacked, file) = temporary()?;
        let this = Self::Unpacked(unpacked);
        let mut out = BufWriter::new(file);
        unpack(&mut out)?;
        out.flush()
            .with_context(|| format!("cannot write {}", this.path().display()))?;
        Ok(this)
    }

    /// The file to read. Once opened, it can be read after this value has gone.
    pub fn path(&self) -> &Path {
        match self {
            Self::Plain(path) | Self::Unpacked(path) => path,
        }
    }
}

/// It begins as Parquet does. What cannot be read is for the reader of all formats to say.
fn is_parquet(path: &Path) -> bool {
    let mut head = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == PARQUET
}

/// A new file that nobody else may read.
fn temporary() -> Result<(PathBuf, File)> {
    let name = format!("infermeter-{}.jsonl", crate::run_id::random_run_id()?);
    let path = std::env::temp_dir().join(name);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok((path, file))
}

impl Drop for DatasetFile {
    fn drop(&mut self) {
        if let Self::Unpacked(path) = self {
            // Left behind at worst: the folder is for such files.
            let _ = std::fs::remove_file(path);
        }
    }
}
