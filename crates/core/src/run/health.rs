//! The generator's view of itself.

use crate::clock::Offset;
use crate::gap::Gaps;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the client received with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IoBackend {
    /// epoll, and a receive call per read.
    #[default]
    Epoll,
    /// io_uring: arrivals complete by themselves.
    Uring,
}

/// One client thread's own behaviour between the run's origin and its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadHealth {
    /// CPU time, user and system, nanoseconds.
    pub cpu_ns: i64,
    /// Time runnable but not running (`/proc/thread-self/schedstat`), nanoseconds; absent where
    /// the kernel does not say.
    pub run_queue_wait_ns: Option<i64>,
    /// Wall time, nanoseconds.
    pub wall_ns: i64,
    /// Reads that returned bytes.
    pub reads: u64,
    /// Of those, without a kernel stamp.
    pub reads_without_stamp: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Bytes sent, of TLS as they were on the wire; absent of records from before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
    /// Connections opened.
    pub connections_opened: u64,
    /// Idle connections dropped: closed by the server, unexpectedly readable, or past keep-alive.
    pub connections_discarded: u64,
    /// Answers whose body did not end within a second of their end mark.
    #[serde(default)]
    pub bodies_without_end: u64,
    /// Connections closed after one answer because the server closes each then, whatever it says.
    #[serde(default)]
    pub connections_single_use: u64,
    /// Times a request was due and its body was not ready.
    pub bodies_late: u64,
    /// Times a request waited for a connection because of the cap.
    pub waits_for_cap: u64,
    /// Greatest jump of the real-time clock against the monotonic one, nanoseconds.
    pub clock_step_ns: i64,
    /// io_uring: times a receive ended for want of a buffer and was started again.
    #[serde(default)]
    pub buffers_out: u64,
    /// Times in which the thread did not go through its loop.
    #[serde(default, skip_serializing_if = "Gaps::is_empty")]
    pub gaps: Gaps,
}

/// The generator's view of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientHealth {
    /// One entry per worker thread.
    pub threads: Vec<ThreadHealth>,
    /// CPU time of the whole process between origin and end, nanoseconds.
    pub process_cpu_ns: i64,
    /// Peak resident memory of the process (`VmHWM`), bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Kernel receive stamps worked in the self-test before the run.
    pub kernel_stamps: bool,
    /// Cores the process may run on.
    pub cores: u32,
    /// What the workers received with.
    #[serde(default)]
    pub io: IoBackend,
    /// The recorder could not write (disk full, say); the text says what happened.
    pub recorder_error: Option<String>,
    /// What it could not write in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<Unwritten>,
}

/// Records that could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unwritten {
    /// How many are missing.
    pub records: u64,
    /// Measured requests of the run, missing or not.
    pub measured: u64,
    /// When writing failed first.
    pub since: Option<Offset>,
}

impl ClientHealth {
    /// That of another client, on a machine of its own.
    pub(super) fn add(&mut self, other: Self) {
        self.threads.extend(other.threads);
        self.process_cpu_ns += other.process_cpu_ns;
        // Memory of two machines has no sum that anyone could run out of.
        self.peak_rss_bytes = self.peak_rss_bytes.max(other.peak_rss_bytes);
        self.kernel_stamps &= other.kernel_stamps;
        self.cores += other.cores;
        if self.io != other.io {
            self.io = IoBackend::Epoll;
        }
        self.recorder_error = self.recorder_error.take().or(other.recorder_error);
        self.unwritten = match (self.unwritten, other.unwritten) {
            (Some(own), Some(other)) => Some(own.and(other)),
            (own, other) => own.or(other),
        };
    }
}

impl Unwritten {
    fn and(self, other: Self) -> Self {
        let since = [self.since, other.since].into_iter().flatten().min();
        Self {
            records: self.records + other.records,
            measured: self.measured + other.measured,
            since,
        }
    }
}
