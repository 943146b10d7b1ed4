//! Ranks for tests.

use crate::meeting::{JoinAs, Launch, Missing};
use crate::told::Rank;
use infermeter_core::clock::realtime_ns;
use infermeter_core::run::RankFacts;
use infermeter_core::schedule::Slice;
use infermeter_core::units::Span;

/// A hash of a plan.
pub(crate) const PLAN: &str = "0123456789abcdef";

/// A rank on a host of its own name, of a kernel that does not say which it is.
pub(crate) fn facts(index: u32, of: u32) -> RankFacts {
    RankFacts {
        slice: Slice::new(index, of).expect("a slice"),
        host: format!("node-{index}"),
        machine: None,
        pid: 100 + index,
        arch: "x86_64".to_owned(),
        version: "1.2.3".to_owned(),
        program: Some("aa".repeat(32)),
        told_by: "flags".to_owned(),
        clock: None,
        start_asked_ns: None,
    }
}

/// A rank that joins, proposes a run of its own, and waits long.
pub(crate) fn join_as(index: u32, of: u32) -> JoinAs {
    let facts = facts(index, of);
    JoinAs {
        rank: Rank {
            slice: facts.slice,
            told_by: "flags",
            launch: None,
        },
        plan_hash: PLAN.to_owned(),
        proposed: Launch {
            run_id: format!("run-of-{index}"),
            salt: u64::from(index),
            plan_hash: PLAN.to_owned(),
            version: facts.version.clone(),
            started_unix_ns: realtime_ns(),
        },
        timeout: Span::seconds(60),
        missing: Missing::End,
        sync: None,
        facts,
    }
}
