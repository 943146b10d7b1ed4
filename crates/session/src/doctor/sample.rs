//! What the cores do for a moment: counters before and after it.
//!
//! Invariant: counters that do not move are no load of 0.

use super::proc;
use crate::calibrate::bystanders::cores_ns;
use infermeter_analysis::doctor::{CoreLoad, Fact};
use infermeter_core::clock::{monotonic_ns, process_cpu_ns};

/// Fields of a core in `/proc/stat` (user nice system idle iowait irq softirq steal).
const ALL: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
const BUSY: [usize; 3] = [0, 1, 2];
const IN_INTERRUPTS: [usize; 2] = [5, 6];
const STOLEN: [usize; 1] = [7];

/// The texts at one instant.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Monotonic nanoseconds.
    at: i64,
    /// CPU time of this process, nanoseconds.
    own: i64,
    stat: Fact<String>,
    interrupts: Option<String>,
}

impl Look {
    /// Reads them.
    pub fn now() -> Self {
        Self {
            at: monotonic_ns(),
            own: process_cpu_ns(),
            stat: proc::read("/proc/stat"),
            interrupts: proc::read("/proc/interrupts").ok(),
        }
    }

    /// Nanoseconds that some of a core's fields have counted since an earlier look.
    fn since(&self, before: &Self, cores: &[usize], fields: &[usize]) -> Fact<i64> {
        let of = |look: &Self| -> Fact<i64> {
            let ns = cores_ns(look.stat.as_ref().map_err(String::clone)?, cores, fields);
            ns.ok_or_else(|| format!("/proc/stat does not have all of the cores {cores:?}"))
        };
        Ok(of(self)? - of(before)?)
    }

    /// What these cores did since an earlier look.
    pub fn load_since(&self, before: &Self, cores: &[usize]) -> Fact<CoreLoad> {
        let wall = (self.at - before.at).max(1) as f64;
        let counted = self.since(before, cores, &ALL)?;
        if counted <= 0 {
            return Err("the counters in /proc/stat do not move here".to_owned());
        }
        let busy = self.since(before, cores, &BUSY)? - (self.own - before.own);
        let stolen = self.since(before, cores, &STOLEN)?;
        let mut most = (0, 0);
        for core in cores {
            let ns = self.since(before, &[*core], &IN_INTERRUPTS)?;
            if ns >= most.1 {
                most = (*core, ns);
            }
        }
        let (interrupted, ns) = most;
        let of = |look: &Self| proc::interrupts(look.interrupts.as_deref()?, interrupted);
        let grown = of(self).zip(of(before));
        let per_s = grown.map(|(now, then)| now.saturating_sub(then) as f64 / (wall / 1e9));
        Ok(CoreLoad {
            seconds: wall / 1e9,
            others: (busy.max(0) as f64 / wall).min(cores.len() as f64),
            stolen: stolen.max(0) as f64 / counted as f64,
            interrupted,
            interrupt_share: ns.max(0) as f64 / wall,
            interrupts_per_s: per_s,
            pressure: proc::said("/proc/pressure/cpu", proc::pressure).ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i64, own: i64, stat: &str, interrupts: &str) -> Look {
        Look {
            at,
            own,
            stat: Ok(stat.to_owned()),
            interrupts: Some(interrupts.to_owned()),
        }
    }

    #[test]
    fn what_others_do_is_what_is_left() {
        let heads = "      CPU0 CPU1\n 0: ";
        let before = look(
            0,
            0,
            "cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n",
            &format!("{heads}1 1\n"),
        );
        // 100 ticks of 10 ms: core 0 half busy, core 1 a fifth in interrupts and a tenth stolen.
        let after = look(
            1_000_000_000,
            200_000_000,
            "cpu0 40 0 10 50 0 0 0 0\ncpu1 0 0 0 70 0 5 15 10\n",
            &format!("{heads}1 501\n"),
        );
        let load = after.load_since(&before, &[0, 1]).expect("counted");
        assert_eq!(load.seconds, 1.0);
        assert!((load.others - 0.3).abs() < 1e-9, "{load:?}");
        assert_eq!(load.stolen, 0.05);
        assert_eq!((load.interrupted, load.interrupt_share), (1, 0.2));
        assert_eq!(load.interrupts_per_s, Some(500.0));
    }

    #[test]
    fn counters_that_stand_still_are_no_idle_machine() {
        let still = look(0, 0, "cpu0 1 1 1 1 1 1 1 1\n", "");
        let later = Look {
            at: 1_000,
            ..still.clone()
        };
        let why = later.load_since(&still, &[0]).expect_err("no figures");
        assert!(why.contains("do not move"), "{why}");
        let why = later.load_since(&still, &[3]).expect_err("no such core");
        assert!(why.contains("[3]"), "{why}");
    }
}
