//! The flags that say how a result is shown: the same for every command that shows one.

use crate::shown::Shown;
use clap::Args;
use infermeter_report::Format;

/// How a result is shown.
#[derive(Debug, Clone, Args, Default)]
pub struct ShowArgs {
    /// Show the result as terminal, markdown or json [default: terminal]
    #[arg(long, value_name = "FORMAT", value_parser = Shown::parse, conflicts_with_all = ["json", "markdown"])]
    pub format: Option<Shown>,
    /// Short for --format json: the typed values, for programs
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Short for --format markdown: for an issue or a pull request
    #[arg(long)]
    pub markdown: bool,
}

impl ShowArgs {
    /// The form asked for.
    pub fn shown(&self) -> Shown {
        match (self.format, self.markdown) {
            (Some(shown), _) => shown,
            (None, true) => Shown::Document(Format::Markdown),
            (None, false) => Shown::json_if(self.json),
        }
    }
}
