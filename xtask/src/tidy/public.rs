//! Rule: `pub` stands only where another crate uses the name; `pub(crate)` is for all else.
//!
//! Reads names, not types. What counts as another crate: whatever depends on this one, its own
//! integration tests and binary among them. A function, type, constant or module is used where a path
//! that begins with the crate leads to it, or where its module is imported and its name occurs; a method
//! where its name occurs at all. What the declaration of a used name mentions has to be public as well.
//! Fields are not judged, nor methods of types that are not public themselves: they are as visible as
//! their type. Test code is exempt.
//!
//! Invariant: where in doubt a name counts as used, so that whatever is found can be put right.

use super::Problem;
use super::paths::paths_at;
use super::rust_source::{RustSource, has_word, item_end};
use super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// Items that have a name to judge.
const KINDS: [&str; 9] = [
    "fn", "struct", "enum", "trait", "const", "static", "type", "mod", "use",
];

/// A set of identifiers.
type Names<'a> = BTreeSet<&'a str>;

/// A name that a crate gives away.
struct Public<'a> {
    path: &'a str,
    line: usize,
    name: String,
    /// The type that it is a method of.
    owner: Option<&'a str>,
    /// What its declaration mentions.
    mentions: Names<'a>,
}

/// What a crate says to others.
#[derive(Default)]
struct Face<'a> {
    public: Vec<Public<'a>>,
    /// Types by name, and whether they are public.
    types: BTreeMap<&'a str, bool>,
    /// What implementations for a type mention: associated types have to be as public as it is.
    implied: BTreeMap<&'a str, Names<'a>>,
    /// Names that its macros write into other crates, and those that it hands to macros as items: what
    /// becomes of them cannot be seen.
    in_macros: BTreeSet<String>,
}

/// What other crates say of it.
#[derive(Default)]
struct Outside<'a> {
    words: Names<'a>,
    /// Every part of a path that begins with the crate.
    parts: BTreeSet<String>,
    /// The last parts.
    ends: BTreeSet<String>,
}

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut crates: BTreeMap<&str, Face<'_>> = BTreeMap::new();
    for (path, source) in &tree.rust {
        if let Some(name) = inside(path) {
            crates.entry(name).or_default().read(path, source);
        }
    }
    let judged = crates.iter().flat_map(|(name, face)| {
        let outside = Outside::of(name, tree);
        judge(&face.unused(&outside))
    });
    judged.collect()
}

fn judge(unused: &[&Public<'_>]) -> Vec<Problem> {
    let problem = |public: &&Public<'_>| {
        let message = format!(
            "`{}` is public, but no other crate uses it: write pub(crate), or nothing",
            public.name
        );
        Problem::error(format!("{}:{}", public.path, public.line), message)
    };
    unused.iter().map(problem).collect()
}

/// The crate whose library a file is a part of.
fn inside(path: &str) -> Option<&str> {
    let (name, rest) = path.strip_prefix("crates/")?.split_once("/src/")?;
    (rest != "main.rs").then_some(name)
}

/// The package that a file belongs to.
fn package(path: &str) -> &str {
    let path = path.strip_prefix("crates/").unwrap_or(path);
    path.split('/').next().unwrap_or(path)
}

/// The packages that depend on a crate, itself among them.
fn users<'a>(name: &'a str, tree: &'a Tree) -> Names<'a> {
    let manifests = tree.texts.iter().filter(|(p, _)| p.ends_with("Cargo.toml"));
    let manifests: Vec<(&str, &String)> = manifests.map(|(p, text)| (package(p), text)).collect();
    let mut users = Names::from([name]);
    loop {
        let more = manifests.iter().filter(|(user, text)| {
            let depends = |used: &&str| text.contains(&package_name(used));
            !users.contains(user) && users.iter().any(depends)
        });
        let more: Vec<&str> = more.map(|(user, _)| *user).collect();
        if more.is_empty() {
            return users;
        }
        users.extend(more);
    }
}

fn package_name(name: &str) -> String {
    match name {
        "infermeter" => "\ninfermeter.".to_owned(),
        _ => format!("infermeter-{name}"),
    }
}

impl<'a> Outside<'a> {
    fn of(name: &str, tree: &'a Tree) -> Self {
        let users = users(name, tree);
        let root = match name {
            "infermeter" => "infermeter::".to_owned(),
            _ => format!("infermeter_{name}::"),
        };
        let mut outside = Self::default();
        for (path, source) in &tree.rust {
            if inside(path) == Some(name) || !users.contains(package(path)) {
                continue;
            }
            outside.words.extend(words(&source.code));
            for (at, _) in source.code.match_indices(&root) {
                let before = source.code[..at].chars().next_back();
                if before.is_some_and(|c| is_word(c) || c == ':') {
                    continue;
                }
                for path in paths_at(&source.code[at..]) {
                    let end = path.iter().rfind(|part| *part != "self");
                    outside.ends.extend(end.cloned());
                    outside.parts.extend(path);
                }
            }
        }
        outside
    }

    fn uses(&self, public: &Public<'_>) -> bool {
        let occurs = self.words.contains(public.name.as_str());
        let module_is_imported = || {
            let module = module(public.path);
            module.is_some_and(|module| self.ends.contains(module))
        };
        match public.owner {
            Some(_) => occurs,
            None => self.parts.contains(&public.name) || (occurs && module_is_imported()),
        }
    }
}

/// The last name of the module that a file is; the crate itself has none.
fn module(path: &str) -> Option<&str> {
    let stem = path.split_once("/src/")?.1.strip_suffix(".rs")?;
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    let name = stem.rsplit('/').next()?;
    (stem != "lib").then_some(name)
}

impl<'a> Face<'a> {
    fn read(&mut self, path: &'a str, source: &'a RustSource) {
        let code = source.code.as_str();
        let implementations = implementations(source);
        for (start, end) in &implementations {
            let body = &code[*start..*end];
            let (header, _) = body.split_once('{').unwrap_or((body, ""));
            if let (Some(owner), true) = (owner(header), header.contains(" for ")) {
                let implied = self.implied.entry(owner).or_default();
                implied.extend(words(header));
                let types = body.lines().map(str::trim_start);
                implied.extend(types.filter(|l| l.starts_with("type ")).flat_map(words));
            }
        }
        self.read_types(code);
        self.read_macros(code);
        for (at, _) in code.match_indices("pub ") {
            let line = source.line_of(at);
            if code[..at].ends_with(is_word) || source.is_test(line) {
                continue;
            }
            let around = implementations.iter().find(|(s, e)| (*s..*e).contains(&at));
            let owner = around.and_then(|(start, _)| owner(code[*start..].split('{').next()?));
            let place = Place { path, line, owner };
            self.public.extend(declared(&code[at + 4..], &place));
        }
    }

    fn read_types(&mut self, code: &'a str) {
        for kind in ["struct", "enum", "trait", "type"] {
            for (at, _) in code.match_indices(&format!("{kind} ")) {
                let line = code[..at].rsplit('\n').next().unwrap_or("");
                let name = first_word(&code[at + kind.len() + 1..]);
                if !line.ends_with(is_word) && !name.is_empty() {
                    *self.types.entry(name).or_default() |= line.trim_start() == "pub ";
                }
            }
        }
    }

    fn read_macros(&mut self, code: &str) {
        for (at, _) in code.match_indices("$crate::") {
            self.in_macros.extend(paths_at(&code[at + 1..]).concat());
        }
        for (at, _) in code.match_indices("! {\n") {
            let line = code[..at].rsplit('\n').next().unwrap_or("");
            if !line.is_empty() && line.chars().all(is_word) {
                let made = words(&code[at..item_end(code, at)]);
                self.in_macros.extend(made.map(str::to_owned));
            }
        }
    }

    /// What is public for nobody.
    fn unused(&self, outside: &Outside<'_>) -> Vec<&Public<'a>> {
        let as_public_as_its_owner = |public: &Public<'_>| {
            let owner = public.owner.and_then(|owner| self.types.get(owner));
            public.owner.is_none() || owner == Some(&true)
        };
        let mut by_name: BTreeMap<&str, Vec<&Public<'a>>> = BTreeMap::new();
        for public in self.public.iter().filter(|p| as_public_as_its_owner(p)) {
            by_name.entry(&public.name).or_default().push(public);
        }
        let is_used =
            |public: &&Public<'_>| outside.uses(public) || self.in_macros.contains(&public.name);
        let known = by_name.values().flatten().copied();
        let mut left: Vec<&str> = known.filter(is_used).map(|p| p.name.as_str()).collect();
        let mut needed: Names<'_> = left.iter().copied().collect();
        while let Some(name) = left.pop() {
            let own = by_name[name].iter().flat_map(|public| &public.mentions);
            let implied = self.implied.get(name).into_iter().flatten();
            for mentioned in own.chain(implied).copied() {
                if by_name.contains_key(mentioned) && needed.insert(mentioned) {
                    left.push(mentioned);
                }
            }
        }
        let found = by_name
            .into_iter()
            .filter(|(name, _)| !needed.contains(name));
        found.flat_map(|(_, publics)| publics).collect()
    }
}

/// Where a declaration stands.
struct Place<'a> {
    path: &'a str,
    line: usize,
    owner: Option<&'a str>,
}

/// The names of a declaration; `rest` begins behind its `pub`.
fn declared<'a>(rest: &'a str, place: &Place<'a>) -> Vec<Public<'a>> {
    let mut behind = rest;
    let mut kind = first_word(behind);
    // `const fn`, `unsafe fn`, `async fn`.
    while matches!(kind, "const" | "unsafe" | "async") {
        let next = behind[kind.len()..].trim_start();
        if kind == "const" && first_word(next) != "fn" && first_word(next) != "unsafe" {
            break;
        }
        (behind, kind) = (next, first_word(next));
    }
    if !KINDS.contains(&kind) {
        return Vec::new();
    }
    let named = behind[kind.len()..].trim_start();
    let public = |name: String, mentions| Public {
        path: place.path,
        line: place.line,
        name,
        owner: place.owner,
        mentions,
    };
    if kind == "use" {
        let paths = paths_at(named).into_iter();
        let names = paths.filter_map(|mut path| path.pop());
        return names.map(|name| public(name, Names::new())).collect();
    }
    let name = first_word(named);
    let item = &rest[..item_end(rest, 0)];
    let mut mentions: Names<'_> = mentioned(kind, item).into_iter().flat_map(words).collect();
    mentions.remove(name);
    match name {
        "" => Vec::new(),
        name => vec![public(name.to_owned(), mentions)],
    }
}

/// The parts of a declaration that others see.
fn mentioned<'a>(kind: &str, item: &'a str) -> Vec<&'a str> {
    match kind {
        "fn" => vec![item.split('{').next().unwrap_or(item)],
        "const" | "static" => vec![item.split('=').next().unwrap_or(item)],
        "mod" => Vec::new(),
        "struct" if item.contains("pub ") => {
            // Private fields are nobody's business; one may take several lines.
            let fields = item.split("pub ").map(|field| {
                let end = field.find(",\n").unwrap_or(field.len());
                &field[..end]
            });
            fields.collect()
        }
        "struct" => vec![item.split(['{', '(']).next().unwrap_or(item)],
        _ => vec![item],
    }
}

/// Where the blocks of `impl` begin and end.
fn implementations(source: &RustSource) -> Vec<(usize, usize)> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in source.code.split_inclusive('\n') {
        let text = line.trim_start();
        if text.starts_with("impl") && has_word(text, "impl") {
            let start = at + line.len() - text.len();
            found.push((start, item_end(&source.code, start)));
        }
        at += line.len();
    }
    found
}

/// The type that an implementation is for.
fn owner(header: &str) -> Option<&str> {
    let header = header.split(" where ").next()?;
    let for_type = match header.split_once(" for ") {
        Some((_, for_type)) => for_type,
        None => {
            let generics = header.strip_prefix("impl")?;
            &generics[generics_end(generics)..]
        }
    };
    let path = for_type.trim_start_matches(['&', ' ']);
    let path = path.split(['<', ' ', '\n']).find(|part| !part.is_empty())?;
    path.rsplit("::").next()
}

/// Where `<..>` at the beginning ends. Arrows are no brackets.
fn generics_end(text: &str) -> usize {
    let mut depth = 0_i32;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if c == '>' { at + 1 } else { at };
        }
        before = c;
    }
    text.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    &text[..end]
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = (
        "crates/user/Cargo.toml",
        "infermeter-new.workspace = true\n",
    );

    fn found(library: &str, user: &str) -> Vec<String> {
        let tree = Tree::of(&[
            MANIFEST,
            ("crates/new/src/lib.rs", library),
            ("crates/user/tests/it.rs", user),
        ]);
        let mut crates = Face::default();
        crates.read("crates/new/src/lib.rs", &tree.rust["crates/new/src/lib.rs"]);
        let outside = Outside::of("new", &tree);
        let unused = crates.unused(&outside);
        unused.iter().map(|public| public.name.clone()).collect()
    }

    fn check_names(library: &str, user: &str, expect: &[&str]) {
        assert_eq!(found(library, user), expect, "{library}");
    }

    #[test]
    fn what_nobody_names_is_found() {
        let library = "pub fn a() {}\npub const B: u8 = 1;\npub mod c;\npub use d::{E, F as G};\n";
        check_names(library, "", &["B", "E", "F", "a", "c"]);
        check_names(library, "use infermeter_new::{B, c::X, E};", &["F", "a"]);
        check_names(
            library,
            "fn x() { infermeter_new::a(); }",
            &["B", "E", "F", "c"],
        );
        check_names("pub(crate) fn a() {}\nfn b() {}\n", "", &[]);
        check_names("#[cfg(test)]\nmod tests {\n    pub fn a() {}\n}\n", "", &[]);
    }

    #[test]
    fn what_a_used_name_mentions_is_used() {
        let library = "pub struct A;\npub struct B { pub a: A }\npub struct C;\n\
                       pub fn f(x: &B) -> u8 { g() }\npub fn g() -> u8 { 1 }\n";
        check_names(library, "infermeter_new::f", &["C", "g"]);
        let library = "pub struct A;\npub struct E;\nimpl T for A {\n    type Error = E;\n}\n";
        check_names(library, "infermeter_new::A", &[]);
    }

    #[test]
    fn methods_are_used_by_name_and_as_visible_as_their_type() {
        let library = "pub struct A;\nimpl<T: Fn() -> u8> A {\n    pub const fn of() {}\n    \
                       pub fn lost() {}\n}\nstruct P;\nimpl P {\n    pub fn own() {}\n}\n";
        check_names(library, "infermeter_new::A::of()", &["lost"]);
    }

    #[test]
    fn a_stranger_uses_nothing() {
        let tree = Tree::of(&[MANIFEST, ("crates/other/src/lib.rs", "infermeter_new::a")]);
        let outside = Outside::of("new", &tree);
        assert!(outside.words.is_empty() && outside.parts.is_empty());
        assert!(users("new", &tree).contains("user"));
    }

    #[test]
    fn the_owner_of_methods_is_known() {
        for (header, expect) in [
            ("impl A ", "A"),
            ("impl<'a, T: Into<u8>> b::A<'a, T> ", "A"),
            ("impl From<B> for A ", "A"),
            ("impl<T> fmt::Debug for &A<T> where T: B ", "A"),
        ] {
            assert_eq!(owner(header), Some(expect), "{header}");
        }
    }
}
