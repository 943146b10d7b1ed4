//! Where the pods of a launch meet and leave the record, and what is said of it in front of the manifests.
//!
//! Invariant: two launches of one manifest meet at two places.

use super::names::Names;
use crate::cli::tables::KubernetesArgs;
use crate::launch::{LAUNCH, is_object_store, of_one_launch};
use anyhow::{Result, bail};
use infermeter_core::text::inert;

/// Where a pod writes while it measures.
pub(super) const WORK: &str = "/work";
/// Where a claim's volume is, inside a pod.
pub(super) const SHARED: &str = "/shared";

/// Where ranks meet, and where the record goes.
pub(super) struct Place {
    /// With `{launch}` in it.
    pub rendezvous: String,
    /// A directory inside the pods.
    pub out: String,
    /// The claim of the volume that both are on.
    pub claim: Option<String>,
}

impl Place {
    /// # Errors
    /// Where no place was given that all pods can write to.
    pub(super) fn of(asked: &KubernetesArgs) -> Result<Self> {
        let place = asked.rendezvous.as_deref().unwrap_or_default();
        if !place.bytes().all(|b| b.is_ascii_graphic()) {
            bail!("--rendezvous: `{}` has spaces", inert(place, 80));
        }
        match (&asked.rendezvous, &asked.storage_claim) {
            (_, Some(claim)) => Ok(Self {
                rendezvous: format!("{SHARED}/meetings/{LAUNCH}"),
                out: format!("{SHARED}/runs/{LAUNCH}"),
                claim: Some(claim.clone()),
            }),
            (Some(place), None) if is_object_store(place) => Ok(Self {
                rendezvous: of_one_launch(place),
                out: format!("{WORK}/runs/{LAUNCH}"),
                claim: None,
            }),
            (Some(place), None) => bail!(
                "--rendezvous {}: pods share no directory but that of a volume: give s3://, gs:// or az://, or \
                 --storage-claim with the name of a claim",
                inert(place, 80)
            ),
            (None, None) => bail!(
                "where do the ranks meet? Give --storage-claim NAME, a volume that all nodes can write to, or \
                 --rendezvous s3://BUCKET/FOLDER"
            ),
        }
    }
}

/// What to do with the manifests, as comments.
pub(super) fn told(names: &Names, place: &Place) -> String {
    let Names { name, .. } = names;
    let kubectl = match &names.namespace {
        Some(namespace) => format!("kubectl --namespace {namespace}"),
        None => "kubectl".to_owned(),
    };
    let uid = format!("$({kubectl} get job {name} -o 'jsonpath={{.metadata.uid}}')");
    let result = match &place.claim {
        Some(claim) => {
            format!("# the record:   runs/UID on the volume of {claim}, UID being {uid}\n")
        }
        None => {
            let there = place.rendezvous.replace(LAUNCH, &uid);
            format!(
                "# the record:   copy {there} to a directory, then infermeter merge DIRECTORY --out runs/whole\n"
            )
        }
    };
    let first =
        format!("batch.kubernetes.io/job-name={name},batch.kubernetes.io/job-completion-index=0");
    format!(
        "# start:        {kubectl} create -f THIS_FILE\n\
         # the report:   {kubectl} logs --follow -l {first} --tail=-1\n\
         {result}\
         # end:          {kubectl} delete job,service,configmap {name}\n"
    )
}
