//! Debian packages of the programs that take the host's C library, written by `dpkg-deb` from a tree of files.

use super::build::{Built, Kind};
use super::{Outcome, Release, build, files, licences, pages};
use crate::command;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Nobody's address: a package has to have one.
const MAINTAINER: &str = "infermeter contributors <contributors@infermeter.invalid>";
/// Below this, with the licence of Apache where Debian has it.
const COPYRIGHT: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: infermeter
Comment: What the program is linked with is in THIRD-PARTY.txt.gz beside this file.

Files: *
Copyright: 2026 The infermeter contributors
License: MIT or Apache-2.0

License: Apache-2.0
 On Debian systems the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.

License: MIT
";
const DESCRIPTION: &str = "\
Description: measures LLM inference servers over HTTP
 Sends the load that a plan asks for, takes the kernel's stamps of what is
 answered, and says whether the result can be believed: every figure has an
 interval, every run a verdict with evidence and advice.
";

pub(super) fn step(release: &Release) -> Result<Outcome> {
    if command::found("dpkg-deb").is_none() {
        return Ok(Outcome::LeftOut("no dpkg-deb here".to_owned()));
    }
    let mut told = Vec::new();
    for program in release
        .built
        .iter()
        .filter(|built| built.kind == Kind::Dynamic)
    {
        told.push(package(release, program)?);
    }
    Ok(match told.is_empty() {
        true => Outcome::LeftOut("no program was built for it".to_owned()),
        false => Outcome::Done(told.join(", ")),
    })
}

fn package(release: &Release, program: &Built) -> Result<String> {
    let architecture = match program.arch.as_str() {
        "x86_64" => "amd64",
        _ => "arm64",
    };
    let tree = release.stage(&format!("deb-{architecture}"))?;
    files::put(&program.path, &tree.join("usr/bin/infermeter"))?;
    pages::install(release, &tree.join("usr"), true)?;
    documents(release, &tree.join("usr/share/doc/infermeter"))?;
    let kilobytes = kilobytes(&tree)?;
    let control = control(
        &release.version,
        architecture,
        program.glibc.as_deref(),
        kilobytes,
    );
    files::write(&tree.join("DEBIAN/control"), &control)?;
    set_modes(&tree)?;
    let name = format!("infermeter_{}_{architecture}.deb", release.version);
    let file = release.staged.join(&name);
    let mut build = Command::new("dpkg-deb");
    build
        .args(["--root-owner-group", "-Zxz", "--build"])
        .arg(&tree)
        .arg(&file);
    command::output(build.env("SOURCE_DATE_EPOCH", &release.epoch))?;
    if program.is_of_this_host() {
        try_out(release, &file)?;
    }
    let checked = lintian(&file)?;
    files::put(&file, &release.out.join(&name))?;
    Ok(format!("{name} ({checked})"))
}

/// What a package says of itself.
fn control(version: &str, architecture: &str, glibc: Option<&str>, kilobytes: u64) -> String {
    let libc = glibc.unwrap_or("2.17");
    format!(
        "Package: infermeter\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n\
         Installed-Size: {kilobytes}\nDepends: libc6 (>= {libc}), libgcc-s1\nRecommends: ca-certificates\n\
         Section: net\nPriority: optional\n{DESCRIPTION}"
    )
}

/// Copyright, the changes, and what the program is linked with.
fn documents(release: &Release, folder: &Path) -> Result<()> {
    let licence = fs::read_to_string("LICENSE-MIT").context("LICENSE-MIT")?;
    let body = licence
        .lines()
        .skip_while(|line| !line.starts_with("Permission"));
    let indented: String = body
        .map(|line| match line.is_empty() {
            true => " .\n".to_owned(),
            false => format!(" {line}\n"),
        })
        .collect();
    files::write(&folder.join("copyright"), &format!("{COPYRIGHT}{indented}"))?;
    let date = command::said("date", &["-R", "-u", "-d", &format!("@{}", release.epoch)])?;
    let changes = format!(
        "infermeter ({}) unstable; urgency=medium\n\n  * What changed for users is in CHANGELOG.md.gz.\n\n -- {MAINTAINER}  \
         {date}\n",
        release.version
    );
    files::write(&folder.join("changelog"), &changes)?;
    files::put(Path::new("CHANGELOG.md"), &folder.join("CHANGELOG.md"))?;
    let mut packed: Vec<PathBuf> = vec![folder.join("changelog"), folder.join("CHANGELOG.md")];
    packed.extend(licences::put_others(release, folder)?);
    for path in packed {
        command::output(Command::new("gzip").arg("-9nf").arg(path))?;
    }
    Ok(())
}

fn kilobytes(tree: &Path) -> Result<u64> {
    let line = command::said("du", &["--apparent-size", "-sk", &super::text(tree)])?;
    let number = line
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    number.with_context(|| format!("du said {line}"))
}

/// Files are for all to read, and the program for all to run.
fn set_modes(tree: &Path) -> Result<()> {
    let tree = super::text(tree);
    command::said("chmod", &["-R", "u=rwX,go=rX", &tree])?;
    command::said("chmod", &["755", &format!("{tree}/usr/bin/infermeter")])?;
    Ok(())
}

/// Unpacks it, and has the program say its version.
fn try_out(release: &Release, file: &Path) -> Result<()> {
    let folder = release.stage("deb-unpacked")?;
    command::said(
        "dpkg-deb",
        &["-x", &super::text(file), &super::text(&folder)],
    )?;
    let program = folder.join("usr/bin/infermeter");
    build::says_version(&mut Command::new(program), &release.version)
}

/// What Debian's own checker says; errors are errors.
fn lintian(file: &Path) -> Result<String> {
    if command::found("lintian").is_none() {
        return Ok("lintian is not here".to_owned());
    }
    let mut command = Command::new("lintian");
    command
        .args(["--allow-root", "--fail-on", "none"])
        .arg(file);
    let said = command::output(&mut command)?;
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("E:")).collect();
    if !errors.is_empty() {
        bail!("lintian: {}", errors.join("; "));
    }
    for warning in said.lines().filter(|line| line.starts_with("W:")) {
        println!("    {warning}");
    }
    Ok("lintian finds no error".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_asks_for_the_libc_of_its_program() {
        let text = control("0.1.0", "amd64", Some("2.35"), 30_000);
        assert!(
            text.contains("Depends: libc6 (>= 2.35), libgcc-s1\n"),
            "{text}"
        );
        assert!(
            text.contains("Installed-Size: 30000\n") && text.ends_with("advice.\n"),
            "{text}"
        );
        // A description has one line, then lines that begin with a blank.
        let (_, description) = text.split_once("Description: ").expect("described");
        assert!(
            description
                .lines()
                .skip(1)
                .all(|line| line.starts_with(' ')),
            "{description}"
        );
    }
}
