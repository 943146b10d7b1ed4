//! Rule: files of a crate do not import each other in a circle, so that each can be read before those
//! that use it.
//!
//! Follows `use` and paths from `crate` and `super`. A module may use what its own children make: that
//! is what it has them for. Test code is exempt.
//!
//! Invariant: no crate has a circle.

use super::Problem;
use super::paths::paths_at;
use super::rust_source::RustSource;
use super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// A module as the names that lead to it.
type Module = Vec<String>;

/// The files of one crate by module, and whom each uses.
#[derive(Default)]
struct Files<'a> {
    paths: BTreeMap<Module, &'a str>,
    uses: BTreeMap<Module, BTreeSet<Module>>,
}

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut crates: BTreeMap<&str, Files<'_>> = BTreeMap::new();
    for (path, source) in &tree.rust {
        let is_product = !source.test_lines.iter().all(|test| *test);
        if let (Some((name, module)), true) = (module_of(path), is_product) {
            crates.entry(name).or_default().paths.insert(module, path);
        }
    }
    let judged = crates.into_values().flat_map(|mut files| {
        files.find_uses(tree);
        judge(&files)
    });
    judged.collect()
}

fn judge(files: &Files<'_>) -> Vec<Problem> {
    let problem = |circle: BTreeSet<Module>| {
        let paths: Vec<&str> = circle.iter().map(|module| files.paths[module]).collect();
        let message = "import each other in a circle: move what they share to a file of its own";
        Problem::error(paths.join(", "), message)
    };
    files.circles().into_iter().map(problem).collect()
}

/// Crate and module of a file below `crates/NAME/src`.
fn module_of(path: &str) -> Option<(&str, Module)> {
    let (name, rest) = path.strip_prefix("crates/")?.split_once("/src/")?;
    let mut module: Module = rest
        .strip_suffix(".rs")?
        .split('/')
        .map(str::to_owned)
        .collect();
    let last = module.last()?.as_str();
    if matches!(last, "lib" | "main" | "mod") {
        module.pop();
    }
    Some((name, module))
}

impl Files<'_> {
    fn find_uses(&mut self, tree: &Tree) {
        for (module, path) in &self.paths {
            let named = names(&tree.rust[*path]);
            let targets = named
                .into_iter()
                .filter_map(|name| self.target(module, &name));
            // What a module's children make is its own business.
            let others = targets.filter(|target| !target.starts_with(module));
            self.uses.insert(module.clone(), others.collect());
        }
    }

    /// The file that a path leads to from `module`.
    fn target(&self, module: &Module, path: &[String]) -> Option<Module> {
        let up = path.iter().take_while(|name| *name == "super").count();
        let mut from: Module = match path.first()?.as_str() {
            "crate" => path[1..].to_vec(),
            "super" => {
                let base = &module[..module.len().checked_sub(up)?];
                [base, &path[up..]].concat()
            }
            _ => return None,
        };
        while !self.paths.contains_key(&from) {
            from.pop()?;
        }
        Some(from)
    }

    /// Modules that reach themselves, those of one circle together.
    fn circles(&self) -> Vec<BTreeSet<Module>> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> = self
            .paths
            .keys()
            .map(|module| (module, self.reached(module)))
            .collect();
        let mut circles: Vec<BTreeSet<Module>> = Vec::new();
        for (module, far) in &reached {
            let circle: BTreeSet<Module> = far
                .iter()
                .filter(|other| reached[*other].contains(*module))
                .map(|other| (*other).clone())
                .collect();
            if !circle.is_empty() && !circles.contains(&circle) {
                circles.push(circle);
            }
        }
        circles
    }

    /// Everything that a module uses, directly or not.
    fn reached(&self, module: &Module) -> BTreeSet<&Module> {
        let mut found = BTreeSet::new();
        let mut left: Vec<&Module> = self.uses[module].iter().collect();
        while let Some(next) = left.pop() {
            if found.insert(next) {
                left.extend(&self.uses[next]);
            }
        }
        found
    }
}

/// Paths that begin with `crate` or `super`, those of `use` trees one by one.
fn names(source: &RustSource) -> Vec<Vec<String>> {
    let lines = source.product_lines().map(|(_, line)| line);
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            let inside = before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            if !inside {
                found.extend(paths_at(&code[at..]));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .into_iter()
            .map(|p| p.place)
            .collect()
    }

    #[test]
    fn files_that_use_each_other_are_found() {
        let a = (
            "crates/new/src/a.rs",
            "use crate::b::{B, C as D};\npub struct A;\n",
        );
        let b = (
            "crates/new/src/b.rs",
            "use super::c::{self, d::{E}};\npub struct B;\n",
        );
        let c = ("crates/new/src/c.rs", "fn c() { crate::a::A; }\n");
        let lib = (
            "crates/new/src/lib.rs",
            "mod a;\nmod b;\nmod c;\npub use a::A;\n",
        );
        let circle = "crates/new/src/a.rs, crates/new/src/b.rs, crates/new/src/c.rs";
        assert_eq!(places(&[a, b, c, lib]), [circle]);
        assert_eq!(places(&[a, b, lib]), [""; 0]);
    }

    #[test]
    fn a_module_uses_its_children_and_tests_use_everything() {
        let parent = (
            "crates/new/src/a.rs",
            "mod b;\npub use self::b::B;\npub struct A;\n",
        );
        let child = ("crates/new/src/a/b.rs", "use super::A;\npub struct B(A);\n");
        assert_eq!(places(&[parent, child]), [""; 0]);
        let a = ("crates/new/src/a.rs", "use crate::b::B;\n");
        let b = (
            "crates/new/src/b.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
        );
        assert_eq!(places(&[a, b]), [""; 0]);
    }
}
