//! The page of a shadow run for a scraper (`--expose`): what the proxy counts, and what the pairs say.
//!
//! Computes nothing. Invariant: the page is made by the observer's thread once a second, so a reader costs the proxy
//! nothing; what is not known has no sample.

use anyhow::{Result, anyhow};
use infermeter_analysis::{Answer, ShadowComparison};
use infermeter_core::exposition::{CONTENT_TYPE, Labels, Page};
use infermeter_core::plan::Expose;
use infermeter_probe::listen::{Limits, Listening, Reply, listen};
use infermeter_proxy::Counts;
use std::sync::{Arc, Mutex, PoisonError};

/// A page that is served until this is dropped.
#[derive(Debug)]
pub struct ShadowPage {
    listening: Listening,
    text: Arc<Mutex<Vec<u8>>>,
}

impl ShadowPage {
    /// Serves it.
    ///
    /// # Errors
    /// When nothing can listen there.
    pub fn start(at: Expose) -> Result<Self> {
        let text = Arc::new(Mutex::new(Vec::new()));
        let answering = Arc::clone(&text);
        let limits = Limits {
            // Nobody has anything to tell a page.
            body_bytes: 0,
            ..Limits::default()
        };
        let listening = listen(at.0, limits, move |asked| {
            match (asked.method, asked.path()) {
                ("GET", "/metrics") => Reply {
                    status: 200,
                    content_type: CONTENT_TYPE,
                    body: answering
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clone(),
                },
                ("GET", _) => Reply::text(404, "the page is at /metrics"),
                _ => Reply::text(405, "a page is read with GET"),
            }
        });
        let listening = listening.map_err(|error| {
            anyhow!("--expose={at}: cannot listen: {error}\n  name another address, as in --expose=127.0.0.1:0")
        })?;
        Ok(Self { listening, text })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.listening.address())
    }

    /// What it says from now on.
    pub fn show(&self, counts: &Counts, compared: &ShadowComparison) {
        let page = page(counts, compared);
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }
}

fn page(counts: &Counts, compared: &ShadowComparison) -> Vec<u8> {
    let mut page = Page::default();
    counted(&mut page, counts, compared);
    found(&mut page, compared);
    page.into_bytes()
}

/// What went through, and how long it took.
fn counted(page: &mut Page, counts: &Counts, compared: &ShadowComparison) {
    let counters = [
        (
            "infermeter_shadow_requests_total",
            "Requests of users.",
            counts.requests,
        ),
        (
            "infermeter_shadow_completed_total",
            "Answers that users got whole.",
            counts.completed,
        ),
        (
            "infermeter_shadow_sent_total",
            "Requests sent to the shadow.",
            counts.shadow_sent,
        ),
        (
            "infermeter_shadow_failed_total",
            "Requests that failed at the shadow.",
            counts.shadow_failed,
        ),
        (
            "infermeter_shadow_breaker_openings_total",
            "Times that the shadow was left alone.",
            counts.breaker_opened,
        ),
        (
            "infermeter_shadow_not_observed_total",
            "Exchanges that the recorder had no room for.",
            counts.not_observed,
        ),
        (
            "infermeter_shadow_pairs_total",
            "Requests that both sides answered.",
            compared.pairs,
        ),
    ];
    for (name, help, value) in counters {
        page.counter(name, help, [(vec![], value as f64)]);
    }
    let dwell = [
        ("request", &counts.request_dwell),
        ("event", &counts.event_dwell),
    ];
    let dwell = dwell
        .iter()
        .filter_map(|(kind, dwell)| Some((vec![("kind", *kind)], dwell.p99_us? / 1e6)));
    page.gauge(
        "infermeter_shadow_dwell_p99_seconds",
        "Time inside the proxy, p99.",
        dwell.collect::<Vec<(Labels<'_>, f64)>>(),
    );
}

/// What the pairs say.
fn found(page: &mut Page, compared: &ShadowComparison) {
    let mut change = Vec::new();
    let mut answers = Vec::new();
    for of in &compared.changes {
        let figure = of.figure.name();
        if let Some(found) = &of.change {
            change.push((vec![("figure", figure)], found.estimate));
        }
        let decision = of.decision.answer;
        let open = matches!(decision, Answer::Undecided | Answer::NotTested);
        answers.push((vec![("figure", figure)], f64::from(u8::from(!open))));
    }
    page.gauge(
        "infermeter_shadow_change",
        "Shadow over primary, of latencies; shadow less primary, of the share of failed requests.",
        change,
    );
    page.gauge(
        "infermeter_shadow_decided",
        "1 where a difference or equivalence was shown.",
        answers,
    );
}
