//! `cargo xtask dashboard`: the Grafana dashboard, held against the types that Grafana publishes.
//!
//! Needs `node` and `npm`, and a package index; without them nothing is checked, which is said. The packages go below
//! `target`, as locked in `xtask/grafana`. Whether the dashboard's queries find anything says `prometheus`.

use crate::prometheus::DASHBOARD;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is installed, and what the dashboard is put behind.
const FILES: [&str; 3] = ["package.json", "package-lock.json", "tsconfig.json"];
/// The types, and the beginning of the value that has to be of them.
const HEAD: &str = "xtask/grafana/head.ts";

/// Has the compiler look at the dashboard as a value of Grafana's type.
pub fn run() -> Result<()> {
    let place = Path::new("target/grafana");
    if !install(place)? {
        println!("    no node and npm here, or no package index: the dashboard was not checked");
        return Ok(());
    }
    let text = std::fs::read_to_string(DASHBOARD).context(DASHBOARD)?;
    let mut dashboard: Value = serde_json::from_str(&text).context(DASHBOARD)?;
    let members = dashboard
        .as_object_mut()
        .context("the dashboard is no object")?;
    // What an import needs is no part of a dashboard's type.
    members.retain(|name, _| !name.starts_with("__"));
    let head = std::fs::read_to_string(HEAD).context(HEAD)?;
    std::fs::write(
        place.join("dashboard.ts"),
        format!("{head}{dashboard:#};\n"),
    )?;
    let mut check = Command::new("node");
    check
        .args([
            "node_modules/typescript/bin/tsc",
            "--project",
            "tsconfig.json",
        ])
        .current_dir(place);
    let status = check.status().context("cannot start node")?;
    if !status.success() {
        bail!("the dashboard is not of Grafana's type");
    }
    println!("    the dashboard is a `Dashboard` of @grafana/schema");
    Ok(())
}

/// Installs the packages; false where that is not possible.
fn install(place: &Path) -> Result<bool> {
    std::fs::create_dir_all(place)?;
    for file in FILES {
        std::fs::copy(Path::new("xtask/grafana").join(file), place.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--silent",
    ])
    .current_dir(place)
    .stdout(Stdio::null());
    Ok(npm.status().is_ok_and(|status| status.success()))
}
