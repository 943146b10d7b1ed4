//! A network in user space: delay, jitter and bandwidth between the client and the engine.
//!
//! Each connection has two directions. In each of them bytes leave one behind the other at the
//! bandwidth, and come out after the delay plus an exponential extra, but never before bytes sent
//! earlier: order is kept. Nothing here moves bytes or reads a clock.
//!
//! Not modelled: packets, losses, set-up of connections (which the kernel does at once), and
//! bandwidth shared between connections.

use crate::length::open_unit;
use infermeter_core::seed::splitmix64;

/// What a link does to bytes. The default does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkParams {
    /// One-way delay, nanoseconds.
    pub delay_ns: i64,
    /// Mean of the exponential delay on top, nanoseconds.
    pub jitter_ns: i64,
    /// Bytes per second of each connection and direction; `None`: without limit.
    pub bytes_per_second: Option<u64>,
}

impl LinkParams {
    /// Whether bytes pass as if there were no link.
    pub(crate) fn is_off(&self) -> bool {
        self.delay_ns == 0 && self.jitter_ns == 0 && self.bytes_per_second.is_none()
    }
}

/// One direction of one connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Direction {
    /// The sender is busy with earlier bytes until then.
    busy_until_ns: i64,
    /// The last bytes come out then.
    last_out_ns: i64,
    sent: u64,
}

impl Direction {
    /// When `bytes` sent at `now_ns` come out whole. `key` seeds the jitter.
    pub fn pass(&mut self, link: &LinkParams, now_ns: i64, bytes: usize, key: u64) -> i64 {
        let start_ns = now_ns.max(self.busy_until_ns);
        let on_wire_ns = link.bytes_per_second.map_or(0, |rate| {
            (bytes as f64 * 1e9 / rate.max(1) as f64).round() as i64
        });
        self.busy_until_ns = start_ns + on_wire_ns;
        self.sent = self.sent.wrapping_add(1);
        let extra_ns = exponential_ns(link.jitter_ns, key ^ splitmix64(self.sent));
        let out_ns = self.busy_until_ns + link.delay_ns + extra_ns;
        self.last_out_ns = self.last_out_ns.max(out_ns);
        self.last_out_ns
    }
}

fn exponential_ns(mean_ns: i64, key: u64) -> i64 {
    if mean_ns == 0 {
        return 0;
    }
    (-(open_unit(splitmix64(key)).ln()) * mean_ns as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_after_delay_and_wire_time_in_order() {
        let link = LinkParams {
            delay_ns: 1_000,
            jitter_ns: 0,
            bytes_per_second: Some(1_000_000_000),
        };
        let mut direction = Direction::default();
        assert_eq!(direction.pass(&link, 10, 100, 1), 10 + 100 + 1_000);
        // The wire is busy with the first 100 bytes until 110.
        assert_eq!(direction.pass(&link, 20, 50, 1), 160 + 1_000);
        assert_eq!(direction.pass(&link, 5_000, 0, 1), 6_000);
        let nearer = LinkParams::default();
        assert!(nearer.is_off() && !link.is_off());
        // A shorter delay does not let bytes overtake.
        assert_eq!(direction.pass(&nearer, 5_500, 1, 1), 6_000);
    }

    #[test]
    fn jitter_has_its_mean_and_keeps_order() {
        let link = LinkParams {
            jitter_ns: 1_000_000,
            ..LinkParams::default()
        };
        let apart_ns = 1_000_000_000;
        let mut direction = Direction::default();
        let mut sum = 0;
        for n in 0..4_000 {
            sum += direction.pass(&link, n * apart_ns, 1, 7) - n * apart_ns;
        }
        let mean = sum as f64 / 4_000.0;
        assert!((mean - 1e6).abs() < 8e4, "{mean}");
        let mut before = 0;
        for n in 0..1_000 {
            let out = direction.pass(&link, 5_000 * apart_ns + n, 1, 7);
            assert!(out >= before);
            before = out;
        }
    }
}
