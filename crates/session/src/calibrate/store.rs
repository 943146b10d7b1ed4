//! The certificate's file: where it is, written whole or not at all, read with care.
//!
//! Not here: what is in it, and whether it holds for a run.

use anyhow::{Context, Result, bail};
use infermeter_core::certificate::{Certificate, FORMAT_VERSION};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Names the certificate's file for `calibrate` and `run`; empty: there is none.
pub(crate) const VARIABLE: &str = "INFERMETER_CALIBRATION";

/// A certificate is some tens of kilobytes.
const MAX_BYTES: u64 = 4 << 20;

/// The certificate's place by the environment; `None` where there is none.
pub fn default_path() -> Option<PathBuf> {
    place(|name| std::env::var_os(name))
}

fn place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(path) = variable(VARIABLE) {
        return (!path.is_empty()).then(|| PathBuf::from(path));
    }
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    // The XDG rules: a relative path is to be ignored.
    let state = given("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute());
    let home = || given("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Some(state.or_else(home)?.join("infermeter/calibration.json"))
}

/// Writes a certificate, with the folders that lead to it.
///
/// # Errors
/// Naming the file and what to do.
pub fn write(path: &Path, certificate: &Certificate) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(certificate)?;
    text.push(b'\n');
    write_whole(path, &text).with_context(|| {
        format!(
            "the certificate {} cannot be written; give another place with --out",
            path.display()
        )
    })
}

fn write_whole(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // The error tells; a leftover is harmless.
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    format_version: u64,
}

/// A certificate with the SHA-256 of its file; `None` where there is no file.
///
/// # Errors
/// When the file is there and is no certificate that this version understands.
pub fn read(path: &Path) -> Result<Option<(Certificate, String)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        bail!("it is larger than {} MiB", MAX_BYTES >> 20);
    }
    let version = serde_json::from_slice::<Versioned>(&text)?.format_version;
    if version != u64::from(FORMAT_VERSION) {
        bail!("its format is version {version}, this infermeter reads {FORMAT_VERSION}");
    }
    let hash = Sha256::digest(&text);
    let certificate = serde_json::from_slice(&text)?;
    let hex = hash.iter().map(|b| format!("{b:02x}")).collect();
    Ok(Some((certificate, hex)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::fixture::certificate;

    #[test]
    fn reads_what_it_writes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("deep/calibration.json");
        assert!(read(&path).expect("no file is no error").is_none());
        write(&path, &certificate()).expect("written");
        let (found, hash) = read(&path).expect("readable").expect("there");
        assert_eq!(found, certificate());
        assert_eq!(hash.len(), 64);
        let folder = fs::read_dir(dir.path().join("deep")).expect("listed");
        assert_eq!(folder.count(), 1);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("c.json");
        let check = |text: &str, expect: &str| {
            fs::write(&path, text).expect("written");
            let error = read(&path).expect_err("no certificate").to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("{}", "format_version");
        check("{\"format_version\": 9, \"new\": []}", "version 9");
        check("{\"format_version\": 1}", "missing field");
    }

    #[test]
    fn the_environment_says_where() {
        let check = |variables: &[(&str, &str)], expect: Option<&str>| {
            let value = |name: &str| {
                let found = variables.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(place(value), expect.map(PathBuf::from));
        };
        let own = (VARIABLE, "/c.json");
        let (xdg, home) = (("XDG_STATE_HOME", "/s"), ("HOME", "/h"));
        check(&[own, xdg, home], Some("/c.json"));
        check(&[(VARIABLE, ""), xdg, home], None);
        check(&[xdg, home], Some("/s/infermeter/calibration.json"));
        check(
            &[("XDG_STATE_HOME", "s"), home],
            Some("/h/.local/state/infermeter/calibration.json"),
        );
        check(&[], None);
    }
}
