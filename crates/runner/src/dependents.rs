//! Requests that wait for the end of another one's answer: when they are due, and where their
//! bodies are. A session stays on the worker that began it, so nothing here is shared.
//!
//! It sends nothing and reads no clock.
//!
//! Invariant: a request that waits is due at `FollowUp::due` of its parent's end (or of when a failed one's
//! slot is free again); each is handed out
//! once, reported as left over at the end, or abandoned when its parent fails.

use crate::bodies::{Abandoned, Bodies, Demand};
use infermeter_client::prepared::Prepared;
use infermeter_core::clock::Offset;
use infermeter_core::plan::OnFailure;
use infermeter_core::record::{ChunkKind, Outcome, RequestRecord};
use infermeter_core::request::{FollowUp, RequestId};
use infermeter_core::schedule::Phase;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

/// A body is asked for this long before its request can be due.
const AHEAD_NS: i64 = 1_000_000_000;

/// How sessions go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// What a failed turn does.
    pub on_failure: OnFailure,
    /// The server's words are part of later prompts: records need their texts.
    pub live: bool,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::End,
            live: false,
        }
    }
}

/// A request that has ended, and from when on its session goes on; absent where it does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) record: &'a RequestRecord,
    pub(crate) free_at: Option<Offset>,
}

/// A request of a session that has been sent and has not ended.
#[derive(Debug)]
struct Open {
    next: Vec<FollowUp>,
    answers: Vec<Arc<str>>,
    pause_ns: i64,
}

/// A request whose parent has ended.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) parent: RequestId,
    pub(crate) planned: Option<Offset>,
    /// Where the answer came from.
    address: Option<u32>,
    answers: Vec<Arc<str>>,
}

/// A worker's requests that wait.
#[derive(Debug)]
pub(crate) struct Dependents {
    worker: usize,
    rules: SessionRules,
    open: HashMap<RequestId, Open>,
    /// Not sent, and their parents have been.
    expected: HashSet<RequestId>,
    /// When to ask for a body.
    wanted: BinaryHeap<Reverse<(Offset, RequestId)>>,
    due: BinaryHeap<Reverse<(Offset, RequestId)>>,
    pending: HashMap<RequestId, Pending>,
    ready: HashMap<RequestId, Prepared>,
    /// Due, but their bodies were not ready.
    late: Vec<(Offset, RequestId)>,
    /// Those that wait for several.
    joins: HashMap<RequestId, Join>,
    bodies_late: u64,
    not_reached: Vec<RequestId>,
    /// Those that were abandoned with what waits for them.
    abandoned: Vec<RequestId>,
}

/// What waits yet when a run ends.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Requests that were or would have been due.
    pub(crate) due: Vec<(Offset, RequestId, Pending)>,
    /// Those of which that is not known.
    pub(crate) unknown: Vec<RequestId>,
    /// Those that have a record already, as has what waits for them.
    pub(crate) abandoned: Vec<RequestId>,
}

/// A request that waits for several others.
#[derive(Debug, Clone, Copy)]
struct Join {
    /// Answers that have not ended; absent where one of them failed, so that it will not be sent.
    left: Option<u32>,
    /// When the last of the others was over.
    latest: Offset,
}

impl Dependents {
    pub(crate) fn new(worker: usize, rules: SessionRules) -> Self {
        Self {
            worker,
            rules,
            open: HashMap::new(),
            expected: HashSet::new(),
            wanted: BinaryHeap::new(),
            due: BinaryHeap::new(),
            pending: HashMap::new(),
            ready: HashMap::new(),
            late: Vec::new(),
            joins: HashMap::new(),
            bodies_late: 0,
            not_reached: Vec::new(),
            abandoned: Vec::new(),
        }
    }

    /// Notes a request that is about to be sent, after `answers` of its session.
    pub(crate) fn sent(
        &mut self,
        prepared: &mut Prepared,
        answers: Vec<Arc<str>>,
        now: Offset,
        bodies: &Bodies,
    ) {
        if prepared.spec.turn.is_none() {
            return;
        }
        let next = std::mem::take(&mut prepared.next);
        for follow in &next {
            let lost = follow.further > 0 && self.join(follow).left.is_none();
            let known = lost || !self.expected.insert(follow.id);
            if !self.rules.live && !known {
                self.want(follow.id, follow.due(now), now, bodies);
            }
        }
        let open = Open {
            next,
            answers,
            pause_ns: prepared.pause_ns,
        };
        self.open.insert(prepared.spec.id, open);
    }

    /// What a request that waits for several waits for yet.
    fn join(&mut self, follow: &FollowUp) -> &mut Join {
        self.joins.entry(follow.id).or_insert(Join {
            left: Some(follow.further.saturating_add(1)),
            latest: Offset(i64::MIN),
        })
    }

    /// From when on `follow` may go on, one more of its answers having ended at `free_at`; absent where it
    /// waits for others or is not sent.
    fn freed(&mut self, follow: &FollowUp, free_at: Offset) -> Option<Offset> {
        if follow.further == 0 {
            return Some(free_at);
        }
        let join = self.join(follow);
        join.latest = join.latest.max(free_at);
        join.left = join.left?.checked_sub(1);
        let latest = (join.left? == 0).then_some(join.latest)?;
        self.joins.remove(&follow.id);
        Some(latest)
    }

    /// A request that waits for several is lost with the first of them; false where it was before.
    fn loses(&mut self, follow: &FollowUp) -> bool {
        follow.further == 0 || self.join(follow).left.take().is_some()
    }

    /// Has the body of a request made that is not due before `earliest`.
    fn want(&mut self, id: RequestId, earliest: Offset, now: Offset, bodies: &Bodies) {
        let at = earliest.plus(-AHEAD_NS);
        if at > now {
            self.wanted.push(Reverse((at, id)));
            return;
        }
        let answers = self.pending.get(&id).map(|p| p.answers.clone());
        bodies.demand(Demand::Make {
            worker: self.worker,
            id,
            answers: answers.unwrap_or_default(),
        });
    }

    /// A request has ended: what waits for it becomes due, is abandoned (its phase is that of
    /// `phase_at` the end), or is not reached. Calls `due` with each new due instant. Where the
    /// session is over, returns the pause after it, nanoseconds.
    pub(crate) fn ended(
        &mut self,
        Ended { record, free_at }: Ended<'_>,
        now: Offset,
        bodies: &Bodies,
        phase_at: impl Fn(Offset) -> Phase,
        mut due: impl FnMut(Offset),
    ) -> Option<i64> {
        let open = self.open.remove(&record.id)?;
        let over = Some(open.pause_ns);
        let failed = matches!(record.outcome, Outcome::Failed | Outcome::TimedOut);
        let continues = failed && self.rules.on_failure == OnFailure::Continue;
        let goes_on = continues || record.outcome == Outcome::Completed;
        let Some(free_at) = free_at.filter(|_| goes_on) else {
            for follow in &open.next {
                self.forget(follow.id);
                if !self.loses(follow) {
                    continue;
                }
                match record.closed.filter(|_| failed) {
                    Some(closed) => {
                        self.abandoned.push(follow.id);
                        bodies.demand(Demand::Abandon(Abandoned {
                            id: follow.id,
                            parent: record.id,
                            phase: phase_at(closed),
                            intended: closed,
                        }));
                    }
                    None => self.not_reached.push(follow.id),
                }
            }
            return over;
        };
        let mut answers = open.answers;
        if self.rules.live {
            answers.push(said(record));
        }
        for follow in &open.next {
            let Some(free_at) = self.freed(follow, free_at) else {
                continue;
            };
            let at = follow.due(free_at);
            let pending = Pending {
                parent: record.id,
                planned: follow.planned,
                address: record.address,
                answers: answers.clone(),
            };
            self.pending.insert(follow.id, pending);
            self.due.push(Reverse((at, follow.id)));
            due(at);
            if self.rules.live {
                self.want(follow.id, at, now, bodies);
            }
        }
        if open.next.is_empty() { over } else { None }
    }

    /// A request that will not be sent.
    fn forget(&mut self, id: RequestId) {
        self.expected.remove(&id);
        self.ready.remove(&id);
    }

    /// Asks for bodies whose time has come, and takes in those that are ready.
    pub(crate) fn tend(&mut self, now: Offset, bodies: &Bodies) {
        while let Some(Reverse((at, id))) = self.wanted.peek().copied()
            && at <= now
        {
            self.wanted.pop();
            if self.expected.contains(&id) {
                self.want(id, at, now, bodies);
            }
        }
        while let Some(prepared) = bodies.take_asked(self.worker) {
            let id = prepared.spec.id;
            if self.expected.contains(&id) {
                self.ready.insert(id, prepared);
            }
        }
    }

    /// The next request that is due and ready: with its due instant and the answers before it.
    pub(crate) fn take(&mut self, now: Offset) -> Option<(Prepared, Offset, Vec<Arc<str>>)> {
        let ready = |(_, id): &(Offset, RequestId)| self.ready.contains_key(id);
        if let Some(place) = self.late.iter().position(ready) {
            let (at, id) = self.late.remove(place);
            return self.hand_out(at, id);
        }
        while let Some(Reverse((at, id))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            if self.ready.contains_key(&id) {
                return self.hand_out(at, id);
            }
            self.bodies_late += 1;
            self.late.push((at, id));
        }
        None
    }

    fn hand_out(&mut self, at: Offset, id: RequestId) -> Option<(Prepared, Offset, Vec<Arc<str>>)> {
        self.expected.remove(&id);
        let mut prepared = self.ready.remove(&id)?;
        let pending = self.pending.remove(&id)?;
        prepared.address = pending.address;
        Some((prepared, at, pending.answers))
    }

    /// When the earliest of them is due, late ones included.
    pub(crate) fn first_due(&self) -> Option<Offset> {
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        let late = self.late.iter().map(|(at, _)| *at);
        late.chain(due).min()
    }

    /// When the next that is not late is due.
    pub(crate) fn next_due(&self) -> Option<Offset> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Bodies of due requests are being waited for.
    pub(crate) fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// Times a request was due and its body was not ready.
    pub(crate) fn bodies_late(&self) -> u64 {
        self.bodies_late
    }

    /// At the end of a run: what waits yet.
    pub(crate) fn into_rest(self) -> Waiting {
        let Self {
            due,
            late,
            mut pending,
            not_reached,
            abandoned,
            ..
        } = self;
        let all = due.into_iter().map(|Reverse(entry)| entry).chain(late);
        let rest = all.filter_map(|(at, id)| Some((at, id, pending.remove(&id)?)));
        Waiting {
            due: rest.collect(),
            unknown: not_reached,
            abandoned,
        }
    }
}

/// The visible text of an answer.
fn said(record: &RequestRecord) -> Arc<str> {
    let Some(texts) = &record.texts else {
        return Arc::from("");
    };
    let mut text = String::with_capacity(texts.bytes.len());
    for (i, chunk) in record.chunks.iter().enumerate() {
        if chunk.kind == ChunkKind::Text {
            text.push_str(texts.get(i));
        }
    }
    text.into()
}
