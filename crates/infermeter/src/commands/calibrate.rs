//! `infermeter calibrate`: prove this client machine's own measurement error.

use crate::calibrate::progress::LadderProgress;
use crate::cli::tables::CalibrateArgs;
use crate::several::host;
use crate::show::Shown;
use crate::{exit, output};
use anyhow::Result;
use infermeter_core::certificate::{Certificate, ClientSettings, FORMAT_VERSION, Rung, Spoiler};
use infermeter_core::clock::realtime_ns;
use infermeter_protocol::{Protocol, Step};
use infermeter_report::Format;
use infermeter_session::calibrate::cite::this_machine;
use infermeter_session::calibrate::climb::{self, Climb};
use infermeter_session::calibrate::ladder::{Ladder, RungAt, Size, Wanted};
use infermeter_session::calibrate::limits::limits;
use infermeter_session::calibrate::measure::{Rungs, Settings};
use infermeter_session::calibrate::store;
use infermeter_session::drive::{End, News, drive};
use infermeter_session::host::Host;
use infermeter_session::receiving::Receiving;
use infermeter_session::run_id;
use std::cell::RefCell;
use std::path::PathBuf;

/// Runs the subcommand.
///
/// # Errors
/// For a wrong flag, a simulator that does not start, a certificate that cannot be written.
pub(crate) fn calibrate(args: &CalibrateArgs, shown: Shown) -> Result<u8> {
    let ladder = Ladder::of(&wanted(args))?;
    let host = host()?;
    let receiving = host.receiving(args.io, true)?;
    let settings = settings(args, &ladder);
    let machine = Machine { host, receiving };
    let rungs = climb(args, &ladder, &settings, &machine)?;
    let certificate = certificate(&settings, &machine, rungs);
    let saved = save(args, &ladder, &certificate);
    let document = || infermeter_report::of_certificate(&certificate);
    shown.print(document, || &certificate);
    tell(args, shown, saved?);
    Ok(exit_code(&certificate))
}

/// What is measured, claimed, and how it receives.
struct Machine {
    host: Host,
    receiving: Receiving,
}

fn wanted(args: &CalibrateArgs) -> Wanted {
    Wanted {
        size: match (args.quick, args.full) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Standard,
        },
        ceilings: args.null,
        picked: args.rung.clone(),
        max_events: args.max_events,
        duration: args.duration,
        repeats: args.repeat as usize,
    }
}

fn settings(args: &CalibrateArgs, ladder: &Ladder) -> Settings {
    Settings {
        duration: ladder.duration,
        warmup: ladder.warmup,
        threads: args.threads,
        io: args.io,
        burn: args.burn,
    }
}

/// Measures the rungs one after the other, until the last or a signal.
fn climb(
    args: &CalibrateArgs,
    ladder: &Ladder,
    settings: &Settings,
    machine: &Machine,
) -> Result<Vec<Rung>> {
    let Machine { host, receiving } = machine;
    let header = climb::header(ladder, settings, receiving)?;
    let Climb {
        directory,
        mut book,
        points,
    } = match &args.resume {
        Some(directory) => Climb::resume(directory, &header)?,
        None => Climb::begin(&header)?,
    };
    let progress = LadderProgress::new(args.quiet, ladder.specs.len());
    let before: RefCell<Option<Rung>> = RefCell::default();
    let begin = |at: RungAt| progress.begin(at.index, at.spec, before.borrow().as_ref());
    let mut ended = |news: News<'_, RungAt, Rung>| {
        let News::Point(points) = news else {
            return;
        };
        let more = matches!(ladder.next(points), Step::Extend(_));
        let last = ladder.chosen(points).pop().filter(|_| !more);
        if let (Some(rung), Some(point)) = (last, points.last()) {
            progress.end(point.at.index, &rung);
            before.replace(Some(rung));
        }
    };
    let mut rungs = Rungs::new(host, settings, &directory, &begin);
    let driven = drive(ladder, &mut rungs, &mut book, points, &mut ended)?;
    progress.clear();
    let cut = host.is_stopped() || matches!(driven.end, End::Failed(_));
    if !cut || driven.points.is_empty() {
        // The system clears its temporary files sooner or later.
        let _ = std::fs::remove_dir_all(&directory);
    } else if !args.quiet {
        output::note(&format!(
            "`infermeter calibrate --resume {}` with the same flags continues from here",
            directory.display()
        ));
    }
    match driven.end {
        End::Answered(rungs) => Ok(rungs),
        // A signal can come before the rung's first request.
        End::Failed(error) if !host.is_stopped() => Err(error),
        End::Interrupted | End::Failed(_) => Ok(ladder.chosen(&driven.points)),
    }
}

fn certificate(settings: &Settings, machine: &Machine, rungs: Vec<Rung>) -> Certificate {
    let Machine { host, receiving } = machine;
    let cores = host.cores(true).client.len().max(1);
    Certificate {
        format_version: FORMAT_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        created: run_id::timestamp(realtime_ns()),
        machine: this_machine(),
        client: ClientSettings {
            threads: settings.threads.map_or(cores, |t| t as usize),
            io: receiving.name().to_owned(),
            kernel_stamps: receiving.kernel_stamps,
            burn: settings.burn,
        },
        interrupted: host.is_stopped(),
        limits: limits(&rungs),
        rungs,
    }
}

/// Where the certificate was saved; `None` where it was not to be.
fn save(args: &CalibrateArgs, ladder: &Ladder, made: &Certificate) -> Result<Option<PathBuf>> {
    if made.rungs.is_empty() {
        return Ok(None);
    }
    // A ladder on a busy machine does not take the place of one that showed something.
    let shows_something = made
        .rungs
        .iter()
        .any(|r| !r.kind.is_ceiling() && is_usable(r));
    let of_this_machine = ladder.is_whole && args.burn.is_none() && shows_something;
    let default = || store::default_path().filter(|_| of_this_machine);
    let Some(path) = args.out.clone().or_else(default) else {
        return Ok(None);
    };
    store::write(&path, made)?;
    Ok(Some(path))
}

fn tell(args: &CalibrateArgs, shown: Shown, saved: Option<PathBuf>) {
    let line = match saved {
        Some(path) => format!("Certificate in {}", path.display()),
        None => "No certificate saved: it takes a whole ladder without --burn and with a usable \
                 rung, or --out"
            .to_owned(),
    };
    if shown == Shown::Document(Format::Terminal) {
        output::print("\n");
    }
    shown.print_place(args.quiet, &line);
}

/// Interrupted, or nothing usable, or fine.
fn exit_code(certificate: &Certificate) -> u8 {
    let rungs = certificate.rungs.iter();
    // Ceilings count where they are all that was asked for.
    let has_loads = rungs.clone().any(|r| !r.kind.is_ceiling());
    let mut counted = rungs.filter(|r| !has_loads || !r.kind.is_ceiling());
    if certificate.interrupted {
        exit::INTERRUPTED
    } else if counted.any(is_usable) {
        exit::OK
    } else {
        exit::INVALID
    }
}

/// It says something about the client; a ceiling does, too, where the simulator set it.
fn is_usable(rung: &Rung) -> bool {
    match &rung.spoilt {
        None => true,
        Some(spoilt) => rung.kind.is_ceiling() && spoilt.by == Spoiler::Simulator,
    }
}
