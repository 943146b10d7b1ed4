//! Writes a bundle.
//!
//! Invariant: bytes depend on the names and contents of the files alone, not on times, owners or the order in
//! which a directory lists them.

use super::error::BundleError;
use super::{BUNDLE_FILE, BUNDLE_VERSION, BundleKind, BundleManifest, BundledFile, NotAsItWas};
use crate::atomic::AtomicFile;
use crate::error::RecordError;
use crate::seal::{Hashing, digest_of};
use flate2::{Compression, GzBuilder};
use infermeter_core::run::FORMAT_VERSION;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The time of every entry: the first second of 2000. At 0, readers warn of an implausible one.
const TIME: u64 = 946_684_800;

/// A file that goes into a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path there.
    pub path: String,
    /// What it holds.
    pub holds: &'static str,
    /// Where it is.
    pub from: PathBuf,
}

/// What a bundle says of itself beside its files.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The directory that it unpacks to.
    pub name: String,
    /// What it holds.
    pub kind: BundleKind,
    /// Texts may be in it.
    pub texts: bool,
    /// Files that are not those of the directory.
    pub changed: Vec<NotAsItWas>,
    /// Files that are not in it.
    pub left_out: Vec<NotAsItWas>,
}

/// Writes `members` into the archive `out`, in the order of their paths. The file appears under its name when it
/// is whole.
///
/// # Errors
/// When a file cannot be read, changes meanwhile, or the archive cannot be written.
pub fn write_bundle(
    out: &Path,
    about: About,
    mut members: Vec<Member>,
) -> Result<BundleManifest, BundleError> {
    members.sort_by(|a, b| a.path.cmp(&b.path));
    let files: Result<Vec<BundledFile>, RecordError> = members.iter().map(listed).collect();
    let top = about.name;
    let manifest = BundleManifest {
        format_version: BUNDLE_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        kind: about.kind,
        record_version: FORMAT_VERSION,
        texts: about.texts,
        files: files?,
        changed: about.changed,
        left_out: about.left_out,
    };
    let mut list = serde_json::to_vec_pretty(&manifest).map_err(|cause| RecordError::NotJson {
        path: out.to_owned(),
        cause,
    })?;
    list.push(b'\n');
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let file = AtomicFile::create(folder.unwrap_or(Path::new(".")), &name)?;
    let write = RecordError::io_of("write", out);
    let mut archive = tar::Builder::new(
        GzBuilder::new()
            .mtime(0)
            .write(file, Compression::default()),
    );
    let header = header(&format!("{top}/{BUNDLE_FILE}"), list.len() as u64).map_err(&write)?;
    archive.append(&header, list.as_slice()).map_err(&write)?;
    for (member, listed) in members.iter().zip(&manifest.files) {
        append(&mut archive, &top, member, listed).map_err(|cause| match cause.kind() {
            io::ErrorKind::InvalidData => BundleError::Moving(member.from.clone()),
            _ => write(cause).into(),
        })?;
    }
    let gzip = archive.into_inner().map_err(&write)?;
    gzip.finish().map_err(&write)?.commit()?;
    Ok(manifest)
}

fn listed(member: &Member) -> Result<BundledFile, RecordError> {
    let bytes = fs::metadata(&member.from).map_err(RecordError::io("read", &member.from))?;
    let digest = digest_of(&member.from)?;
    Ok(BundledFile {
        path: member.path.clone(),
        holds: member.holds.to_owned(),
        bytes: bytes.len(),
        sha256: digest.unwrap_or_default(),
    })
}

fn header(path: &str, bytes: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path)?;
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIME);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// `InvalidData` where the file is no longer the one that was listed.
fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    top: &str,
    member: &Member,
    listed: &BundledFile,
) -> io::Result<()> {
    let mut file = Hashing::of(File::open(&member.from)?.take(listed.bytes));
    let header = header(&format!("{top}/{}", member.path), listed.bytes)?;
    archive.append(&header, &mut file)?;
    match file.digest() == listed.sha256 {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}
