//! `cargo xtask python`: the Python module against pandas, polars and pyarrow, its types, the notebook, and what CI systems
//! read: the Action, the GitLab snippet, the bill of materials.
//!
//! Needs Python and a package index; without them nothing but the generated types is looked at, which is said. The packages
//! go below `target`, in the versions of `python/tests/requirements.txt`. A wheel is built by `cargo xtask release`.

use crate::ci::scratch_directory;
use crate::command::succeed;
use crate::release::write_sbom;
use crate::running::{PROGRAM, build_program};
use crate::venv::interpreter;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Writes the types of the schemas, and compares them.
pub const TYPES: &str = "python/tools/make_schema.py";
/// Packages of the tests.
const REQUIREMENTS: &str = "python/tests/requirements.txt";
/// A file, and whose schema it has to fit, as `check-jsonschema` calls it.
const OF_OTHERS: [(&str, &str); 3] = [
    ("packaging/action/action.yml", "vendor.github-actions"),
    ("packaging/action/example.yml", "vendor.github-workflows"),
    ("packaging/gitlab/infermeter.yml", "vendor.gitlab-ci"),
];
/// Holds a bill of materials against CycloneDX's own schema.
const CHECK_SBOM: &str = "\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = open(sys.argv[1], encoding='utf-8').read()
validator = JsonStrictValidator(SchemaVersion.V1_6)
wrong = validator.validate_str(text)
assert wrong is None, wrong
assert validator.validate_str(text.replace('CycloneDX', 'another')) is not None, 'the schema refuses nothing'
print('    CycloneDX: the bill of materials is valid against its schema 1.6')";

/// Runs all of it.
///
/// # Errors
/// When something is not as it should be.
pub fn run() -> Result<()> {
    if !types(&["--check"])? {
        println!("    no Python here: nothing of the module was tried");
        return Ok(());
    }
    let packages = ["--requirement", REQUIREMENTS];
    let Some(python) = interpreter("target/python", &packages) else {
        println!("    no package index: nothing but the module's types was looked at");
        return Ok(());
    };
    build_program()?;
    let here = std::env::current_dir()?;
    let module = |name: &str| {
        let mut command = Command::new(here.join(&python));
        command
            .args(["-m", name])
            .current_dir(here.join("python"))
            .env("PYTHONPATH", here.join("python/src"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("INFERMETER_BINARY", here.join(PROGRAM));
        command
    };
    let cache = here.join("target/mypy");
    succeed(module("mypy").arg("--cache-dir").arg(cache))?;
    succeed(module("pytest").args(["--quiet", "-p", "no:cacheprovider"]))?;
    for (file, schema) in OF_OTHERS {
        let mut check = module("check_jsonschema");
        check.args(["--quiet", "--builtin-schema", schema]);
        succeed(check.arg(here.join(file)))?;
        println!("    {file}: valid against {schema}");
    }
    bill_of_materials(&python)
}

/// Has the types written, or with `--check` compared; false where there is no Python.
///
/// # Errors
/// When they are not as the schemas say.
pub fn types(arguments: &[&str]) -> Result<bool> {
    let mut make = Command::new("python3");
    make.arg(TYPES).args(arguments);
    match make.status() {
        Err(_) => Ok(false),
        Ok(status) if status.success() => Ok(true),
        Ok(status) => bail!("{TYPES} ended with {status}"),
    }
}

fn bill_of_materials(python: &Path) -> Result<()> {
    let path = scratch_directory("sbom").join("infermeter.cdx.json");
    let count = write_sbom(&path, "2026-12-01T00:00:00Z")?;
    let mut check = Command::new(python);
    succeed(check.args(["-c", CHECK_SBOM]).arg(&path))?;
    println!("    {count} packages");
    Ok(())
}
