//! Which series of which engine says what: from a page's samples to a server's figures.
//!
//! Each engine has a file with a table: names as the engine writes them today, older ones behind them. A
//! page may speak for several engines (replicas of a server, models): they combine as each quantity says. Ranks of
//! one engine all show the same figures, so only the first of them counts. Several kinds of engine may stand
//! on one page, a router and what is behind it: each has figures of its own. GPUs and hosts have exporters, which are
//! read in the same way: a GPU is told apart by its own labels, and what a page repeats of it counts once. Invariant: a
//! figure of which any part is not a finite number of at least 0 is absent.

mod all_smi;
mod amd_gpu;
mod buckets;
mod dcgm;
mod dynamo;
mod gathered;
mod llama_cpp;
mod node_exporter;
mod sglang;
mod tensorrt_llm;
mod tgi;
mod triton;
mod vllm;

use crate::prometheus::{Line, Sample, lines};
use gathered::Gathered;
use infermeter_core::server::{PageDetail, Quantity, QuantityKind, ServerEngine, ServerFigures};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// Bytes of a page that are looked at: real ones have about 60 kB.
const PAGE_LIMIT: usize = 4 << 20;
/// Samples of a page that are looked at: real ones have about a thousand, thirty replicas thirty times
/// that.
const SAMPLES_LIMIT: usize = 1 << 16;
/// Label sets of one series that are looked at.
const SETS_LIMIT: usize = 4_096;
/// Bytes between the braces of a sample that counts: real ones have about 60. Without this a page of
/// 4 MB made a million strings, sorted and kept.
const LABELS_LIMIT: usize = 4 << 10;
/// Labels that tell ranks of one engine apart.
const RANKS: [&str; 3] = ["tp_rank", "pp_rank", "moe_ep_rank"];

/// What an engine writes.
pub(crate) struct Reader {
    /// Whose series.
    pub engine: ServerEngine,
    /// What the labels of its samples tell apart.
    pub apart: Apart,
    /// What they say.
    pub series: &'static [Series],
}

/// What the samples of one series differ in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Apart {
    /// Engines, and ranks of one engine, which all say the same.
    Engines,
    /// GPUs, by these labels. Others repeat what the board says: containers that share it, and parts of it.
    Devices(&'static [Tells]),
    /// Parts of one host, which are added up and not kept apart.
    Host,
}

/// A label that tells of a GPU, and what every exporter's readings call it: `uuid`, `gpu`, `model`, `host`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tells {
    label: &'static str,
    what: &'static str,
}

/// A label's name here.
const fn tells(label: &'static str, what: &'static str) -> Tells {
    Tells { label, what }
}

/// A series, and the quantity that it is.
pub(crate) struct Series {
    quantity: Quantity,
    /// The first that a page has counts. A counter stands here without its `_total`, a histogram without `_bucket`.
    names: &'static [&'static str],
    /// Labels that a sample must have.
    only: &'static [Label],
    /// A label by whose values the quantity has parts.
    by: Option<&'static str>,
    /// One of the series' unit in the quantity's.
    scale: f64,
}

/// A label and its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    name: &'static str,
    value: &'static str,
}

/// A quantity under these names.
const fn series(quantity: Quantity, names: &'static [&'static str]) -> Series {
    Series {
        quantity,
        names,
        only: &[],
        by: None,
        scale: 1.0,
    }
}

impl Series {
    /// Of the samples that have these labels.
    const fn only(self, only: &'static [Label]) -> Self {
        Self { only, ..self }
    }

    /// In parts by a label.
    const fn by(self, label: &'static str) -> Self {
        Self {
            by: Some(label),
            ..self
        }
    }

    /// In another unit.
    const fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }
}

/// Every engine, those that stand behind others first.
static READERS: [&Reader; 11] = [
    &vllm::READER,
    &sglang::READER,
    &llama_cpp::READER,
    &tgi::READER,
    &tensorrt_llm::READER,
    &triton::READER,
    &dynamo::READER,
    &dcgm::READER,
    &amd_gpu::READER,
    &all_smi::READER,
    &node_exporter::READER,
];

/// What one engine says on a page.
#[derive(Debug, Clone, PartialEq)]
pub struct PageFigures {
    /// Which.
    pub engine: ServerEngine,
    /// Its figures.
    pub figures: ServerFigures,
    /// What else the page says of it.
    pub detail: PageDetail,
}

/// A series of a reader, under one of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    reader: usize,
    series: usize,
    name: usize,
}

impl Key {
    fn series(self) -> &'static Series {
        &READERS[self.reader].series[self.series]
    }

    fn apart(self) -> Apart {
        READERS[self.reader].apart
    }
}

/// The series by their names.
static NAMES: LazyLock<HashMap<&'static str, Vec<Key>>> = LazyLock::new(|| {
    let mut names: HashMap<&'static str, Vec<Key>> = HashMap::new();
    for (reader, of) in READERS.iter().enumerate() {
        for (series, one) in of.series.iter().enumerate() {
            for (name, text) in one.names.iter().enumerate() {
                let key = Key {
                    reader,
                    series,
                    name,
                };
                names.entry(text).or_default().push(key);
            }
        }
    }
    names
});

/// The engines whose series stand on a page, and their figures; empty where no series is known.
pub(crate) fn figures(page: &str) -> Vec<PageFigures> {
    let looked_at = head(page);
    let mut gathered: BTreeMap<Key, Gathered> = BTreeMap::new();
    let (mut malformed, mut samples, mut cut) = (0, 0, looked_at.len() < page.len());
    for line in lines(looked_at) {
        let Line::Sample(sample) = line else {
            malformed += 1;
            continue;
        };
        if samples == SAMPLES_LIMIT {
            cut = true;
            break;
        }
        samples += 1;
        for key in keys_of(&sample) {
            let fits = |Label { name, value }: &Label| {
                sample.label(name).is_some_and(|found| found == *value)
            };
            if sample.label_bytes() > LABELS_LIMIT {
                cut = true;
            } else if key.series().only.iter().all(fits) {
                let gathered = gathered.entry(key).or_default();
                cut |= !gathered.add(&sample, key.series(), key.apart());
            }
        }
    }
    let of_reader = |reader: usize| of_engine(reader, &gathered);
    let mut found: Vec<PageFigures> = (0..READERS.len()).filter_map(of_reader).collect();
    for figures in &mut found {
        figures.detail.bytes = Some(page.len() as u64);
        figures.detail.malformed = malformed;
        figures.detail.cut = cut;
    }
    found
}

/// As much of a page as is looked at.
fn head(page: &str) -> &str {
    let mut end = page.len().min(PAGE_LIMIT);
    while !page.is_char_boundary(end) {
        end -= 1;
    }
    &page[..end]
}

/// The series that a sample belongs to: by its name, by that of its counter, or by that of its histogram.
fn keys_of<'a>(sample: &Sample<'a>) -> impl Iterator<Item = Key> + use<'a> {
    let known = |name: &str| NAMES.get(name).map(Vec::as_slice);
    let name = sample.name;
    let value = known(name).or_else(|| known(name.strip_suffix("_total")?));
    let mut suffixes = ["_bucket", "_sum", "_count"].into_iter();
    let stem = suffixes.find_map(|suffix| name.strip_suffix(suffix));
    let of_kind = |keys: Option<&'static [Key]>, histogram: bool| {
        let is = move |key: &&Key| {
            let kind = key.series().quantity.kind();
            (kind == QuantityKind::Histogram) == histogram
        };
        keys.unwrap_or_default().iter().filter(is).copied()
    };
    of_kind(value, false).chain(of_kind(stem.and_then(known), true))
}

fn of_engine(reader: usize, gathered: &BTreeMap<Key, Gathered>) -> Option<PageFigures> {
    let mut own = Vec::new();
    for (index, series) in READERS[reader].series.iter().enumerate() {
        // Keys are in order of the names: the first that is there counts.
        let from = Key {
            reader,
            series: index,
            name: 0,
        };
        let to = Key {
            series: index + 1,
            ..from
        };
        let found = gathered.range(from..to).next();
        own.extend(found.map(|(_, found)| (series, found)));
    }
    if own.is_empty() {
        return None;
    }
    let mut figures = BTreeMap::new();
    let mut detail = PageDetail::default();
    for (series, found) in own {
        let quantity = series.quantity;
        if figures.contains_key(&quantity) || detail.histograms.get(quantity).is_some() {
            continue;
        }
        found.put_into(series, READERS[reader].apart, &mut figures, &mut detail);
    }
    gathered::keep_apart(READERS[reader].apart, &mut detail);
    Some(PageFigures {
        engine: READERS[reader].engine,
        figures: figures.into_iter().collect(),
        detail,
    })
}

#[cfg(test)]
mod tests;
