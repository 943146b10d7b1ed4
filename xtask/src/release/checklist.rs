//! What is looked at before anything is built: versions, the changelog, the tree.
//!
//! Changes nothing.

use super::{Outcome, Release};
use crate::command;
use anyhow::{Context, Result, bail};
use std::fs;

/// The workspace's version.
pub(super) fn version(manifest: &str) -> Result<String> {
    let (_, package) = manifest
        .split_once("[workspace.package]")
        .context("Cargo.toml has no [workspace.package]")?;
    let line = package.lines().find(|line| line.starts_with("version = "));
    let version = line.and_then(|line| line.split('"').nth(1));
    Ok(version.context("Cargo.toml states no version")?.to_owned())
}

/// Crates depend on each other by the version that all have.
pub(super) fn versions(release: &Release) -> Result<Outcome> {
    let manifest = fs::read_to_string("Cargo.toml")?;
    let wrong = other_versions(&manifest, &release.version);
    if !wrong.is_empty() {
        bail!(
            "Cargo.toml: write version = \"{}\" behind the path of {}",
            release.version,
            wrong.join(", ")
        );
    }
    Ok(Outcome::Done(format!("{}, of all crates", release.version)))
}

/// Crates of this workspace that others depend on without a version, or by another one.
fn other_versions(manifest: &str, version: &str) -> Vec<String> {
    let of_ours = manifest
        .lines()
        .filter(|line| line.starts_with("infermeter-") && line.contains("path = "));
    let stated = format!("version = \"{version}\"");
    let wrong = of_ours.filter(|line| !line.contains(&stated));
    wrong
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// The changelog has a section for the version.
pub(super) fn changelog(release: &Release) -> Result<Outcome> {
    let text = fs::read_to_string("CHANGELOG.md")?;
    Ok(match section(&text, &release.version) {
        Some(entries) => Outcome::Done(format!("{entries} entries under {}", release.version)),
        None => Outcome::Noted(format!(
            "CHANGELOG.md has no `## {}`: give what is under `## Unreleased` that heading",
            release.version
        )),
    })
}

/// How many entries the section of a version has.
fn section(text: &str, version: &str) -> Option<usize> {
    let is_of = |line: &&str| {
        let heading = line.strip_prefix("## ").unwrap_or("");
        heading.split([' ', '(']).next() == Some(version)
    };
    let mut lines = text.lines();
    lines.find(is_of)?;
    let entries = lines
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("- "));
    Some(entries.count())
}

/// Everything is committed.
pub(super) fn tree() -> Result<Outcome> {
    let changed = command::said("git", &["status", "--porcelain"])?;
    let count = changed.lines().count();
    Ok(match count {
        0 => Outcome::Done("everything is committed".to_owned()),
        _ => Outcome::Noted(format!(
            "{count} files are not committed: what is built is not what a commit says"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_workspaces() {
        let manifest = "[workspace]\nversion = \"9\"\n[workspace.package]\nversion = \"0.1.0\"\n";
        assert_eq!(version(manifest).expect("stated"), "0.1.0");
        assert!(version("[package]\nversion = \"0.1.0\"\n").is_err());
    }

    #[test]
    fn crates_have_to_be_of_one_version() {
        let manifest = "infermeter-a = { path = \"crates/a\", version = \"0.2.0\" }\n\
                        infermeter-b = { path = \"crates/b\" }\n\
                        infermeter-c = { path = \"crates/c\", version = \"0.1.0\" }\nother = \"1\"\n";
        assert_eq!(
            other_versions(manifest, "0.2.0"),
            ["infermeter-b", "infermeter-c"]
        );
    }

    #[test]
    fn a_section_of_another_version_is_none() {
        let text =
            "# Changelog\n## Unreleased\n- a\n## 0.2.0 (2026-12-01)\n- b\n- c\n## 0.1.0\n- d\n";
        assert_eq!(section(text, "0.2.0"), Some(2));
        assert_eq!(section(text, "0.1.0"), Some(1));
        assert_eq!(section(text, "0.2"), None);
    }
}
