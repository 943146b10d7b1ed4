//! `infermeter workload inspect|head FILE`: what a trace, a dataset or a profile of clients holds.
//!
//! It sends nothing and writes no file. Invariant: the rows are those that a run with the same
//! options would use.

use crate::cli::tables::{HeadArgs, InspectArgs};
use crate::inspect::{Figures, Gathered, document};
use crate::show::Shown;
use crate::{exit, input, output};
use anyhow::{Result, bail};
use infermeter_core::plan::{Plan, Warmup};
use infermeter_core::units::Span;
use infermeter_session::clients::Clients;
use infermeter_session::dataset_file::DatasetFile;
use infermeter_session::experiment::LoadSpec;
use infermeter_session::trace_options;
use infermeter_workload::{Row, TokenCounter, Tokenizer, read_rows};

/// `workload inspect`.
///
/// # Errors
/// When the file cannot be read, with the line that is wrong.
pub(crate) fn inspect(args: &InspectArgs, shown: Shown) -> Result<u8> {
    let Some(file) = &args.file else {
        return Ok(show(&of_clients(args)?, shown));
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
    Ok(show(&Figures::of(&file, Some(facts), &gathered)?, shown))
}

/// The requests of `--clients` in a window as long as asked for, without a warm-up.
fn of_clients(args: &InspectArgs) -> Result<Figures> {
    let Some(clients) = &args.clients else {
        bail!("what to look into? give a FILE, or --clients synthetic");
    };
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
    let (load, seeds) = (LoadSpec::of(&plan)?, plan.seeds());
    let Some(of_plan) = Clients::of(&load, seeds.schedule)? else {
        bail!("--clients: none");
    };
    let (trace, open) = of_plan.load(&load, plan.timeout, seeds)?;
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

fn show(figures: &Figures, shown: Shown) -> u8 {
    shown.print(|| document(figures), || figures);
    exit::OK
}

/// `workload head`.
///
/// # Errors
/// As [`inspect`].
pub(crate) fn head(args: &HeadArgs) -> Result<u8> {
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
    Ok(exit::OK)
}
