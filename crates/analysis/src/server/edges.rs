//! Counters and histograms of the server over the window: the difference between two readings, nothing extrapolated.
//!
//! A reading is asked for at each edge of the window, so what is counted is the time between two answers: they
//! lie apart from the edges by what an answer takes, which is said. Invariant: a counter that went back has no difference.

use infermeter_core::run::Window;
use infermeter_core::server::{Quantity, ServerHistogram, ServerReading, ServerReadings};

/// A reading this near to an edge of the window is always good enough, nanoseconds: a phase is told
/// within 50 ms.
const EDGE_NS: u64 = 100_000_000;

/// Why a counter has no difference where it went back.
pub(crate) const WENT_BACK: &str =
    "a counter went back inside the window: the server was restarted";

/// The readings of a page that have something, from the one at the window's start to the one at its end.
pub(crate) struct Edges<'a, T> {
    readings: Vec<Having<'a, T>>,
}

/// A reading, and what was taken from it.
type Having<'a, T> = (&'a ServerReading, T);

impl<'a, T> Edges<'a, T> {
    /// Those of one page that have what `of` takes from them.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn of(
        server: &'a ServerReadings,
        page: usize,
        window: Window,
        of: impl Fn(&'a ServerReading) -> Option<T>,
    ) -> Result<Self, &'static str> {
        let known = server.of_page(page);
        let known: Vec<(&ServerReading, T)> = known.filter_map(|r| Some((r, of(r)?))).collect();
        if known.is_empty() {
            return Err(ABSENT);
        }
        let nearest = |edge: i64| {
            let apart = |(r, _): &(&ServerReading, T)| r.at().0.abs_diff(edge);
            let found = known.iter().enumerate().min_by_key(|(_, r)| apart(r));
            let tenth = window.end.since(window.start).unsigned_abs() / 10;
            let near = tenth.max(EDGE_NS);
            found
                .filter(|(_, r)| apart(r) <= near)
                .map(|(index, _)| index)
        };
        let edges = nearest(window.start.0).zip(nearest(window.end.0));
        let (from, to) = edges
            .filter(|(from, to)| from < to)
            .ok_or("no reading lies near an edge of the window")?;
        let mut readings = known;
        readings.truncate(to + 1);
        readings.drain(..from);
        Ok(Self { readings })
    }

    /// The first and the last.
    fn both(&self) -> Option<(&Having<'a, T>, &Having<'a, T>)> {
        self.readings.first().zip(self.readings.last())
    }

    /// How far the two lie from the window's edges together, the answers' own time included, seconds: the time
    /// that may be counted too much or too little.
    pub(crate) fn apart_s(&self, window: Window) -> f64 {
        let apart = |(reading, _): &(&ServerReading, T), edge: i64| {
            let answer = reading.answered_ns.since(reading.asked_ns) / 2;
            reading.at().0.abs_diff(edge) as f64 + answer.max(0) as f64
        };
        self.both().map_or(0.0, |(first, last)| {
            (apart(first, window.start.0) + apart(last, window.end.0)) / 1e9
        })
    }

    /// Seconds between the two.
    pub(crate) fn seconds(&self) -> f64 {
        self.both().map_or(0.0, |(first, last)| {
            last.0.at().since(first.0.at()) as f64 / 1e9
        })
    }
}

impl Edges<'_, f64> {
    /// What the counter rose by.
    pub(crate) fn rise(&self) -> Result<f64, &'static str> {
        if self.readings.windows(2).any(|pair| pair[1].1 < pair[0].1) {
            return Err(WENT_BACK);
        }
        Ok(self.both().map_or(0.0, |(first, last)| last.1 - first.1))
    }
}

impl Edges<'_, &ServerHistogram> {
    /// The values that came in between.
    pub(crate) fn rise(&self) -> Result<ServerHistogram, &'static str> {
        let fell =
            |pair: &[(&ServerReading, &ServerHistogram)]| pair[1].1.count() < pair[0].1.count();
        if self.readings.windows(2).any(fell) {
            return Err(WENT_BACK);
        }
        let both = self.both();
        let rise = both.and_then(|(first, last)| last.1.since(first.1));
        rise.ok_or(WENT_BACK)
    }
}

/// What a counter rose by on all pages of the server that have it, as its quantity combines.
pub(crate) fn total(
    server: &ServerReadings,
    window: Window,
    quantity: Quantity,
) -> Result<f64, &'static str> {
    let rises = each(server, |page| {
        Edges::of(server, page, window, |r| r.figures.get(quantity))?.rise()
    })?;
    quantity.over().of(&rises).ok_or(ABSENT)
}

/// The values of a histogram that came in the window, over all pages that have it.
pub(crate) fn histogram(
    server: &ServerReadings,
    window: Window,
    quantity: Quantity,
) -> Result<ServerHistogram, &'static str> {
    let rises = each(server, |page| {
        Edges::of(server, page, window, |r| r.detail.histograms.get(quantity))?.rise()
    })?;
    let all = rises.into_iter().map(Some).reduce(|a, b| a?.and(&b?));
    all.flatten().ok_or("the pages have different buckets")
}

/// Why there is nothing where a page lacks it.
pub(super) const ABSENT: &str = "the server's page does not have them";

/// Of each page of the server that has something; an error of one is that of all.
fn each<T>(
    server: &ServerReadings,
    of: impl Fn(usize) -> Result<T, &'static str>,
) -> Result<Vec<T>, &'static str> {
    let pages = server.pages().into_iter().map(of);
    let having = pages.filter(|found| !matches!(found, Err(why) if *why == ABSENT));
    let found: Vec<T> = having.collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(ABSENT);
    }
    Ok(found)
}
