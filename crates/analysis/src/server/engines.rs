//! The engines behind the pages, each for itself: whether the load is spread evenly over them.
//!
//! An engine is a page, or a set of labels where a page speaks for several. Invariant: one that does not say what the others
//! say is not compared with them.

use super::edges::Edges;
use infermeter_core::run::Window;
use infermeter_core::server::{Quantity, ReadingCause, ServerReading, ServerReadings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One engine over the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineLoad {
    /// Its page.
    pub url: String,
    /// The labels that tell it apart from others of its page.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Mean of its running requests.
    pub running: Option<f64>,
    /// Tokens that it generated.
    pub generation_tokens: Option<f64>,
}

/// Every engine, where there are several.
pub(super) fn loads(server: &ServerReadings, window: Window) -> Vec<EngineLoad> {
    let mut found = vec![];
    for page in server.pages() {
        let of_page = || server.of_page(page);
        let labels: BTreeSet<_> = of_page()
            .flat_map(|r| r.detail.engines.iter().map(|engine| &engine.labels))
            .collect();
        let url = &server.watch.pages[page].url;
        if labels.is_empty() {
            let of = |r: &ServerReading, quantity| r.figures.get(quantity);
            found.push(load(server, page, window, of).named(url, &BTreeMap::new()));
        }
        for labels in labels {
            let of = |r: &ServerReading, quantity| {
                let mut engines = r.detail.engines.iter();
                let own = engines.find(|engine| engine.labels == *labels);
                own.and_then(|engine| engine.figures.get(quantity))
            };
            found.push(load(server, page, window, of).named(url, labels));
        }
    }
    found.retain(|load| load.running.is_some() || load.generation_tokens.is_some());
    if found.len() < 2 {
        found.clear();
    }
    found
}

struct Load {
    running: Option<f64>,
    generation_tokens: Option<f64>,
}

impl Load {
    fn named(self, url: &str, labels: &BTreeMap<String, String>) -> EngineLoad {
        EngineLoad {
            url: url.to_owned(),
            labels: labels.clone(),
            running: self.running,
            generation_tokens: self.generation_tokens,
        }
    }
}

fn load(
    server: &ServerReadings,
    page: usize,
    window: Window,
    of: impl Fn(&ServerReading, Quantity) -> Option<f64>,
) -> Load {
    let inside = |r: &&ServerReading| r.cause == ReadingCause::Interval && window.contains(r.at());
    let readings = server.of_page(page).filter(inside);
    let running: Vec<f64> = readings.filter_map(|r| of(r, Quantity::Running)).collect();
    let tokens = Edges::of(server, page, window, |r| of(r, Quantity::GenerationTokens));
    Load {
        running: (!running.is_empty()).then(|| running.iter().sum::<f64>() / running.len() as f64),
        generation_tokens: tokens.ok().and_then(|edges| edges.rise().ok()),
    }
}
