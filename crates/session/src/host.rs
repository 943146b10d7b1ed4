//! What a process has of its host: cores, signals, descriptors, stamps, a way of receiving. Claimed once.
//!
//! The order matters. Cores are read before anything is pinned, or a second run would split the half that
//! the first was restricted to. The sentinel lives as long as the host: the kernel switches stamps off
//! with the last socket that wants them, and on again only some time after the next one.
//!
//! Invariant: everything that is measured in one process has the same cores, whatever was measured before.

use crate::experiment::ClientSpec;
use crate::load::Load;
use crate::place::{self, Cores, Size};
use crate::receiving::{Receiving, Stamps};
use anyhow::{Context, Result};
use infermeter_core::plan::Io;
use infermeter_sys::stamp::Sentinel;
use infermeter_sys::{affinity, essential, limits, signals, uring};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// The host, claimed by this process.
#[derive(Debug)]
pub struct Host {
    cores: Vec<usize>,
    descriptors: u64,
    sentinel: Option<Sentinel>,
    program: PathBuf,
    /// Whether io_uring works here, once somebody asked.
    uring: OnceCell<Result<(), String>>,
}

impl Host {
    /// Claims it: from here on signals are counted, and the kernel stamps what arrives. `program` starts
    /// simulators, as `program mock ...`.
    ///
    /// # Errors
    /// When signals cannot be handled, and when this kernel lacks what nothing can be measured without.
    pub fn claim(program: PathBuf) -> Result<Self> {
        essential::check()?;
        let cores = affinity::allowed_cores();
        let descriptors = limits::raise_fd_limit(place::most_descriptors(1));
        signals::count_from_now().context("signal handlers")?;
        Ok(Self {
            cores,
            descriptors,
            sentinel: Sentinel::start(),
            program,
            uring: OnceCell::new(),
        })
    }

    /// The cores of both sides; apart only where the simulator runs on this host for the run's sake.
    pub fn cores(&self, simulated: bool) -> Cores {
        match simulated {
            true => Cores::split(&self.cores),
            false => Cores::of_client(&self.cores),
        }
    }

    /// Keeps this process, and the threads it starts from now on, on the client's cores.
    pub(crate) fn keep_to(&self, cores: &Cores) {
        if !cores.mock.is_empty() {
            // Pinning is a help, not a need: a sandbox may forbid it.
            let _ = affinity::restrict_to(&cores.client);
        }
    }

    /// The way of receiving that a run takes from sockets that the kernel can stamp, or from others.
    ///
    /// # Errors
    /// When io_uring was asked for and does not work here.
    pub fn receiving(&self, wanted: Io, stamped: bool) -> Result<Receiving> {
        let stamps = match (self.has_stamps(), stamped) {
            (true, true) => Stamps::Kernel,
            (_, false) => Stamps::None("sockets of this host's file system have no kernel stamps"),
            (false, true) => Stamps::None("the kernel gives no receive stamps here"),
        };
        Receiving::choose(wanted, stamps, || self.try_uring())
    }

    /// Whether io_uring receives something here; tried once.
    ///
    /// # Errors
    /// With the reason why it is of no use.
    pub(crate) fn try_uring(&self) -> Result<(), String> {
        let probe = || uring::probe().map_err(|error| error.to_string());
        self.uring.get_or_init(probe).clone()
    }

    /// Whether the kernel stamps what arrives on sockets that it can stamp.
    pub(crate) fn has_stamps(&self) -> bool {
        self.sentinel.is_some()
    }

    /// Descriptors that this process may have.
    pub(crate) fn descriptors(&self) -> u64 {
        self.descriptors
    }

    /// Threads and connections of a client here.
    ///
    /// # Errors
    /// When the system does not allow the connections that the load needs.
    pub fn size(&self, client: &ClientSpec, load: &Load, cores: &Cores) -> Result<Size> {
        let descriptors = match client.source_addresses.len() {
            0 | 1 => self.descriptors,
            several => limits::raise_fd_limit(place::most_descriptors(several)),
        };
        place::size(client, load, cores, descriptors)
    }

    /// The program that starts simulators.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A signal has come: nothing new begins.
    pub fn is_stopped(&self) -> bool {
        signals::count() > 0
    }
}
