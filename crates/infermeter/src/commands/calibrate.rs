//! `infermeter calibrate`: prove this client machine's own measurement error.

use crate::calibrate::cite::this_machine;
use crate::calibrate::ladder::Ladder;
use crate::calibrate::limits::limits;
use crate::calibrate::measure::{Scratch, Settings, measure};
use crate::calibrate::progress::LadderProgress;
use crate::calibrate::rung::rung;
use crate::calibrate::spec::Spec;
use crate::calibrate::store;
use crate::cli::CalibrateArgs;
use crate::receiving::Receiving;
use crate::shown::Shown;
use crate::{exit, output, place, run_id};
use anyhow::{Context, Result};
use infermeter_core::certificate::{Certificate, ClientSettings, FORMAT_VERSION, Rung, Spoiler};
use infermeter_core::clock::realtime_ns;
use infermeter_core::plan::Plan;
use infermeter_core::record::StampSource;
use infermeter_report::Format;
use infermeter_sys::stamp::Sentinel;
use infermeter_sys::{affinity, signals};
use std::path::PathBuf;

/// A rung that other work spoilt is measured again, so often.
const RETRIES: u32 = 1;

/// Runs the subcommand.
///
/// # Errors
/// For a wrong flag, a simulator that does not start, a certificate that cannot be written.
pub fn calibrate(args: &CalibrateArgs) -> Result<u8> {
    let ladder = Ladder::from_args(args)?;
    let sentinel = Sentinel::start();
    let receiving = Receiving::choose(args.io, sentinel.is_some())?;
    let settings = settings(args, &ladder);
    signals::count_from_now().context("signal handlers")?;
    let rungs = climb(args, &ladder, &settings)?;
    let certificate = certificate(&settings, &receiving, rungs);
    let saved = save(args, &ladder, &certificate);
    let json = serde_json::to_value(&certificate)?;
    let document = || infermeter_report::of_certificate(&certificate);
    args.show.shown().print(document, || json);
    tell(args, saved?);
    Ok(exit_code(&certificate))
}

/// Client and simulator get cores of their own, as in `run mock:PRESET`.
fn settings(args: &CalibrateArgs, ladder: &Ladder) -> Settings {
    let target = Plan {
        target: "mock:fixed".to_owned(),
        ..Plan::defaults()
    };
    let cores = place::split_cores(&target);
    if !cores.mock.is_empty() {
        // Pinning is a help, not a need: a sandbox may forbid it.
        let _ = affinity::restrict_to(&cores.client);
    }
    Settings {
        duration: ladder.duration,
        warmup: ladder.warmup,
        threads: args.threads,
        io: args.io,
        burn: args.burn,
        cores,
    }
}

/// Measures the rungs one after the other, until the last or a signal.
fn climb(args: &CalibrateArgs, ladder: &Ladder, settings: &Settings) -> Result<Vec<Rung>> {
    let scratch = Scratch::new()?;
    let progress = LadderProgress::new(args.quiet, ladder.specs.len());
    let mut rungs: Vec<Rung> = Vec::new();
    for (number, spec) in ladder.specs.iter().enumerate() {
        if signals::count() > 0 {
            break;
        }
        if !ladder.wants(*spec, &rungs) {
            continue;
        }
        progress.begin(number, *spec, rungs.last());
        match repeated(*spec, args.repeat, settings, &scratch) {
            Ok(measured) => {
                progress.end(number, &measured);
                rungs.push(measured);
            }
            // A signal can come before the rung's first request.
            Err(_) if signals::count() > 0 => break,
            Err(error) => return Err(error.context(format!("rung {spec}"))),
        }
    }
    progress.clear();
    Ok(rungs)
}

/// Measures a rung `repeats` times; the usable one with the median error stands for all.
fn repeated(spec: Spec, repeats: u32, settings: &Settings, scratch: &Scratch) -> Result<Rung> {
    let mut measured = Vec::new();
    for _ in 0..repeats {
        measured.push(undisturbed(spec, settings, scratch)?);
        if signals::count() > 0 {
            break;
        }
    }
    let usable: Vec<Rung> = measured
        .iter()
        .filter(|r| r.spoilt.is_none())
        .cloned()
        .collect();
    let mut pool = if usable.is_empty() { measured } else { usable };
    let error = |r: &Rung| r.worst_p99_us(StampSource::Kernel).unwrap_or(0.0);
    pool.sort_by(|a, b| error(a).total_cmp(&error(b)));
    Ok(pool.swap_remove((pool.len() - 1) / 2))
}

/// Measures a rung, once more where other work spoilt it.
fn undisturbed(spec: Spec, settings: &Settings, scratch: &Scratch) -> Result<Rung> {
    let mut tries = 0;
    loop {
        let measured = rung(spec, &measure(spec, settings, scratch)?);
        let spoiler = measured.spoilt.as_ref().map(|s| s.by);
        if spoiler != Some(Spoiler::OtherLoad) || tries == RETRIES {
            return Ok(measured);
        }
        tries += 1;
    }
}

fn certificate(settings: &Settings, receiving: &Receiving, rungs: Vec<Rung>) -> Certificate {
    Certificate {
        format_version: FORMAT_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        created: run_id::timestamp(realtime_ns()),
        machine: this_machine(),
        client: ClientSettings {
            threads: settings
                .threads
                .map_or(settings.cores.client.len().max(1), |t| t as usize),
            io: receiving.name().to_owned(),
            kernel_stamps: receiving.kernel_stamps,
            burn: settings.burn,
        },
        interrupted: signals::count() > 0,
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

fn tell(args: &CalibrateArgs, saved: Option<PathBuf>) {
    let line = match saved {
        Some(path) => format!("Certificate in {}", path.display()),
        None => "No certificate saved: it takes a whole ladder without --burn and with a usable \
                 rung, or --out"
            .to_owned(),
    };
    let shown = args.show.shown();
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
