//! `Cargo.lock`, as far as a bill of materials goes: names, versions, checksums.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;

/// SHA-256 of each package's file in the registry, by name and version; the workspace's own have none.
pub(super) type Checksums = BTreeMap<(String, String), String>;

/// Those of this workspace.
pub(super) fn checksums() -> Result<Checksums> {
    Ok(read(
        &fs::read_to_string("Cargo.lock").context("Cargo.lock")?,
    ))
}

fn read(text: &str) -> Checksums {
    let mut checksums = Checksums::new();
    for package in text.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let start = format!("{key} = \"");
            let line = package.lines().find_map(|line| line.strip_prefix(&start));
            line.and_then(|rest| rest.strip_suffix('"'))
                .map(str::to_owned)
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (value("name"), value("version"), value("checksum"))
        {
            checksums.insert((name, version), checksum);
        }
    }
    checksums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_crates_have_no_checksum() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"s\"\nchecksum = \"00ff\"\n\
                    dependencies = [\n \"b\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"0.1.0\"\n";
        let read = read(text);
        let key = ("a".to_owned(), "1.0.0".to_owned());
        assert_eq!(read, Checksums::from([(key, "00ff".to_owned())]));
    }
}
