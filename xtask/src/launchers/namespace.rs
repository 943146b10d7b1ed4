//! Network namespaces of our own: one for itself, and two with a cable between them.
//!
//! Root alone may make them. Invariant: a namespace goes with its handle, and nothing in it can be reached from
//! outside.

use crate::command::said;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::Command;

/// Programs that this takes.
pub(super) const PROGRAMS: [&str; 4] = ["ip", "nsenter", "unshare", "hostname"];

/// A network of its own.
pub(super) struct Namespace {
    name: String,
    /// Where others in the same network find it.
    pub address: Ipv4Addr,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // There is nobody to tell; a next one has another name.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

impl Namespace {
    /// One that nothing leads out of.
    ///
    /// # Errors
    /// Where the machine does not allow it, with what it said.
    pub fn alone(label: &str) -> Result<Self> {
        let mut made = Self::with_loopback(label)?;
        // Resolvers count no address of the loopback's own as one to listen at.
        made.address(1, "lo")?;
        Ok(made)
    }

    fn with_loopback(label: &str) -> Result<Self> {
        let name = format!("infermeter-{}-{label}", std::process::id());
        ip(&["netns", "add", &name])?;
        let made = Self {
            name,
            address: Ipv4Addr::LOCALHOST,
        };
        ip(&["-n", &made.name, "link", "set", "lo", "up"])?;
        Ok(made)
    }

    /// Gives one of its ends an address, of the block for benchmarks (RFC 2544).
    fn address(&mut self, number: u8, end: &str) -> Result<()> {
        self.address = Ipv4Addr::new(198, 18, 0, number);
        let address = format!("{}/24", self.address);
        ip(&["-n", &self.name, "addr", "add", &address, "dev", end])?;
        Ok(())
    }

    /// Two with a cable between them.
    ///
    /// # Errors
    /// As [`Self::alone`].
    pub fn joined() -> Result<[Self; 2]> {
        let mut pair = [Self::with_loopback("a")?, Self::with_loopback("b")?];
        let [a, b] = ["veth-a", "veth-b"];
        let [first, second] = &mut pair;
        ip(&[
            "link",
            "add",
            a,
            "netns",
            &first.name,
            "type",
            "veth",
            "peer",
            "name",
            b,
            "netns",
            &second.name,
        ])?;
        for (space, number, end) in [(first, 1, a), (second, 2, b)] {
            space.address(number, end)?;
            ip(&["-n", &space.name, "link", "set", end, "up"])?;
        }
        Ok(pair)
    }

    /// A command inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .arg(program);
        command
    }

    /// A command inside, on a host of this name, with processes of its own: all of them end when it does.
    pub fn contained(&self, host: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command("unshare");
        command.args(["--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        let script = "hostname \"$0\" && exec \"$@\"";
        command.args(["sh", "-c", script, host]).arg(program);
        command
    }
}

fn ip(arguments: &[&str]) -> Result<String> {
    said("ip", arguments).context("network namespaces")
}
