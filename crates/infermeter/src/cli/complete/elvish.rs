//! The script for elvish.
//!
//! Invariant: texts stand between single quotes, doubled where they hold one.

use super::filled;
use super::offered::{Named, Offered, OfferedFlag};

const TEXT: &str = include_str!("elvish.elv");

/// The script.
pub(super) fn script(all: &[Offered]) -> String {
    let commands: String = all.iter().map(command).collect();
    let values = all.iter().flat_map(Offered::values);
    let values = values.map(|(place, values)| {
        let words: Vec<String> = values.words.iter().map(|word| quoted(word)).collect();
        let paths = quoted(values.paths.as_str());
        format!(
            "    &{}=[&words=[{}] &paths={paths}]\n",
            quoted(&place),
            words.join(" ")
        )
    });
    filled(TEXT, &commands, &values.collect::<String>())
}

fn command(offered: &Offered) -> String {
    let commands = offered.commands.iter().map(of_command);
    let flags = offered.shown().map(of_flag);
    let takes = offered.taking().map(|flag| quoted(&flag.name));
    format!(
        "    &{}=[&commands=[{}] &flags=[{}] &takes=[{}] &last=(num {})]\n",
        quoted(&offered.path),
        commands.collect::<Vec<_>>().join(" "),
        flags.collect::<Vec<_>>().join(" "),
        takes.collect::<Vec<_>>().join(" "),
        offered.words.len()
    )
}

fn of_command(command: &Named) -> String {
    format!("[{} {}]", quoted(&command.name), quoted(&command.about))
}

fn of_flag(flag: &OfferedFlag) -> String {
    format!("[{} {}]", quoted(&flag.name), quoted(&flag.about))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
