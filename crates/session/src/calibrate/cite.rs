//! What a run cites of this machine's certificate.
//!
//! A certificate that cannot be read, or is of another machine, kernel or version, is cited with
//! the reasons why it does not hold; it never stops a run.

use super::store;
use crate::receiving::Receiving;
use infermeter_core::certificate::{Certificate, Citation, CitedRung, ClientSettings, Machine};
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_probe::host::host_facts;
use std::path::Path;

/// The certificate of this machine, as a run with `threads` threads that burn for so long cites it; `None`
/// without one.
pub fn cite(burn: Option<Span>, threads: usize, receiving: &Receiving) -> Option<Citation> {
    let path = store::default_path()?;
    let client = ClientSettings {
        threads,
        io: receiving.name().to_owned(),
        kernel_stamps: receiving.kernel_stamps,
        burn,
    };
    cite_file(&path, &this_machine(), &client)
}

/// The facts of this machine that errors depend on.
pub fn this_machine() -> Machine {
    let facts = host_facts();
    Machine {
        cpu: facts.cpu,
        cores: facts.cores,
        kernel: facts.kernel,
        governor: facts.governor,
        clock_source: facts.clock_source,
        virtualization: facts.virtualization,
        cgroup_cpu_max: facts.cgroup_cpu_max,
    }
}

fn cite_file(path: &Path, machine: &Machine, client: &ClientSettings) -> Option<Citation> {
    let shown = inert(&path.display().to_string(), 400);
    let citation = match store::read(path) {
        Ok(None) => return None,
        Ok(Some((certificate, sha256))) => Citation {
            path: shown,
            sha256: Some(sha256),
            stale: differences(&certificate, machine, client),
            rungs: certificate.rungs.iter().filter_map(CitedRung::of).collect(),
            created: Some(certificate.created),
            infermeter_version: Some(certificate.infermeter_version),
            limits: certificate.limits,
        },
        Err(error) => Citation {
            stale: vec![inert(&format!("{shown} cannot be used: {error:#}"), 600)],
            path: shown,
            sha256: None,
            created: None,
            infermeter_version: None,
            rungs: Vec::new(),
            limits: Vec::new(),
        },
    };
    Some(citation)
}

/// Why the certificate does not hold here.
fn differences(then: &Certificate, machine: &Machine, client: &ClientSettings) -> Vec<String> {
    let mut differences = then.machine.differences(machine);
    let version = env!("CARGO_PKG_VERSION");
    if then.infermeter_version != version {
        differences.push(format!(
            "infermeter {}, now {version}",
            then.infermeter_version
        ));
    }
    if then.client.threads > client.threads {
        differences.push(format!(
            "{} client threads, now {}",
            then.client.threads, client.threads
        ));
    }
    if then.client.io != client.io {
        differences.push(format!("--io {}, now {}", then.client.io, client.io));
    }
    if then.client.burn != client.burn {
        let text = |burn: Option<_>| burn.map_or("none".to_owned(), |b: Span| b.to_string());
        differences.push(format!(
            "--burn {}, now {}",
            text(then.client.burn),
            text(client.burn)
        ));
    }
    differences
        .iter()
        .map(|difference| inert(difference, 300))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::fixture::certificate;

    fn client() -> ClientSettings {
        certificate().client
    }

    fn check(change: impl FnOnce(&mut Certificate, &mut ClientSettings), expect: &[&str]) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("c.json");
        let (mut then, mut now) = (certificate(), client());
        then.infermeter_version = env!("CARGO_PKG_VERSION").to_owned();
        change(&mut then, &mut now);
        store::write(&path, &then).expect("written");
        let found = cite_file(&path, &Machine::default(), &now).expect("cited");
        assert_eq!(found.stale, expect);
        assert_eq!(found.limits, then.limits);
        assert_eq!(found.rungs.len(), 3);
    }

    #[test]
    fn the_same_machine_and_settings_hold() {
        check(|_, _| {}, &[]);
        check(|_, now| now.threads = 8, &[]);
    }

    #[test]
    fn what_differs_is_named() {
        check(
            |then, _| then.machine.kernel = Some("6.1".to_owned()),
            &["kernel 6.1, now unknown"],
        );
        check(
            |then, _| then.infermeter_version = "0.0.9".to_owned(),
            &[&format!(
                "infermeter 0.0.9, now {}",
                env!("CARGO_PKG_VERSION")
            )],
        );
        check(
            |then, _| then.client.threads = 4,
            &["4 client threads, now 1"],
        );
        check(
            |_, now| now.burn = Some(Span(100_000)),
            &["--burn none, now 100us"],
        );
    }

    #[test]
    fn no_file_is_no_citation_and_a_broken_one_is_stale() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("c.json");
        assert_eq!(cite_file(&path, &Machine::default(), &client()), None);
        std::fs::write(&path, "no json").expect("written");
        let found = cite_file(&path, &Machine::default(), &client()).expect("cited");
        assert!(found.stale[0].contains("cannot be used"), "{found:?}");
        assert_eq!(found.sha256, None);
    }
}
