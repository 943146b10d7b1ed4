//! `infermeter workload inspect|head FILE`: what a trace or a dataset holds.
//!
//! It sends nothing and writes no file. Invariant: the rows are those that a run with the same
//! options would use.

use crate::cli::{HeadArgs, InspectArgs, WorkloadArgs, WorkloadCommand};
use crate::commands::make;
use crate::inspect::{Figures, Gathered, Ink, text};
use crate::{exit, output, trace_options};
use anyhow::{Context, Result, bail};
use infermeter_workload::{TokenCounter, Tokenizer, read_rows};
use std::io::IsTerminal;

/// Runs the subcommand.
///
/// # Errors
/// When the file cannot be read, with the line that is wrong.
pub fn workload(args: &WorkloadArgs) -> Result<u8> {
    match &args.command {
        WorkloadCommand::Inspect(args) => inspect(args)?,
        WorkloadCommand::Head(args) => head(args)?,
        WorkloadCommand::Make(args) => make::make(args)?,
        WorkloadCommand::Convert(args) => make::convert(args)?,
    }
    Ok(exit::OK)
}

fn inspect(args: &InspectArgs) -> Result<()> {
    if args.limit == Some(0) {
        bail!("--limit: must be above 0");
    }
    let options = trace_options::options(&args.trace_option, args.limit, args.seed)?;
    let tokenizer = args.tokenizer.as_deref().map(Tokenizer::open).transpose()?;
    let (mut gathered, facts) = Gathered::read(&args.file, &options)?;
    if let Some(tokenizer) = &tokenizer {
        if gathered.texts() == 0 {
            bail!(
                "--tokenizer: {} holds lengths, not texts",
                args.file.display()
            );
        }
        let counter = TokenCounter::load(tokenizer)?;
        gathered.count_texts(&args.file, &facts, &counter)?;
    }
    let file = args.file.display().to_string();
    let figures = Figures::of(&file, facts, &gathered)?;
    if args.json {
        let json = serde_json::to_value(&figures).context("figures as JSON")?;
        output::print(&format!("{json:#}\n"));
        return Ok(());
    }
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let ink = if color { Ink::Ansi } else { Ink::Plain };
    output::print(&text(&figures, ink));
    Ok(())
}

fn head(args: &HeadArgs) -> Result<()> {
    if args.rows == 0 {
        bail!("-n: must be above 0");
    }
    let options = trace_options::options(&args.trace_option, Some(args.rows), args.seed)?;
    let mut lines = String::new();
    let read = read_rows(&args.file, &options, &mut |row| {
        if let Ok(line) = serde_json::to_string(&row) {
            lines.push_str(&line);
            lines.push('\n');
        }
        Ok(())
    });
    // What was read before an error helps to find it.
    output::print(&lines);
    for remark in read?.remarks() {
        output::note(&format!("note: {remark}"));
    }
    Ok(())
}
