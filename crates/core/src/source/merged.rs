//! The records of several clients as those of one run: merged by id while they are read.
//!
//! Does not know how the load was cut: by id, by session or otherwise. Each client's records come
//! from a thread that reads them in order and stays a few batches ahead; the merge takes the lowest
//! id at the head of any. So memory holds some batches of each client and never a record file.
//!
//! Invariant: the result has the records of all clients, in id order if each client's are. An id that
//! two clients have stays twice: the merge hides no fault from those who look for it.

use super::{ChunkFields, RecordSource};
use crate::record::RequestRecord;
use crate::request::RequestId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Records handed over at a time: few enough that long answers stay small in memory, enough that a
/// wake-up of a thread is not what a reading costs.
const BATCH: usize = 64;

/// Batches that may wait in a channel: one to take while the next is made.
const WAITING: usize = 1;

/// Records of several clients, whose classes have the same numbers.
#[derive(Debug)]
pub struct MergedRecords<S> {
    clients: Vec<S>,
}

impl<S> MergedRecords<S> {
    /// Merges what these clients recorded.
    pub fn of(clients: Vec<S>) -> Self {
        Self { clients }
    }
}

impl<S> RecordSource for MergedRecords<S>
where
    S: RecordSource + Sync,
    S::Error: Send,
{
    type Error = S::Error;

    fn in_order(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), S::Error> {
        std::thread::scope(|scope| {
            let clients = self.clients.iter();
            let mut heads: Vec<Head<'_, S::Error>> = clients
                .map(|client| Head::start(scope, client, fields))
                .collect();
            let mut lowest = BinaryHeap::with_capacity(heads.len());
            for (index, head) in heads.iter_mut().enumerate() {
                lowest.extend(head.advance()?.map(|id| Reverse((id, index))));
            }
            while let Some(Reverse((_, index))) = lowest.pop() {
                let head = &mut heads[index];
                if head.record.as_ref().is_some_and(|r| each(r).is_break()) {
                    break;
                }
                lowest.extend(head.advance()?.map(|id| Reverse((id, index))));
            }
            // The channels close here: a thread that is ahead notices, and ends.
            Ok(())
        })
    }
}

/// The next record of one client.
struct Head<'scope, E> {
    record: Option<RequestRecord>,
    batch: std::vec::IntoIter<RequestRecord>,
    batches: Receiver<Vec<RequestRecord>>,
    reader: Option<ScopedJoinHandle<'scope, Result<(), E>>>,
}

impl<'scope, E: Send + 'scope> Head<'scope, E> {
    fn start<'env, S>(
        scope: &'scope Scope<'scope, 'env>,
        client: &'env S,
        fields: ChunkFields,
    ) -> Self
    where
        S: RecordSource<Error = E> + Sync,
    {
        let (sender, batches) = sync_channel(WAITING);
        Self {
            record: None,
            batch: Vec::new().into_iter(),
            batches,
            reader: Some(scope.spawn(move || read(client, fields, &sender))),
        }
    }

    /// Moves to the next record; its id. None at the end, and an error where reading ended with one.
    fn advance(&mut self) -> Result<Option<RequestId>, E> {
        self.record = self.batch.next();
        if self.record.is_none()
            && let Ok(batch) = self.batches.recv()
        {
            self.batch = batch.into_iter();
            self.record = self.batch.next();
        }
        match (&self.record, self.reader.take_if(|_| self.record.is_none())) {
            (Some(record), _) => Ok(Some(record.id)),
            (None, None) => Ok(None),
            (None, Some(reader)) => match reader.join() {
                Ok(read) => read.map(|()| None),
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }
}

/// Reads a client's records into the channel, until all are there or nobody listens any more.
fn read<S: RecordSource>(
    client: &S,
    fields: ChunkFields,
    batches: &SyncSender<Vec<RequestRecord>>,
) -> Result<(), S::Error> {
    let mut batch = Vec::with_capacity(BATCH);
    client.in_order(fields, &mut |record| {
        batch.push(record.clone());
        if batch.len() < BATCH {
            return ControlFlow::Continue(());
        }
        match batches.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    if !batch.is_empty() {
        // Nobody listens: then nobody misses it.
        let _ = batches.send(batch);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Offset;
    use crate::schedule::{Phase, Slice};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Records with these ids, which count how many of them were read, and may end with an error.
    struct Counted<'a> {
        ids: Vec<RequestId>,
        read: &'a AtomicUsize,
        fails: bool,
    }

    impl RecordSource for Counted<'_> {
        type Error = &'static str;

        fn in_order(
            &self,
            _: ChunkFields,
            each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
        ) -> Result<(), Self::Error> {
            for id in &self.ids {
                self.read.fetch_add(1, Ordering::SeqCst);
                if each(&record(*id)).is_break() {
                    return Ok(());
                }
            }
            if self.fails { Err("torn") } else { Ok(()) }
        }
    }

    fn record(id: RequestId) -> RequestRecord {
        RequestRecord::unsent(id, 0, Phase::Measure, Offset(id as i64), 1, 1)
    }

    fn ids(merged: &MergedRecords<Counted<'_>>) -> Result<Vec<RequestId>, &'static str> {
        let mut ids = Vec::new();
        merged.in_order(ChunkFields::ALL, &mut |record| {
            ids.push(record.id);
            ControlFlow::Continue(())
        })?;
        Ok(ids)
    }

    fn merged<'a>(parts: Vec<Vec<RequestId>>, read: &'a AtomicUsize) -> MergedRecords<Counted<'a>> {
        let one = |ids| Counted {
            ids,
            read,
            fails: false,
        };
        MergedRecords::of(parts.into_iter().map(one).collect())
    }

    #[test]
    fn records_of_all_clients_come_in_order() {
        let read = AtomicUsize::new(0);
        for (count, of) in [(1_000, 1), (1_000, 3), (5, 7), (0, 2)] {
            let part = |slice: Slice| (0..count).filter(|id| slice.takes(*id)).collect();
            let parts = Slice::all(of).map(part).collect();
            let expect: Vec<u64> = (0..count).collect();
            assert_eq!(ids(&merged(parts, &read)), Ok(expect));
        }
        let blocks = vec![(0..300).collect(), Vec::new(), (300..777).collect()];
        assert_eq!(ids(&merged(blocks, &read)), Ok((0..777).collect()));
        assert_eq!(ids(&merged(Vec::new(), &read)), Ok(Vec::new()));
    }

    #[test]
    fn what_two_clients_have_stays_twice() {
        let read = AtomicUsize::new(0);
        let parts = vec![vec![0, 2, 4], vec![1, 2, 3]];
        assert_eq!(ids(&merged(parts, &read)), Ok(vec![0, 1, 2, 2, 3, 4]));
    }

    #[test]
    fn readers_stay_a_few_batches_ahead() {
        const N: u64 = 20_000;
        let read = AtomicUsize::new(0);
        let part = |slice: Slice| (0..N).filter(|id| slice.takes(*id)).collect();
        let merged = merged(Slice::all(4).map(part).collect(), &read);
        let (mut taken, mut ahead) = (0, 0);
        let all = merged.in_order(ChunkFields::ALL, &mut |_| {
            ahead = ahead.max(read.load(Ordering::SeqCst).saturating_sub(taken));
            taken += 1;
            ControlFlow::Continue(())
        });
        assert_eq!((all, taken), (Ok(()), N as usize));
        // Of each client: one batch at the head, some waiting, one that wants to be sent.
        let most = 4 * BATCH * (WAITING + 2);
        assert!(ahead <= most, "{ahead} records held, {most} at most");
    }

    #[test]
    fn whoever_has_seen_enough_ends_the_readers() {
        let read = AtomicUsize::new(0);
        let merged = merged(vec![(0..100_000).collect(), vec![3]], &read);
        let mut taken = 0;
        let all = merged.in_order(ChunkFields::ALL, &mut |_| {
            taken += 1;
            match taken {
                10 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!((all, taken), (Ok(()), 10));
        assert!(read.load(Ordering::SeqCst) < 1_000);
    }

    #[test]
    fn a_client_that_cannot_be_read_ends_the_reading() {
        let read = AtomicUsize::new(0);
        let mut merged = merged(vec![(0..10).collect(), (10..100_000).collect()], &read);
        merged.clients[0].fails = true;
        assert_eq!(ids(&merged), Err("torn"));
        assert!(read.load(Ordering::SeqCst) < 1_000);
    }
}
