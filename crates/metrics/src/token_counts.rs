//! Whether token counts agree: what was asked, what usage says, what the chunks add up to.

use crate::facts::RequestFacts;
use crate::population::Population;
use infermeter_core::finish::FinishReason;
use infermeter_core::record::TokenSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An output length or a sum of chunks agrees up to this many tokens (the invisible end token) or
/// [`AGREEMENT_SHARE`].
pub(crate) const AGREEMENT_TOKENS: u64 = 1;
/// See [`AGREEMENT_TOKENS`].
pub(crate) const AGREEMENT_SHARE: f64 = 0.01;

/// Token counts of the completed measured requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCounts {
    /// Completed measured requests.
    pub completed: u64,
    /// Of those, with an output count from the server's usage.
    pub with_usage: u64,
    /// With any output count (usage or chunks).
    pub output_known: u64,
    /// Without one, whose output tokens are the tokenizer's estimate.
    pub estimated: u64,
    /// That have no token, by the server's word.
    pub empty: u64,
    /// Of those, whose length is off the one asked for by more than 1 token.
    pub output_not_obeyed: u64,
    /// Those of them that are off: by how they ended.
    pub output_off: OffLength,
    /// Output tokens, where known.
    pub output_tokens: u64,
    /// Output tokens asked for by those requests.
    pub output_tokens_asked: u64,
    /// With both a usage and a sum of chunks from another source.
    pub comparable: u64,
    /// Of those, whose sum differs from usage by more than 1 token and 1 %.
    pub disagreeing: u64,
    /// `usage.prompt_tokens` - prompt tokens asked for; absent where the server gives no usage.
    pub prompt: Option<PromptDifference>,
    /// Prompt tokens by usage.
    pub prompt_tokens: u64,
    /// Of those, from the server's cache; absent where it does not say.
    pub cached_tokens: Option<u64>,
    /// Responses by the source of their tokens per chunk.
    pub sources: Vec<SourceCount>,
}

/// Answers whose length is off the one asked for by more than 1 token, by how they ended. They add up
/// to `output_not_obeyed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OffLength {
    /// Too short, and ended by the model itself (`stop`).
    pub stopped_early: u64,
    /// Too short, and cut at a limit that nobody asked for (`length`).
    pub cut_short: u64,
    /// Too short for another reason, or for none that the server gave.
    pub ended_otherwise: u64,
    /// Longer than asked for.
    pub too_long: u64,
}

impl OffLength {
    fn add(&mut self, tokens: u64, asked: u64, finish: Option<FinishReason>) {
        *match finish {
            _ if tokens > asked => &mut self.too_long,
            Some(FinishReason::Stop) => &mut self.stopped_early,
            Some(FinishReason::Length) => &mut self.cut_short,
            _ => &mut self.ended_otherwise,
        } += 1;
    }
}

/// Spread of (`usage.prompt_tokens` - asked), tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromptDifference {
    /// Requests with usage.
    pub requests: u64,
    /// Least difference, tokens.
    pub min: i64,
    /// Median difference, tokens (in sessions, of first turns): the chat template's, where nothing else
    /// differs.
    pub median: i64,
    /// Greatest difference, tokens.
    pub max: i64,
    /// Requests whose difference is off the median of requests with as many messages by more than
    /// max(2 tokens, 1 % of the prompt).
    pub outliers: u64,
    /// Requests whose difference belongs to no form of prompt: forms are differences that at least
    /// three requests share, to a token, with none beside them.
    pub formless: u64,
}

/// Responses whose tokens per chunk come from one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceCount {
    /// The source.
    pub source: TokenSource,
    /// How many responses.
    pub responses: u64,
}

impl TokenCounts {
    /// Share of output lengths not obeyed; absent where none is known.
    pub fn not_obeyed_share(&self) -> Option<f64> {
        share(self.output_not_obeyed, self.output_known)
    }

    /// Share of the prompt tokens that a template adds to each prompt alike: the least difference of
    /// all. 0 where none is known.
    pub fn template_share(&self) -> f64 {
        let tokens = self.prompt.map(|p| p.min.max(0) as u64 * p.requests);
        tokens
            .and_then(|t| share(t, self.prompt_tokens))
            .unwrap_or(0.0)
    }

    /// Cached / prompt tokens, token-weighted; absent where the server does not say.
    pub fn cached_share(&self) -> Option<f64> {
        share(self.cached_tokens?, self.prompt_tokens)
    }
}

/// Requests that make a form of prompt.
const FORM_REQUESTS: usize = 3;

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Counts the tokens of a population's completed requests.
pub fn token_counts(population: &Population<'_>) -> TokenCounts {
    let mut counts = TokenCounts::default();
    let mut sources: Vec<SourceCount> = Vec::new();
    let mut differences: Vec<Difference> = Vec::new();
    for record in population.completed() {
        counts.completed += 1;
        count_output(record, &mut counts);
        if let Some(prompt) = record.prompt_tokens {
            let asked = record.requested_prompt_tokens;
            // Markers and numbers of a question are cut into tokens by each vocabulary in its own way.
            if !record.asks_question() {
                differences.push(Difference {
                    turn: record.turn.map_or(0, |turn| turn.number),
                    tokens: i64::from(prompt) - i64::from(asked),
                    asked,
                });
            }
            counts.prompt_tokens += u64::from(prompt);
        }
        if let Some(cached) = record.cached_tokens {
            *counts.cached_tokens.get_or_insert(0) += u64::from(cached);
        }
        if let Some(source) = record.token_source {
            match sources.iter_mut().find(|s| s.source == source) {
                Some(known) => known.responses += 1,
                None => sources.push(SourceCount {
                    source,
                    responses: 1,
                }),
            }
        }
    }
    sources.sort_by_key(|s| std::cmp::Reverse(s.responses));
    counts.sources = sources;
    counts.prompt = prompt_difference(&mut differences);
    counts
}

fn count_output(record: &RequestFacts, counts: &mut TokenCounts) {
    counts.with_usage += u64::from(record.output_tokens.is_some());
    counts.empty += u64::from(record.is_empty_answer());
    let is_estimated = record.token_source == Some(TokenSource::Estimated);
    counts.estimated += u64::from(is_estimated);
    // An estimate is not held against the server.
    if let Some(tokens) = record.output_token_count().filter(|_| !is_estimated) {
        let asked = u64::from(record.requested_output_tokens);
        counts.output_known += 1;
        counts.output_tokens += tokens;
        counts.output_tokens_asked += asked;
        // A question is answered as long as it takes.
        if tokens.abs_diff(asked) > AGREEMENT_TOKENS && !record.asks_question() {
            counts.output_not_obeyed += 1;
            counts.output_off.add(tokens, asked, record.finish);
        }
    }
    let independent = matches!(
        record.token_source,
        Some(TokenSource::ContinuousUsage | TokenSource::TokenIds)
    );
    if let (Some(usage), Some(sum), true) =
        (record.output_tokens, record.chunks.tokens, independent)
    {
        let off = sum.abs_diff(u64::from(usage));
        let slack = sum.max(u64::from(usage)) as f64 * AGREEMENT_SHARE;
        counts.comparable += 1;
        counts.disagreeing += u64::from(off > AGREEMENT_TOKENS && off as f64 > slack);
    }
}

/// What the server counted beyond what was asked for, in one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    /// A template adds something for each message: turns compare with their like.
    turn: u32,
    tokens: i64,
    asked: u32,
}

fn prompt_difference(differences: &mut [Difference]) -> Option<PromptDifference> {
    differences.sort_unstable();
    let groups = || differences.chunk_by(|one, next| one.turn == next.turn);
    let median = |group: &[Difference]| group.get(group.len() / 2).map(|d| d.tokens);
    let outliers = |group: &[Difference]| {
        let middle = median(group).unwrap_or(0);
        let is_outlier = |difference: &&Difference| {
            let slack = (f64::from(difference.asked) * 0.01).max(2.0);
            difference.tokens.abs_diff(middle) as f64 > slack
        };
        group.iter().filter(is_outlier).count() as u64
    };
    let tokens = || differences.iter().map(|d| d.tokens);
    Some(PromptDifference {
        requests: differences.len() as u64,
        min: tokens().min()?,
        median: median(groups().next()?)?,
        max: tokens().max()?,
        outliers: groups().map(outliers).sum(),
        formless: groups().map(formless).sum(),
    })
}

/// Differences of one turn, in order, that no form explains: where the tokenizer is the server's, each
/// form has a constant of its own, and nothing lies between two constants. Another tokenizer's differences
/// grow with the texts and fill the range.
fn formless(group: &[Difference]) -> u64 {
    let apart = |one: &Difference, next: &Difference| next.tokens - one.tokens <= 1;
    let forms = group.chunk_by(apart).filter(|run| {
        let width = match (run.first(), run.last()) {
            (Some(first), Some(last)) => last.tokens - first.tokens,
            _ => 0,
        };
        run.len() < FORM_REQUESTS || width > 2
    });
    forms.map(|run| run.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::{OffLength, token_counts};
    use crate::fixture::{Run, facts, ms};
    use crate::population::Population;
    use infermeter_core::record::TokenSource;

    #[test]
    fn lengths_that_are_off_by_how_the_answer_ended() {
        let mut run = Run::open(1.0, 10);
        let ends = [
            (5, Some("stop")),
            (5, Some("length")),
            (5, Some("tool_calls")),
            (5, None),
            (9, Some("stop")),
            (12, Some("stop")),
        ];
        for (at, (tokens, finish)) in (0..).zip(ends) {
            run.stream(at * 100, ms(20), ms(10), tokens);
            let record = run.records().last_mut().expect("just added");
            record.requested_output_tokens = 10;
            record.finish_reason = finish.map(str::to_owned);
        }
        let counts = token_counts(&Population::of(&facts(&run.build())));
        let expect = OffLength {
            stopped_early: 1,
            cut_short: 1,
            ended_otherwise: 2,
            too_long: 1,
        };
        assert_eq!((counts.output_not_obeyed, counts.output_off), (5, expect));
    }

    #[test]
    fn lengths_sums_and_prompts() {
        let mut run = Run::open(1.0, 10);
        for at in 0..4 {
            run.stream(at * 100, ms(20), ms(10), 200);
        }
        let mut log = run.build();
        for record in &mut log.records {
            record.token_source = Some(TokenSource::TokenIds);
        }
        // Two tokens short of both: within 1 % of usage, but not the length asked for.
        log.records[1].output_tokens = Some(198);
        // Three off: a disagreement.
        log.records[2].output_tokens = Some(203);
        log.records[3].prompt_tokens = Some(150);
        log.records[3].cached_tokens = Some(45);
        let counts = token_counts(&Population::of(&facts(&log)));
        assert_eq!((counts.completed, counts.output_known), (4, 4));
        assert_eq!((counts.output_not_obeyed, counts.disagreeing), (2, 1));
        let off = counts.output_off;
        assert_eq!((off.cut_short, off.too_long), (1, 1));
        let prompt = counts.prompt.expect("usage is given");
        assert_eq!((prompt.min, prompt.median, prompt.max), (0, 0, 50));
        assert_eq!(prompt.outliers, 1);
        assert_eq!(counts.cached_share(), Some(45.0 / 450.0));
    }
}
