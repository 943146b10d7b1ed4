//! `cargo xtask book`: the book as a site, where mdBook is, and its links looked up in what came out.
//!
//! `tidy` knows the links between pages by rules of its own; here each is held against the anchors that mdBook has made.
//! Links to other sites are not followed. Invariant: what it built is gone afterwards when all went well.

use crate::ci::scratch_directory;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `.ci/run` puts an mdBook that is not installed.
const OWN: &str = "target/mdbook/bin/mdbook";

/// Pages that mdBook makes of others: their links are those of the pages, from another place.
const MADE_OF_OTHERS: [&str; 3] = ["print.html", "404.html", "toc.html"];

/// Builds it and looks at it.
pub fn run() -> Result<()> {
    let Some(program) = program() else {
        println!("    mdbook is not installed: book not built (tidy has checked its links)");
        return Ok(());
    };
    let target = scratch_directory("book");
    let status = Command::new(&program)
        .args(["build", "docs", "--dest-dir"])
        .arg(&target)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !status.success() {
        bail!("`mdbook build docs` ended with {status}");
    }
    let site = Site::read(&target)?;
    let broken = site.broken();
    for link in &broken {
        println!("    {link}");
    }
    if !broken.is_empty() {
        bail!("{} links of the book lead nowhere", broken.len());
    }
    if !site
        .files
        .iter()
        .any(|file| file.starts_with("searchindex"))
    {
        bail!("the book has no search index");
    }
    println!("    {} pages, {} links", site.pages.len(), site.links());
    fs::remove_dir_all(&target).with_context(|| format!("cannot remove {}", target.display()))
}

/// mdBook, where it is.
fn program() -> Option<PathBuf> {
    let places = ["mdbook", OWN].map(PathBuf::from);
    places.into_iter().find(|program| {
        let version = Command::new(program).arg("--version").output();
        match version {
            Ok(said) if said.status.success() => {
                println!("    {}", String::from_utf8_lossy(&said.stdout).trim());
                true
            }
            _ => false,
        }
    })
}

/// A page that was built.
struct Page {
    /// What a link can lead to in it.
    anchors: BTreeSet<String>,
    /// Where its links lead.
    links: Vec<String>,
}

/// What was built.
struct Site {
    /// Paths of all files, from its root.
    files: BTreeSet<String>,
    /// Those that are pages.
    pages: BTreeMap<String, Page>,
}

impl Site {
    fn read(root: &Path) -> Result<Self> {
        let mut site = Self {
            files: BTreeSet::new(),
            pages: BTreeMap::new(),
        };
        site.add(root, root)?;
        Ok(site)
    }

    fn add(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let cannot = || folder.display().to_string();
        for entry in fs::read_dir(folder).with_context(cannot)? {
            let path = entry.with_context(cannot)?.path();
            if path.is_dir() {
                self.add(root, &path)?;
                continue;
            }
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            if name.ends_with(".html") {
                let text = fs::read_to_string(&path).with_context(|| name.clone())?;
                self.pages.insert(name.clone(), Page::of(&text));
            }
            self.files.insert(name);
        }
        Ok(())
    }

    fn links(&self) -> usize {
        self.pages.values().map(|page| page.links.len()).sum()
    }

    /// Links that lead nowhere, in words.
    fn broken(&self) -> Vec<String> {
        let own = self
            .pages
            .iter()
            .filter(|(name, _)| !MADE_OF_OTHERS.contains(&name.as_str()));
        let links = own.flat_map(|(name, page)| page.links.iter().map(move |link| (name, link)));
        let wrong = links.filter_map(|(name, link)| {
            let why = self.nowhere(name, link)?;
            Some(format!("{name}: link to {link}: {why}"))
        });
        wrong.collect()
    }

    /// Why a link of a page leads nowhere, if it does.
    fn nowhere(&self, from: &str, link: &str) -> Option<&'static str> {
        if link.contains("://") || link.starts_with("mailto:") {
            return None;
        }
        let (path, anchor) = match link.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (link, None),
        };
        let file = match path {
            "" => from.to_owned(),
            path => resolved(from, path),
        };
        if !self.files.contains(&file) {
            return Some("no such file");
        }
        let anchors = &self.pages.get(&file)?.anchors;
        let anchor = anchor.filter(|anchor| !anchor.is_empty())?;
        (!anchors.contains(anchor)).then_some("no such heading")
    }
}

impl Page {
    fn of(html: &str) -> Self {
        let tags = || {
            html.split('<')
                .skip(1)
                .filter_map(|rest| rest.split('>').next())
        };
        let links = tags()
            .filter(|tag| tag.starts_with("a "))
            .filter_map(|tag| attribute(tag, "href"));
        Self {
            anchors: tags().filter_map(|tag| attribute(tag, "id")).collect(),
            links: links.collect(),
        }
    }
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&amp;", "&"))
}

/// A relative path taken from a page, without `.` and `..`.
fn resolved(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(pages: &[(&str, &str)]) -> Site {
        Site {
            files: pages.iter().map(|(name, _)| (*name).to_owned()).collect(),
            pages: pages
                .iter()
                .map(|(name, text)| ((*name).to_owned(), Page::of(text)))
                .collect(),
        }
    }

    #[test]
    fn links_are_held_against_files_and_anchors() {
        let pages = [
            (
                "a.html",
                "<h1 id=\"a\">A</h1><a class=\"x\" href=\"deep/b.html#b-1\">b</a><a href=\"#a\">a</a>\
                 <a href=\"https://x.example/#y\">x</a>",
            ),
            (
                "deep/b.html",
                "<h2 id=\"b-1\">B</h2><a href=\"../a.html\">a</a><a href=\"../c.html\">c</a><a href=\"#b-2\">b</a>",
            ),
            ("print.html", "<a href=\"nowhere.html\">n</a>"),
        ];
        let site = site(&pages);
        assert_eq!(
            site.broken(),
            [
                "deep/b.html: link to ../c.html: no such file",
                "deep/b.html: link to #b-2: no such heading",
            ]
        );
        assert_eq!(site.links(), 7);
    }
}
