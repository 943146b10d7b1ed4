//! What `shadow` and `record` have in common: a proxy that is started, announced, watched and drained.
//!
//! It reads nothing of what goes through. Invariant: the proxy begins to listen after everything else was checked.

use crate::cli::tables::{ObserveArgs, ProxyArgs};
use crate::output;
use crate::screen::{Drawing, draw_over};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::tls::Trust;
use infermeter_core::clock::Clock;
use infermeter_core::number::count;
use infermeter_proxy::{Counts, Handle, Proxy, ProxyError, Seen, Settings, Upstream, server_tls};
use infermeter_report::number;
use infermeter_session::observed::kept_headers;
use infermeter_session::observed::watch::{self, Observed, Takes, Until};
use infermeter_sys::{affinity, signals};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

/// Exchanges that may wait for the observer: beyond them the proxy goes on, and counts what nobody took.
const WAITING: usize = 4_096;

/// A proxy that is watched.
pub(super) struct Watching<'a> {
    pub(super) handle: Handle,
    pub(super) seen: &'a Receiver<Seen>,
    pub(super) until: Until,
    pub(super) takes: &'a mut dyn Takes,
}

/// Makes what takes what the proxy sees, in a directory that must not be there yet, and starts the proxy: users meet
/// nobody who listens until it can be kept. Where it cannot listen, the directory goes again.
pub(super) fn start<T>(
    settings: Settings,
    out: &Path,
    make: impl FnOnce() -> Result<T>,
) -> Result<(Handle, Receiver<Seen>, T)> {
    if out.symlink_metadata().is_ok() {
        bail!(
            "--out: {} exists: name another directory, or remove it first",
            out.display()
        );
    }
    signals::count_from_now().context("signal handlers")?;
    let made = make()?;
    match listen(settings) {
        Ok((handle, seen)) => Ok((handle, seen, made)),
        Err(error) => {
            drop(made);
            // It was made a moment ago, and nothing is in it.
            let _ = std::fs::remove_dir_all(out);
            Err(error)
        }
    }
}

fn listen(settings: Settings) -> Result<(Handle, Receiver<Seen>)> {
    let (sender, seen) = sync_channel(WAITING);
    let handle = Proxy::start(settings, sender).map_err(|error| match error {
        ProxyError::NotLoopback(_) => {
            anyhow!("--listen: {error}; --allow-remote says that it is meant")
        }
        ProxyError::ShadowHeader(_) => anyhow!("--shadow-header: {error}"),
        error => anyhow!("--listen: {error}"),
    })?;
    Ok((handle, seen))
}

/// A proxy for this server, without a shadow.
pub(super) fn settings(args: &ProxyArgs, primary: Upstream, clock: Clock) -> Result<Settings> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(server_tls(cert, key)?),
        _ => None,
    };
    let own = args
        .keep_header
        .iter()
        .map(|name| name.to_ascii_lowercase());
    Ok(Settings {
        listen: args.listen.0,
        reach: args.reach(),
        tls,
        primary,
        shadow: None,
        clock,
        cores: args.proxy_cores.clone(),
        keep_headers: kept_headers().into_iter().chain(own).collect(),
        limits: args.limits(),
        half_closed: args.half_closed(),
    })
}

/// Whose certificates of upstreams are believed.
pub(super) fn trust(args: &ObserveArgs) -> Trust<'_> {
    match (&args.tls_ca, args.tls_insecure) {
        (_, true) => Trust::Anyone,
        (Some(file), false) => Trust::And(file),
        (None, false) => Trust::Platform,
    }
}

/// Says where it listens: users need it, whatever else is quiet.
pub(super) fn announce(handle: &Handle, args: &ProxyArgs, upstream: &str) {
    let scheme = match args.tls_cert {
        Some(_) => "https",
        None => "http",
    };
    output::note(&format!(
        "listening on {scheme}://{} for {upstream}; Ctrl-C ends it",
        handle.address()
    ));
    if args.allow_remote && !handle.address().ip().is_loopback() {
        output::note(
            "note: --allow-remote: whoever reaches this address reaches the server behind it",
        );
    }
}

/// Watches it to its end. This thread gives way to those of the proxy.
pub(super) fn watch(of: Watching<'_>) -> Observed {
    affinity::yield_to_others();
    watch::watch(of.handle, of.seen, of.until, of.takes)
}

/// `1,204 requests, 3 open, dwell p99 41 us`.
pub(super) fn line(counts: &Counts) -> String {
    let dwell = counts.request_dwell.p99_us;
    let dwell = dwell.map(|us| format!(", {} µs inside at p99", number::significant(us)));
    format!(
        "{} requests, {} open{}",
        count(counts.requests),
        count(counts.now_requests),
        dwell.unwrap_or_default()
    )
}

/// From one line of progress to the next in a log, ticks; a terminal's line is drawn over at each.
const LOGGED: u64 = 10;

/// How it is shown while it goes on.
pub(super) struct Progress {
    drawing: Drawing,
    ticks: u64,
}

impl Progress {
    /// By what standard error is.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            drawing: Drawing::choose(quiet),
            ticks: 0,
        }
    }

    /// Shows a line, where one is due.
    pub(super) fn show(&mut self, text: &str) {
        self.ticks += 1;
        match self.drawing {
            Drawing::Lines if self.ticks.is_multiple_of(LOGGED) => output::note(text),
            Drawing::Off | Drawing::Lines => {}
            Drawing::Over => draw_over(&text.replace(number::JOIN, " ")),
        }
    }

    /// Clears the line.
    pub(super) fn end(&self) {
        if let Drawing::Over = self.drawing {
            draw_over("");
        }
    }
}
