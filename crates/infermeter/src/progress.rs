//! Progress on standard error: one line redrawn on a terminal, a plain line every five seconds
//! elsewhere. Fed with snapshots, never on the measuring path.

use infermeter_core::schedule::Phase;
use infermeter_runner::progress::Snapshot;
use std::io::{IsTerminal, Write};

/// Time between plain lines.
const PLAIN_NS: i64 = 5_000_000_000;

/// Draws progress.
#[derive(Debug)]
pub struct Progress {
    mode: Mode,
    last: Option<Snapshot>,
    drawn: bool,
    said_stopping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Plain,
    Terminal,
}

impl Progress {
    /// Chooses the mode by what standard error is.
    pub fn new(quiet: bool) -> Self {
        let mode = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Mode::Off,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Plain,
        };
        Self {
            mode,
            last: None,
            drawn: false,
            said_stopping: false,
        }
    }

    /// Shows a snapshot.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let previous = self.last.as_ref();
        let due = match self.mode {
            Mode::Off => false,
            Mode::Terminal => true,
            Mode::Plain => {
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
        let mut out = std::io::stderr().lock();
        // A closed standard error is no reason to stop measuring.
        let _ = if self.mode == Mode::Terminal {
            let fits = cut(&line, terminal_width());
            write!(out, "\r\x1b[2K{fits}").and_then(|()| out.flush())
        } else {
            writeln!(out, "{line}")
        };
        self.drawn = true;
        self.last = Some(snapshot.clone());
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if self.mode == Mode::Terminal && self.drawn {
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r\x1b[2K").and_then(|()| out.flush());
        }
    }
}

/// Columns of the terminal that standard error is; 80 where it does not tell.
fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.map(|s| usize::from(s.ws_col))
        .ok()
        .filter(|columns| *columns > 0)
        .unwrap_or(80)
}

/// The line as far as it fits without wrapping: a wrapped line cannot be drawn over.
fn cut(line: &str, width: usize) -> String {
    line.chars().take(width.saturating_sub(1)).collect()
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
