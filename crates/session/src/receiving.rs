//! What the client receives with: io_uring or epoll, and why.
//!
//! Invariant: io_uring is used only where a probe has just received through it.

use anyhow::{Result, bail};
use infermeter_core::environment::Received;
use infermeter_core::plan::Io;
use infermeter_core::run::IoBackend;

/// Who stamps what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamps {
    /// The kernel.
    Kernel,
    /// The program alone, and why.
    None(&'static str),
}

/// The way of receiving that a run takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiving {
    /// With what.
    pub io: IoBackend,
    /// The kernel stamps what arrives.
    pub kernel_stamps: bool,
    /// Why this one.
    why: String,
}

impl Receiving {
    /// Chooses; `probe` tries io_uring where it is wanted.
    ///
    /// # Errors
    /// When io_uring was asked for and does not work here.
    pub fn choose(
        wanted: Io,
        stamps: Stamps,
        probe: impl FnOnce() -> Result<(), String>,
    ) -> Result<Self> {
        let (io, why) = match (wanted, stamps) {
            (Io::Epoll, _) => (IoBackend::Epoll, "asked for".to_owned()),
            (Io::Auto, Stamps::None(why)) => (
                IoBackend::Epoll,
                format!("io_uring is of no use without kernel stamps: {why}"),
            ),
            (Io::Uring, Stamps::None(why)) => {
                bail!("--io uring: {why}, without which io_uring is of no use; leave --io out")
            }
            (Io::Auto, Stamps::Kernel) => match probe() {
                Ok(()) => (IoBackend::Uring, "a probe succeeded".to_owned()),
                Err(error) => (IoBackend::Epoll, format!("io_uring does not work: {error}")),
            },
            (Io::Uring, Stamps::Kernel) => match probe() {
                Ok(()) => (IoBackend::Uring, "asked for; a probe succeeded".to_owned()),
                Err(error) => bail!(
                    "--io uring: io_uring does not work here: {error}; allow it (sysctl \
                     kernel.io_uring_disabled, the container's seccomp profile) or leave --io out"
                ),
            },
        };
        Ok(Self {
            io,
            kernel_stamps: stamps == Stamps::Kernel,
            why,
        })
    }

    /// Its name in `run.json` and in certificates.
    pub fn name(&self) -> &'static str {
        match self.io {
            IoBackend::Epoll => "epoll",
            IoBackend::Uring => "io_uring",
        }
    }

    /// For `environment` of run.json.
    pub fn facts(&self) -> Received {
        Received {
            receives_with: self.name().to_owned(),
            because: self.why.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_sys::uring;

    fn choose(wanted: Io, stamps: Stamps) -> Result<Receiving> {
        let probe = || uring::probe().map_err(|error| error.to_string());
        Receiving::choose(wanted, stamps, probe)
    }

    #[test]
    fn without_stamps_io_uring_is_not_taken() {
        let chosen =
            choose(Io::Auto, Stamps::None("no receive stamps")).expect("epoll always works");
        assert_eq!(chosen.io, IoBackend::Epoll);
        assert_eq!(chosen.facts().receives_with, "epoll");
        let refused = choose(Io::Uring, Stamps::None("no receive stamps")).expect_err("asked for");
        assert!(
            refused.to_string().contains("no receive stamps"),
            "{refused}"
        );
    }

    #[test]
    fn epoll_is_taken_without_a_probe() {
        let chosen = choose(Io::Epoll, Stamps::Kernel).expect("epoll always works");
        assert_eq!(
            (chosen.io, chosen.why.as_str()),
            (IoBackend::Epoll, "asked for")
        );
    }

    #[test]
    fn auto_takes_io_uring_exactly_where_the_probe_succeeds() {
        let works = uring::probe().is_ok();
        let auto = choose(Io::Auto, Stamps::Kernel).expect("a fallback");
        assert_eq!(auto.io == IoBackend::Uring, works, "{auto:?}");
        assert_eq!(choose(Io::Uring, Stamps::Kernel).is_ok(), works);
    }
}
