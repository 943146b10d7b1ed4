//! The server's own times of requests against the client's latencies.

use super::{Check, WARNING, count, of_server, percent};
use crate::limits;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::Finding;

/// A part of a latency is longer than all of it.
pub(super) const SERVER_TIMES_DISAGREE: Check = of_server(
    "server-times-disagree",
    WARNING,
    Some(limits::SERVER_TIMES_BELOW),
    times_disagree,
);

fn times_disagree(_: &Run, summary: &Summary) -> Option<Finding> {
    let times = summary.server_times.as_ref()?;
    let share = times.below as f64 / times.requests.max(1) as f64;
    if share <= limits::SERVER_TIMES_BELOW {
        return None;
    }
    Some(SERVER_TIMES_DISAGREE.found(
        "The server says that requests took it longer than the client waited: the two cannot both be right.",
        format!(
            "{} of {} requests with times of the server's own ({}) are more than {} ms below these.",
            count(times.below),
            count(times.requests),
            percent(share),
            times.error_ms
        ),
        "Do not take the difference for network and front end. Look whether a gateway passes on times of other \
         requests, of a cached answer or of a retry, and whether the server's clock is steady.",
    ))
}
