//! The scripts for elvish and PowerShell: what they know stands in them as maps and lists of their language.
//!
//! How those are written is all in which the two differ here. Invariant: texts stand between single quotes, doubled where
//! they hold one.

use super::filled;
use super::offered::Offered;

/// How a shell writes maps and lists.
pub(super) struct Language {
    /// The script without its tables.
    text: &'static str,
    /// In front of a line of a table.
    indent: &'static str,
    /// Around a list, and what stands between its elements.
    list: [&'static str; 3],
    /// What a list needs in front of an element that is a list and its only one.
    lone: &'static str,
    /// Around a map, and what stands between its members.
    map: [&'static str; 3],
    /// In front of a member's name, and behind it.
    member: [&'static str; 2],
    /// Around a number.
    number: [&'static str; 2],
}

/// elvish.
pub(super) const ELVISH: Language = Language {
    text: include_str!("elvish.elv"),
    indent: "    ",
    list: ["[", " ", "]"],
    lone: "",
    map: ["[", " ", "]"],
    member: ["&", "="],
    number: ["(num ", ")"],
};

/// PowerShell, which takes a list of one list for that list unless a comma is in front.
pub(super) const POWERSHELL: Language = Language {
    text: include_str!("powershell.ps1"),
    indent: "        ",
    list: ["@(", ", ", ")"],
    lone: ", ",
    map: ["@{ ", "; ", " }"],
    member: ["", " = "],
    number: ["", ""],
};

impl Language {
    /// The script.
    pub(super) fn script(&self, all: &[Offered]) -> String {
        let commands = all.iter().map(|offered| self.command(offered));
        let values = all.iter().flat_map(Offered::values);
        let values = values.map(|(place, values)| {
            let words: Vec<String> = values.words.iter().map(|word| quoted(word)).collect();
            let paths = quoted(values.paths.as_str());
            self.line(&place, &[("words", self.listed(&words)), ("paths", paths)])
        });
        let (commands, values): (String, String) = (commands.collect(), values.collect());
        filled(self.text, &commands, &values)
    }

    fn command(&self, offered: &Offered) -> String {
        let commands = offered.commands.iter();
        let commands = commands.map(|one| self.pair(&one.name, &one.about));
        let flags = offered.shown().map(|one| self.pair(&one.name, &one.about));
        let takes: Vec<String> = offered.taking().map(|flag| quoted(&flag.name)).collect();
        let [before, behind] = self.number;
        let members = [
            ("commands", self.pairs(commands)),
            ("flags", self.pairs(flags)),
            ("takes", self.listed(&takes)),
            ("last", format!("{before}{}{behind}", offered.words.len())),
        ];
        self.line(&offered.path, &members)
    }

    /// A line of a table: a map, by its name.
    fn line(&self, name: &str, members: &[(&str, String)]) -> String {
        let members: Vec<String> = members
            .iter()
            .map(|(name, value)| self.member(name, value))
            .collect();
        let [open, between, close] = self.map;
        let map = format!("{open}{}{close}", members.join(between));
        format!("{}{}\n", self.indent, self.member(&quoted(name), &map))
    }

    fn member(&self, name: &str, value: &str) -> String {
        let [before, behind] = self.member;
        format!("{before}{name}{behind}{value}")
    }

    fn listed(&self, elements: &[String]) -> String {
        let [open, between, close] = self.list;
        format!("{open}{}{close}", elements.join(between))
    }

    /// A name, and what it does.
    fn pair(&self, name: &str, about: &str) -> String {
        self.listed(&[quoted(name), quoted(about)])
    }

    fn pairs(&self, pairs: impl Iterator<Item = String>) -> String {
        let mut pairs: Vec<String> = pairs.collect();
        if let [one] = &mut pairs[..] {
            one.insert_str(0, self.lone);
        }
        self.listed(&pairs)
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
