//! Every command of README and book, read from the page: checked, or run against the simulator.
//!
//! A block of `sh`, and a block without a language that has a line beginning with `infermeter `, holds commands. What is
//! done with a block, a comment in front of it says:
//!
//! - `<!-- example: check -->`, or no comment: each command line of infermeter is read by the tables of flags, values are
//!   read as what they are, and a plan is made of it where there is one. Any other program in a block of `sh` has to be
//!   named: `<!-- example: check; others: curl, openssl -->`.
//! - `<!-- example: run FLAGS -->`: bash runs the block, in a folder with the files of `world.rs`, with the simulator in
//!   place of `http://HOST:80NN`. FLAGS stand in place of the flags of these names, and are added to the commands that
//!   know them, so that a page says `--duration 10m` and a test takes a moment. `others` are not run.
//! - `<!-- example: skip: REASON -->`: nothing.
//! - Blocks of `toml` and `yaml` are plans, unless the comment says `plan of compare`, or `file NAME`: then the block is that
//!   file for the commands of the page. Blocks of `json` are JSON.
//!
//! Code between backticks is looked at, too: commands and flags in it exist. Flags of other programs are named on the page,
//! as in `<!-- flags of other tools: --served-model-name -->`.
//!
//! Invariant: what is not checked says why on its page.

mod checked;
mod edited;
mod page;
mod prose;
mod shell;
mod world;

use crate::process::{Scratch, mock};
use page::{Block, Mark, Page};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Parts in which the pages are run, each by a test, so that two cores have two of them at a time.
const PARTS: usize = 4;
/// A block that takes longer than this hangs, seconds.
const LIMIT_S: &str = "120";

/// What stands in front of a block that is run: an exit code that no figure explains is a problem.
const BEFORE: &str = r#"
set -o pipefail
infermeter() {
    "$INFERMETER" "$@"
    local code=$?
    case $code in
        0 | 1 | 3 | 5) ;;
        *) printf 'exit code %s: infermeter %s\n' "$code" "$*" >>"$PROBLEMS" ;;
    esac
    return $code
}
command -v jq >/dev/null || jq() { cat >/dev/null; }
"#;

fn no_problems(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_block_says_how_it_is_tried() {
    let pages = page::all();
    assert!(pages.len() > 40, "{}", pages.len());
    let blocks: usize = pages.iter().map(|page| page.blocks.len()).sum();
    assert!(blocks > 100, "{blocks}");
    let problems: Vec<String> = pages
        .iter()
        .flat_map(|page| page.problems.clone())
        .collect();
    no_problems(&problems);
}

#[test]
fn every_command_line_of_the_book_is_one() {
    let mut problems = Vec::new();
    let mut lines = 0;
    for page in page::all() {
        let scratch = laid(&page, str::to_owned);
        for block in page.blocks.iter().filter(|block| block.is_checked()) {
            for command in shell::commands(&block.script()) {
                // Where no shell is named, what is between the commands may be anything.
                if block.language.is_empty() && !command.is_of("infermeter") {
                    continue;
                }
                lines += usize::from(command.is_of("infermeter"));
                let problem = checked::problem(&command.texts(), &block.others, &scratch.path("."));
                problems.extend(problem.map(|problem| format!("{}: {problem}", block.place())));
            }
        }
    }
    assert!(lines > 100, "{lines}");
    no_problems(&problems);
}

#[test]
fn code_in_the_prose_names_commands_and_flags_that_exist() {
    let problems: Vec<String> = page::all().iter().flat_map(prose::problems).collect();
    no_problems(&problems);
}

#[test]
fn plans_of_the_book_are_plans_and_json_is_json() {
    let mut problems = Vec::new();
    for page in page::all() {
        let scratch = laid(&page, str::to_owned);
        for block in &page.blocks {
            let problem = match (&block.mark, block.language.as_str()) {
                (Mark::Plan(command), _) => plan_problem(block, command, &scratch),
                (Mark::Absent, "toml" | "yaml") => plan_problem(block, "run", &scratch),
                (Mark::Absent, "json") => serde_json::from_str::<serde_json::Value>(&block.text)
                    .err()
                    .map(|error| error.to_string()),
                _ => None,
            };
            problems.extend(problem.map(|problem| format!("{}: {problem}", block.place())));
        }
    }
    no_problems(&problems);
}

/// What is wrong with a block as a plan file of `command`.
fn plan_problem(block: &Block, command: &str, scratch: &Scratch) -> Option<String> {
    let name = format!("block-{}.{}", block.line, block.language);
    scratch.file(&name, &block.text);
    let words = ["infermeter", command, "--config", &name].map(str::to_owned);
    checked::plan_problem(&words, &scratch.path("."))
}

/// A folder with the files that a page shows, after `change`.
fn laid(page: &Page, change: impl Fn(&str) -> String) -> Scratch {
    let scratch = Scratch::new();
    for block in &page.blocks {
        if let Mark::File(name) = &block.mark {
            let path = scratch.path(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs::write(path, change(&block.text)).expect("written");
        }
    }
    scratch
}

#[test]
fn the_first_part_of_the_pages_runs() {
    run_part(0);
}

#[test]
fn the_second_part_of_the_pages_runs() {
    run_part(1);
}

#[test]
fn the_third_part_of_the_pages_runs() {
    run_part(2);
}

#[test]
fn the_fourth_part_of_the_pages_runs() {
    run_part(3);
}

fn run_part(part: usize) {
    let mut pages = page::all();
    pages.retain(|page| page.blocks.iter().any(Block::is_run));
    assert!(pages.len() >= PARTS, "{}", pages.len());
    let own = pages.iter().skip(part).step_by(PARTS);
    let problems: Vec<String> = own.flat_map(ran).collect();
    no_problems(&problems);
}

/// Runs what a page has to run, in order and in one folder.
fn ran(page: &Page) -> Vec<String> {
    let scratch = laid(page, |text| edited::served(text, mock()));
    world::lay(&scratch.path("."));
    let blocks = page.blocks.iter().filter(|block| block.is_run());
    let problems = blocks.filter_map(|block| {
        let problem = block_ran(block, &scratch.path("."))?;
        Some(format!("{}: {problem}", block.place()))
    });
    problems.collect()
}

/// What went wrong in a block that bash has run.
fn block_ran(block: &Block, folder: &Path) -> Option<String> {
    let others: String = block
        .others
        .iter()
        .map(|name| format!("{name}() {{ :; }}\n"))
        .collect();
    let script = edited::edited(&block.script(), &block.flags(), mock());
    let problems = folder.join("problems");
    fs::write(&problems, "").expect("written");
    let output = Command::new("timeout")
        .args([LIMIT_S, "bash", "-c", &format!("{BEFORE}{others}{script}")])
        .current_dir(folder)
        .env("INFERMETER", env!("CARGO_BIN_EXE_infermeter"))
        .env("PROBLEMS", &problems)
        .env("URL", mock())
        .env("INFERMETER_CALIBRATION", "")
        .env_remove("OPENAI_API_KEY")
        .stdin(Stdio::null())
        .output()
        .expect("bash");
    let said = fs::read_to_string(&problems).expect("read");
    let hung = output.status.code() == Some(124);
    let errors = String::from_utf8_lossy(&output.stderr);
    let unknown = errors.contains("command not found");
    (hung || unknown || !said.is_empty()).then(|| format!("{said}{errors}"))
}
