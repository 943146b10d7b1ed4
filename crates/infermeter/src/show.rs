//! How a result reaches standard output: as a document in one of its formats, or as JSON; and how its
//! measurement shows on standard error meanwhile.

use crate::progress::Display;
use crate::{exit, output, screen};
use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use infermeter_core::plan::Plan;
use infermeter_core::text::not_one_of;
use infermeter_report::{Document, Format, Notes, Pictured, RunOutput, View, pictures};
use infermeter_runner::progress::Snapshot;
use infermeter_session::judged::Judged;
use infermeter_session::observer::Observer;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Shown {
    /// A document for people.
    Document(Format),
    /// The typed values, for programs.
    Json,
}

key_values!(ValueKind::OneOf(&["terminal", "markdown", "html", "json"]) => Shown);

impl TryFrom<String> for Shown {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name)
    }
}

impl From<Shown> for String {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Document(format) => format.name(),
            Shown::Json => "json",
        }
        .to_owned()
    }
}

impl Shown {
    /// What `--json` alone asks for.
    pub(crate) fn json_if(json: bool) -> Self {
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
            not_one_of(name, &names)
        })
    }

    /// How much is told of a run: on a terminal what decides, elsewhere all that a reader who was not there
    /// needs.
    pub(crate) fn view(self, full: bool) -> View {
        match (full, self) {
            (true, _) => View::Full,
            (false, Self::Document(Format::Terminal) | Self::Json) => View::Summary,
            (false, Self::Document(_)) => View::Shared,
        }
    }

    /// Prints a result, making only the form that is asked for.
    pub fn print<T: Serialize>(
        self,
        document: impl FnOnce() -> Document,
        json: impl FnOnce() -> T,
    ) {
        match self {
            Self::Document(format) => {
                output::print(&format.render(&document(), screen::of_output()));
            }
            Self::Json => output::json(&json()),
        }
    }

    /// Prints a line about where a result is: on standard output below what people read there, else
    /// on standard error, since a page or a value is nothing but itself.
    pub(crate) fn print_place(self, quiet: bool, line: &str) {
        match (self, quiet) {
            (Self::Document(Format::Terminal), _) => output::print(&format!("{line}\n")),
            (_, false) => output::note(line),
            (_, true) => {}
        }
    }
}

/// What is told of a run.
pub(crate) fn of_run(judged: &Judged, view: View, notes: Notes) -> Document {
    let manifest = &judged.manifest;
    let findings = &manifest.findings;
    let summary = &judged.summary;
    let of_run = infermeter_report::of_run(summary, judged.verdict, findings, manifest, view);
    let mut document = Document { notes, ..of_run };
    if let Some(series) = &judged.series {
        document.sections.extend(pictures(&Pictured {
            summary,
            manifest,
            series,
        }));
    }
    document
}

/// The same for programs.
pub(crate) fn output_of_run(judged: &Judged) -> RunOutput<'_> {
    RunOutput::of(&judged.summary, judged.verdict, &judged.manifest)
}

/// The exit code.
pub(crate) fn exit_code(judged: &Judged, strict: bool) -> u8 {
    exit::of_run(
        judged.manifest.state,
        &judged.summary,
        judged.verdict,
        strict,
    )
}

/// What `--notes` shows.
pub(crate) fn notes(told: bool) -> Notes {
    match told {
        true => Notes::Told,
        false => Notes::Named,
    }
}

/// Shows on standard error how a measurement goes.
#[derive(Debug)]
pub(crate) struct Terminal<'a> {
    plan: &'a Plan,
    /// What was told since the last load.
    said: RefCell<Vec<String>>,
    /// Of the load that goes on.
    display: RefCell<Option<Display>>,
}

impl<'a> Terminal<'a> {
    /// As the plan asks for.
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            plan,
            said: RefCell::default(),
            display: RefCell::default(),
        }
    }
}

impl Observer for Terminal<'_> {
    fn note(&self, line: &str) {
        if !self.plan.quiet {
            output::note(line);
        }
        self.said.borrow_mut().push(line.to_owned());
    }

    fn progress(&self, snapshot: &Snapshot) {
        let mut display = self.display.borrow_mut();
        let begun = || Display::begin(self.plan, self.said.take());
        display.get_or_insert_with(begun).show(snapshot);
    }

    fn progress_ended(&self) {
        // The next run's progress begins anew.
        if let Some(display) = self.display.take() {
            display.end();
        }
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
        let near = Err(
            "`markdwn` is not one of terminal, markdown, html, json; did you mean `markdown`?"
                .to_owned(),
        );
        assert_eq!(Shown::parse("markdwn"), near);
        let none = Err("`xml` is not one of terminal, markdown, html, json".to_owned());
        assert_eq!(Shown::parse("xml"), none);
    }
}
