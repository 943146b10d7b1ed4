//! CPU time that was taken from this process from outside: by its cgroup's quota and by the hypervisor.
//!
//! Reads a few small files at each look, so it is for a thread that measures nothing. Where a kernel
//! does not say, nothing was taken as far as anyone knows.

use std::fs;
use std::path::{Path, PathBuf};

/// One tick of `/proc/stat` (`USER_HZ` is 100 on every Linux), nanoseconds.
const TICK_NS: i64 = 10_000_000;

/// Totals since some instant in the past, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Time throttled by a CPU quota: that of the cgroup or of one above it.
    pub throttled_ns: i64,
    /// Time stolen by the hypervisor, over all CPUs.
    pub stolen_ns: i64,
}

/// The files to look at.
#[derive(Debug)]
pub struct TakenFiles {
    cgroups: Vec<PathBuf>,
    /// Absent on a machine that has never had time stolen: its `/proc/stat` is dear to read where
    /// there are many cores, and only a virtual machine's would say more.
    stat: Option<&'static Path>,
}

impl TakenFiles {
    /// Finds them.
    pub fn find() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut cgroups = cpu_stats(&own);
        cgroups.retain(|path| path.is_file());
        let stat = Path::new("/proc/stat");
        let stolen = fs::read_to_string(stat).is_ok_and(|text| stolen_ns(&text) > 0);
        Self {
            cgroups,
            stat: stolen.then_some(stat),
        }
    }

    /// Whether anything here says how long a quota was used up.
    pub fn tell_of_quotas(&self) -> bool {
        !self.cgroups.is_empty()
    }

    /// The least CPU quota of the cgroup and of those above it, in cores; `None` without one.
    pub fn quota(&self) -> Option<f64> {
        let quotas = self.cgroups.iter().filter_map(|stat| {
            let beside = |name: &str| fs::read_to_string(stat.with_file_name(name)).ok();
            beside("cpu.max")
                .and_then(|text| quota_cores(&text))
                .or_else(|| {
                    let first = [beside("cpu.cfs_quota_us")?, beside("cpu.cfs_period_us")?];
                    quota_cores(&first.join(" "))
                })
        });
        quotas.min_by(f64::total_cmp)
    }

    /// Reads them.
    pub fn look(&self) -> Taken {
        let texts = self.cgroups.iter().map(fs::read_to_string);
        Taken {
            throttled_ns: texts.flatten().map(|text| throttled_ns(&text)).sum(),
            stolen_ns: self
                .stat
                .and_then(|path| fs::read_to_string(path).ok())
                .map_or(0, |text| stolen_ns(&text)),
        }
    }
}

/// `cpu.stat` of the cgroup in the text of `/proc/self/cgroup` and of those above it, in version 2
/// (`0::/a/b`) and in version 1 (`3:cpu,cpuacct:/a/b`).
fn cpu_stats(own: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup").to_owned(),
            names if names.split(',').any(|name| name == "cpu") => {
                Path::new("/sys/fs/cgroup").join(names)
            }
            _ => continue,
        };
        let below = Path::new(path.trim_start_matches('/'));
        files.extend(
            below
                .ancestors()
                .map(|part| root.join(part).join("cpu.stat")),
        );
    }
    files
}

/// `throttled_usec` (version 2) or `throttled_time` (version 1, nanoseconds).
fn throttled_ns(text: &str) -> i64 {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().parse::<i64>().ok()
    };
    let micros = value("throttled_usec ").map(|us| us.saturating_mul(1_000));
    micros.or_else(|| value("throttled_time ")).unwrap_or(0)
}

/// `QUOTA PERIOD`, in cores; `max` and -1 are none.
fn quota_cores(text: &str) -> Option<f64> {
    let mut figures = text.split_ascii_whitespace().map(str::parse::<f64>);
    let (quota, period) = (figures.next()?.ok()?, figures.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// The eighth figure of the line `cpu` of `/proc/stat`.
fn stolen_ns(text: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "));
    let ticks = line.and_then(|line| line.split_ascii_whitespace().nth(7));
    let ticks = ticks.and_then(|ticks| ticks.parse::<i64>().ok());
    ticks.unwrap_or(0).saturating_mul(TICK_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_above_the_own_cgroup_count_too() {
        let paths = |own: &str| -> Vec<String> {
            let files = cpu_stats(own);
            files.iter().map(|f| f.display().to_string()).collect()
        };
        assert_eq!(
            paths("0::/a/b\n"),
            [
                "/sys/fs/cgroup/a/b/cpu.stat",
                "/sys/fs/cgroup/a/cpu.stat",
                "/sys/fs/cgroup/cpu.stat"
            ]
        );
        assert_eq!(
            paths("4:memory:/x\n3:cpu,cpuacct:/\n2:cpuacct:/y\nnonsense"),
            ["/sys/fs/cgroup/cpu,cpuacct/cpu.stat"]
        );
    }

    #[test]
    fn both_versions_say_how_long_the_quota_was_used_up() {
        let second = "usage_usec 5\nnr_periods 9\nnr_throttled 3\nthrottled_usec 250000\n";
        assert_eq!(throttled_ns(second), 250_000_000);
        let first = "nr_periods 9\nnr_throttled 3\nthrottled_time 250000000\n";
        assert_eq!(throttled_ns(first), 250_000_000);
        assert_eq!(throttled_ns("usage_usec 5\n"), 0);
    }

    #[test]
    fn quotas_are_in_cores() {
        assert_eq!(quota_cores("150000 100000\n"), Some(1.5));
        assert_eq!(quota_cores("max 100000\n"), None);
        assert_eq!(quota_cores("-1\n 100000\n"), None);
        assert_eq!(quota_cores("50000\n 100000\n"), Some(0.5));
        assert_eq!(quota_cores("50000"), None);
    }

    #[test]
    fn stolen_time_is_that_of_all_cores() {
        let stat = "cpu  92576 0 17864 15742 702 0 76 133 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_ns(stat), 1_330_000_000);
        assert_eq!(stolen_ns(""), 0);
    }

    #[test]
    fn totals_never_go_back() {
        let files = TakenFiles::find();
        let (before, after) = (files.look(), files.look());
        assert!(after.throttled_ns >= before.throttled_ns);
        assert!(after.stolen_ns >= before.stolen_ns);
    }
}
