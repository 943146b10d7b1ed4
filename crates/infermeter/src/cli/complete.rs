//! Completion scripts: what the tables have, in the words of five shells.
//!
//! What a script does is shell text beside this file, one a shell; what it knows is made from the tables and put into it.
//! Nothing here runs while somebody types, and nothing runs at a start of the program. Invariant: what the help hides is
//! not offered, but known: the word behind such a flag is its value.

mod bash;
mod fish;
mod offered;
mod tabled;
mod zsh;

pub(crate) use offered::Names;

use super::Subcommand;
use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use serde::{Deserialize, Serialize};

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shell {
    /// bash, from 4.0 on.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// elvish.
    Elvish,
}

key_values!(ValueKind::OneOf(&["bash", "zsh", "fish", "powershell", "elvish"]) => Shell);

/// Where a script has what its commands are.
const COMMANDS: &str = "@COMMANDS@";
/// Where it has what values may be.
const VALUES: &str = "@VALUES@";

/// The script that completes a program with these commands.
pub(crate) fn script(shell: Shell, program: &'static [Subcommand], names: &Names) -> String {
    let all = offered::offered(program, names);
    match shell {
        Shell::Bash => bash::script(&all),
        Shell::Zsh => zsh::script(&all),
        Shell::Fish => fish::script(&all),
        Shell::Powershell => tabled::POWERSHELL.script(&all),
        Shell::Elvish => tabled::ELVISH.script(&all),
    }
}

/// A text with its tables in place.
fn filled(text: &str, commands: &str, values: &str) -> String {
    text.replace(COMMANDS, commands.trim_end())
        .replace(VALUES, values.trim_end())
}

/// Words with a blank between.
fn joined(words: &[String]) -> String {
    words.join(" ")
}

#[cfg(test)]
mod tests;
