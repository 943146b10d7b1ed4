//! `infermeter man [COMMAND]`: a man page, or all of them into a folder.
//!
//! Invariant: what is written depends on the tables of flags alone, so that a package holds the pages of its program.

use super::COMMANDS;
use crate::cli::man::{ManPage, pages};
use crate::cli::tables::ManArgs;
use crate::{exit, output};
use anyhow::{Context, Result, bail};
use infermeter_core::number::counted;
use infermeter_core::text::not_one_of;
use std::fs;
use std::path::Path;

/// Runs the subcommand.
///
/// # Errors
/// Where there is no such command, or a page cannot be written.
pub(crate) fn man(args: &ManArgs) -> Result<u8> {
    let pages = pages(&COMMANDS);
    match &args.dir {
        Some(_) if !args.command.is_empty() => {
            bail!(
                "--dir writes every page: leave out `{}`",
                args.command.join(" ")
            )
        }
        Some(folder) => write(&pages, folder)?,
        None => output::print(&named(&pages, &args.command)?.text),
    }
    Ok(exit::OK)
}

/// The page of a command.
fn named<'a>(pages: &'a [ManPage], command: &[String]) -> Result<&'a ManPage> {
    if let Some(page) = pages.iter().find(|page| page.command == command) {
        return Ok(page);
    }
    let known: Vec<String> = pages.iter().map(|page| page.command.join(" ")).collect();
    let known: Vec<&str> = known
        .iter()
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    bail!("no page: {}", not_one_of(&command.join(" "), &known))
}

fn write(pages: &[ManPage], folder: &Path) -> Result<()> {
    let cannot = || format!("--dir {}: cannot be written", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    for page in pages {
        let path = folder.join(format!("{}.1", page.name()));
        fs::write(path, &page.text).with_context(cannot)?;
    }
    output::note(&format!(
        "{} in {}",
        counted(pages.len() as u64, "man page"),
        folder.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_command_has_its_page_and_a_slip_a_suggestion() {
        let pages = pages(&COMMANDS);
        let page = |command: &str| named(&pages, &words(command)).map(ManPage::name);
        assert_eq!(page("").expect("the program's"), "infermeter");
        let own = page("history add").expect("a page");
        assert_eq!(own, "infermeter-history-add");
        let error = page("histroy").expect_err("no page").to_string();
        assert!(error.ends_with("did you mean `history`?"), "{error}");
    }

    #[test]
    fn all_pages_go_into_a_folder() {
        let scratch = tempfile::tempdir().expect("a directory");
        let args = ManArgs {
            dir: Some(scratch.path().join("man1")),
            ..ManArgs::defaults()
        };
        assert_eq!(man(&args).expect("written"), exit::OK);
        let names = ["infermeter.1", "infermeter-run.1", "infermeter-man.1"];
        for name in names {
            assert!(scratch.path().join("man1").join(name).exists(), "{name}");
        }
        let both = ManArgs {
            command: words("run"),
            ..args
        };
        let error = man(&both).expect_err("refused").to_string();
        assert!(error.contains("leave out `run`"), "{error}");
    }
}
