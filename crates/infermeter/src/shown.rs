//! How a result reaches standard output: as a document in one of its formats, or as JSON.

use crate::judged::Judged;
use crate::{output, screen};
use infermeter_core::text::closest;
use infermeter_report::{Document, Format, View};
use serde_json::Value;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A document for people.
    Document(Format),
    /// The typed values, for programs.
    Json,
}

impl Shown {
    /// What `--json` alone asks for.
    pub fn json_if(json: bool) -> Self {
        match json {
            true => Self::Json,
            false => Self::Document(Format::Terminal),
        }
    }

    /// Reads a name, as `--format` takes it.
    ///
    /// # Errors
    /// The names that there are, or the nearest one.
    pub fn parse(name: &str) -> Result<Self, String> {
        let documents = Format::ALL.map(|format| (format.name(), Self::Document(format)));
        let all = || documents.into_iter().chain([("json", Self::Json)]);
        let found = all().find(|(known, _)| *known == name);
        found.map(|(_, shown)| shown).ok_or_else(|| {
            let names: Vec<&str> = all().map(|(name, _)| name).collect();
            match closest(name, names.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("one of {}", names.join(", ")),
            }
        })
    }

    /// Prints a result, making only the form that is asked for.
    pub fn print(self, document: impl FnOnce() -> Document, json: impl FnOnce() -> Value) {
        match self {
            Self::Document(format) => {
                output::print(&format.render(&document(), screen::of_output()));
            }
            Self::Json => output::json(&json()),
        }
    }

    /// Prints a line about where a result is: on standard output below what people read there, else
    /// on standard error, since a page or a value is nothing but itself.
    pub fn print_place(self, quiet: bool, line: &str) {
        match (self, quiet) {
            (Self::Document(Format::Terminal), _) => output::print(&format!("{line}\n")),
            (_, false) => output::note(line),
            (_, true) => {}
        }
    }
}

/// What is told of a run.
pub fn of_run(judged: &Judged, view: View) -> Document {
    let manifest = &judged.manifest;
    let findings = &manifest.findings;
    infermeter_report::of_run(&judged.summary, judged.verdict, findings, manifest, view)
}

/// The same as JSON.
pub fn json_of_run(judged: &Judged) -> Value {
    let manifest = &judged.manifest;
    infermeter_report::json(
        &judged.summary,
        judged.verdict,
        &manifest.findings,
        manifest,
    )
}

/// What `--full` shows.
pub fn view(full: bool) -> View {
    match full {
        true => View::Full,
        false => View::Summary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_have_names() {
        let markdown = Ok(Shown::Document(Format::Markdown));
        assert_eq!(Shown::parse("markdown"), markdown);
        assert_eq!(Shown::parse("json"), Ok(Shown::Json));
        let near = Err("did you mean markdown?".to_owned());
        assert_eq!(Shown::parse("markdwn"), near);
        let none = Err("one of terminal, markdown, json".to_owned());
        assert_eq!(Shown::parse("xml"), none);
    }
}
