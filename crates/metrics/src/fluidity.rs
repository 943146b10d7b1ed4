//! The fluidity index of a request: the share of its tokens' deadlines that were met (Agrawal et al.
//! 2024, "Etalon"), in three forms that treat what comes after a late token differently.
//!
//! Does not choose the deadlines and does not decide which requests count. Invariants: without the
//! tokens of every chunk there is no index; the three forms agree on whether all tokens were on time.

use crate::origin::Origin;
use infermeter_core::clock::Offset;
use infermeter_core::plan::{Deadlines, Plan};
use infermeter_core::record::{Chunk, RequestRecord};
use infermeter_core::run::LoadModel;

/// What is asked: deadlines, and what the first one counts from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FluidityQuestion {
    /// When tokens are due.
    pub deadlines: Deadlines,
    /// The headline origin of the load model.
    pub origin: Origin,
}

impl FluidityQuestion {
    /// That of a plan; `None` where it gives no deadlines.
    pub fn of(plan: &Plan, load_model: LoadModel) -> Option<Self> {
        Some(Self {
            deadlines: plan.deadlines()?,
            origin: Origin::headline(load_model),
        })
    }
}

/// Deadlines met and missed by one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fluidity {
    /// Tokens of the answer.
    pub tokens: u64,
    /// Written form: tokens on time. A token is due D after the one before, plus the slack that
    /// early tokens have saved; a late one loses the slack.
    pub on_time: u64,
    /// Coded form: deadlines, of which a late token passes as many as fit into its lateness.
    pub deadlines: u64,
    /// Of those, missed.
    pub missed: u64,
    /// Absolute form: tokens on time, where token i (from 0) is due at D_p + i D_d.
    pub on_schedule: u64,
}

impl Fluidity {
    /// Of a record; `None` without a chunk, where some chunk's tokens are unknown, and for a
    /// request without that origin.
    pub(crate) fn of(record: &RequestRecord, question: &FluidityQuestion) -> Option<Self> {
        let origin = match question.origin {
            Origin::Intended => Some(record.intended),
            Origin::Send => record.send_start,
        };
        fluidity(origin?, &record.chunks, question.deadlines)
    }

    /// Written form, 0 to 1.
    pub fn written(self) -> f64 {
        self.on_time as f64 / self.tokens as f64
    }

    /// Coded form, 0 to 1.
    pub fn coded(self) -> f64 {
        (self.deadlines - self.missed) as f64 / self.deadlines as f64
    }

    /// Absolute form, 0 to 1.
    pub fn absolute(self) -> f64 {
        self.on_schedule as f64 / self.tokens as f64
    }

    /// Every token was on time: in one form if in all of them.
    pub fn all_on_time(self) -> bool {
        self.on_time == self.tokens
    }
}

/// Counts the deadlines of one answer, whose first token's counts from `origin`; `None` without a
/// token and where some chunk's tokens are unknown.
///
/// Tokens of one chunk come together: the first is judged, the others, due later, are early.
pub fn fluidity(origin: Offset, chunks: &[Chunk], deadlines: Deadlines) -> Option<Fluidity> {
    if chunks.iter().any(|chunk| chunk.token_count().is_none()) {
        return None;
    }
    let first_ns = i128::from(deadlines.first.ns());
    let next_ns = i128::from(deadlines.next.ns());
    let mut found = Fluidity::default();
    let (mut before, mut slack, mut due_after) = (origin, 0, first_ns);
    for chunk in chunks.iter().filter(|chunk| chunk.tokens > 0) {
        let tokens = u64::from(chunk.tokens);
        let gap = i128::from(chunk.at.since(before));
        let late_by = gap - due_after - slack;
        if late_by <= 0 {
            slack = -late_by;
            found.on_time += 1;
            found.deadlines += 1;
        } else {
            // Deadlines that went by: the token's own, and one each D_d after it.
            let passed = 1 + late_by / next_ns;
            let passed = u64::try_from(passed).unwrap_or(u64::MAX);
            found.missed = found.missed.saturating_add(passed);
            found.deadlines = found.deadlines.saturating_add(passed);
            slack = 0;
        }
        slack += i128::from(tokens - 1) * next_ns;
        found.on_time += tokens - 1;
        found.deadlines = found.deadlines.saturating_add(tokens - 1);
        let since_origin = i128::from(chunk.at.since(origin));
        found.on_schedule += on_schedule(since_origin - first_ns, next_ns, found.tokens, tokens);
        found.tokens += tokens;
        (before, due_after) = (chunk.at, next_ns);
    }
    (found.tokens > 0).then_some(found)
}

/// How many of `tokens` tokens from number `index` on, all `late_by` after the first token's
/// deadline, are within their own.
fn on_schedule(late_by: i128, next_ns: i128, index: u64, tokens: u64) -> u64 {
    // The first token whose deadline has not passed.
    let first_met = (late_by + next_ns - 1).div_euclid(next_ns).max(0);
    let end = i128::from(index + tokens);
    let met = (end - first_met.max(i128::from(index))).max(0);
    met as u64
}

#[cfg(test)]
mod tests {
    use super::{Fluidity, FluidityQuestion};
    use crate::fixture::{Run, ms};
    use crate::origin::Origin;
    use infermeter_core::record::{Chunk, RequestRecord};

    /// An answer of (milliseconds since the intended send, tokens), sent 5 ms late.
    fn answer(bursts: &[(i64, u32)]) -> RequestRecord {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), bursts.len() as u32);
        let mut record = run.build().records.swap_remove(0);
        record.send_start = Some(record.intended.plus(ms(5)));
        for (chunk, (at, tokens)) in record.chunks.iter_mut().zip(bursts) {
            chunk.at = record.intended.plus(ms(*at));
            chunk.tokens = *tokens;
        }
        record
    }

    fn of(bursts: &[(i64, u32)]) -> Fluidity {
        let question = question(Origin::Intended);
        Fluidity::of(&answer(bursts), &question).expect("tokens are known")
    }

    /// 100 ms for the first token, 20 ms for each further one.
    fn question(origin: Origin) -> FluidityQuestion {
        FluidityQuestion {
            deadlines: "100ms/20ms".parse().expect("deadlines"),
            origin,
        }
    }

    /// (tokens, on time, deadlines, missed, on schedule), all worked out on paper.
    fn check(bursts: &[(i64, u32)], expect: (u64, u64, u64, u64, u64)) {
        let f = of(bursts);
        let found = (f.tokens, f.on_time, f.deadlines, f.missed, f.on_schedule);
        assert_eq!(found, expect, "{bursts:?}");
    }

    #[test]
    fn on_time_to_the_nanosecond() {
        let bursts = [(100, 1), (120, 1), (140, 1), (160, 1), (180, 1)];
        check(&bursts, (5, 5, 5, 0, 5));
        let f = of(&bursts);
        assert_eq!((f.written(), f.coded(), f.absolute()), (1.0, 1.0, 1.0));
        assert!(f.all_on_time());
    }

    #[test]
    fn one_long_stall() {
        // Slack 40, 50, 60; then a gap of 200 is 140 over: seven deadlines of 20. Absolute: due at
        // 160, 180, 200, came at 280, 290, 300.
        let bursts = [(60, 1), (70, 1), (80, 1), (280, 1), (290, 1), (300, 1)];
        check(&bursts, (6, 5, 12, 7, 3));
        let f = of(&bursts);
        assert_eq!(f.written(), 5.0 / 6.0);
        assert_eq!(f.coded(), 5.0 / 12.0);
        assert_eq!(f.absolute(), 0.5);
    }

    #[test]
    fn a_burst_and_then_a_pause() {
        // Four tokens at once save 60. A gap of 75 leaves 5; one of 30 is then 5 late. Absolute: due
        // at 180 and 200, came at 175 and 205.
        check(&[(100, 4), (175, 1), (205, 1)], (6, 5, 6, 1, 5));
        // A pause of 81 uses up more than the burst saved.
        check(&[(100, 4), (181, 1)], (5, 4, 5, 1, 4));
        check(&[(100, 4), (180, 1)], (5, 5, 5, 0, 5));
        // Of a late burst the later tokens may be in time: due at 100, 120, 140, 160.
        check(&[(135, 4)], (4, 3, 5, 2, 2));
    }

    #[test]
    fn a_late_first_token() {
        // 150 over: the deadline itself, and seven more of 20.
        let bursts = [(250, 1), (270, 1), (290, 1)];
        check(&bursts, (3, 2, 10, 8, 0));
        assert_eq!(of(&bursts).coded(), 0.2);
        // 1 ms over: its own deadline only.
        check(&[(101, 1)], (1, 0, 1, 1, 0));
    }

    #[test]
    fn the_forms_agree_on_all_on_time() {
        for pause in 0..200 {
            let f = of(&[(90, 2), (90 + pause, 1), (100 + pause, 3)]);
            assert_eq!(f.all_on_time(), f.missed == 0, "{pause}");
            assert_eq!(f.all_on_time(), f.on_schedule == f.tokens, "{pause}");
        }
    }

    #[test]
    fn the_first_deadline_counts_from_the_origin() {
        let record = answer(&[(104, 1)]);
        let on_time = |origin| {
            let f = Fluidity::of(&record, &question(origin)).expect("tokens are known");
            f.all_on_time()
        };
        assert!(!on_time(Origin::Intended));
        assert!(on_time(Origin::Send));
    }

    #[test]
    fn unknown_tokens_give_no_index() {
        let mut record = answer(&[(60, 1), (80, 1)]);
        let question = question(Origin::Intended);
        record.chunks[1].tokens = Chunk::TOKENS_UNKNOWN;
        assert_eq!(Fluidity::of(&record, &question), None);
        record.chunks.clear();
        assert_eq!(Fluidity::of(&record, &question), None);
        // An empty chunk is no token.
        let mut record = answer(&[(60, 1), (70, 1), (80, 1)]);
        record.chunks[1].tokens = 0;
        let f = Fluidity::of(&record, &question).expect("tokens are known");
        assert_eq!((f.tokens, f.on_time), (2, 2));
    }
}
