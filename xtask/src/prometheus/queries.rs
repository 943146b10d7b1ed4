//! Every query of the Grafana dashboard, asked of a Prometheus that has scraped a run.
//!
//! Variables are put in as Grafana would, all of them selected. Invariant: a query that is none is an error, and so
//! is one of the client's or of the simulator's series that finds nothing.

use super::server::Server;
use anyhow::{Context, Result, bail};
use infermeter_core::clock::realtime_ns;
use serde_json::Value;

/// The dashboard.
pub const DASHBOARD: &str = "docs/src/grafana/infermeter.json";

/// What Grafana puts in for its variables: a rate over a few scrapes, and everything selected.
const VARIABLES: [(&str, &str); 6] = [
    ("$__rate_interval", "5s"),
    ("$__interval", "1s"),
    ("$instance", ".*"),
    ("$run", ".*"),
    ("$engine", ".*"),
    ("$gpu", ".*"),
];

/// Queries without anything to find in a run of the simulator: what begins so, or has such a part, may be empty.
const MAY_BE_EMPTY: [&str; 3] = [
    // The simulator has no GPU of its own.
    "DCGM_",
    // A closed loop's.
    "infermeter_schedule_concurrency",
    // Of a run in which nothing fails.
    "infermeter_request_errors_total",
];

/// A query, and where it stands.
struct Query {
    place: String,
    text: String,
}

/// Asks all of them, over the time since `began_s`, Unix seconds.
pub(super) fn ask_everything(server: &Server, began_s: f64) -> Result<()> {
    let text = std::fs::read_to_string(DASHBOARD).context(DASHBOARD)?;
    let dashboard: Value = serde_json::from_str(&text).context(DASHBOARD)?;
    let queries = queries(&dashboard)?;
    let now_s = realtime_ns() as f64 / 1e9;
    let mut empty = Vec::new();
    for query in &queries {
        let mut text = query.text.clone();
        for (variable, value) in VARIABLES {
            text = text.replace(variable, value);
        }
        if text.contains('$') {
            bail!("{}: a variable that nobody knows in `{text}`", query.place);
        }
        let found = server.over_time(&text, began_s, now_s);
        let found = found.with_context(|| format!("{}: `{text}`", query.place))?;
        if found > 0 {
            continue;
        }
        if !MAY_BE_EMPTY.iter().any(|part| text.contains(part)) {
            bail!("{}: `{text}` found nothing", query.place);
        }
        empty.push(query.place.as_str());
    }
    println!(
        "    {} queries of the dashboard asked; nothing to find for {}: {}",
        queries.len(),
        empty.len(),
        empty.join(", ")
    );
    Ok(())
}

/// Those of panels, annotations and variables.
fn queries(dashboard: &Value) -> Result<Vec<Query>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    let mut add = |place: String, text: Option<&str>| {
        all.extend(text.map(|text| Query {
            place,
            text: text.to_owned(),
        }));
    };
    for panel in list(&dashboard["panels"]) {
        let title = panel["title"].as_str().context("a panel without a title")?;
        for target in list(&panel["targets"]) {
            let place = format!("panel `{title}`, {}", target["refId"]);
            add(place, target["expr"].as_str());
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        add(
            format!("annotation {}", annotation["name"]),
            annotation["expr"].as_str(),
        );
    }
    for variable in list(&dashboard["templating"]["list"]) {
        let asked = variable["query"]["query"].as_str();
        // `label_values(series, label)`: the series have to be there.
        let series = asked.and_then(|asked| asked.strip_prefix("label_values("));
        let series = series.and_then(|series| series.rsplit_once(", "));
        add(
            format!("variable {}", variable["name"]),
            series.map(|(series, _)| series),
        );
    }
    if all.is_empty() {
        bail!("{DASHBOARD} asks nothing");
    }
    Ok(all)
}
