//! The files of the working tree that git knows or would take.
//!
//! Reads, never writes. Invariant: paths are relative to the root and use `/`.

use super::rust_source::RustSource;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tree as values.
pub(super) struct Tree {
    /// Directory of the workspace.
    pub root: PathBuf,
    /// Every path.
    pub files: BTreeSet<String>,
    /// Contents of those that are text.
    pub texts: BTreeMap<String, String>,
    /// Those that are Rust, taken apart.
    pub rust: BTreeMap<String, RustSource>,
}

impl Tree {
    /// Reads every file that is tracked, or new and not ignored.
    pub fn read() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask has no parent directory")?
            .to_owned();
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&root)
            .output()
            .context("cannot start git")?;
        if !output.status.success() {
            bail!(
                "git ls-files: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let mut tree = Self {
            root,
            files: BTreeSet::new(),
            texts: BTreeMap::new(),
            rust: BTreeMap::new(),
        };
        let listing = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
        for path in listing.split('\0').filter(|p| !p.is_empty()) {
            tree.add(path)?;
        }
        tree.take_rust_apart();
        Ok(tree)
    }

    /// A tree made of texts, for tests of rules.
    #[cfg(test)]
    pub fn of(texts: &[(&str, &str)]) -> Self {
        let texts: BTreeMap<String, String> = texts
            .iter()
            .map(|(p, t)| ((*p).to_owned(), (*t).to_owned()))
            .collect();
        let mut tree = Self {
            root: PathBuf::new(),
            files: texts.keys().cloned().collect(),
            texts,
            rust: BTreeMap::new(),
        };
        tree.take_rust_apart();
        tree
    }

    fn add(&mut self, path: &str) -> Result<()> {
        let full = self.root.join(path);
        if !full.is_file() {
            return Ok(()); // Deleted, not yet committed.
        }
        let bytes = fs::read(&full).with_context(|| format!("cannot read {path}"))?;
        self.files.insert(path.to_owned());
        if let Ok(text) = String::from_utf8(bytes) {
            self.texts.insert(path.to_owned(), text);
        }
        Ok(())
    }

    fn take_rust_apart(&mut self) {
        for (path, text) in self.texts.iter().filter(|(p, _)| p.ends_with(".rs")) {
            self.rust.insert(path.clone(), RustSource::new(text));
        }
        // `#[cfg(test)] mod tests;` makes test code of another file.
        let declared: Vec<String> = self
            .rust
            .iter()
            .flat_map(|(path, source)| source.test_modules.iter().map(|m| module_stem(path, m)))
            .collect();
        for (path, source) in &mut self.rust {
            let below = |stem: &String| {
                path.strip_prefix(stem.as_str())
                    .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            };
            if path.split('/').any(|part| part == "tests") || declared.iter().any(below) {
                source.mark_all_as_test();
            }
        }
    }
}

/// Path of a module declared in `parent`, without `.rs`.
fn module_stem(parent: &str, module: &str) -> String {
    let stem = parent.strip_suffix(".rs").unwrap_or(parent);
    let directory = match stem.rsplit_once('/') {
        Some((directory, "lib" | "main" | "mod")) => directory,
        _ => stem,
    };
    format!("{directory}/{module}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_module_in_its_own_file_is_test_code() {
        let tree = Tree::of(&[
            ("c/src/lib.rs", "#[cfg(test)]\nmod fixture;\nmod engine;\n"),
            ("c/src/fixture.rs", "fn f() {}\n"),
            ("c/src/engine.rs", "#[cfg(test)]\nmod tests;\nfn f() {}\n"),
            ("c/src/engine/tests.rs", "fn f() {}\n"),
            ("c/tests/all.rs", "fn f() {}\n"),
        ]);
        let is_test = |path: &str| tree.rust[path].test_lines.iter().all(|t| *t);
        assert!(is_test("c/src/fixture.rs"));
        assert!(is_test("c/src/engine/tests.rs"));
        assert!(is_test("c/tests/all.rs"));
        assert!(!is_test("c/src/engine.rs"));
    }
}
