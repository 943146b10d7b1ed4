//! `infermeter shadow`: both sides of what went through a proxy become runs, and pairs of answers are compared while
//! it goes on.
//!
//! It runs on a thread of its own, which the proxy never waits for. Invariants: a pair is one request that both sides
//! were asked and both answers of which were read; so many pairs are compared at most, and those beyond are counted.

use super::answer::{Answers, Unread, origin};
use super::lengths::{Lengths, Texts};
use super::question::{Drawing, NoQuestion, Question};
use super::side::{SideAbout, SideRun};
use crate::judged::Judged;
use anyhow::Result;
use infermeter_analysis::{
    BrokenOff, Sameness, ShadowAsked, ShadowComparison, ShadowDoubts, ShadowPair, SideAnswer,
    least_blocks,
};
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::finish::FinishReason;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_proxy::{Counts, Seen, Side};
use std::collections::BTreeMap;
use std::path::Path;

/// Pairs that are compared: 170 bytes each.
const MOST_PAIRS: usize = 500_000;

/// Looks at an answer that is waited for: at so many times the pairs of the first one.
const LOOKS: [usize; 5] = [1, 2, 4, 8, 16];

/// The tokenizer of lengths that a server does not tell.
const TOKENIZER: &str = "o200k";

/// What is asked of a shadow run.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowAsk {
    /// The primary.
    pub primary: SideAbout,
    /// The shadow.
    pub shadow: SideAbout,
    /// Changes within it do not matter: 0.03 is 3 %.
    pub margin: f64,
    /// How long it goes on.
    pub until: ShadowUntil,
}

/// What ends a shadow run beside its time, its number and a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShadowUntil {
    /// Nothing.
    Told,
    /// The answer: it is looked for at instants that are fixed by numbers of pairs.
    Decided,
}

/// A shadow run that has ended.
#[derive(Debug)]
pub struct Shadowed {
    /// What the pairs say.
    pub comparison: ShadowComparison,
    /// The primary's run.
    pub primary: Judged,
    /// The shadow's.
    pub shadow: Judged,
}

/// A shadow run that goes on.
#[derive(Debug)]
pub struct Shadowing {
    asked: ShadowAsked,
    until: ShadowUntil,
    primary: SideRun,
    shadow: SideRun,
    answers: Answers,
    lengths: Lengths,
    pairs: Vec<ShadowPair>,
    beyond: u64,
    broken_off: BrokenOff,
    failures: BTreeMap<&'static str, u64>,
    unread: BTreeMap<&'static str, u64>,
    looked: usize,
    /// The comparison that was decided when it was looked for: pairs that come while the proxy drains do not change it.
    decided: Option<ShadowComparison>,
}

impl Shadowing {
    /// Begins one: `directory` gets the folders `primary` and `shadow`.
    ///
    /// # Errors
    /// When they exist already, or cannot be written.
    pub fn create(directory: &Path, ask: &ShadowAsk, clock: Clock) -> Result<Self> {
        Ok(Self {
            asked: ShadowAsked {
                margin: ask.margin,
                looks: match ask.until {
                    ShadowUntil::Told => 1,
                    // The last one is at the end.
                    ShadowUntil::Decided => LOOKS.len() + 1,
                },
            },
            until: ask.until,
            primary: SideRun::create(&directory.join("primary"), &ask.primary, clock)?,
            shadow: SideRun::create(&directory.join("shadow"), &ask.shadow, clock)?,
            answers: Answers::default(),
            lengths: Lengths::by(TOKENIZER)?,
            pairs: Vec::new(),
            beyond: 0,
            broken_off: BrokenOff::default(),
            failures: BTreeMap::new(),
            unread: BTreeMap::new(),
            looked: 0,
            decided: None,
        })
    }

    /// Takes one exchange.
    pub fn take(&mut self, seen: &Seen) {
        let question = match Question::of(seen) {
            Ok(question) => question,
            Err(NoQuestion::OtherPath) => return,
            Err(NoQuestion::NotKept) => {
                return self.unread("with a body beyond the bytes that are kept");
            }
            Err(NoQuestion::CutOff) => {
                return self.unread("that ended before their body had come");
            }
            Err(NoQuestion::NotUnderstood) => return self.unread("that are not understood"),
        };
        let primary = self.side(seen, &seen.primary, &question);
        let shadow = seen.shadow.as_ref();
        let shadow = shadow.and_then(|side| Some((side, self.side(seen, side, &question)?)));
        let Some((mut first, first_texts)) = primary else {
            return;
        };
        self.primary.add(&mut first, &question);
        let Some((side, (mut other, other_texts))) = shadow else {
            return;
        };
        if let Some(error) = &other.error {
            *self.failures.entry(error.reason.as_str()).or_default() += 1;
        }
        self.shadow.add(&mut other, &question);
        // Nobody knows how long it would have taken: it is no pair, and counted, as slow ones are broken off more often.
        let cut = [&first, &other].map(|record| record.outcome == Outcome::Cancelled);
        match cut {
            [true, true] => self.broken_off.both += 1,
            [true, false] => self.broken_off.primary += 1,
            [false, true] => self.broken_off.shadow += 1,
            [false, false] => {}
        }
        if cut.contains(&true) {
            return;
        }
        let answers = sameness(&question, [&first, &other], [&first_texts, &other_texts]);
        if self.pairs.len() >= MOST_PAIRS {
            self.beyond += 1;
            return;
        }
        self.pairs.push(ShadowPair {
            at_ns: first.intended.0,
            tee_ns: origin(side).since(origin(&seen.primary)),
            primary: side_answer(&first, origin(&seen.primary)),
            shadow: side_answer(&other, origin(side)),
            answers,
            same_finish: same_finish(&first, &other),
        });
    }

    fn side(
        &mut self,
        seen: &Seen,
        side: &Side,
        question: &Question,
    ) -> Option<(RequestRecord, Texts)> {
        match self.answers.record(seen, side, question) {
            Ok(mut record) => {
                let texts = self.lengths.complete(&mut record, question);
                Some((record, texts))
            }
            Err(why) => {
                self.unread(Unread::as_str(why));
                None
            }
        }
    }

    fn unread(&mut self, why: &'static str) {
        *self.unread.entry(why).or_default() += 1;
    }

    /// What was taken by now is on disk.
    pub fn flush(&mut self, now: Offset) {
        self.primary.flush(now);
        self.shadow.flush(now);
    }

    /// Pairs so far.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// Looks for the answer where that is due: whether it is there, or no further look is left, and the run may end.
    pub fn is_over(&mut self, counts: &Counts) -> bool {
        let ShadowUntil::Decided = self.until else {
            return false;
        };
        let first = least_blocks(self.asked.looks) * PAIRS_OF_FIRST_LOOK;
        let due = LOOKS.get(self.looked).map(|times| times * first);
        if due.is_none_or(|due| self.pairs.len() < due) {
            return false;
        }
        self.looked += 1;
        let found = self.compared(counts);
        if found.is_decided() {
            self.decided = Some(found);
        }
        self.decided.is_some() || self.looked == LOOKS.len()
    }

    /// What the pairs say by now; what decided, once that is known.
    pub fn compared(&mut self, counts: &Counts) -> ShadowComparison {
        if let Some(decided) = &self.decided {
            return decided.clone();
        }
        // Answers end in another order than requests came.
        self.pairs.sort_by_key(|pair| pair.at_ns);
        ShadowComparison::of(&self.pairs, self.asked, &self.doubts(counts))
    }

    fn doubts(&self, counts: &Counts) -> ShadowDoubts {
        let named = |(why, n): (&&str, &u64)| ((*why).to_owned(), *n);
        let passed = [
            ("beyond the budget", counts.shadow_withheld_budget),
            ("while it was left alone", counts.shadow_withheld_breaker),
            ("that could not be sent to it", counts.shadow_withheld_other),
        ];
        let mut lost: Vec<(String, u64)> = self.unread.iter().map(named).collect();
        lost.push((
            "that the recorder had no room for".to_owned(),
            counts.not_observed,
        ));
        lost.push(("beyond the pairs that are compared".to_owned(), self.beyond));
        lost.retain(|(_, n)| *n > 0);
        ShadowDoubts {
            requests: counts.requests,
            shadowed: counts.shadow_sent,
            passed_over: passed
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .map(|(why, n)| (why.to_owned(), n))
                .collect(),
            breaker_openings: counts.breaker_opened,
            failures: self.failures.iter().map(named).collect(),
            lost,
            broken_off: self.broken_off,
        }
    }

    /// Ends it: both records are written and judged.
    ///
    /// # Errors
    /// When a record cannot be written or read.
    pub fn finish(mut self, counts: &Counts) -> Result<Shadowed> {
        let comparison = self.compared(counts);
        Ok(Shadowed {
            comparison,
            primary: self.primary.finish()?,
            shadow: self.shadow.finish()?,
        })
    }
}

/// Pairs of a block at the first look: enough for its median to say something.
const PAIRS_OF_FIRST_LOOK: usize = 10;

fn side_answer(record: &RequestRecord, origin: Offset) -> SideAnswer {
    let completed = record.outcome == Outcome::Completed;
    let ms = |at: Offset| at.since(origin) as f64 / 1e6;
    let (first, last) = (record.chunks.first(), record.chunks.last());
    let ends = completed.then_some(()).and(first.zip(last));
    let streamed = ends.filter(|_| record.chunks.len() > 1);
    let tokens = record.output_token_count();
    let later = tokens.and_then(|n| n.checked_sub(1)).filter(|n| *n > 0);
    let end = record.finished.or(record.closed);
    SideAnswer {
        completed,
        ttft_ms: streamed.map(|(first, _)| ms(first.at)),
        tpot_ms: streamed
            .zip(later)
            .map(|((first, last), later)| last.at.since(first.at) as f64 / 1e6 / later as f64),
        e2e_ms: end.filter(|_| completed).map(ms),
        output_tokens: tokens.filter(|_| completed),
    }
}

fn sameness(question: &Question, records: [&RequestRecord; 2], texts: [&Texts; 2]) -> Sameness {
    let whole = records
        .iter()
        .all(|record| record.outcome == Outcome::Completed);
    let has_texts = texts.iter().all(|texts| !texts.0.is_empty());
    match (whole && has_texts, question.drawing) {
        (false, _) => Sameness::NotKnown,
        (true, Drawing::Random) => Sameness::Sampled,
        (true, Drawing::Repeatable) if texts[0] == texts[1] => Sameness::Equal,
        (true, Drawing::Repeatable) => Sameness::Differ,
    }
}

fn same_finish(first: &RequestRecord, other: &RequestRecord) -> Option<bool> {
    let of = |record: &RequestRecord| record.finish_reason.as_deref().map(FinishReason::of);
    Some(of(first)? == of(other)?)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{end, event, seen, side};
    use super::*;
    use infermeter_proxy::Outcome as Ended;

    const BODY: &str =
        r#"{"model":"m","stream":true,"max_tokens":8,"messages":[{"role":"user","content":"Hi"}]}"#;

    fn begun(directory: &Path, margin: f64) -> Shadowing {
        let about = || SideAbout {
            target: "http://localhost:8000".to_owned(),
            model: None,
        };
        let ask = ShadowAsk {
            primary: about(),
            shadow: about(),
            margin,
            until: ShadowUntil::Decided,
        };
        Shadowing::create(directory, &ask, Clock::starting_in(0)).expect("directories")
    }

    /// Both sides answer alike, a request a second; how each of them ended.
    fn pair(number: u64, ends: [Ended; 2]) -> Seen {
        let at = number as i64 * 1_000;
        let answer = |outcome: Ended| {
            let pieces = [event("one"), event(" two"), end(5, 2)];
            let came = match outcome {
                Ended::Complete => &pieces[..],
                _ => &pieces[..1],
            };
            let mut side = side(at + 1, came);
            side.outcome = outcome;
            side
        };
        let [primary, shadow] = ends.map(answer);
        let mut seen = seen(number, at, BODY, primary);
        seen.shadow = Some(shadow);
        seen
    }

    #[test]
    fn what_was_broken_off_is_counted_by_side() {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut shadowing = begun(scratch.path(), 0.03);
        let all = [
            [Ended::Complete, Ended::Complete],
            [Ended::ClientGone, Ended::Complete],
            [Ended::ClientGone, Ended::Complete],
            [Ended::Complete, Ended::ClientGone],
            [Ended::ClientGone, Ended::ClientGone],
        ];
        for (number, ends) in all.into_iter().enumerate() {
            shadowing.take(&pair(number as u64, ends));
        }
        let expect = BrokenOff {
            primary: 2,
            shadow: 1,
            both: 1,
        };
        assert_eq!((shadowing.pairs(), shadowing.broken_off), (1, expect));
        let found = shadowing.compared(&Counts::default());
        let codes: Vec<&str> = found.findings.iter().map(|f| f.code.as_str()).collect();
        assert!(codes.contains(&"pairs-broken-off"), "{codes:?}");
    }

    #[test]
    fn what_was_decided_stays_while_the_proxy_drains() {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut shadowing = begun(scratch.path(), 0.1);
        let counts = Counts::default();
        let whole = [Ended::Complete; 2];
        (0..99).for_each(|number| shadowing.take(&pair(number, whole)));
        assert!(!shadowing.is_over(&counts), "it is not looked for yet");
        shadowing.take(&pair(99, whole));
        assert!(
            shadowing.is_over(&counts),
            "{:#?}",
            shadowing.compared(&counts)
        );
        let cut = [Ended::Complete, Ended::CutWithinAnswer];
        (100..120).for_each(|number| shadowing.take(&pair(number, cut)));
        let ended = shadowing.finish(&counts).expect("records");
        assert!(ended.comparison.is_decided() && ended.comparison.pairs == 100);
    }

    /// A margin that no number of pairs without a failure shows.
    #[test]
    fn behind_the_last_look_it_is_over_without_an_answer() {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut shadowing = begun(scratch.path(), 1e-6);
        let counts = Counts::default();
        let mut over = Vec::new();
        for number in 0..1_600 {
            shadowing.take(&pair(number, [Ended::Complete; 2]));
            if shadowing.is_over(&counts) {
                over.push(number + 1);
            }
        }
        assert_eq!(over, [1_600]);
        assert!(!shadowing.compared(&counts).is_decided());
    }
}
