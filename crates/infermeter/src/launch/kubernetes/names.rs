//! The names in a launch's manifests, as Kubernetes takes them.
//!
//! Invariant: a pod's own name, which ends in the number of its rank, is a name that a resolver takes.

use super::types::{Labels, Metadata};
use crate::cli::tables::{KubernetesArgs, LaunchArgs};
use anyhow::{Context, Result, bail};
use infermeter_core::text::inert;

/// Longest label of a name that resolvers take (RFC 1035), of which a rank's number takes some.
const LABEL: usize = 63;
const NUMBER: usize = 6;
/// Longest name of an object.
const OBJECT: usize = 253;

/// What the objects of a launch are called.
pub(super) struct Names {
    pub name: String,
    pub namespace: Option<String>,
}

impl Names {
    /// Checks all names that a user gives.
    ///
    /// # Errors
    /// Naming the flag, with what Kubernetes takes.
    pub(super) fn of(launch: &LaunchArgs, asked: &KubernetesArgs) -> Result<Self> {
        label(&launch.name, LABEL - NUMBER).context("--name")?;
        if let Some(namespace) = &asked.namespace {
            label(namespace, LABEL).context("--namespace")?;
        }
        let objects = [
            ("--service-account", &asked.service_account),
            ("--secret", &asked.secret),
            ("--storage-claim", &asked.storage_claim),
        ];
        for (flag, name) in objects {
            name.as_deref().map_or(Ok(()), object).context(flag)?;
        }
        memory(&asked.memory).context("--memory")?;
        if asked.image.is_empty() || !asked.image.bytes().all(|b| b.is_ascii_graphic()) {
            bail!("--image: write an image, as in registry.example/infermeter:0.1.0");
        }
        Ok(Self {
            name: launch.name.clone(),
            namespace: asked.namespace.clone(),
        })
    }

    /// What every object and pod of the launch is labelled with.
    pub(super) fn labels(&self) -> Labels {
        [
            ("app.kubernetes.io/name", "infermeter".to_owned()),
            ("app.kubernetes.io/instance", self.name.clone()),
        ]
        .into()
    }

    pub(super) fn metadata(&self) -> Metadata {
        Metadata {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            labels: self.labels(),
        }
    }
}

/// A name that is a label of a host's name: of a service, it begins with a letter.
fn label(name: &str, most: usize) -> Result<()> {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    match first && !name.ends_with('-') && name.len() <= most && name.bytes().all(inside) {
        true => Ok(()),
        false => bail!(
            "`{}`: write lower-case letters, digits and dashes, a letter first, {most} at most",
            inert(name, 80)
        ),
    }
}

/// A name of several labels, with dots between them.
fn object(name: &str) -> Result<()> {
    let end = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let ends = bytes.first().is_some_and(|b| end(*b)) && bytes.last().is_some_and(|b| end(*b));
        ends && bytes.iter().all(|b| end(*b) || *b == b'-')
    };
    match name.len() <= OBJECT && name.split('.').all(part) {
        true => Ok(()),
        false => bail!(
            "`{}`: write lower-case letters, digits, dashes and dots, {OBJECT} at most",
            inert(name, 80)
        ),
    }
}

/// Memory in whole units.
fn memory(size: &str) -> Result<()> {
    let number = ["Ki", "Mi", "Gi", "Ti", ""]
        .iter()
        .find_map(|unit| size.strip_suffix(unit))
        .unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    match is_number && !number.starts_with('0') {
        true => Ok(()),
        false => bail!("`{}`: write a size, as in 512Mi or 2Gi", inert(size, 40)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        for sound in ["a", "infermeter", "a-1"] {
            label(sound, 57).expect(sound);
        }
        for wrong in ["", "A", "1a", "a-", "a_b", "a.b", &"a".repeat(58)] {
            label(wrong, 57).expect_err(wrong);
        }
        for sound in ["a", "1", "my.secret-1.x"] {
            object(sound).expect(sound);
        }
        for wrong in ["", "a..b", "-a", "a-", "A", "a.-b"] {
            object(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn sizes_have_units() {
        for sound in ["1Gi", "512Mi", "1048576", "3Ti", "9Ki"] {
            memory(sound).expect(sound);
        }
        for wrong in ["", "Gi", "1.5Gi", "0Gi", "1G ", "-1Gi", "1gi"] {
            memory(wrong).expect_err(wrong);
        }
    }
}
