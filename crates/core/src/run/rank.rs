//! A rank: one of several processes that share a load. Who it is, and how its clock stands to that of the first.
//!
//! It measures no offset and judges none. Invariant: what was said by a host or an environment is inert text of
//! bounded length.

use crate::schedule::Slice;
use crate::text::inert;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of a host that is kept, bytes: they have 64 at most on Linux, and containers' names more.
const HOST_BYTES: usize = 200;

/// Who a rank is, and how its clock stands to that of rank 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RankFacts {
    /// The part of the load that it sent.
    pub slice: Slice,
    /// Name of its host.
    pub host: String,
    /// Boot id of its host, hex: equal on one kernel. Absent where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Its process id.
    pub pid: u32,
    /// What its processor is, as in `x86_64`.
    pub arch: String,
    /// Version of infermeter.
    pub version: String,
    /// SHA-256 of its program, hex; absent where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Who said which rank it is: `flags`, `workers`, `Slurm` and others.
    pub told_by: String,
    /// How its wall clock stands to that of rank 0; absent where nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockOffset>,
    /// The start that was agreed on, by the wall clock of rank 0, nanoseconds since the Unix epoch; absent where
    /// none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_asked_ns: Option<i64>,
}

/// How a wall clock stands to that of rank 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockOffset {
    /// The own wall clock minus that of rank 0, nanoseconds.
    pub offset_ns: i64,
    /// The true offset is at most this far from it, nanoseconds.
    pub bound_ns: i64,
    /// How it was found.
    pub by: OffsetSource,
}

/// How the offset of two clocks was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffsetSource {
    /// Both processes read the clock of one kernel.
    SameKernel,
    /// By questions and answers between the two.
    Ping,
    /// Both hosts keep their clocks by NTP or PTP, and say how well.
    Ntp,
    /// By the time stamps that the meeting place gives to files.
    Store,
}

impl RankFacts {
    /// The same with names that steer nothing and have an end.
    #[must_use]
    pub fn inert(mut self) -> Self {
        for text in [
            &mut self.host,
            &mut self.arch,
            &mut self.version,
            &mut self.told_by,
        ] {
            *text = inert(text, HOST_BYTES);
        }
        for text in [&mut self.machine, &mut self.program].into_iter().flatten() {
            *text = inert(text, HOST_BYTES);
        }
        self
    }
}

impl OffsetSource {
    /// In words, as a message has it.
    pub fn words(self) -> &'static str {
        match self {
            Self::SameKernel => "one kernel's clock",
            Self::Ping => "questions and answers between the ranks",
            Self::Ntp => "what the hosts' time services say",
            Self::Store => "time stamps of the meeting place",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(host: &str) -> RankFacts {
        RankFacts {
            slice: Slice::new(3, 8).expect("a slice"),
            host: host.to_owned(),
            machine: None,
            pid: 7,
            arch: "x86_64".to_owned(),
            version: "1.0.0".to_owned(),
            program: None,
            told_by: "Slurm".to_owned(),
            clock: Some(ClockOffset {
                offset_ns: -5,
                bound_ns: 9,
                by: OffsetSource::SameKernel,
            }),
            start_asked_ns: None,
        }
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        let text = serde_json::to_string(&facts("node")).expect("JSON");
        let expect = "{\"slice\":{\"index\":3,\"of\":8},\"host\":\"node\",\"pid\":7,\"arch\":\"x86_64\",\
                      \"version\":\"1.0.0\",\"told_by\":\"Slurm\",\"clock\":{\"offset_ns\":-5,\"bound_ns\":9,\
                      \"by\":\"same_kernel\"}}";
        assert_eq!(text, expect);
        assert_eq!(
            serde_json::from_str::<RankFacts>(&text).ok(),
            Some(facts("node"))
        );
    }

    #[test]
    fn a_host_of_whatever_name_steers_nothing() {
        let kept = facts(&format!("a\u{1b}[2J{}", "x".repeat(900))).inert();
        assert!(kept.host.starts_with("a\u{fffd}[2J"), "{}", kept.host);
        assert!(kept.host.len() <= HOST_BYTES);
    }
}
