//! `replicas-from`: which series of which metrics page is the number of replicas.
//!
//! Reads no page. Invariant: what is printed reads back as the same place.

use crate::text::inert;
use std::fmt;
use std::str::FromStr;

/// A series of a metrics page: `URL#METRIC` or `URL#METRIC{label="value",...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicasFrom {
    /// The page.
    pub url: String,
    /// The metric's name.
    pub metric: String,
    /// Labels that its samples have to have, with their values.
    pub labels: Vec<(String, String)>,
}

/// Why a text is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a metric of a page: write URL#METRIC, as in \
     http://host:8080/metrics#kube_deployment_status_replicas_ready{{deployment=\"vllm\"}}"
)]
pub struct ReplicasFromError(String);

impl FromStr for ReplicasFrom {
    type Err = ReplicasFromError;

    fn from_str(text: &str) -> Result<Self, ReplicasFromError> {
        read(text).ok_or_else(|| ReplicasFromError(inert(text, 120)))
    }
}

fn read(text: &str) -> Option<ReplicasFrom> {
    let (url, series) = text.split_once('#')?;
    let (metric, labels) = match series.split_once('{') {
        Some((metric, rest)) => (metric, labels(rest.strip_suffix('}')?)?),
        None => (series, Vec::new()),
    };
    let is_url = url.contains("://") && !url.ends_with("://");
    (is_url && is_name(metric)).then(|| ReplicasFrom {
        url: url.to_owned(),
        metric: metric.to_owned(),
        labels,
    })
}

/// `a="b",c="d"`; values without quotes inside.
fn labels(text: &str) -> Option<Vec<(String, String)>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let pairs = text.split("\",").enumerate();
    let last = text.split("\",").count() - 1;
    let pair = |(place, pair): (usize, &str)| {
        let (name, value) = pair.trim_start().split_once("=\"")?;
        let value = match place == last {
            true => value.strip_suffix('"')?,
            false => value,
        };
        let is_sound = is_name(name) && !value.contains('"');
        is_sound.then(|| (name.to_owned(), value.to_owned()))
    };
    pairs.map(pair).collect()
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(is_part)
}

impl fmt::Display for ReplicasFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.url, self.metric)?;
        if self.labels.is_empty() {
            return Ok(());
        }
        let pairs: Vec<String> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        write!(f, "{{{}}}", pairs.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_of_a_page_reads_and_prints() {
        for text in [
            "http://a:1/metrics#replicas",
            "http://a:1#vllm:replicas",
            "https://k/metrics#kube_deployment_status_replicas_ready{deployment=\"a,b\",namespace=\"x\"}",
        ] {
            let read: ReplicasFrom = text.parse().expect(text);
            assert_eq!(read.to_string(), text);
        }
        let read: ReplicasFrom = "http://a#m{x=\"1,2\", y=\"\"}".parse().expect("a place");
        let expect = [("x", "1,2"), ("y", "")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(read.labels, expect);
    }

    #[test]
    fn what_is_none() {
        for text in [
            "http://a:1/metrics",
            "a#m",
            "http://a#",
            "http://a#1m",
            "http://a#m{x}",
            "http://a#m{x=\"1\"",
            "http://a#m{x=1}",
        ] {
            assert!(text.parse::<ReplicasFrom>().is_err(), "{text}");
        }
    }
}
