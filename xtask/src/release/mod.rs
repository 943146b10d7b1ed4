//! `cargo xtask release --dry-run`: the checklist of a release, run from top to bottom.
//!
//! Versions, changelog, packages of the crates, binaries, what they are made from, and everything that is handed out, below
//! `target/dist`. Nothing is uploaded. What a machine lacks (musl, Python, dpkg-deb, buildah) is said, and its artefact
//! left out. Invariant: an artefact that is there was tried where this machine can run it: the program in it has said its
//! version.

mod artefacts;
mod build;
mod checklist;
mod crates;
mod deb;
mod files;
mod image;
mod licences;
mod lock;
mod packages;
mod pages;
mod sbom;
mod tarball;
mod wheel;

pub use sbom::write as write_sbom;

use crate::command;
use anyhow::{Result, bail};
use build::Built;
use infermeter_core::clock::monotonic_ns;
use std::path::{Path, PathBuf};

const USAGE: &str = "cargo xtask release --dry-run [--twice] [--only NAME,...]: without --dry-run a tree that is not \
                     committed, and a changelog without this version, are errors. --only leaves in target/dist what is \
                     there. Programs are those of the same call: name static beside licences, tarball and image, dynamic \
                     beside deb, and one or both beside pages and wheel";

/// How a step ended, where nothing is wrong.
pub enum Outcome {
    /// As it should be.
    Done(String),
    /// Worth a look; an error without `--dry-run`.
    Noted(String),
    /// What it takes is not here.
    LeftOut(String),
}

/// What the steps share.
pub struct Release {
    /// The workspace's version.
    pub version: String,
    /// The commit that is released.
    pub commit: String,
    /// When it was made, seconds since the Unix epoch: the date of everything that is packed.
    pub epoch: String,
    /// The same as RFC 3339 has it.
    pub date: String,
    /// Artefacts.
    pub out: PathBuf,
    /// What artefacts are made from.
    pub staged: PathBuf,
    /// Build everything a second time and compare.
    pub twice: bool,
    /// Programs that were built.
    pub built: Vec<Built>,
}

/// A step: its name, and what it does.
struct Step {
    name: &'static str,
    run: fn(&mut Release) -> Result<Outcome>,
}

const fn step(name: &'static str, run: fn(&mut Release) -> Result<Outcome>) -> Step {
    Step { name, run }
}

/// What takes seconds stands first, but for licences: which C library was linked in says the static program.
const STEPS: [Step; 14] = [
    step("versions", |release| checklist::versions(release)),
    step("changelog", |release| checklist::changelog(release)),
    step("tree", |_| checklist::tree()),
    step("sbom", |release| sbom::step(release)),
    step("crates", |release| crates::step(release)),
    step("static", build::without_libc),
    step("licences", |release| licences::step(release)),
    step("dynamic", build::with_libc),
    step("pages", |release| pages::step(release)),
    step("tarball", |release| tarball::step(release)),
    step("deb", |release| deb::step(release)),
    step("wheel", |release| wheel::step(release)),
    step("image", |release| image::step(release)),
    step("checksums", |release| artefacts::checksums(release)),
];

/// Runs the checklist.
///
/// # Errors
/// At the first step that finds something wrong.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut dry_run = false;
    let mut twice = false;
    let mut only: Option<Vec<String>> = None;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--dry-run" => dry_run = true,
            "--twice" => twice = true,
            "--only" => only = Some(names(words.next())?),
            _ => bail!("unknown argument `{word}`: {USAGE}"),
        }
    }
    let mut release = Release::of_this_tree(twice)?;
    if only.is_none() {
        release.begin_anew()?;
    }
    println!("infermeter {} of {}", release.version, release.date);
    for step in &STEPS {
        let wanted = only.as_ref();
        if wanted.is_none_or(|names| names.iter().any(|name| name == step.name)) {
            perform(step, &mut release, dry_run)?;
        }
    }
    artefacts::table(&release.out)
}

fn names(list: Option<&String>) -> Result<Vec<String>> {
    let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    let names: Vec<String> = list
        .map_or("", String::as_str)
        .split(',')
        .map(str::to_owned)
        .collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => bail!("--only {name}: one or several of {}", known.join(", ")),
        None => Ok(names),
    }
}

fn perform(step: &Step, release: &mut Release, dry_run: bool) -> Result<()> {
    println!("==> {}", step.name);
    let begin = monotonic_ns();
    let outcome =
        (step.run)(release).map_err(|error| error.context(format!("step {}", step.name)))?;
    let seconds = (monotonic_ns() - begin) as f64 / 1e9;
    match outcome {
        Outcome::Done(what) => println!("<== {}: {what} ({seconds:.1} s)", step.name),
        Outcome::LeftOut(why) => println!("<== {}: left out: {why}", step.name),
        Outcome::Noted(what) if dry_run => println!("<== {}: note: {what}", step.name),
        Outcome::Noted(what) => bail!("step {}: {what}", step.name),
    }
    Ok(())
}

impl Release {
    fn of_this_tree(twice: bool) -> Result<Self> {
        let git =
            |format: &str| command::said("git", &["log", "-1", &format!("--format={format}")]);
        let out = PathBuf::from("target/dist");
        let staged = PathBuf::from("target/dist-staged");
        for folder in [&out, &staged] {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self {
            version: checklist::version(&std::fs::read_to_string("Cargo.toml")?)?,
            commit: git("%H")?,
            epoch: git("%ct")?,
            date: git("%cI")?,
            out: out.canonicalize()?,
            staged: staged.canonicalize()?,
            twice,
            built: Vec::new(),
        })
    }

    /// Nothing of an earlier release is among the artefacts of this one.
    fn begin_anew(&self) -> Result<()> {
        for folder in [&self.out, &self.staged] {
            std::fs::remove_dir_all(folder)?;
            std::fs::create_dir(folder)?;
        }
        Ok(())
    }

    /// A program that was built, the first of this kind.
    pub fn program(&self, kind: build::Kind) -> Option<&Built> {
        self.built.iter().find(|built| built.kind == kind)
    }

    /// A new folder for what an artefact is made from.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self, name: &str) -> Result<PathBuf> {
        let folder = self.staged.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A file that an earlier step has left for later ones.
    pub fn staged_file(&self, name: &str) -> Option<PathBuf> {
        Some(self.staged.join(name)).filter(|path| path.exists())
    }
}

/// A path as text.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
