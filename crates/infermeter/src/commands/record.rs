//! `infermeter record`: what users ask of a server goes through a proxy, and is kept as rows that can be replayed.
//!
//! The proxy and the capture are the library's. Invariant: no word of a prompt is written, unless that was asked for.

use super::observe::{self, Progress, Watching};
use crate::cli::Given;
use crate::cli::tables::{ObserveArgs, ProxyArgs, RecordArgs};
use crate::show::Shown;
use crate::{exit, output};
use anyhow::{Result, anyhow};
use infermeter_core::clock::Clock;
use infermeter_core::number::counted;
use infermeter_proxy::{Counts, Seen};
use infermeter_report::{CaptureView, of_capture};
use infermeter_session::observed::capture::{
    Capture, CaptureAsk, Captured, EndedCapture, KeptTexts,
};
use infermeter_session::observed::watch::{Onward, Takes, Until};
use infermeter_session::observed::{HowEnded, named_upstream, upstream};

/// Runs the subcommand.
///
/// # Errors
/// When a flag is wrong, nothing can listen, or the capture cannot be begun.
pub(crate) fn record(given: &Given, shown: Shown) -> Result<u8> {
    let (args, observing): (RecordArgs, ObserveArgs) = (given.read()?, given.read()?);
    let proxy: ProxyArgs = given.read()?;
    let clock = Clock::starting_in(0);
    let target = upstream("--target", &args.target, observe::trust(&observing))?;
    let settings = observe::settings(&proxy, target, clock)?;
    let ask = CaptureAsk {
        texts: args.texts,
        block_tokens: args.block_tokens,
        tokenizer: args.tokenizer.clone(),
        target: named_upstream(&args.target),
    };
    let create = || Capture::create(&args.out, ask);
    let (handle, seen, capture) = observe::start(settings, &args.out, create)?;
    let mut keeping = Keeping {
        capture,
        progress: Progress::new(args.quiet),
    };
    observe::announce(&handle, &proxy, &named_upstream(&args.target));
    if args.texts == KeptTexts::Plain {
        output::note("note: --texts plain: prompts are written as they are");
    }
    let until = Until {
        duration: args.duration,
        requests: args.requests,
        drain: observing.drain_timeout,
    };
    let observed = observe::watch(Watching {
        handle,
        seen: &seen,
        until,
        takes: &mut keeping,
    });
    keeping.progress.end();
    let EndedCapture {
        captured,
        unwritten,
    } = keeping.capture.finish(&observed.counts);
    shown.print(|| of_capture(&view(&captured)), || &captured);
    let place = args.out.display();
    shown.print_place(
        args.quiet,
        &format!("Capture in {place}: infermeter run URL --trace {place}"),
    );
    if let Some(why) = &unwritten {
        output::complain(&anyhow!("the capture is not whole: {why}"));
    }
    // Without a time or a number, Ctrl-C is how a recording ends.
    let has_end = args.duration.is_some() || args.requests.is_some();
    let stopped = observed.ended == HowEnded::Stopped && has_end;
    Ok(exit::gravest(&exit::of_what_is_so([
        (stopped, exit::INTERRUPTED),
        (unwritten.is_some(), exit::INVALID),
    ])))
}

/// Exchanges as they come.
struct Keeping {
    capture: Capture,
    progress: Progress,
}

impl Takes for Keeping {
    fn take(&mut self, seen: Seen) -> u64 {
        self.capture.take(&seen);
        self.capture.rows()
    }

    fn tick(&mut self, counts: &Counts) -> Onward {
        let rows = counted(self.capture.rows(), "row");
        let line = format!("{}; {rows}", observe::line(counts));
        self.progress.show(&line);
        Onward::GoOn
    }
}

fn view(captured: &Captured) -> CaptureView {
    let texts = match (captured.texts, captured.block_tokens) {
        (KeptTexts::None, _) => "lengths alone".to_owned(),
        (KeptTexts::Hashed, blocks) => format!(
            "no word of them: keyed hashes of blocks of {} tokens under {}, the key thrown away",
            blocks.unwrap_or(0),
            captured.tokenizer
        ),
        (KeptTexts::Plain, _) => "prompts as they are".to_owned(),
    };
    let left_out = captured.left_out.iter();
    CaptureView {
        target: captured.target.clone(),
        texts,
        rows: captured.rows,
        completed: captured.completed,
        seconds: captured.seconds,
        sessions: captured.sessions,
        going_on: captured.going_on,
        input_tokens: captured.input_tokens,
        output_tokens: captured.output_tokens,
        cached_tokens: captured.cached_tokens,
        estimated: [captured.estimated_prompts, captured.estimated_answers],
        without_answer_length: captured.without_answer_length,
        left_out: left_out.map(|of| (of.why.clone(), of.requests)).collect(),
    }
}
