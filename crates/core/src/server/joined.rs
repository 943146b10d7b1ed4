//! Several pages become one series of readings.
//!
//! Pages of the same engine are replicas or pools: what they say at the same tick or the same phase's beginning
//! is added, or averaged, as each quantity is over the engines of one page. A front end's page is not added to
//! those of the engines behind it, which have the same requests. Invariant: where a page that has a
//! quantity did not say it this time, the joined reading does not have it. Pages of GPUs and hosts have no requests
//! and are no part of it.

use super::{Over, Quantity};
use super::{PageDetail, ReadingCause, ServerEngine, ServerFigures, ServerReading, ServerReadings};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

impl ServerReadings {
    /// Whose readings count as the server's: of the pages' engines the first that is no front end.
    pub fn engine(&self) -> Option<ServerEngine> {
        let all = || self.watch.pages.iter().map(|page| page.engine);
        let engines = || all().filter(|engine| !engine.is_device());
        let behind = engines().find(|engine| !engine.is_front_end());
        behind.or_else(|| engines().next())
    }

    /// The pages of that engine, by their place.
    pub fn pages(&self) -> Vec<usize> {
        let engine = self.engine();
        let pages = self.watch.pages.iter().enumerate();
        let own = pages.filter(|(_, page)| Some(page.engine) == engine);
        own.map(|(index, _)| index).collect()
    }

    /// The pages of GPUs and hosts, by their place.
    pub fn device_pages(&self) -> Vec<usize> {
        let pages = self.watch.pages.iter().enumerate();
        let devices = |engine: ServerEngine| engine.is_device() && engine != ServerEngine::Replicas;
        let own = pages.filter(|(_, page)| devices(page.engine));
        own.map(|(index, _)| index).collect()
    }

    /// The place of whoever says how many replicas there are.
    pub fn replica_page(&self) -> Option<usize> {
        let mut pages = self.watch.pages.iter();
        pages.position(|page| page.engine == ServerEngine::Replicas)
    }

    /// The readings of one page, in their order.
    pub fn of_page(&self, page: usize) -> impl Iterator<Item = &ServerReading> {
        self.readings.iter().filter(move |r| r.page == page)
    }

    /// The server's readings: those of its page, or of its pages together.
    pub fn joined(&self) -> Cow<'_, [ServerReading]> {
        let pages = self.pages();
        if self.watch.pages.len() < 2 && !pages.is_empty() {
            return Cow::Borrowed(&self.readings);
        }
        if let [page] = pages[..] {
            return Cow::Owned(self.of_page(page).cloned().collect());
        }
        Cow::Owned(self.together(&pages))
    }

    fn together(&self, pages: &[usize]) -> Vec<ServerReading> {
        let mut has: BTreeMap<Quantity, BTreeSet<usize>> = BTreeMap::new();
        let mut groups: BTreeMap<Instant, Vec<&ServerReading>> = BTreeMap::new();
        for reading in self.readings.iter().filter(|r| pages.contains(&r.page)) {
            for (quantity, _) in reading.figures.iter() {
                has.entry(quantity).or_default().insert(reading.page);
            }
            let instant = Instant::of(reading, self.watch.interval_ns);
            groups.entry(instant).or_default().push(reading);
        }
        let joined = groups.values().filter_map(|group| join(group, &has));
        let mut joined: Vec<ServerReading> = joined.collect();
        joined.sort_by_key(|r| r.asked_ns);
        joined
    }
}

/// What was asked for together.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Instant {
    /// The multiple of the interval.
    Tick(i64),
    /// The phase, by its place.
    Phase(u8),
    End,
}

impl Instant {
    fn of(reading: &ServerReading, interval_ns: i64) -> Self {
        match reading.cause {
            ReadingCause::Interval => Self::Tick(reading.asked_ns.0.div_euclid(interval_ns.max(1))),
            ReadingCause::PhaseStart => Self::Phase(reading.phase as u8),
            ReadingCause::End => Self::End,
        }
    }
}

fn join(
    group: &[&ServerReading],
    has: &BTreeMap<Quantity, BTreeSet<usize>>,
) -> Option<ServerReading> {
    let first = group.first()?;
    let error = group.iter().find_map(|r| r.error.clone());
    let figures = has.iter().filter_map(|(quantity, pages)| {
        let of = |page: &usize| {
            let reading = group.iter().find(|r| r.page == *page)?;
            reading.figures.get(*quantity)
        };
        let values: Option<Vec<f64>> = pages.iter().map(of).collect();
        Some((*quantity, quantity.over().of(&values?)?))
    });
    let figures: ServerFigures = figures.collect();
    Some(ServerReading {
        asked_ns: group.iter().map(|r| r.asked_ns).min()?,
        answered_ns: group.iter().map(|r| r.answered_ns).max()?,
        phase: first.phase,
        cause: first.cause,
        skipped: group.iter().map(|r| r.skipped).sum(),
        page: first.page,
        // Pages that answered say what they can: only nothing at all is a failure.
        error: error.filter(|_| figures.is_empty()),
        figures,
        detail: PageDetail::default(),
    })
}

impl Over {
    /// One value of those of several engines; `None` of none.
    pub fn of(self, values: &[f64]) -> Option<f64> {
        let sum: f64 = values.iter().sum();
        match self {
            _ if values.is_empty() => None,
            Self::Sum => Some(sum),
            Self::Mean => Some(sum / values.len() as f64),
            Self::Max => values.iter().copied().reduce(f64::max),
        }
    }
}
