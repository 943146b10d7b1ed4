//! Wheels, by maturin: the program and the Python module, for each program that was built.
//!
//! The one with the host's C library has the manylinux tag that its symbols ask for. The static one serves older systems
//! and those without glibc; an installer takes the newest tag that it can use. Needs Python and a package index.

use super::build::{self, Built, FOLDER, Kind};
use super::{Outcome, Release, files, licences, pages, sbom};
use crate::command;
use crate::venv::interpreter;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tool that builds wheels, in the version that was tried.
const MATURIN: &str = "maturin==1.16.0";
/// Most bytes of a wheel.
const MOST: u64 = 15_000_000;
/// Where the Python project is, and what maturin takes as files to install beside the module.
const PROJECT: &str = "python";
const DATA: &str = "python/infermeter.data";
/// What a static program runs on: any glibc that Rust supports, and musl.
const STATIC_TAGS: [&str; 2] = ["manylinux_2_17", "musllinux_1_2"];
/// Run by the interpreter of the wheel: the module finds its program, measures with it and reads the record.
const TRY_OUT: &str = "\
import infermeter, sys
run = infermeter.run('mock:llama-8b-h100', rate=20, duration='1s', warmup=0, workload='fixed:16,4', out=sys.argv[1])
assert infermeter.load(run.path).summary['requests']['measured']['total'] > 0
print(infermeter.binary())";

pub(super) fn step(release: &Release) -> Result<Outcome> {
    if release.built.is_empty() {
        return Ok(Outcome::LeftOut("no program was built".to_owned()));
    }
    let Some(python) = interpreter("target/dist-python", &[MATURIN]) else {
        return Ok(Outcome::LeftOut(
            "no Python, or no package index".to_owned(),
        ));
    };
    data(release)?;
    let mut told = Vec::new();
    for program in &release.built {
        let wheel = wheel(release, program, &python)?;
        if program.is_of_this_host() {
            try_out(release, &wheel)?;
        }
        let name = name(&wheel);
        files::put(&wheel, &release.out.join(&name))?;
        told.push(name);
    }
    std::fs::remove_dir_all(DATA).context(DATA)?;
    Ok(Outcome::Done(told.join(", ")))
}

/// Man pages, completions and licences, where an installer puts them below the prefix of the interpreter.
fn data(release: &Release) -> Result<()> {
    let folder = Path::new(DATA);
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let prefix = folder.join("data");
    pages::install(release, &prefix, false)?;
    licences::put_all(release, &prefix.join("share/doc/infermeter"))
}

/// Builds one; it is not among the artefacts yet.
fn wheel(release: &Release, program: &Built, python: &Path) -> Result<PathBuf> {
    let out = release.stage("wheel")?;
    let target_dir = std::env::current_dir()?.join(FOLDER);
    // Not resolved further: where a link leads to is an interpreter without the packages.
    let python = std::env::current_dir()?.join(python);
    let mut maturin = Command::new(python);
    maturin.current_dir(PROJECT);
    maturin.args([
        "-m",
        "maturin",
        "build",
        "--release",
        "--locked",
        "--target",
        &program.target,
    ]);
    maturin
        .arg("--target-dir")
        .arg(target_dir)
        .arg("--out")
        .arg(&out);
    maturin.args(["--compression-level", "9"]);
    if program.kind == Kind::Static {
        maturin.arg("--compatibility").args(STATIC_TAGS);
    }
    if let Some(bill) = release.staged_file(sbom::FILE) {
        maturin.arg("--sbom-include").arg(bill);
    }
    for (name, value) in build::environment(release, program.kind, &program.target)? {
        maturin.env(name, value);
    }
    println!("    {}", command::line(&maturin));
    command::succeed(&mut maturin)?;
    let built = files::listed(&out)?;
    let [wheel] = &built[..] else {
        bail!("maturin has left {} files", built.len());
    };
    let bytes = std::fs::metadata(wheel)?.len();
    if bytes > MOST {
        bail!("{} has {bytes} bytes, more than {MOST}", name(wheel));
    }
    Ok(wheel.clone())
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Installs it, without an index, and measures something.
fn try_out(release: &Release, wheel: &Path) -> Result<()> {
    let place = release.stage("wheel-installed")?;
    let python = interpreter(&super::text(&place), &[]).context("no environment for the wheel")?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--no-index"]);
    command::output(install.arg(wheel))?;
    build::says_version(
        Command::new(&python).args(["-m", "infermeter"]),
        &release.version,
    )?;
    let mut run = Command::new(&python);
    run.args(["-c", TRY_OUT]).arg(place.join("record"));
    let program = command::output(run.env_remove("INFERMETER_BINARY"))?;
    match Path::new(&program).starts_with(&place) {
        true => Ok(()),
        false => bail!("the module starts {program}, not the program of its wheel"),
    }
}
