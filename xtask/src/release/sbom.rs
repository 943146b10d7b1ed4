//! The bill of materials, in the form of CycloneDX 1.6: every package that is in the program, and what helped to build it.
//!
//! Invariant: the same commit makes the same bytes; there is no serial number and no time but the commit's.

use super::packages::{self, Package};
use super::{Outcome, Release, files, lock};
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The name of the file, among artefacts and in packages.
pub(super) const FILE: &str = "infermeter.cdx.json";

/// The program itself.
const PROGRAM: &str = "infermeter";

pub(super) fn step(release: &Release) -> Result<Outcome> {
    let path = release.out.join(FILE);
    let count = write(&path, &release.date)?;
    files::put(&path, &release.staged.join(FILE))?;
    Ok(Outcome::Done(format!("{count} packages in {FILE}")))
}

/// Writes it, and says how many packages it names. `date` is that of the commit, as RFC 3339 has it.
///
/// # Errors
/// When cargo cannot say what there is, and when the file cannot be written.
pub fn write(path: &Path, date: &str) -> Result<usize> {
    let packages = packages::all()?;
    let bill = bill(&packages, &lock::checksums()?, date);
    files::write(path, &format!("{bill:#}\n"))?;
    Ok(packages.len())
}

fn bill(packages: &[Package], checksums: &lock::Checksums, date: &str) -> Value {
    let is_program = |package: &&Package| package.name == PROGRAM;
    let program = packages
        .iter()
        .find(is_program)
        .map(|package| component(package, checksums));
    let others = packages.iter().filter(|package| !is_program(package));
    let components: Vec<Value> = others
        .map(|package| component(package, checksums))
        .collect();
    let needs = |package: &Package| {
        let needs: Vec<String> = package
            .needs
            .iter()
            .map(|(name, version)| reference(name, version))
            .collect();
        json!({"ref": reference(&package.name, &package.version), "dependsOn": needs})
    };
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": date, "component": program},
        "components": components,
        "dependencies": packages.iter().map(needs).collect::<Vec<Value>>(),
    })
}

/// A package's name in this document: its package URL.
fn reference(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn component(package: &Package, checksums: &lock::Checksums) -> Value {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    let kind = match package.name == PROGRAM {
        true => "application",
        false => "library",
    };
    let reference = reference(&package.name, &package.version);
    add("type", kind.into());
    add("bom-ref", reference.clone().into());
    add("name", package.name.clone().into());
    add("version", package.version.clone().into());
    if !package.description.is_empty() {
        add("description", package.description.clone().into());
    }
    // What only helps to build is not in the program.
    let scope = match package.linked {
        true => "required",
        false => "excluded",
    };
    add("scope", scope.into());
    let key = (package.name.clone(), package.version.clone());
    if let Some(checksum) = checksums.get(&key) {
        add("hashes", json!([{"alg": "SHA-256", "content": checksum}]));
        // Of the registry: what is not there has no such address.
        add("purl", reference.into());
    }
    if !package.licence.is_empty() {
        add("licenses", json!([{"expression": package.licence}]));
    }
    if let Some(url) = &package.repository {
        add("externalReferences", json!([{"type": "vcs", "url": url}]));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    fn package(name: &str, linked: bool, needs: &[&str]) -> Package {
        let needs = needs
            .iter()
            .map(|name| ((*name).to_owned(), "1.0.0".to_owned()));
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            description: String::new(),
            licence: "MIT OR Apache-2.0".to_owned(),
            repository: Some(format!("https://{name}.example")),
            folder: PathBuf::new(),
            linked,
            needs: needs.collect::<BTreeSet<_>>(),
        }
    }

    #[test]
    fn every_package_has_its_place() {
        let packages = [
            package(PROGRAM, true, &["a", "b"]),
            package("a", true, &[]),
            package("b", false, &["a"]),
        ];
        let key = ("a".to_owned(), "1.0.0".to_owned());
        let checksums = lock::Checksums::from([(key, "00ff".to_owned())]);
        let bill = bill(&packages, &checksums, "2026-12-01T00:00:00Z");
        assert_eq!(bill["metadata"]["component"]["type"], "application");
        let names: Vec<&str> = bill["components"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|component| component["name"].as_str())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(bill["components"][0]["hashes"][0]["content"], "00ff");
        assert_eq!(bill["components"][0]["purl"], "pkg:cargo/a@1.0.0");
        assert_eq!(bill["components"][1]["scope"], "excluded");
        assert!(bill["components"][1]["hashes"].is_null());
        // Whatever is needed is there, and every entry of the graph is of a component.
        let refs: BTreeSet<&str> = [
            "pkg:cargo/infermeter@1.0.0",
            "pkg:cargo/a@1.0.0",
            "pkg:cargo/b@1.0.0",
        ]
        .into();
        for entry in bill["dependencies"].as_array().expect("a list") {
            assert!(refs.contains(entry["ref"].as_str().expect("text")));
            let needs = entry["dependsOn"].as_array().expect("a list");
            assert!(
                needs
                    .iter()
                    .all(|need| refs.contains(need.as_str().expect("text")))
            );
        }
    }
}
