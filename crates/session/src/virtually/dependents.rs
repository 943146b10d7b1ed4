//! Requests that wait for the answer to another one, in virtual time: when they are due, and what becomes of
//! them where a turn before them fails.
//!
//! As the runner has it over sockets. Invariant: a request that waits is handed out once, has a record that it was
//! not sent, or is left over at the end.

use crate::load::Load;
use infermeter_core::clock::Offset;
use infermeter_core::plan::OnFailure;
use infermeter_core::record::{Outcome, Reason, RequestError, RequestRecord};
use infermeter_core::request::{RequestId, RequestSpec};
use infermeter_core::schedule::Phase;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

/// Requests that wait.
pub(super) struct Dependents<'a> {
    load: &'a Load,
    on_failure: OnFailure,
    due: BinaryHeap<Reverse<(i64, RequestId)>>,
    /// Of those that wait for several: answers that have not ended, and when the last was over.
    joins: HashMap<RequestId, (u32, i64)>,
    /// Those that are not sent.
    lost: HashSet<RequestId>,
    /// Records of those that were not sent.
    pub abandoned: Vec<RequestRecord>,
}

/// What is left of the sessions when a run ends.
pub(super) struct Rest {
    /// Requests that were not reached.
    pub count: u64,
    /// Their sessions.
    pub sessions: Vec<u64>,
}

impl<'a> Dependents<'a> {
    pub fn new(load: &'a Load, on_failure: OnFailure) -> Self {
        Self {
            load,
            on_failure,
            due: BinaryHeap::new(),
            joins: HashMap::new(),
            lost: HashSet::new(),
            abandoned: Vec::new(),
        }
    }

    /// When the next of them is due.
    pub fn next_ns(&self) -> Option<i64> {
        self.due.peek().map(|Reverse((at_ns, _))| *at_ns)
    }

    /// The next of them.
    pub fn take(&mut self) -> Option<RequestId> {
        self.due.pop().map(|Reverse((_, id))| id)
    }

    /// A request has ended with this outcome. Calls `due` with each new due instant; true where its session, if
    /// it has one, is over.
    pub fn ended(
        &mut self,
        spec: &RequestSpec,
        outcome: Outcome,
        closed: Offset,
        phase_at: impl Fn(Offset) -> Phase,
        mut due: impl FnMut(Offset),
    ) -> bool {
        let next = self.load.follow_ups(spec);
        let goes_on = outcome == Outcome::Completed || self.on_failure == OnFailure::Continue;
        if !goes_on {
            let phase = phase_at(closed);
            for follow in next {
                self.abandon(follow.id, spec.id, phase, closed);
            }
            return true;
        }
        for follow in &next {
            if self.lost.contains(&follow.id) {
                continue;
            }
            let join = self.joins.entry(follow.id);
            let (left, latest) = join.or_insert((follow.further, closed.0));
            *latest = closed.0.max(*latest);
            let closed = Offset(*latest);
            if *left > 0 {
                *left -= 1;
                continue;
            }
            self.joins.remove(&follow.id);
            let at = follow.due(closed);
            self.due.push(Reverse((at.0, follow.id)));
            due(at);
        }
        next.is_empty()
    }

    fn abandon(&mut self, id: RequestId, parent: RequestId, phase: Phase, intended: Offset) {
        let mut left = vec![(id, parent)];
        while let Some((id, parent)) = left.pop() {
            if !self.lost.insert(id) {
                continue;
            }
            let spec = self.load.workload.spec(id);
            let (prompt, output) = (spec.prompt_tokens, spec.output_tokens);
            let mut record = RequestRecord::unsent(id, spec.class, phase, intended, prompt, output);
            record.turn = spec.turn;
            record.parent = Some(parent);
            record.error = Some(RequestError {
                reason: Reason::SessionEnded,
                text: "an earlier turn of the session failed".to_owned(),
            });
            self.abandoned.push(record);
            let later = self.load.follow_ups(&spec).into_iter();
            left.extend(later.map(|follow| (follow.id, id)));
        }
    }

    /// What is left.
    pub fn rest(&self) -> Rest {
        let (mut count, mut sessions) = (0, BTreeSet::new());
        let mut left: Vec<RequestId> = self.due.iter().map(|Reverse((_, id))| *id).collect();
        let mut seen = HashSet::new();
        while let Some(id) = left.pop() {
            // What is lost has its record.
            if self.lost.contains(&id) || !seen.insert(id) {
                continue;
            }
            let spec = self.load.workload.spec(id);
            count += 1;
            sessions.extend(spec.turn.map(|turn| turn.session));
            left.extend(self.load.follow_ups(&spec).iter().map(|follow| follow.id));
        }
        Rest {
            count,
            sessions: sessions.into_iter().collect(),
        }
    }
}
