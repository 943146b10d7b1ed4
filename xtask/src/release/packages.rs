//! What the program is made from: which packages cargo would build for it, and what they say of themselves.

use crate::ci::cargo_program;
use crate::command;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

/// The program, and where it runs.
const PACKAGE: &str = "infermeter";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub name: String,
    pub version: String,
    pub description: String,
    /// As SPDX writes it; empty where the package states none.
    pub licence: String,
    pub repository: Option<String>,
    /// Where its files are.
    pub folder: PathBuf,
    /// It is linked into the program; others only help to build it.
    pub linked: bool,
    /// The packages that it needs, by name and version.
    pub needs: BTreeSet<(String, String)>,
}

/// Every package of the program, in order of name and version.
pub(super) fn all() -> Result<Vec<Package>> {
    let linked = tree("normal,no-proc-macro")?;
    let built = tree("normal,build")?;
    let metadata = metadata()?;
    let mut packages = read(&metadata)?;
    packages.retain(|key, _| built.contains(key));
    for (key, package) in &mut packages {
        package.linked = linked.contains(key);
        package.needs.retain(|need| built.contains(need));
    }
    Ok(packages.into_values().collect())
}

/// Names and versions of the packages that these kinds of dependencies lead to.
fn tree(edges: &str) -> Result<BTreeSet<(String, String)>> {
    let mut command = Command::new(cargo_program());
    command.args(["tree", "--locked", "--package", PACKAGE, "--target", TARGET]);
    command.args(["--edges", edges, "--prefix", "none", "--format", "{p}"]);
    Ok(named(&command::output(&mut command)?))
}

/// Lines like `serde v1.0.229 (*)`.
fn named(text: &str) -> BTreeSet<(String, String)> {
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some((name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(package).collect()
}

fn metadata() -> Result<Value> {
    let mut command = Command::new(cargo_program());
    command.args(["metadata", "--locked", "--format-version", "1"]);
    command.args(["--filter-platform", TARGET]);
    serde_json::from_str(&command::output(&mut command)?).context("cargo metadata gave no JSON")
}

/// What cargo says of each package, by name and version.
fn read(metadata: &Value) -> Result<BTreeMap<(String, String), Package>> {
    let list = metadata["packages"].as_array().context("no packages")?;
    let text = |value: &Value| value.as_str().unwrap_or("").trim().to_owned();
    let key = |package: &Value| (text(&package["name"]), text(&package["version"]));
    let of_id: BTreeMap<String, (String, String)> = list
        .iter()
        .map(|package| (text(&package["id"]), key(package)))
        .collect();
    let nodes = metadata["resolve"]["nodes"]
        .as_array()
        .context("no graph")?;
    let needs: BTreeMap<String, Vec<&str>> = nodes
        .iter()
        .map(|node| (text(&node["id"]), needed(node)))
        .collect();
    let package = |package: &Value| {
        let ids = needs.get(&text(&package["id"]));
        let ids = ids.map_or(&[][..], Vec::as_slice);
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        Package {
            name: text(&package["name"]),
            version: text(&package["version"]),
            description: text(&package["description"])
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            licence: spdx(&text(&package["license"])),
            repository: Some(text(&package["repository"])).filter(|url| url.starts_with("http")),
            folder: manifest.parent().map(PathBuf::from).unwrap_or_default(),
            linked: false,
            needs: ids
                .iter()
                .filter_map(|id| of_id.get(*id).cloned())
                .collect(),
        }
    };
    Ok(list
        .iter()
        .map(|value| (key(value), package(value)))
        .collect())
}

/// The ids of the packages that one needs, but those of its tests.
fn needed(node: &Value) -> Vec<&str> {
    let deps = node["deps"].as_array().map_or(&[][..], Vec::as_slice);
    let for_tests = |dep: &Value| {
        let kinds = dep["dep_kinds"].as_array().map_or(&[][..], Vec::as_slice);
        kinds.iter().all(|kind| kind["kind"] == "dev")
    };
    deps.iter()
        .filter(|dep| !for_tests(dep))
        .filter_map(|dep| dep["pkg"].as_str())
        .collect()
}

/// Older packages write `MIT/Apache-2.0`.
fn spdx(licence: &str) -> String {
    match licence.contains(" OR ") {
        true => licence.to_owned(),
        false => licence.replace('/', " OR "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_of_a_tree_name_packages() {
        let text = "infermeter v0.1.0 (/somewhere/crates/infermeter)\nserde v1.0.229 (*)\n\n[build-dependencies]\n";
        let key = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let expected = BTreeSet::from([key("infermeter", "0.1.0"), key("serde", "1.0.229")]);
        assert_eq!(named(text), expected);
    }

    #[test]
    fn a_package_says_what_it_needs() {
        let metadata = json!({
            "packages": [
                {"id": "a 1", "name": "a", "version": "1.0.0", "license": "MIT/Apache-2.0", "description": "One\n line.",
                 "repository": null, "manifest_path": "/x/a/Cargo.toml"},
                {"id": "b 2", "name": "b", "version": "2.0.0", "license": null, "description": null,
                 "repository": "https://b.example", "manifest_path": "/x/b/Cargo.toml"},
            ],
            "resolve": {"nodes": [
                {"id": "a 1", "deps": [
                    {"pkg": "b 2", "dep_kinds": [{"kind": null}]},
                    {"pkg": "a 1", "dep_kinds": [{"kind": "dev"}]},
                ]},
                {"id": "b 2", "deps": []},
            ]},
        });
        let read = read(&metadata).expect("read");
        let a = &read[&("a".to_owned(), "1.0.0".to_owned())];
        assert_eq!(
            (a.licence.as_str(), a.description.as_str()),
            ("MIT OR Apache-2.0", "One line.")
        );
        let needs: Vec<&str> = a.needs.iter().map(|need| need.0.as_str()).collect();
        assert_eq!(needs, ["b"]);
        let b = &read[&("b".to_owned(), "2.0.0".to_owned())];
        assert_eq!(
            (b.licence.as_str(), b.repository.as_deref()),
            ("", Some("https://b.example"))
        );
    }
}
