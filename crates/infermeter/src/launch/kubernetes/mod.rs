//! An Indexed Job for Kubernetes: one pod a rank, a headless service for their names, the plan as a config map.
//!
//! No cluster is asked anything. Invariant: a pod's requests are its limits, in whole cores; no key is in a manifest,
//! only the name of the secret that has it.

mod names;
mod place;
mod types;

use super::yaml;
use super::{Checked, LAUNCH, is_object_store};
use crate::cli::tables::{KubernetesArgs, LaunchArgs};
use crate::values;
use anyhow::{Context, Result, bail};
use infermeter_core::plan::Plan;
use infermeter_core::text::inert;
use names::Names;
use place::{Place, SHARED, WORK, told};
use serde::Serialize;
use serde_json::{Map, Value};
use types::{
    Amounts, Capabilities, Claim, ConfigMap, Container, ContainerSecurity, EmptyDir, EnvFrom,
    FieldRef, JobSpec, LabelSelector, Mount, Named, Object, PodMetadata, PodSecurity, PodSpec,
    PodTemplate, Resources, ServiceSpec, TopologySpread, Typed, ValueFrom, Variable, Volume,
};

/// Where the plan is, inside a pod.
const PLAN_FOLDER: &str = "/etc/infermeter";
const PLAN_FILE: &str = "plan.toml";
/// The variable that has the job's uid, as Kubernetes fills it into arguments.
const UID: &str = "INFERMETER_LAUNCH";
/// Nobody in particular: images without users of their own have this one.
const USER: u32 = 65_532;
/// Seconds a rank has after a signal: it writes what it has measured, and leaves it with the others.
const GRACE_S: u32 = 120;
/// Longest plan: a config map holds 1 MiB in all.
const PLAN_BYTES: usize = 900_000;
/// A second, nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// The manifests of a launch, as documents of YAML with what to do with them in front.
///
/// # Errors
/// For names that Kubernetes does not take, a secret in the plan, and a time that is too short.
pub(crate) fn manifests(
    launch: &LaunchArgs,
    asked: &KubernetesArgs,
    ranks: &Checked,
) -> Result<String> {
    let instead = "put the key into a Secret as OPENAI_API_KEY and name it with --secret; other headers that are secret \
                   belong to a gateway in front of the server";
    ranks.no_secret_in_plan(instead)?;
    ranks.fits_into(launch.time)?;
    let names = Names::of(launch, asked)?;
    let place = Place::of(asked)?;
    let plan = plan_file(ranks)?;
    let count = launch.ranks.context("--ranks")?;
    let job = JobSpec {
        completion_mode: "Indexed",
        completions: count,
        parallelism: count,
        backoff_limit_per_index: 0,
        active_deadline_seconds: launch.time.map(|time| (time.ns() + SECOND - 1) / SECOND),
        template: PodTemplate {
            metadata: PodMetadata {
                labels: names.labels(),
            },
            spec: pod(asked, &names, container(count, asked, &place, ranks)),
        },
    };
    let documents = [
        value(&service(&names))?,
        value(&config(&names, plan))?,
        value(&Object {
            api_version: "batch/v1",
            kind: "Job",
            metadata: names.metadata(),
            spec: job,
        })?,
    ];
    let documents = documents.iter().map(yaml::document);
    let documents = documents.collect::<Vec<String>>().join("---\n");
    Ok(format!("{}{documents}", told(&names, &place)))
}

/// What pods need that manifests cannot give them.
pub(crate) fn notes(asked: &KubernetesArgs, ranks: &Checked) -> Vec<String> {
    let notes = [program_inside(asked), files_inside(ranks)];
    notes.into_iter().flatten().collect()
}

/// The program of an image that a release makes opens no object store.
fn program_inside(asked: &KubernetesArgs) -> Option<String> {
    let place = asked.rendezvous.as_deref();
    let place = place.filter(|place| is_object_store(place))?;
    Some(format!(
        "--rendezvous {} takes an image whose program was built with --features object-store; the one that a release makes \
         is not",
        inert(place, 80)
    ))
}

/// Paths that the plan names: inside the pods they are others' or nobody's.
fn files_inside(ranks: &Checked) -> Option<String> {
    let files = ranks.files();
    let named: Vec<String> = files
        .iter()
        .map(|(key, name)| format!("--{key} {}", inert(name, 200)))
        .collect();
    (!named.is_empty()).then(|| {
        format!(
            "{} is read inside the pods: the image has to have it, or the volume of --storage-claim, which is {SHARED} \
             there",
            named.join(", ")
        )
    })
}

/// The plan, what is as it would be anyway left out.
fn plan_file(ranks: &Checked) -> Result<String> {
    let defaults = values::defaults::<Plan>();
    // A profile has other defaults, below which nothing goes without saying.
    let all = ranks.plan.profile.is_some();
    let said = values::map_of(&ranks.plan).into_iter();
    let said: Map<String, Value> = said
        .filter(|(key, value)| !value.is_null() && (all || defaults.get(key) != Some(value)))
        .collect();
    let text = toml::to_string(&said).context("-- run: the plan cannot be written as a file")?;
    match text.len() > PLAN_BYTES {
        true => bail!(
            "-- run: the plan has {} bytes, and a config map holds {PLAN_BYTES}",
            text.len()
        ),
        false => Ok(text),
    }
}

fn service(names: &Names) -> Object<ServiceSpec> {
    Object {
        api_version: "v1",
        kind: "Service",
        metadata: names.metadata(),
        spec: ServiceSpec {
            cluster_ip: "None",
            publish_not_ready_addresses: true,
            selector: names.labels(),
        },
    }
}

fn config(names: &Names, plan: String) -> ConfigMap {
    ConfigMap {
        api_version: "v1",
        kind: "ConfigMap",
        metadata: names.metadata(),
        immutable: true,
        data: [(PLAN_FILE, plan)].into(),
    }
}

fn pod(asked: &KubernetesArgs, names: &Names, container: Container) -> PodSpec {
    let plan = Volume {
        name: "plan",
        config_map: Some(Named {
            name: names.name.clone(),
        }),
        ..Volume::default()
    };
    let work = Volume {
        name: "work",
        empty_dir: Some(EmptyDir {}),
        ..Volume::default()
    };
    let shared = asked.storage_claim.clone().map(|claim_name| Volume {
        name: "shared",
        persistent_volume_claim: Some(Claim { claim_name }),
        ..Volume::default()
    });
    PodSpec {
        restart_policy: "Never",
        subdomain: names.name.clone(),
        service_account_name: asked.service_account.clone(),
        automount_service_account_token: false,
        enable_service_links: false,
        termination_grace_period_seconds: GRACE_S,
        security_context: PodSecurity {
            run_as_non_root: true,
            run_as_user: USER,
            run_as_group: USER,
            fs_group: USER,
            fs_group_change_policy: "OnRootMismatch",
            seccomp_profile: Typed {
                kind: "RuntimeDefault",
            },
        },
        topology_spread_constraints: vec![TopologySpread {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname",
            // Ranks on one node are better than ranks that never start.
            when_unsatisfiable: "ScheduleAnyway",
            label_selector: LabelSelector {
                match_labels: names.labels(),
            },
        }],
        containers: vec![container],
        volumes: [plan, work].into_iter().chain(shared).collect(),
    }
}

fn container(count: u32, asked: &KubernetesArgs, place: &Place, ranks: &Checked) -> Container {
    let amounts = Amounts {
        cpu: asked.cpu.to_string(),
        memory: asked.memory.clone(),
    };
    let from_secret = asked.secret.iter().map(|name| EnvFrom {
        secret_ref: Named { name: name.clone() },
    });
    Container {
        name: "rank",
        image: asked.image.clone(),
        args: arguments(place, ranks),
        env: variables(count),
        env_from: from_secret.collect(),
        working_dir: WORK,
        resources: Resources {
            requests: amounts.clone(),
            limits: amounts,
        },
        security_context: ContainerSecurity {
            allow_privilege_escalation: false,
            read_only_root_filesystem: true,
            capabilities: Capabilities { drop: vec!["ALL"] },
        },
        volume_mounts: mounts(place),
    }
}

/// How many ranks there are, which Kubernetes does not say, and a name for this launch. Which rank a pod is, it says.
fn variables(count: u32) -> Vec<Variable> {
    vec![
        Variable {
            name: "INFERMETER_RANKS",
            value: Some(count.to_string()),
            value_from: None,
        },
        Variable {
            name: UID,
            value: None,
            value_from: Some(ValueFrom {
                field_ref: FieldRef {
                    field_path: "metadata.labels['batch.kubernetes.io/controller-uid']",
                },
            }),
        },
    ]
}

fn mounts(place: &Place) -> Vec<Mount> {
    let mut mounts = vec![
        Mount {
            name: "plan",
            mount_path: PLAN_FOLDER,
            read_only: true,
        },
        Mount {
            name: "work",
            mount_path: WORK,
            read_only: false,
        },
    ];
    if place.claim.is_some() {
        mounts.push(Mount {
            name: "shared",
            mount_path: SHARED,
            read_only: false,
        });
    }
    mounts
}

/// What the program is given. Kubernetes fills in `$(NAME)`, and takes `$$` for a dollar.
fn arguments(place: &Place, ranks: &Checked) -> Vec<String> {
    let literal = |text: &str| text.replace('$', "$$");
    let filled = |text: &str| literal(text).replace(LAUNCH, &format!("$({UID})"));
    let mut all = vec![
        "run".to_owned(),
        format!("--config={PLAN_FOLDER}/{PLAN_FILE}"),
        format!("--rendezvous={}", filled(&place.rendezvous)),
        format!("--out={}", filled(&place.out)),
    ];
    let beside = ranks.flags_beside_the_plan();
    all.extend(beside.iter().map(|flag| literal(flag)));
    all
}

fn value(object: &impl Serialize) -> Result<Value> {
    serde_json::to_value(object).context("a manifest")
}

#[cfg(test)]
mod tests;
