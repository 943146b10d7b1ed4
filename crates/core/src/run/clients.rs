//! Each of several clients that share a load, and what they are together.
//!
//! It judges none of them. Invariant: what can be counted is the sum over the clients, and what one of
//! them lacks all of them lack.

use super::health::ClientHealth;
use super::progress::Progress;
use super::rank::RankFacts;
use crate::clock::Clock;
use crate::environment::HostFacts;
use crate::schedule::{ScheduleFacts, Slice, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one client did of a run, and what it saw of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientRun {
    /// The part of the load that it sent.
    #[serde(default, skip_serializing_if = "Slice::is_whole")]
    pub slice: Slice,
    /// How it went.
    pub progress: Progress,
    /// The generator's view of itself; its threads are those of this client.
    pub health: ClientHealth,
    /// Which process it was; absent where clients were no ranks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<RankFacts>,
    /// Origins of its own clock; absent where it had that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// What its part of the schedule says must come of it; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleFacts>,
    /// Its own measured window; absent where it is that of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The machine that it ran on; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostFacts>,
}

impl ClientRun {
    /// All clients as one; `None` without any.
    pub fn together(clients: &[Self]) -> Option<Self> {
        let (first, others) = clients.split_first()?;
        let mut all = Self {
            slice: Slice::WHOLE,
            // All together are no process.
            rank: None,
            clock: None,
            schedule: None,
            window: None,
            host: None,
            ..first.clone()
        };
        for other in others {
            all.progress.add(other.progress.clone());
            all.health.add(other.health.clone());
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Counted, IoBackend, ThreadHealth, Unwritten};
    use super::*;
    use crate::clock::Offset;

    fn client(slice: Slice, records: u64) -> ClientRun {
        let thread = ThreadHealth {
            reads: records,
            ..ThreadHealth::default()
        };
        ClientRun {
            slice,
            progress: Progress {
                scheduled: records,
                drain_not_reached: 2,
                unfinished_sessions: vec![9 - u64::from(slice.index())],
                ended: Offset(records as i64),
                counted: Some(Counted {
                    handed_over: records,
                    arrivals_not_reached: 1,
                }),
                ..Progress::default()
            },
            health: ClientHealth {
                threads: vec![thread],
                process_cpu_ns: 5,
                peak_rss_bytes: Some(100 * records),
                kernel_stamps: true,
                cores: 4,
                io: IoBackend::Uring,
                recorder_error: None,
                unwritten: None,
            },
            rank: None,
            clock: None,
            schedule: None,
            window: None,
            host: None,
        }
    }

    #[test]
    fn clients_together_are_the_sum_of_their_counts() {
        let clients: Vec<ClientRun> = Slice::all(3)
            .map(|slice| client(slice, 10 + u64::from(slice.index())))
            .collect();
        let all = ClientRun::together(&clients).expect("three");
        assert_eq!((all.slice, all.progress.scheduled), (Slice::WHOLE, 33));
        assert_eq!(all.progress.unfinished_sessions, [7, 8, 9]);
        assert_eq!(all.progress.ended, Offset(12));
        let counted = all.progress.counted.expect("all counted");
        assert_eq!((counted.handed_over, counted.arrivals_not_reached), (33, 3));
        let reads = all.health.threads.iter().map(|t| t.reads);
        assert!(reads.eq([10, 11, 12]));
        assert_eq!(
            (all.health.cores, all.health.peak_rss_bytes),
            (12, Some(1_200))
        );
        assert!(all.health.kernel_stamps && all.health.io == IoBackend::Uring);
        assert_eq!(
            ClientRun::together(&clients[..1]).expect("one").progress,
            clients[0].progress
        );
        assert_eq!(ClientRun::together(&[]), None);
    }

    #[test]
    fn what_one_client_lacks_all_lack() {
        let mut clients: Vec<ClientRun> = Slice::all(3).map(|s| client(s, 10)).collect();
        clients[1].health.kernel_stamps = false;
        clients[1].health.io = IoBackend::Epoll;
        clients[1].progress.counted = None;
        clients[2].progress.interrupted = true;
        for (index, since) in [(0, 70), (2, 50)] {
            clients[index].health.recorder_error = Some(format!("disk {index} full"));
            clients[index].health.unwritten = Some(Unwritten {
                records: 5,
                measured: 8,
                since: Some(Offset(since)),
            });
        }
        let all = ClientRun::together(&clients).expect("three");
        assert!(!all.health.kernel_stamps && all.health.io == IoBackend::Epoll);
        assert!(all.progress.interrupted && all.progress.counted.is_none());
        assert_eq!(all.health.recorder_error.as_deref(), Some("disk 0 full"));
        let unwritten = all.health.unwritten.expect("two of them");
        assert_eq!((unwritten.records, unwritten.measured), (10, 16));
        assert_eq!(unwritten.since, Some(Offset(50)));
    }
}
