//! Who this process is, for others that share a load with it.
//!
//! Invariant: what cannot be read is absent, and nothing that a host says of itself steers a terminal.

use infermeter_core::run::RankFacts;
use infermeter_core::schedule::Slice;
use infermeter_ranks::sha256;
use std::fs;
use std::path::Path;

/// Where the kernel has the host's name.
const HOST: &str = "/proc/sys/kernel/hostname";
/// Where the kernel has the id of this boot: the same in all of its containers.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// This program.
const PROGRAM: &str = "/proc/self/exe";

/// Facts about this process, which sends `slice`; `program` is the hash of its program, where it is known.
pub(crate) fn facts(slice: Slice, told_by: &str, program: Option<String>) -> RankFacts {
    let facts = RankFacts {
        slice,
        host: line_of(HOST).unwrap_or_default(),
        // Without its dashes it is hex.
        machine: line_of(BOOT).map(|id| id.replace('-', "")),
        pid: std::process::id(),
        arch: std::env::consts::ARCH.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program,
        told_by: told_by.to_owned(),
        clock: None,
        start_asked_ns: None,
    };
    facts.inert()
}

/// SHA-256 of this program, hex; absent where it cannot be read.
pub(crate) fn program_hash() -> Option<String> {
    sha256(Path::new(PROGRAM)).ok()
}

fn line_of(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_who_it_is() {
        let slice = Slice::new(2, 5).expect("a slice");
        let own = facts(slice, "Slurm", None);
        assert_eq!((own.slice, own.pid), (slice, std::process::id()));
        assert!(!own.host.is_empty() && own.told_by == "Slurm");
        let machine = own.machine.expect("Linux has a boot id");
        assert_eq!(machine.len(), 32);
        assert!(machine.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
