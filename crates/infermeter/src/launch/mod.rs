//! Launchers: what the engine of a cluster is given so that it starts the ranks of a run, as text.
//!
//! No process is started here, and no cluster is spoken to. Invariant: the same flags make the same text, and no text
//! holds a secret.

mod checked;
pub(crate) mod kubernetes;
mod quote;
pub(crate) mod slurm;
mod yaml;

pub(crate) use checked::Checked;

/// What stands for the name that the cluster gives to a launch, in a place that a user writes.
const LAUNCH: &str = "{launch}";

/// A place of this launch alone: `{launch}` is in it, as a folder of its own where nobody wrote it.
fn of_one_launch(place: &str) -> String {
    match place.contains(LAUNCH) {
        true => place.to_owned(),
        false => format!("{}/{LAUNCH}", place.trim_end_matches('/')),
    }
}

/// A place is a bucket of an object store.
fn is_object_store(place: &str) -> bool {
    let schemes = ["s3://", "gs://", "az://"];
    schemes.iter().any(|scheme| place.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_launch_has_a_place_of_its_own() {
        let check = |place: &str, expect: &str| assert_eq!(of_one_launch(place), expect);
        check("/shared/runs", "/shared/runs/{launch}");
        check("/shared/runs/", "/shared/runs/{launch}");
        check("s3://bucket/a-{launch}/b", "s3://bucket/a-{launch}/b");
        check("/", "/{launch}");
    }
}
