//! Waits inside sessions: think times of users, tools at work, pauses between sessions.
//!
//! It knows no answers: when a wait begins, they decide.
//!
//! Invariant: a wait is a function of the seed and of what it belongs to, whoever asks first.

use infermeter_core::plan::{Sessions, Wait};
use infermeter_core::request::{RequestId, Role};
use infermeter_core::seed::splitmix64;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

/// Keeps the random streams apart from others of the same seed.
const TURN_TAG: u64 = 0x7468_696e_6b74_696d;
const PAUSE_TAG: u64 = 0x7061_7573_6573_2e2e;

/// Longest wait, nanoseconds: ten days, whatever is drawn.
const LONGEST_NS: f64 = 864e12;

/// The waits of a run's sessions.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    think: Wait,
    tool: Wait,
    pause: Wait,
    seed: u64,
}

impl Waits {
    /// As a plan has them.
    pub fn new(sessions: &Sessions, seed: u64) -> Self {
        Self {
            think: sessions.think,
            tool: sessions.tool,
            pause: sessions.pause,
            seed,
        }
    }

    /// Between the answer before request `id` and the request, nanoseconds; `role` is that of its
    /// new message.
    pub fn before_turn_ns(&self, id: RequestId, role: Role) -> i64 {
        let wait = match role {
            Role::Tool | Role::Function => &self.tool,
            Role::User | Role::System | Role::Developer | Role::Assistant => &self.think,
        };
        drawn_ns(wait, self.seed ^ TURN_TAG, id)
    }

    /// Between the end of a session and the next one of its user, nanoseconds.
    pub fn pause_ns(&self, session: u64) -> i64 {
        drawn_ns(&self.pause, self.seed ^ PAUSE_TAG, session)
    }
}

fn drawn_ns(wait: &Wait, seed: u64, stream: u64) -> i64 {
    let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(seed));
    rng.set_stream(stream);
    let ns = match wait {
        Wait::Fixed(span) => return span.ns(),
        Wait::Exponential(mean) => {
            let unit: f64 = Exp1.sample(&mut rng);
            mean.ns() as f64 * unit
        }
        Wait::Uniform { least, most } => {
            let share = rng.random::<f64>();
            least.ns() as f64 + (most.ns() - least.ns()) as f64 * share
        }
        Wait::LogNormal { median, sigma } => {
            let z: f64 = StandardNormal.sample(&mut rng);
            median.ns() as f64 * (sigma * z).exp()
        }
        Wait::Gamma { mean, cv } => {
            let shape = 1.0 / (cv * cv);
            // A plan's coefficients of variation lie between 0.01 and 10: there is such a law.
            let unit = Gamma::new(shape, 1.0 / shape);
            mean.ns() as f64 * unit.map_or(1.0, |law| law.sample(&mut rng))
        }
    };
    ns.clamp(0.0, LONGEST_NS).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u64 = 20_000;

    fn waits(text: &str) -> Waits {
        let options = ["turns=2".to_owned(), format!("think={text}")];
        let sessions = Sessions::parse(&options).expect("sound");
        Waits::new(&sessions.expect("there are options"), 5)
    }

    /// Mean and coefficient of variation, seconds, of 20,000 draws.
    fn check(text: &str, mean: f64, cv: f64) {
        let waits = waits(text);
        let draw = |id| waits.before_turn_ns(id, Role::User) as f64 / 1e9;
        let all: Vec<f64> = (0..N).map(draw).collect();
        let found = all.iter().sum::<f64>() / N as f64;
        let squares: f64 = all.iter().map(|x| (x - found).powi(2)).sum();
        let spread = (squares / N as f64).sqrt() / found;
        assert!((found / mean - 1.0).abs() < 0.05, "{text}: mean {found}");
        assert!(
            (spread - cv).abs() < 0.05 * cv.max(0.2),
            "{text}: CV {spread}"
        );
    }

    #[test]
    fn means_and_spreads() {
        check("3s", 3.0, 0.0);
        check("exp:3s", 3.0, 1.0);
        // (b - a) / sqrt(12) over the mean.
        check("uniform:1s..5s", 3.0, 4.0 / 12.0_f64.sqrt() / 3.0);
        // exp(sigma^2 / 2) times the median, and sqrt(exp(sigma^2) - 1).
        check(
            "lognormal:3s/0.5",
            3.0 * 0.125_f64.exp(),
            (0.25_f64.exp() - 1.0).sqrt(),
        );
        check("gamma:3s/0.7", 3.0, 0.7);
    }

    #[test]
    fn tools_and_pauses_have_waits_of_their_own() {
        let options = ["turns=2", "think=1s", "tool=2s", "tool-share=1", "pause=3s"];
        let options = options.map(str::to_owned);
        let sessions = Sessions::parse(&options).expect("sound");
        let waits = Waits::new(&sessions.expect("there are options"), 5);
        assert_eq!(waits.before_turn_ns(1, Role::User), 1_000_000_000);
        assert_eq!(waits.before_turn_ns(1, Role::Tool), 2_000_000_000);
        assert_eq!(waits.pause_ns(1), 3_000_000_000);
    }

    #[test]
    fn the_same_turn_waits_equally_long_whoever_asks() {
        let waits = waits("exp:3s");
        let forwards: Vec<i64> = (0..9)
            .map(|id| waits.before_turn_ns(id, Role::User))
            .collect();
        let backwards: Vec<i64> = (0..9)
            .rev()
            .map(|id| waits.before_turn_ns(id, Role::User))
            .collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        let other = Waits { seed: 6, ..waits };
        assert_ne!(forwards[0], other.before_turn_ns(0, Role::User));
    }
}
