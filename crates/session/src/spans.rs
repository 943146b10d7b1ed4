//! Spans of a run's requests: where they are received, and the file that they go to.
//!
//! They are received off the measuring path, by threads of the receiver's own. That spans do not come is a fact
//! about the server, never an error of the run. Invariant: the file is complete before the record is sealed;
//! what comes later is dropped.

use crate::experiment::Experiment;
use crate::secrets::Secrets;
use anyhow::{Context, Result, bail};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::spans::{RequestSpan, TraceKey};
use infermeter_probe::spans::SpanReceiver;
use infermeter_record::SpansWriter;
use infermeter_sys::signals;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest wait for the next spans once the load has ended: exporters send what they have every 5 s by default.
const NEXT_SPANS_NS: i64 = 7_000_000_000;
/// Longest wait for all of them, however they come.
const LAST_SPANS_NS: i64 = 60_000_000_000;
/// How often it is looked meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Where spans are received. It outlives targets: engines are told once where to send them.
#[derive(Debug)]
pub(crate) struct Tracing {
    /// The address that was asked for; its port may be 0.
    asked: SocketAddr,
    receiver: SpanReceiver,
}

/// Where a run's spans go, and what must not be repeated of them.
#[derive(Debug)]
pub(crate) struct SpansOfRun<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// Its directory.
    pub directory: &'a Path,
    /// What must not be repeated.
    pub secrets: &'a Secrets,
}

/// Spans of the run that goes on.
#[derive(Debug)]
pub(crate) struct RunSpans<'a> {
    tracing: &'a Tracing,
    writer: Arc<Mutex<Option<SpansWriter>>>,
}

impl Tracing {
    /// Receives spans for an experiment that wants them: where one of `ready` does already, or anew.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn of(experiment: &Experiment, ready: &mut Vec<Arc<Self>>) -> Result<Option<Arc<Self>>> {
        let Some(at) = experiment.target.spans else {
            return Ok(None);
        };
        let asked = match experiment.is_simulated() {
            true => at.address_of_simulator(),
            false => at.address(),
        };
        if let Some(known) = ready.iter().find(|known| known.asked == asked) {
            return Ok(Some(Arc::clone(known)));
        }
        let receiver = SpanReceiver::listen(asked);
        let receiver = receiver.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => anyhow::anyhow!(
                "--spans: {asked} is in use, as by a collector: give another port (--spans={}:4319), \
                 and have the engine send there",
                asked.ip()
            ),
            _ => anyhow::Error::from(error).context(format!("--spans: cannot listen on {asked}")),
        })?;
        let tracing = Arc::new(Self { asked, receiver });
        ready.push(Arc::clone(&tracing));
        Ok(Some(tracing))
    }

    /// Where an engine sends its spans.
    pub fn address(&self) -> SocketAddr {
        self.receiver.address()
    }

    /// A run begins: spans of its requests are written from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&self, run: SpansOfRun<'_>) -> Result<RunSpans<'_>> {
        let address = self.address().to_string();
        let writer = SpansWriter::create(run.directory, &address).context("--spans")?;
        let writer = Arc::new(Mutex::new(Some(writer)));
        let (own, secrets) = (Arc::clone(&writer), run.secrets.clone());
        let write = move |mut spans: Vec<RequestSpan>| {
            for span in &mut spans {
                secrets.scrub(&mut span.name);
            }
            if let Some(writer) = &mut *own.lock().unwrap_or_else(PoisonError::into_inner) {
                // Spans that a full disk has no room for are missing, and counted as that.
                let _ = writer.append(spans);
            }
        };
        let traces = TraceKey::of_run(run.run_id);
        self.receiver.begin(traces, Box::new(write));
        Ok(RunSpans {
            tracing: self,
            writer,
        })
    }
}

impl RunSpans<'_> {
    /// The load has ended: waits for a moment until spans of so many requests have come, and closes the file.
    pub fn end(self, requests: u64) {
        let receiver = &self.tracing.receiver;
        let last = monotonic_ns() + LAST_SPANS_NS;
        let (mut came, mut until) = (receiver.requests(), monotonic_ns() + NEXT_SPANS_NS);
        while came < requests && monotonic_ns() < until.min(last) && signals::count() == 0 {
            std::thread::sleep(LOOK);
            let now = receiver.requests();
            if now > came {
                (came, until) = (now, monotonic_ns() + NEXT_SPANS_NS);
            }
        }
        let tally = receiver.end();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            // Without its last line the file says that spans may be missing.
            let _ = writer.finish(tally);
        }
    }
}

/// Refuses headers of the user's that would name another trace.
///
/// # Errors
/// When one does.
pub(crate) fn check_headers(headers: &[String]) -> Result<()> {
    let name = |header: &String| header.split(':').next().map(|n| n.trim().to_lowercase());
    if headers
        .iter()
        .any(|h| name(h).as_deref() == Some("traceparent"))
    {
        bail!("--spans sends a traceparent of its own: leave --header traceparent out");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::plan::{Plan, SpansAt};

    fn plan(spans: Option<SpansAt>) -> Plan {
        Plan {
            target: "mock:fixed".to_owned(),
            rate: Some(5.0),
            spans,
            ..Plan::defaults()
        }
    }

    #[test]
    fn a_header_of_the_users_would_name_another_trace() {
        let headers = |text: &str| check_headers(&["x-a: 1".to_owned(), text.to_owned()]);
        assert!(headers("x-traceparent: 1").is_ok());
        let error = headers("TraceParent : 00-1").expect_err("refused");
        assert!(
            error.to_string().contains("--header traceparent"),
            "{error}"
        );
        let mut plan = plan(Some(SpansAt::Auto));
        plan.header = vec!["traceparent: 1".to_owned()];
        assert!(Experiment::of(&plan).is_err());
    }

    #[test]
    fn one_receiver_serves_all_that_ask_for_its_address() {
        let of = |spans| Experiment::of(&plan(spans)).expect("an experiment");
        let mut ready = Vec::new();
        let none = Tracing::of(&of(None), &mut ready).expect("nothing to listen on");
        assert!(none.is_none() && ready.is_empty());
        let mut twice = || Tracing::of(&of(Some(SpansAt::Auto)), &mut ready);
        let (one, other) = (twice().expect("free"), twice().expect("free"));
        let address = |tracing: Option<Arc<Tracing>>| tracing.map(|t| t.address());
        let address = (address(one), address(other));
        assert_eq!(address.0, address.1);
        // Another one cannot have the same port.
        let taken = SpansAt::At(address.0.expect("listens"));
        let error = Tracing::of(&of(Some(taken)), &mut ready).expect_err("in use");
        assert!(error.to_string().contains("is in use"), "{error}");
    }
}
