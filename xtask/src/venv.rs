//! An interpreter of Python for one task, below `target`, with packages of an index.
//!
//! Nothing of the system's is changed. Where there is no Python, or no index, there is none: the task then says what it leaves
//! out.

use crate::command::quiet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// That of the folder `place`, in which pip has installed what these words ask for; `None` where that cannot be had.
pub fn interpreter(place: &str, packages: &[&str]) -> Option<PathBuf> {
    let python = Path::new(place).join("bin/python");
    let made = python.exists() || quiet(Command::new("python3").args(["-m", "venv", place]));
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "--quiet"])
        .args(packages);
    let installed = made && (packages.is_empty() || quiet(&mut install));
    installed.then_some(python)
}
