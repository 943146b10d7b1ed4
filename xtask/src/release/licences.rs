//! `THIRD-PARTY.txt`: the licences of everything that is linked into the program, each text once; and our own beside it.
//!
//! It is made for each release and kept in no tree. Invariant: a package without a licence is an error.

use super::build::{Built, Kind};
use super::packages::{self, Package};
use super::{Outcome, Release, files};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the file, in packages.
pub(super) const FILE: &str = "THIRD-PARTY.txt";

/// How names of files begin that hold a licence.
const NAMES: [&str; 5] = ["license", "licence", "copying", "notice", "unlicense"];
/// Our own.
const OWN: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

pub(super) fn step(release: &Release) -> Result<Outcome> {
    let mut packages = packages::all()?;
    packages.retain(|package| package.linked && !package.name.starts_with("infermeter"));
    let unknown: Vec<&str> = packages
        .iter()
        .filter(|package| {
            package.licence.is_empty() && texts(&package.folder).is_ok_and(|texts| texts.is_empty())
        })
        .map(|package| package.name.as_str())
        .collect();
    if !unknown.is_empty() {
        bail!("no licence is known of {}", unknown.join(", "));
    }
    let text = written(&packages, &runtime(release.program(Kind::Static)))?;
    files::write(&release.staged.join(FILE), &text)?;
    let kinds: std::collections::BTreeSet<&str> = packages
        .iter()
        .map(|package| package.licence.as_str())
        .collect();
    Ok(Outcome::Done(format!(
        "{} packages under {} licences",
        packages.len(),
        kinds.len()
    )))
}

/// What no package names: it comes with the compiler, and into a static program its C library.
fn runtime(program: Option<&Built>) -> String {
    let libc = program.map(|program| match program.target.ends_with("musl") {
        true => " and, where it is static, the C library musl (MIT)",
        false => " and, where it is static, the C library glibc (LGPL-2.1-or-later)",
    });
    format!(
        "The program also holds the standard library of Rust (MIT OR Apache-2.0){}.",
        libc.unwrap_or_default()
    )
}

/// Puts our own licences into a folder, and those of others.
pub(super) fn put_all(release: &Release, folder: &Path) -> Result<()> {
    for file in OWN {
        files::put(Path::new(file), &folder.join(file))?;
    }
    put_others(release, folder).map(drop)
}

/// Puts those of others into a folder: the file there, unless the step has written none.
pub(super) fn put_others(release: &Release, folder: &Path) -> Result<Option<PathBuf>> {
    let Some(written) = release.staged_file(FILE) else {
        return Ok(None);
    };
    let there = folder.join(FILE);
    files::put(&written, &there)?;
    Ok(Some(there))
}

fn written(packages: &[Package], runtime: &str) -> Result<String> {
    let mut list = format!("infermeter is linked with the packages below.\n{runtime}\n\n");
    let mut holders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = match package.licence.as_str() {
            "" => "see its text",
            licence => licence,
        };
        let place = package.repository.as_deref().unwrap_or("");
        list.push_str(format!("{name}: {licence}  {place}").trim_end());
        list.push('\n');
        for text in texts(&package.folder)? {
            holders.entry(text).or_default().push(name.clone());
        }
    }
    for (text, names) in &holders {
        let rule = "-".repeat(72);
        list.push_str(&format!(
            "\n{rule}\n{}\n{rule}\n\n{text}\n",
            names.join(", ")
        ));
    }
    Ok(list)
}

/// The texts of licences that a package brings, without blanks at the ends of lines.
fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for path in files::listed(folder)? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if NAMES.iter().any(|start| name.starts_with(start)) {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            texts.push(lines.join("\n").trim().to_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::scratch_directory;

    fn package(name: &str, folder: PathBuf) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            description: String::new(),
            licence: "MIT".to_owned(),
            repository: None,
            folder,
            linked: true,
            needs: Default::default(),
        }
    }

    #[test]
    fn one_text_stands_once() {
        let place = scratch_directory("licences");
        for (name, text) in [
            ("a", "Text one.  \n"),
            ("b", "Text one.\n"),
            ("c", "Text two.\n"),
        ] {
            fs::create_dir_all(place.join(name)).expect("made");
            fs::write(place.join(name).join("LICENSE-MIT"), text).expect("written");
            fs::write(place.join(name).join("README.md"), "no licence").expect("written");
        }
        let packages = ["a", "b", "c"].map(|name| package(name, place.join(name)));
        let text = written(&packages, "And Rust.").expect("written");
        assert_eq!(text.matches("Text one.").count(), 1, "{text}");
        assert!(
            text.contains("a 1.0.0, b 1.0.0\n") && text.contains("Text two."),
            "{text}"
        );
        assert!(!text.contains("no licence") && text.contains("And Rust.\n"));
        fs::remove_dir_all(place).expect("removed");
    }

    #[test]
    fn the_c_library_is_the_one_that_was_linked_in() {
        let of = |target: &str| {
            runtime(Some(&Built {
                kind: Kind::Static,
                target: target.to_owned(),
                arch: "x86_64".to_owned(),
                path: PathBuf::new(),
                glibc: None,
            }))
        };
        assert!(of("x86_64-unknown-linux-musl").ends_with("musl (MIT)."));
        assert!(of("x86_64-unknown-linux-gnu").ends_with("glibc (LGPL-2.1-or-later)."));
        assert!(runtime(None).ends_with("Rust (MIT OR Apache-2.0)."));
    }
}
