//! `infermeter workload inspect|head FILE`: what a trace, a dataset or a profile of clients holds.
//!
//! It sends nothing and writes no file. Invariant: the rows are those that a run with the same
//! options would use.

use crate::cli::{HeadArgs, InspectArgs, WorkloadArgs, WorkloadCommand};
use crate::clients::Clients;
use crate::commands::make;
use crate::dataset_file::DatasetFile;
use crate::inspect::{Figures, Gathered, document};
use crate::shown::Shown;
use crate::{exit, input, output, trace_options};
use anyhow::{Context, Result, bail};
use infermeter_core::plan::{MAX_RATE, Plan, Warmup};
use infermeter_core::units::Span;
use infermeter_workload::{Row, TokenCounter, Tokenizer, read_rows};

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
    let Some(file) = &args.file else {
        return show(&of_clients(args)?, args.show.shown());
    };
    let options = trace_options::options(&args.trace_option, args.limit, args.seed)?;
    let tokenizer = args.tokenizer.as_deref().map(Tokenizer::open).transpose()?;
    let source = DatasetFile::open(&input::path(file)?)?;
    let (mut gathered, facts) = Gathered::read(source.path(), &options)?;
    if let Some(tokenizer) = &tokenizer {
        if gathered.texts() == 0 {
            bail!("--tokenizer: {} holds lengths, not texts", file.display());
        }
        let counter = TokenCounter::load(tokenizer)?;
        gathered.count_texts(source.path(), &facts, &counter)?;
    }
    let file = file.display().to_string();
    show(
        &Figures::of(&file, Some(facts), &gathered)?,
        args.show.shown(),
    )
}

/// The requests of `--clients` in a window as long as asked for, without a warm-up.
fn of_clients(args: &InspectArgs) -> Result<Figures> {
    let Some(clients) = &args.clients else {
        bail!("what to look into? give a FILE, or --clients synthetic");
    };
    if args
        .rate
        .is_some_and(|rate| !(rate > 0.0 && rate <= MAX_RATE))
    {
        bail!("--rate: a number of requests per second above 0 and at most {MAX_RATE} is needed");
    }
    let plan = Plan {
        clients: Some(clients.clone()),
        rate: args.rate,
        duration: Some(args.duration),
        requests: args.limit,
        warmup: Some(Warmup::NONE),
        seed: args.seed,
        // Nothing after the window.
        timeout: Span(0),
        ..Plan::defaults()
    };
    let Some(of_plan) = Clients::of_plan(&plan)? else {
        bail!("--clients: none");
    };
    let (trace, open) = of_plan.load(&plan, plan.seeds())?;
    let rows = trace.rows().iter().take(open.drain_from).enumerate();
    let gathered = Gathered::of_rows(rows.map(|(i, row)| Row {
        at_ns: Some(row.offset_ns),
        input_tokens: Some(row.input_tokens),
        output_tokens: Some(row.output_tokens),
        class: trace.classes().get(usize::from(trace.class(i))).cloned(),
        ..Row::default()
    }));
    let mut figures = Figures::of(&format!("clients {clients}"), None, &gathered)?;
    figures.notes = of_plan.facts();
    Ok(figures)
}

fn show(figures: &Figures, shown: Shown) -> Result<()> {
    let json = serde_json::to_value(figures).context("figures as JSON")?;
    shown.print(|| document(figures), || json);
    Ok(())
}

fn head(args: &HeadArgs) -> Result<()> {
    if args.rows == 0 {
        bail!("-n: must be above 0");
    }
    let options = trace_options::options(&args.trace_option, Some(args.rows), args.seed)?;
    let mut lines = String::new();
    let source = DatasetFile::open(&input::path(&args.file)?)?;
    let read = read_rows(source.path(), &options, &mut |row| {
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
