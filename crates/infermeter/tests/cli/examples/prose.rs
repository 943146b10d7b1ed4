//! Code between backticks: the commands and flags that it names are there.

use super::checked::{flags_of, keys_of};
use super::page::Page;
use infermeter::cli::{Subcommand, Then};
use infermeter::commands::COMMANDS;

/// Flags that every command has.
const ALWAYS: [&str; 4] = ["--help", "-h", "--version", "-V"];
/// Programs whose flags are theirs.
const PROGRAMS: [&str; 17] = [
    "cargo", "vllm", "python", "python3", "pip", "docker", "kubectl", "curl", "chrt", "git", "k6",
    "oha", "srun", "sbatch", "mpirun", "torchrun", "aws",
];

/// What a page names in its prose and is not there.
pub fn problems(page: &Page) -> Vec<String> {
    let foreign: Vec<&str> = page
        .prose
        .iter()
        .filter_map(|(_, line)| line.trim().strip_prefix("<!-- flags of other tools:"))
        .flat_map(|rest| rest.trim_end_matches("-->").split_whitespace())
        .collect();
    let every: Vec<String> = commands(&COMMANDS)
        .iter()
        .flat_map(|words| flags_of(words))
        .collect();
    let mut problems = Vec::new();
    for (number, paragraph) in paragraphs(page) {
        for code in paragraph.split('`').skip(1).step_by(2) {
            let known = |flag: &str| {
                ALWAYS.contains(&flag)
                    || foreign.contains(&flag)
                    || every.iter().any(|one| one == flag)
            };
            let problem = match code.split_whitespace().next() {
                Some("infermeter") => of_a_command(code),
                Some(program) if PROGRAMS.contains(&program) => None,
                _ => flags(code).into_iter().find(|flag| !known(flag)).map(|flag| {
                    format!("`{flag}` is a flag of no command (of another tool: name it on the page)")
                }),
            };
            problems.extend(problem.map(|problem| format!("{}:{number}: {problem}", page.path)));
        }
    }
    problems
}

/// Paragraphs, as code may go on in the next line; each with the number of its first line.
fn paragraphs(page: &Page) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut before = 0;
    for (number, line) in page
        .prose
        .iter()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        // Rows of a table and items of a list are their own.
        let begins = line.starts_with(['|', '#', '-']) || *number != before + 1;
        match paragraphs.last_mut() {
            Some((_, text)) if !begins => text.push_str(&format!(" {line}")),
            _ => paragraphs.push((*number, line.clone())),
        }
        before = *number;
    }
    paragraphs
}

/// Every command, as words behind the program's name.
fn commands(of: &'static [Subcommand]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for command in of {
        let begin = vec!["infermeter".to_owned(), command.name.to_owned()];
        match command.then {
            Then::Flags { .. } => all.push(begin),
            Then::Subcommands(further) => all.extend(further.iter().map(|sub| {
                let mut words = begin.clone();
                words.push(sub.name.to_owned());
                words
            })),
        }
    }
    all
}

/// What is wrong with code that begins with `infermeter`.
fn of_a_command(code: &str) -> Option<String> {
    let words: Vec<String> = code.split_whitespace().map(str::to_owned).collect();
    let name = words.get(1)?;
    let word = |c: char| c.is_ascii_lowercase() || c == '-';
    if !name.starts_with('-') && name.chars().all(word) && !COMMANDS.iter().any(|c| c.name == name)
    {
        return Some(format!("`{code}`: no command `{name}`"));
    }
    if keys_of(&words).is_empty() {
        return None;
    }
    // Behind `--` and behind a pipe stands another command.
    let own = code.split(" -- ").next()?.split(" | ").next()?;
    let known = flags_of(&words);
    let unknown = flags(own)
        .into_iter()
        .find(|flag| !ALWAYS.contains(flag) && !known.iter().any(|one| one == flag));
    unknown.map(|flag| format!("`{code}`: it has no flag `{flag}`"))
}

/// Words that are long flags, without their values.
fn flags(code: &str) -> Vec<&str> {
    let words =
        code.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '[' | '\'' | '"'));
    // `--NAME` stands for any.
    let letter = |word: &str| word[2..].starts_with(|c: char| c.is_ascii_lowercase());
    let flags = words.filter(|word| word.starts_with("--") && letter(word));
    flags
        .map(|word| {
            let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            &word[..end.unwrap_or(word.len())]
        })
        .filter(|flag| flag.len() > 2)
        .collect()
}

#[test]
fn names_that_are_not_there_are_found() {
    let check = |line: &str, expect: usize| {
        let page = super::page::page("p.md", line);
        let problems = problems(&page);
        assert_eq!(problems.len(), expect, "{problems:?}");
    };
    check(
        "`--rate 5`, `infermeter run --rate R` and `infermeter history trend --figure X`",
        0,
    );
    check("`--raet 5`", 1);
    check("`infermeter rnu`", 1);
    check("`infermeter report DIR --rate 5`", 1);
    check("`cargo build --release`", 0);
    check(
        "<!-- flags of other tools: --served-model-name -->\n`--served-model-name`",
        0,
    );
    check("`--expose[=ADDR]` and `--html=FILE`", 0);
}
