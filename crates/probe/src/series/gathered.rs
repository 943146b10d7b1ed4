//! The samples of one series: by engine or GPU, and what they become together.
//!
//! Invariant: of the ranks of one engine, and of what repeats a board's value, the first that speaks counts, and a
//! value that is no count makes the whole series say nothing.

use super::buckets::Buckets;
use super::{Apart, RANKS, SETS_LIMIT, Series};
use crate::prometheus::Sample;
use infermeter_core::server::{EngineFigures, PageDetail, Quantity, QuantityKind, ServerFigures};
use std::collections::BTreeMap;

/// Engines of a page that are kept apart: more are summed, and no longer told apart.
const ENGINES_LIMIT: usize = 64;
/// Parts of a quantity that are kept: finish reasons, positions of a draft.
const PARTS_LIMIT: usize = 64;

/// Bytes of a part's name: a reading is a line of a file, and there is one every second.
const PART_LIMIT: usize = 80;
/// Bytes of all engines' labels, for the same reason.
const ENGINE_LABELS_LIMIT: usize = 16 << 10;
/// GPUs of a page that are kept apart: a host has eight or sixteen, a rack of one address 72.
const DEVICES_LIMIT: usize = 256;
/// Bytes of all their labels: about 150 each.
const DEVICE_LABELS_LIMIT: usize = 64 << 10;

/// Labels of an engine: without those of ranks, buckets and parts.
type Labels = BTreeMap<String, String>;

/// What one sample adds to.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// By engine and part; without parts the part is empty.
    values: BTreeMap<(Labels, String), f64>,
    /// By engine.
    histograms: BTreeMap<Labels, Buckets>,
}

impl Gathered {
    /// Adds a sample, unless another rank of its engine has spoken already. `false` where there is no
    /// room for it.
    pub(super) fn add(&mut self, sample: &Sample<'_>, series: &Series, apart: Apart) -> bool {
        let part = series.by.and_then(|label| sample.label(label));
        let mut labels = Labels::new();
        let mut rank = String::new();
        for (name, value) in sample.labels() {
            if let Apart::Devices(known) = apart {
                if let Some(told) = known.iter().find(|told| told.label == name) {
                    labels.insert(told.what.to_owned(), value.into_owned());
                }
            } else if RANKS.contains(&name) {
                rank.push_str(&format!("{name}={value:?},"));
            } else if Some(name) != series.by && name != "le" {
                labels.insert(name.to_owned(), value.into_owned());
            }
        }
        if series.quantity.kind() == QuantityKind::Histogram {
            if self.histograms.len() == SETS_LIMIT && !self.histograms.contains_key(&labels) {
                return false;
            }
            let buckets = self.histograms.entry(labels).or_default();
            return buckets.add(sample, &rank, series.scale);
        }
        let key = (labels, part.unwrap_or_default().into_owned());
        if self.values.len() == SETS_LIMIT && !self.values.contains_key(&key) {
            return false;
        }
        let value = sample.value * series.scale;
        self.values.entry(key).or_insert(value);
        true
    }

    /// Puts what the samples say where it belongs.
    pub(super) fn put_into(
        &self,
        series: &Series,
        apart: Apart,
        figures: &mut BTreeMap<Quantity, f64>,
        detail: &mut PageDetail,
    ) {
        let quantity = series.quantity;
        if quantity.kind() == QuantityKind::Histogram {
            let all = self.histograms.values().map(Buckets::histogram);
            let all: Option<Vec<_>> = all.collect();
            let sum = all.and_then(|all| all.into_iter().map(Some).reduce(|a, b| a?.and(&b?))?);
            if let Some(histogram) = sum {
                detail.histograms.0.insert(quantity, histogram);
            }
            return;
        }
        let valid = |value: &f64| value.is_finite() && *value >= 0.0;
        if self.values.is_empty() || !self.values.values().all(valid) {
            return;
        }
        let mut engines: BTreeMap<&Labels, Vec<f64>> = BTreeMap::new();
        let mut parts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for ((labels, part), value) in &self.values {
            if part.is_empty() || !self.has_whole(labels) {
                engines.entry(labels).or_default().push(*value);
            }
            parts.entry(part.clone()).or_default().push(*value);
        }
        let values: Vec<f64> = engines.values().flatten().copied().collect();
        let over = quantity.over();
        figures.extend(over.of(&values).map(|value| (quantity, value)));
        let short = parts.keys().all(|part| part.len() <= PART_LIMIT);
        let named = parts.keys().any(|part| !part.is_empty());
        if series.by.is_some() && named && short && parts.len() <= PARTS_LIMIT {
            let parts = parts.into_iter();
            let parts = parts.filter_map(|(part, values)| Some((part, over.of(&values)?)));
            detail.parts.0.insert(quantity, parts.collect());
        }
        if engines.len() > apart.limit() {
            return;
        }
        for (labels, values) in engines {
            if let Some(value) = over.of(&values) {
                of_labels(detail, labels)
                    .figures
                    .extend([(quantity, value)]);
            }
        }
    }
}

impl Gathered {
    /// A value of the whole stands beside those of its parts: a board beside the instances that it is cut into.
    fn has_whole(&self, labels: &Labels) -> bool {
        self.values.contains_key(&(labels.clone(), String::new()))
    }
}

impl Apart {
    /// Engines or GPUs of a page that are kept apart.
    fn limit(self) -> usize {
        match self {
            Self::Engines => ENGINES_LIMIT,
            Self::Devices(_) => DEVICES_LIMIT,
            Self::Host => 0,
        }
    }

    /// Bytes of their labels.
    fn labels_limit(self) -> usize {
        match self {
            Self::Engines | Self::Host => ENGINE_LABELS_LIMIT,
            Self::Devices(_) => DEVICE_LABELS_LIMIT,
        }
    }
}

/// The engine of these labels.
fn of_labels<'a>(detail: &'a mut PageDetail, labels: &Labels) -> &'a mut EngineFigures {
    let known = detail.engines.iter().position(|e| e.labels == *labels);
    let index = known.unwrap_or_else(|| {
        detail.engines.push(EngineFigures {
            labels: labels.clone(),
            figures: ServerFigures::default(),
        });
        detail.engines.len() - 1
    });
    &mut detail.engines[index]
}

/// Leaves of the engines those that a quantity tells apart: where all have one engine, it is the page. A GPU is
/// always one of its own: its labels say which.
pub(super) fn keep_apart(apart: Apart, detail: &mut PageDetail) {
    if matches!(apart, Apart::Engines) {
        keep_engines_apart(detail);
    }
    let labels = detail.engines.iter().flat_map(|engine| &engine.labels);
    let bytes: usize = labels.map(|(name, value)| name.len() + value.len()).sum();
    if detail.engines.len() > apart.limit() || bytes > apart.labels_limit() {
        detail.engines.clear();
    }
}

fn keep_engines_apart(detail: &mut PageDetail) {
    let mut count: BTreeMap<Quantity, usize> = BTreeMap::new();
    for engine in &detail.engines {
        for (quantity, _) in engine.figures.iter() {
            *count.entry(quantity).or_default() += 1;
        }
    }
    for engine in &mut detail.engines {
        let several = engine.figures.iter();
        let several = several.filter(|(quantity, _)| count[quantity] > 1);
        engine.figures = several.collect();
    }
    detail.engines.retain(|engine| !engine.figures.is_empty());
}
