//! How many requests were in flight when one was sent, itself among them.
//!
//! All phases and outcomes count. Invariant: what was never sent has no load.

use crate::facts::RequestFacts;
use infermeter_core::clock::Offset;

/// For each of these requests, those in flight at its `send_start`, its own included; `None` where it was not sent. One
/// without `closed` is in flight to the end.
pub fn loads_at_send(requests: &[RequestFacts]) -> Vec<Option<u32>> {
    let mut starts: Vec<(Offset, usize)> = Vec::with_capacity(requests.len());
    let mut ends: Vec<Offset> = Vec::with_capacity(requests.len());
    for (place, request) in requests.iter().enumerate() {
        let Some(start) = request.send_start else {
            continue;
        };
        starts.push((start, place));
        ends.extend(request.closed);
    }
    starts.sort_unstable();
    ends.sort_unstable();
    let (mut loads, mut ended) = (vec![None; requests.len()], 0);
    for (before, (start, place)) in starts.into_iter().enumerate() {
        while ends.get(ended).is_some_and(|end| *end <= start) {
            ended += 1;
        }
        loads[place] = Some((before + 1).saturating_sub(ended) as u32);
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::loads_at_send;
    use crate::fixture::{Run, facts, ms};

    #[test]
    fn those_in_flight_are_counted_at_the_send() {
        let mut run = Run::open(1.0, 10);
        // 0 to 100 ms, 50 to 200, 60 to 70, 150 to 300.
        for (from, lasts) in [(0, 100), (50, 150), (60, 10), (150, 150)] {
            run.stream(from, ms(lasts), ms(1), 1).closes_after(ms(0));
        }
        let mut requests = facts(&run.build()).requests;
        assert_eq!(
            loads_at_send(&requests),
            [Some(1), Some(2), Some(3), Some(2)]
        );
        requests[1].send_start = None;
        assert_eq!(loads_at_send(&requests)[1], None);
    }
}
