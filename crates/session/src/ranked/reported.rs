//! How workers say how they get on: a line of JSON for each look, on standard output, added up by their parent.
//!
//! It draws nothing. Invariant: no worker waits for its parent: what is not taken in time is left out, since whatever is
//! counted comes again with the next look.

use crate::observer::Observer;
use infermeter_core::schedule::Slice;
use infermeter_runner::progress::Snapshot;
use infermeter_sys::affinity::yield_to_others;
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// Most bytes of a line: several times what a long run needs.
const MOST_LINE: u64 = 64 << 10;

/// What a worker says: how the load goes, or that it is over.
type Said = Option<Snapshot>;

/// Watches a worker's load, and tells its parent.
#[derive(Debug)]
pub struct Reporting {
    snapshots: RefCell<Option<SyncSender<Snapshot>>>,
}

impl Reporting {
    /// Writes to this, on a thread of its own.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        let (snapshots, coming) = sync_channel(1);
        thread::spawn(move || tell(&coming, out));
        Self {
            snapshots: RefCell::new(Some(snapshots)),
        }
    }
}

impl Observer for Reporting {
    fn note(&self, _: &str) {}

    fn progress(&self, snapshot: &Snapshot) {
        if let Some(snapshots) = &*self.snapshots.borrow() {
            // The one before is still being written, or nobody reads.
            let _ = snapshots.try_send(snapshot.clone());
        }
    }

    fn progress_ended(&self) {
        self.snapshots.take();
    }
}

/// Writes what comes, and at its end that the load is over.
fn tell(coming: &Receiver<Snapshot>, mut out: impl Write) {
    yield_to_others();
    let said = coming.iter().map(Some).chain([None]);
    for said in said {
        let mut line = serde_json::to_vec::<Said>(&said).unwrap_or_default();
        line.push(b'\n');
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// What workers have said, each by its part.
#[derive(Debug, Clone)]
pub(super) struct Heard(Arc<Mutex<Vec<Last>>>);

/// Of one worker.
#[derive(Debug, Clone, Default)]
struct Last {
    snapshot: Option<Snapshot>,
    /// Nothing more is to come.
    over: bool,
}

impl Heard {
    /// Of so many.
    pub fn of(workers: u32) -> Self {
        Self(Arc::new(Mutex::new(vec![
            Last::default();
            workers as usize
        ])))
    }

    /// Reads what a worker says until it says no more, on a thread of its own.
    pub fn listen(&self, slice: Slice, from: impl Read + Send + 'static) {
        let heard = self.clone();
        thread::spawn(move || heard.read(slice, from));
    }

    fn read(&self, slice: Slice, from: impl Read) {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            let got = (&mut from).take(MOST_LINE).read_until(b'\n', &mut line);
            match serde_json::from_slice::<Said>(&line) {
                Ok(Some(snapshot)) if got.is_ok() => {
                    self.change(slice, |last| last.snapshot = Some(snapshot))
                }
                // It says that its load is over, it is gone, or it says what it never would.
                _ => break,
            }
        }
        self.change(slice, |last| last.over = true);
    }

    fn change(&self, slice: Slice, change: impl FnOnce(&mut Last)) {
        let place = slice.index() as usize;
        if let Ok(mut all) = self.0.lock()
            && let Some(last) = all.get_mut(place)
        {
            change(last);
        }
    }

    /// How all of them get on together; absent before the first has said anything, and once no load goes on.
    pub fn together(&self) -> Option<Snapshot> {
        let all = self.0.lock().ok()?;
        let going = |last: &Last| last.snapshot.is_some() && !last.over;
        if !all.iter().any(going) {
            return None;
        }
        let parts = all.iter().filter_map(|last| {
            let snapshot = last.snapshot.clone()?;
            Some(if last.over {
                snapshot.ended()
            } else {
                snapshot
            })
        });
        Snapshot::together(&parts.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::clock::Offset;
    use infermeter_core::schedule::Phase;
    use infermeter_runner::progress::Times;
    use std::io::{Cursor, pipe};

    fn snapshot(sent: u64) -> Snapshot {
        Snapshot {
            elapsed: Offset(1_000),
            phase: Phase::Measure,
            stopping: false,
            left_s: Some(2.5),
            due: None,
            sent,
            in_flight: 1,
            done: sent - 1,
            failed: 0,
            failed_by: Vec::new(),
            chunks: 0,
            tokens_per_chunk: None,
            ttft: Times::default(),
            send_lag: Times::default(),
            cpu_ns: 0,
        }
    }

    fn slice(index: u32) -> Slice {
        Slice::new(index, 2).expect("a slice")
    }

    fn line(said: &Said) -> String {
        serde_json::to_string(said).expect("JSON") + "\n"
    }

    /// What is known of two workers, the first of which said this and no more.
    fn heard(said: &str) -> Heard {
        let heard = Heard::of(2);
        heard.read(slice(0), Cursor::new(said.to_owned()));
        heard.change(slice(1), |last| last.snapshot = Some(snapshot(5)));
        heard
    }

    #[test]
    fn what_a_worker_writes_its_parent_reads() {
        let (read, write) = pipe().expect("a pipe");
        let reporting = Reporting::to(write);
        reporting.progress(&snapshot(7));
        reporting.progress_ended();
        // Nobody is told any more.
        reporting.progress(&snapshot(8));
        let heard = Heard::of(2);
        heard.read(slice(0), read);
        heard.change(slice(1), |last| last.snapshot = Some(snapshot(5)));
        let all = heard.together().expect("one goes on");
        assert_eq!((all.sent, all.in_flight, all.done), (12, 1, 10));
    }

    #[test]
    fn loads_are_shown_until_the_last_is_over() {
        let none = Heard::of(2);
        assert_eq!(none.together(), None);
        none.change(slice(0), |last| last.snapshot = Some(snapshot(5)));
        assert_eq!(none.together(), Some(snapshot(5)));
        none.change(slice(0), |last| last.over = true);
        assert_eq!(none.together(), None);
    }

    #[test]
    fn a_worker_that_is_gone_has_nothing_in_flight() {
        let check = |said: &str, sent: u64| {
            let all = heard(said).together().expect("one goes on");
            assert_eq!((all.sent, all.in_flight), (sent, 1), "{said}");
        };
        let whole = line(&Some(snapshot(9)));
        check("", 5);
        check(&whole, 14);
        check(&(whole.clone() + &line(&None)), 14);
        check(&(whole.clone() + &whole[..20]), 14);
        check(&(whole.clone() + "Segmentation fault\n" + &whole), 14);
        let endless = whole + &" ".repeat(MOST_LINE as usize * 2);
        check(&endless, 14);
    }

    #[test]
    fn a_parent_that_does_not_read_holds_nobody_up() {
        let (read, write) = pipe().expect("a pipe");
        let reporting = Reporting::to(write);
        // Far more than a pipe holds.
        for sent in 1..10_000 {
            reporting.progress(&snapshot(sent));
        }
        drop(read);
        reporting.progress(&snapshot(1));
        reporting.progress_ended();
    }
}
