//! Progress on standard error: one line redrawn on a terminal, a plain line every five seconds
//! elsewhere. Fed with snapshots, never on the measuring path.

use crate::output;
use crate::screen::{self, Drawing};
use infermeter_core::schedule::Phase;
use infermeter_runner::progress::Snapshot;

/// Time between plain lines.
const PLAIN_NS: i64 = 5_000_000_000;

/// Draws progress.
#[derive(Debug)]
pub(crate) struct Progress {
    drawing: Drawing,
    last: Option<Snapshot>,
    drawn: bool,
    said_stopping: bool,
}

impl Progress {
    /// Chooses the mode by what standard error is.
    pub fn new(quiet: bool) -> Self {
        Self {
            drawing: Drawing::choose(quiet),
            last: None,
            drawn: false,
            said_stopping: false,
        }
    }

    /// Shows a snapshot.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        let previous = self.last.as_ref();
        let due = match self.drawing {
            Drawing::Off => false,
            Drawing::Over => true,
            Drawing::Lines => {
                let stopping = snapshot.stopping && !self.said_stopping;
                stopping
                    || previous.is_none_or(|p| {
                        snapshot.elapsed.since(p.elapsed) >= PLAIN_NS || p.phase != snapshot.phase
                    })
            }
        };
        if !due {
            return;
        }
        let line = line(snapshot, rate(previous, snapshot));
        self.said_stopping |= snapshot.stopping;
        match self.drawing {
            Drawing::Over => screen::draw_over(&line),
            Drawing::Lines | Drawing::Off => output::note(&line),
        }
        self.drawn = true;
        self.last = Some(snapshot.clone());
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if self.drawing == Drawing::Over && self.drawn {
            screen::draw_over("");
        }
    }
}

/// Chunks per second since the previous snapshot.
fn rate(previous: Option<&Snapshot>, now: &Snapshot) -> f64 {
    let (chunks, elapsed) = previous.map_or((0, 0), |p| (p.chunks, p.elapsed.0));
    let seconds = (now.elapsed.0 - elapsed) as f64 / 1e9;
    if seconds <= 0.0 {
        0.0
    } else {
        (now.chunks - chunks) as f64 / seconds
    }
}

fn line(s: &Snapshot, chunks_per_second: f64) -> String {
    let phase = match (s.stopping, s.phase) {
        (true, _) => "stopping",
        (false, Phase::Warmup) => "warm-up",
        (false, Phase::Measure) => "measuring",
        // Requests go on being sent, until the measured ones have ended.
        (false, Phase::Drain) => "finishing",
    };
    let ttft = s
        .ttft_p50_ms
        .map_or_else(String::new, |ms| format!("  TTFT p50 {ms:.1} ms"));
    format!(
        "{:6.1}s  {phase:9}  sent {}  in flight {}  done {}  failed {}  {chunks_per_second:.0} \
         tokens/s{ttft}",
        s.elapsed.0.max(0) as f64 / 1e9,
        s.sent,
        s.in_flight,
        s.done,
        s.failed,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::clock::Offset;

    #[test]
    fn a_line_says_what_goes_on() {
        let snapshot = Snapshot {
            elapsed: Offset(12_340_000_000),
            phase: Phase::Measure,
            stopping: false,
            sent: 120,
            in_flight: 7,
            done: 112,
            failed: 1,
            chunks: 5_000,
            ttft_p50_ms: Some(41.25),
        };
        assert_eq!(
            line(&snapshot, rate(None, &snapshot)),
            "  12.3s  measuring  sent 120  in flight 7  done 112  failed 1  405 tokens/s  \
             TTFT p50 41.2 ms"
        );
    }
}
