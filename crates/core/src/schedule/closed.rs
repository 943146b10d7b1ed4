//! A closed loop: slots that send their next request when the last one closed.

use super::slice::{Slice, SliceError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A closed loop of `slots` users. Warm-up ends when both its time and its request count have
/// passed (at the latest after `warmup_max_ns`); the measured window ends after `duration_ns` or
/// `requests`, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClosedSchedule {
    /// Concurrent slots; with sessions, users.
    pub slots: u32,
    /// Ids of a session: slots take requests `0`, `stride`, `2 * stride` and so on, and what lies
    /// between follows them. 1 where requests stand alone.
    pub stride: u64,
    /// The part that it is of a plan's schedule: of those requests the slots take every n-th.
    #[serde(default, skip_serializing_if = "Slice::is_whole")]
    pub slice: Slice,
    /// Least warm-up time, nanoseconds.
    pub warmup_ns: i64,
    /// Least number of warm-up requests.
    pub warmup_requests: u64,
    /// Warm-up ends here at the latest, nanoseconds.
    pub warmup_max_ns: i64,
    /// Length of the measured window, nanoseconds.
    pub duration_ns: Option<i64>,
    /// Number of measured requests.
    pub requests: Option<u64>,
}

impl ClosedSchedule {
    /// Its share of slots and counts.
    ///
    /// # Errors
    /// When there would be none of them.
    pub(super) fn cut(&self, slice: Slice) -> Result<Self, SliceError> {
        let fits = |what, has: u64| match has < u64::from(slice.of()) {
            true => Err(SliceError::TooFine {
                what,
                has,
                of: slice.of(),
            }),
            false => Ok(slice.share(has)),
        };
        let requests = self.requests.map(|n| fits("requests", n)).transpose()?;
        Ok(Self {
            // A share of what fits.
            slots: fits("slots", self.slots.into())? as u32,
            warmup_requests: slice.share(self.warmup_requests),
            requests,
            slice: slice.inside(self.slice),
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_is_cut_as_far_as_it_has_slots_and_requests() {
        let closed = ClosedSchedule {
            slots: 5,
            stride: 2,
            slice: Slice::WHOLE,
            warmup_ns: 10,
            warmup_requests: 1,
            warmup_max_ns: 99,
            duration_ns: None,
            requests: Some(4),
        };
        let parts: Vec<ClosedSchedule> = Slice::all(3)
            .map(|slice| closed.cut(slice).expect("slots enough"))
            .collect();
        assert_eq!(parts.iter().map(|p| p.slots).collect::<Vec<_>>(), [2, 2, 1]);
        let counts = parts.iter().map(|p| (p.warmup_requests, p.requests));
        let expect = [(1, Some(2)), (0, Some(1)), (0, Some(1))];
        assert!(counts.eq(expect));
        let too_fine = closed.cut(Slice::all(5).last().expect("five"));
        assert_eq!(
            too_fine.expect_err("four requests").to_string(),
            "4 requests cannot be cut into 5 slices: use at most 4"
        );
    }
}
