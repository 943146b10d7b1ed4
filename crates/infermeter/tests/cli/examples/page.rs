//! Pages, their blocks of code, and what the comments in front of these say.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What is done with a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// Nothing is said.
    Absent,
    /// It is checked.
    Check,
    /// It is run, with these flags in place of its own.
    Run(Vec<String>),
    /// Nothing is done, for a reason.
    Skip,
    /// It is a plan of this command.
    Plan(String),
    /// It is a file of this name.
    File(String),
}

/// A block of code.
#[derive(Debug, Clone)]
pub struct Block {
    /// The page's path from the root.
    pub page: String,
    /// Where it begins.
    pub line: usize,
    /// What stands behind the fence.
    pub language: String,
    /// What is in it.
    pub text: String,
    /// What is done with it.
    pub mark: Mark,
    /// Other programs that are named in it.
    pub others: Vec<String>,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its path from the root.
    pub path: String,
    /// Its text outside of blocks, a line each with its number.
    pub prose: Vec<(usize, String)>,
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// What is wrong with its comments.
    pub problems: Vec<String>,
}

impl Block {
    /// `README.md:12`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    /// It holds commands.
    pub fn is_commands(&self) -> bool {
        match self.language.as_str() {
            "sh" | "bash" | "console" => true,
            "" => self
                .text
                .lines()
                .any(|line| line.starts_with("infermeter ")),
            _ => false,
        }
    }

    /// Its commands are read.
    pub fn is_checked(&self) -> bool {
        self.is_commands() && self.mark != Mark::Skip
    }

    /// Its commands are run.
    pub fn is_run(&self) -> bool {
        self.is_commands() && matches!(self.mark, Mark::Run(_))
    }

    /// Flags that it is run with.
    pub fn flags(&self) -> Vec<String> {
        match &self.mark {
            Mark::Run(flags) => flags.clone(),
            _ => Vec::new(),
        }
    }

    /// Its commands: behind a prompt, where it shows output, too.
    pub fn script(&self) -> String {
        if self.language != "console" {
            return self.text.clone();
        }
        let typed = self.text.lines().filter_map(|line| line.strip_prefix("$ "));
        typed.map(|line| format!("{line}\n")).collect()
    }
}

/// README and the pages of the book. Those of single findings are made from their list.
pub fn all() -> Vec<Page> {
    let mut paths = vec![Path::new(ROOT).join("README.md")];
    below(&Path::new(ROOT).join("docs/src"), &mut paths);
    paths.sort();
    let pages = paths.iter().map(|path| {
        let text = fs::read_to_string(path).expect("a page");
        let own = path.strip_prefix(ROOT).expect("below the root");
        page(&own.display().to_string(), &text)
    });
    pages.collect()
}

fn below(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("docs/src/findings") {
            below(&path, paths);
        } else if path.extension().is_some_and(|end| end == "md") {
            paths.push(path);
        }
    }
}

/// A page of this text.
pub fn page(path: &str, text: &str) -> Page {
    let mut page = Page {
        path: path.to_owned(),
        prose: Vec::new(),
        blocks: Vec::new(),
        problems: Vec::new(),
    };
    let mut open: Option<Block> = None;
    let mut comment: Option<&str> = None;
    for (line, number) in text.lines().zip(1..) {
        let fence = line.trim_start().strip_prefix("```");
        match (open.take(), fence) {
            (Some(block), Some(_)) => page.blocks.push(block),
            (Some(mut block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, Some(language)) => open = Some(page.begun(number, language, comment.take())),
            (None, None) => {
                page.prose.push((number, line.to_owned()));
                if let Some(said) = example(line) {
                    comment = Some(said);
                } else if !line.trim().is_empty() && comment.take().is_some() {
                    let place = format!("{path}:{number}");
                    page.problems
                        .push(format!("{place}: a comment `example` before no block"));
                }
            }
        }
    }
    page
}

/// What a line says, where it is a comment about an example.
fn example(line: &str) -> Option<&str> {
    let said = line.trim().strip_prefix("<!-- example:")?;
    Some(said.strip_suffix("-->").unwrap_or(said).trim())
}

impl Page {
    fn begun(&mut self, line: usize, language: &str, comment: Option<&str>) -> Block {
        let (said, others) = match comment.map(|said| said.split_once("; others:")) {
            Some(Some((said, others))) => (Some(said.trim()), others),
            Some(None) => (comment, ""),
            None => (None, ""),
        };
        let mark = match said {
            None => Mark::Absent,
            Some(said) => mark(said).unwrap_or_else(|| {
                let place = format!("{}:{line}", self.path);
                self.problems
                    .push(format!("{place}: `{said}` says nothing about an example"));
                Mark::Skip
            }),
        };
        let others = others
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        Block {
            page: self.path.clone(),
            line,
            language: language.trim().to_owned(),
            text: String::new(),
            mark,
            others: others.map(str::to_owned).collect(),
        }
    }
}

fn mark(said: &str) -> Option<Mark> {
    let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
    match word {
        "check" if rest.is_empty() => Some(Mark::Check),
        "run" => Some(Mark::Run(
            rest.split_whitespace().map(str::to_owned).collect(),
        )),
        "skip:" if !rest.is_empty() => Some(Mark::Skip),
        "plan" => Some(Mark::Plan(rest.strip_prefix("of ")?.to_owned())),
        "file" if !rest.is_empty() => Some(Mark::File(rest.to_owned())),
        _ => None,
    }
}

#[test]
fn comments_say_what_is_done() {
    let text = "Words `--a`.\n\n<!-- example: run --duration 1s; others: curl, jq -->\n\n```sh\ninfermeter run x\n```\n\
        ```toml\na = 1\n```\n<!-- example: skip: it needs a GPU -->\n```\ninfermeter y\n```\n<!-- example: maybe -->\n\
        ```json\n{}\n```\n<!-- example: check -->\nWords.\n";
    let page = page("p.md", text);
    let marks: Vec<Mark> = page.blocks.iter().map(|block| block.mark.clone()).collect();
    let flags = ["--duration", "1s"].map(str::to_owned).to_vec();
    assert_eq!(
        marks,
        [Mark::Run(flags), Mark::Absent, Mark::Skip, Mark::Skip]
    );
    assert_eq!(page.blocks[0].others, ["curl", "jq"]);
    assert_eq!(page.blocks[0].place(), "p.md:5");
    assert!(page.blocks[0].is_run() && page.blocks[2].is_commands());
    assert!(!page.blocks[1].is_commands());
    assert_eq!(page.problems.len(), 2, "{:?}", page.problems);
    assert_eq!(page.prose[0], (1, "Words `--a`.".to_owned()));
}

#[test]
fn behind_a_prompt_stand_commands() {
    let page = page("p.md", "```console\n$ infermeter list\nnothing\n```\n");
    assert_eq!(page.blocks[0].script(), "infermeter list\n");
}
