//! The script for bash.
//!
//! bash takes words apart at `:` and `=`; the script puts them together again, so that `mock:PRESET` and `--flag=VALUE`
//! complete. Invariant: its tables are words between single quotes.

use super::offered::{Named, Offered, Values};
use super::{filled, joined};

const TEXT: &str = include_str!("bash.sh");

/// The script.
pub(super) fn script(all: &[Offered]) -> String {
    let commands: String = all.iter().map(command).collect();
    filled(TEXT, &commands, &values(all))
}

fn command(offered: &Offered) -> String {
    let names = |named: &[Named]| named.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let shown: Vec<String> = offered.shown().map(|flag| flag.name.clone()).collect();
    let takes: Vec<String> = offered.taking().map(|flag| flag.name.clone()).collect();
    let mut text = format!("        '{}')\n", offered.path);
    for (name, words) in [
        ("commands", names(&offered.commands)),
        ("flags", shown),
        ("takes", takes),
    ] {
        if !words.is_empty() {
            text.push_str(&format!("            {name}={}\n", quoted(&joined(&words))));
        }
    }
    if !offered.words.is_empty() {
        text.push_str(&format!("            last={}\n", offered.words.len()));
    }
    text + "            ;;\n"
}

/// What values may be; places with the same share one line.
fn values(all: &[Offered]) -> String {
    let mut groups: Vec<(&Values, Vec<String>)> = Vec::new();
    for (place, values) in all.iter().flat_map(Offered::values) {
        match groups.iter_mut().find(|(known, _)| *known == values) {
            Some((_, places)) => places.push(quoted(&place)),
            None => groups.push((values, vec![quoted(&place)])),
        }
    }
    let group = |(values, places): (&Values, Vec<String>)| {
        let mut text = format!("        {})\n", places.join(" | "));
        if !values.words.is_empty() {
            text.push_str(&format!(
                "            offered={}\n",
                quoted(&joined(&values.words))
            ));
        }
        if !values.paths.as_str().is_empty() {
            text.push_str(&format!("            paths={}\n", values.paths.as_str()));
        }
        text + "            ;;\n"
    };
    groups.into_iter().map(group).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
