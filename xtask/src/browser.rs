//! `cargo xtask browser`: pages are opened in a headless browser, and what is wrong with them is said.
//!
//! Needs `node`, `npm` and a Chromium; without them nothing is opened, which is said. What is looked at: a page with
//! every kind of chart and with hostile names, a trend, and the pages of saved runs.

use crate::ci::{cargo_program, scratch_directory};
use crate::command::{found, succeed};
use crate::running::{PROGRAM, build_program};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names under which Chromium is installed.
const BROWSERS: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];
/// Runs that earlier versions wrote.
const RECORDS: [&str; 3] = ["open", "closed", "killed"];

/// Opens the pages of these files, or without any those of the gallery and of saved runs; anything wrong is an error.
pub fn run(files: &[String]) -> Result<()> {
    let browser = BROWSERS.iter().find_map(|name| found(name));
    let (Some(browser), Some(_), Some(_)) = (browser, found("node"), found("npm")) else {
        println!("    no node, npm or Chromium here: no page was opened");
        return Ok(());
    };
    let directory = scratch_directory("browser");
    let pictures = directory.join("pictures");
    std::fs::create_dir_all(&pictures)?;
    let modules = modules()?;
    // The project's folder is the current one here, and pages have addresses.
    let page = |file: &String| Path::new(file).canonicalize().with_context(|| file.clone());
    let mut pages: Vec<PathBuf> = files.iter().map(page).collect::<Result<_>>()?;
    if pages.is_empty() {
        pages.extend(gallery(&directory)?);
        pages.extend(of_records(&directory)?);
    }
    let mut check = Command::new("node");
    check
        .arg("xtask/browser/check.mjs")
        .arg(modules)
        .arg(browser)
        .arg(&pictures)
        .args(&pages);
    succeed(&mut check)?;
    println!("    pictures are in {}", pictures.display());
    Ok(())
}

/// The browser's driver and axe, as locked, below `target`.
fn modules() -> Result<PathBuf> {
    let modules = Path::new("target/browser").to_owned();
    std::fs::create_dir_all(&modules)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(Path::new("xtask/browser").join(file), modules.join(file))?;
    }
    let mut install = Command::new("npm");
    install
        .args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--silent",
        ])
        .current_dir(&modules);
    succeed(&mut install)?;
    Ok(std::env::current_dir()?.join(modules))
}

/// The pages of `crates/report/tests/gallery.rs`.
fn gallery(directory: &Path) -> Result<[PathBuf; 2]> {
    let mut make = Command::new(cargo_program());
    make.args([
        "test",
        "--quiet",
        "--workspace",
        "--test",
        "gallery",
        "--",
        "the_page",
    ])
    .env("INFERMETER_GALLERY", directory);
    succeed(&mut make)?;
    Ok(["gallery.html", "trend.html"].map(|page| directory.join(page)))
}

/// The pages of saved runs, of copies: a report may bring `run.json` up to date.
fn of_records(directory: &Path) -> Result<Vec<PathBuf>> {
    build_program()?;
    let page = |name: &&str| {
        let from = Path::new("crates/infermeter/tests/records").join(name);
        let copy = directory.join(name);
        std::fs::create_dir_all(&copy)?;
        for entry in std::fs::read_dir(from)? {
            let path = entry?.path();
            if let (true, Some(file)) = (path.is_file(), path.file_name()) {
                std::fs::copy(&path, copy.join(file))?;
            }
        }
        let page = directory.join(format!("{name}.html"));
        infermeter(&["report", &text(&copy), &format!("--html={}", text(&page))])?;
        Ok(page)
    };
    RECORDS.iter().map(page).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Runs the debug binary. How its runs went is not looked at here: a busy machine may spoil one.
fn infermeter(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command.status().context("cannot start infermeter")?;
    Ok(())
}
