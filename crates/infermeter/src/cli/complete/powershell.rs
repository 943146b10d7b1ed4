//! The script for PowerShell.
//!
//! Invariant: texts stand between single quotes, doubled where they hold one.

use super::filled;
use super::offered::{Named, Offered, OfferedFlag};

const TEXT: &str = include_str!("powershell.ps1");

/// The script.
pub(super) fn script(all: &[Offered]) -> String {
    let commands: String = all.iter().map(command).collect();
    let values = all.iter().flat_map(Offered::values);
    let values = values.map(|(place, values)| {
        let words: Vec<String> = values.words.iter().map(|word| quoted(word)).collect();
        let paths = quoted(values.paths.as_str());
        format!(
            "        {} = @{{ words = @({}); paths = {paths} }}\n",
            quoted(&place),
            words.join(", ")
        )
    });
    filled(TEXT, &commands, &values.collect::<String>())
}

fn command(offered: &Offered) -> String {
    let commands = offered.commands.iter().map(of_command);
    let flags = offered.shown().map(of_flag);
    let takes = offered.taking().map(|flag| quoted(&flag.name));
    format!(
        "        {} = @{{ commands = @({}); flags = @({}); takes = @({}); last = {} }}\n",
        quoted(&offered.path),
        listed(commands),
        listed(flags),
        takes.collect::<Vec<_>>().join(", "),
        offered.words.len()
    )
}

/// Pairs as a list of lists: a list of one needs its comma.
fn listed(pairs: impl Iterator<Item = String>) -> String {
    let pairs: Vec<String> = pairs.collect();
    match pairs.as_slice() {
        [one] => format!(", {one}"),
        more => more.join(", "),
    }
}

fn of_command(command: &Named) -> String {
    format!("@({}, {})", quoted(&command.name), quoted(&command.about))
}

fn of_flag(flag: &OfferedFlag) -> String {
    format!("@({}, {})", quoted(&flag.name), quoted(&flag.about))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
