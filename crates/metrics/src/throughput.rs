//! Throughputs of the measured window: what arrived inside it, of all requests whatever their
//! phase or outcome, over its length.

use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, RequestRecord, StampSource};
use infermeter_core::run::Window;

/// Equal parts of the window whose rates give a throughput its interval: ten batch means, as in
/// statistics.md.
pub const PARTS: usize = 10;

/// Things counted at their instants inside a window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowCount {
    window: Window,
    parts: [f64; PARTS],
}

impl WindowCount {
    /// Nothing yet.
    pub fn new(window: Window) -> Self {
        Self {
            window,
            parts: [0.0; PARTS],
        }
    }

    /// Counts `amount` at `at`, if that lies in the window.
    pub fn add(&mut self, at: Offset, amount: f64) {
        if !self.window.contains(at) {
            return;
        }
        let length = self.window.end.since(self.window.start) as f64;
        let part = at.since(self.window.start) as f64 / length * PARTS as f64;
        self.parts[(part as usize).min(PARTS - 1)] += amount;
    }

    /// Adds the counts of another one over the same window.
    fn merge(&mut self, other: &Self) {
        let parts = self.parts.iter_mut().zip(other.parts);
        parts.for_each(|(own, theirs)| *own += theirs);
    }

    /// Everything counted.
    pub fn total(&self) -> f64 {
        self.parts.iter().sum()
    }

    /// Total / window length, per second.
    pub fn per_second(&self) -> f64 {
        self.total() / self.window.seconds()
    }

    /// The rate in each tenth of the window, per second; their mean is [`Self::per_second`].
    pub fn part_rates(&self) -> [f64; PARTS] {
        let part_s = self.window.seconds() / PARTS as f64;
        self.parts.map(|amount| amount / part_s)
    }
}

/// What arrived inside the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Throughput {
    /// Output tokens, each at its chunk's instant.
    pub output_tokens: WindowCount,
    /// Prompt tokens, each request's at its first token.
    pub prompt_tokens: WindowCount,
    /// Those of them that the server took from its cache; absent where it does not say.
    pub cached_tokens: Option<WindowCount>,
    /// Completed requests, each at its `closed`.
    pub requests: WindowCount,
    /// Texts embedded or documents ranked by them; absent where requests hold a prompt.
    pub items: Option<WindowCount>,
    /// Responses of several chunks whose tokens per chunk are unknown: their usage is spread
    /// evenly over their chunks.
    pub spread_evenly: u64,
    /// Responses of which something arrived inside the window and whose tokens are the tokenizer's
    /// estimate, spread evenly over their chunks.
    pub estimated: u64,
    /// Chunks inside the window of responses without any token count (a stream that broke before
    /// its usage): their tokens are missing from [`Self::output_tokens`].
    pub uncounted_chunks: u64,
    /// Chunks inside the window.
    pub chunks: u64,
    /// Requests counted with the prompt tokens asked for because the server gave no usage.
    pub prompt_tokens_as_asked: u64,
    /// Imported requests whose file does not say their prompt tokens: these are missing from
    /// [`Self::prompt_tokens`].
    pub unknown_prompts: u64,
}

impl Throughput {
    /// Nothing counted yet.
    pub fn new(window: Window) -> Self {
        Self {
            output_tokens: WindowCount::new(window),
            prompt_tokens: WindowCount::new(window),
            cached_tokens: None,
            requests: WindowCount::new(window),
            items: None,
            spread_evenly: 0,
            estimated: 0,
            uncounted_chunks: 0,
            chunks: 0,
            prompt_tokens_as_asked: 0,
            unknown_prompts: 0,
        }
    }

    /// Counts what a request brought into the window.
    pub fn add(&mut self, record: &RequestRecord) {
        let window = self.requests.window;
        count_output(record, window, self);
        count_input(record, window, self);
        if record.outcome == Outcome::Completed
            && let Some(closed) = record.closed
        {
            self.requests.add(closed, 1.0);
            if let Some(items) = record.items {
                let count = self.items.get_or_insert_with(|| WindowCount::new(window));
                count.add(closed, f64::from(items));
            }
        }
    }

    /// Adds what another one over the same window has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.output_tokens.merge(&other.output_tokens);
        self.prompt_tokens.merge(&other.prompt_tokens);
        self.requests.merge(&other.requests);
        if let Some(theirs) = &other.cached_tokens {
            let own = self
                .cached_tokens
                .get_or_insert_with(|| WindowCount::new(theirs.window));
            own.merge(theirs);
        }
        if let Some(theirs) = &other.items {
            let own = self
                .items
                .get_or_insert_with(|| WindowCount::new(theirs.window));
            own.merge(theirs);
        }
        self.spread_evenly += other.spread_evenly;
        self.estimated += other.estimated;
        self.uncounted_chunks += other.uncounted_chunks;
        self.chunks += other.chunks;
        self.prompt_tokens_as_asked += other.prompt_tokens_as_asked;
        self.unknown_prompts += other.unknown_prompts;
    }
}

/// Instant of the last token of an answer without chunks.
fn end_of_answer(record: &RequestRecord) -> Option<Offset> {
    record.finished.or(record.closed)
}

fn count_output(record: &RequestRecord, window: Window, result: &mut Throughput) {
    let inside = record.chunks.iter().filter(|c| window.contains(c.at));
    let inside = inside.count() as u64;
    result.chunks += inside;
    if record.chunks.iter().all(|c| c.token_count().is_some()) && !record.chunks.is_empty() {
        if inside == 0 {
            return;
        }
        for chunk in &record.chunks {
            result.output_tokens.add(chunk.at, f64::from(chunk.tokens));
        }
        return;
    }
    let estimate = record.estimated_output_tokens;
    match (record.output_tokens.or(estimate), record.chunks.len()) {
        (Some(tokens), 0) => {
            if let Some(at) = end_of_answer(record) {
                result.output_tokens.add(at, f64::from(tokens));
                result.estimated += u64::from(estimate.is_some() && window.contains(at));
            }
        }
        (Some(tokens), chunks) => {
            let counted = match estimate {
                Some(_) => &mut result.estimated,
                None => &mut result.spread_evenly,
            };
            *counted += u64::from(inside > 0 && (chunks > 1 || estimate.is_some()));
            // Whole tokens, so that sums are exact in any order: chunk i gets what the first i + 1
            // chunks have more than the first i.
            let upto = |i: usize| u64::from(tokens) * i as u64 / chunks as u64;
            for (i, chunk) in record.chunks.iter().enumerate() {
                let share = (upto(i + 1) - upto(i)) as f64;
                result.output_tokens.add(chunk.at, share);
            }
        }
        (None, _) => result.uncounted_chunks += inside,
    }
}

fn count_input(record: &RequestRecord, window: Window, result: &mut Throughput) {
    let first = match record.chunks.first() {
        Some(chunk) => Some(chunk.at),
        None if record.outcome == Outcome::Completed => end_of_answer(record),
        None => None,
    };
    let Some(at) = first.filter(|at| window.contains(*at)) else {
        return;
    };
    if record.prompt_tokens.is_none() && record.stamp_source == Some(StampSource::Imported) {
        result.unknown_prompts += 1;
        return;
    }
    result.prompt_tokens_as_asked += u64::from(record.prompt_tokens.is_none());
    let tokens = record
        .prompt_tokens
        .unwrap_or(record.requested_prompt_tokens);
    result.prompt_tokens.add(at, f64::from(tokens));
    if let Some(cached) = record.cached_tokens {
        let count = result
            .cached_tokens
            .get_or_insert_with(|| WindowCount::new(window));
        count.add(at, f64::from(cached));
    }
}

#[cfg(test)]
mod tests {
    use super::Throughput;
    use crate::fixture::{Run, ms};
    use infermeter_core::record::Reason;

    fn of(run: Run) -> Throughput {
        let log = run.build();
        let mut counted = Throughput::new(log.manifest.window.expect("a window"));
        log.records.iter().for_each(|record| counted.add(record));
        counted
    }

    #[test]
    fn the_window_clips_every_phase() {
        let mut run = Run::open(1.0, 10);
        // Tokens at -30, -20, -10, 0, +10 ms of the window's start: two inside.
        run.warmup_stream(-50, ms(20), ms(10), 5);
        // Tokens at 9,980, 9,990, 10,000 ms: two inside; closed and completed after the window.
        run.stream(9_970, ms(10), ms(10), 3);
        let found = of(run);
        assert_eq!(found.output_tokens.total(), 4.0);
        assert!((found.output_tokens.per_second() - 0.4).abs() < 1e-12);
        // Only the second request's first token lies inside; only the first closed inside.
        assert_eq!(found.prompt_tokens.total(), 100.0);
        assert_eq!(found.requests.total(), 1.0);
        assert_eq!(found.cached_tokens, None);
    }

    #[test]
    fn failed_requests_count_what_they_delivered() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 3).fails(Reason::Truncated);
        let found = of(run);
        assert_eq!(found.output_tokens.total(), 3.0);
        assert_eq!(found.requests.total(), 0.0);
        assert_eq!(found.prompt_tokens_as_asked, 1);
    }

    #[test]
    fn usage_is_spread_over_chunks_of_unknown_size() {
        let mut run = Run::open(1.0, 10);
        // Chunks at 9,980, 9,990, 10,000, 10,010 ms; 10 tokens by usage: half inside.
        run.stream(9_970, ms(10), ms(10), 4)
            .without_token_counts()
            .usage(10);
        run.stream(0, ms(10), ms(10), 4).without_token_counts();
        let found = of(run);
        assert_eq!(found.output_tokens.total(), 5.0);
        assert_eq!((found.spread_evenly, found.uncounted_chunks), (1, 4));
    }

    #[test]
    fn tenths_average_to_the_whole() {
        let mut run = Run::open(1.0, 10);
        for at in [0, 500, 2_200, 9_900] {
            run.stream(at, ms(10), ms(10), 4);
        }
        let count = of(run).output_tokens;
        let parts = count.part_rates();
        assert_eq!((parts[0], parts[2], parts[9]), (8.0, 4.0, 4.0));
        let mean: f64 = parts.iter().sum::<f64>() / 10.0;
        assert!((mean - count.per_second()).abs() < 1e-12);
    }
}
