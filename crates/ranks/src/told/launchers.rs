//! What starts several processes, and the variables in which it tells each which one it is.
//!
//! A table. Invariant: its order is the order of precedence.

use super::Rank;
use infermeter_core::text::inert;

/// Where no launcher says how many ranks there are: our own variable, which the manifests of `infermeter launch` set.
const OWN_SIZE: &str = "INFERMETER_RANKS";

/// What a launch is called by the manifests of `infermeter launch`.
const OWN_LAUNCH: &str = "INFERMETER_LAUNCH";

/// Most bytes of the name of a launch.
const NAME_BYTES: usize = 200;

/// Something that starts ranks.
pub(super) struct Launcher {
    /// Its name.
    pub by: &'static str,
    /// The variable with the number of the rank, from 0.
    pub index: &'static str,
    /// Variables with the number of ranks; the first that is there counts.
    pub sizes: &'static [&'static str],
    /// Variables that name the launch, all of them together.
    launch: &'static [&'static str],
    /// It starts what may start ranks itself, and its variables are inherited.
    pub starts_others: bool,
    /// The variable that tells that it set the others for this process, where it may have been started by one that starts
    /// others.
    started: Option<&'static str>,
    /// What to do where the number of ranks is not there.
    pub without_size: &'static str,
    /// What to do where the number of the rank is not there.
    pub without_index: &'static str,
}

const UNSET: &str = "set both, or give --rank I/N";

/// All of them. Slurm: `srun(1)`, output environment variables. Open MPI: "Environment variables set for MPI applications"
/// of its manual. PMIx and PMI: what their servers set for the clients they start; PMIx has no variable with the number
/// of processes. Kubernetes: "Completion mode" of its page on jobs. The last: `torchrun` of PyTorch, and whoever follows it.
pub(super) const LAUNCHERS: [Launcher; 6] = [
    Launcher {
        by: "Slurm",
        index: "SLURM_PROCID",
        sizes: &["SLURM_NTASKS", "SLURM_STEP_NUM_TASKS"],
        launch: &["SLURM_JOB_ID", "SLURM_STEP_ID"],
        starts_others: true,
        started: None,
        without_size: "say how many tasks there are (srun --ntasks), or give --rank I/N",
        without_index: "this is not one of the tasks: put `srun` in front of the command, or give --rank I/N",
    },
    Launcher {
        by: "Open MPI",
        index: "OMPI_COMM_WORLD_RANK",
        sizes: &["OMPI_COMM_WORLD_SIZE"],
        launch: &["PMIX_NAMESPACE"],
        starts_others: false,
        started: Some("OMPI_COMM_WORLD_RANK"),
        without_size: UNSET,
        without_index: UNSET,
    },
    Launcher {
        by: "PMIx",
        index: "PMIX_RANK",
        sizes: &["PMI_SIZE", OWN_SIZE],
        launch: &["PMIX_NAMESPACE"],
        starts_others: false,
        started: None,
        without_size: "PMIx has no variable with the number of processes: set INFERMETER_RANKS to it, or give --rank I/N",
        without_index: UNSET,
    },
    Launcher {
        by: "PMI",
        index: "PMI_RANK",
        sizes: &["PMI_SIZE"],
        launch: &["PMI_JOBID"],
        starts_others: false,
        started: Some("PMI_RANK"),
        without_size: UNSET,
        without_index: UNSET,
    },
    Launcher {
        by: "Kubernetes",
        index: "JOB_COMPLETION_INDEX",
        sizes: &[OWN_SIZE],
        launch: &[OWN_LAUNCH],
        starts_others: true,
        started: None,
        without_size: "Kubernetes tells a pod its index and not how many there are: set INFERMETER_RANKS to the job's \
                       completions, as the manifests of `infermeter launch k8s` do",
        without_index: UNSET,
    },
    Launcher {
        by: "RANK and WORLD_SIZE",
        index: "RANK",
        sizes: &["WORLD_SIZE"],
        launch: &["TORCHELASTIC_RUN_ID"],
        starts_others: false,
        started: Some("TORCHELASTIC_RUN_ID"),
        without_size: UNSET,
        without_index: UNSET,
    },
];

impl Launcher {
    /// The variable that its number of ranks is expected in.
    pub(super) fn size(&self) -> &'static str {
        let own = self.sizes.iter().copied().find(|size| is_ours(size));
        own.or(self.sizes.first().copied()).unwrap_or(OWN_SIZE)
    }

    /// It has set its variables for this process, whatever started it.
    pub(super) fn was_started_inside(&self, env: super::Environment<'_>) -> bool {
        self.started.is_some_and(|name| env(name).is_some()) && env(self.index).is_some()
    }

    /// What the launch is called.
    pub(super) fn launch_name(&self, env: super::Environment<'_>) -> Option<String> {
        let parts: Option<Vec<String>> = self.launch.iter().map(|name| env(name)).collect();
        let name = parts?.join(".");
        // What torchrun says where nobody has named the run.
        (name != "none").then(|| inert(&name, NAME_BYTES))
    }
}

/// The variable is one that we have named.
pub(super) fn is_ours(variable: &str) -> bool {
    variable == OWN_SIZE
}

/// The process is the script of a Slurm job: it has the number of the first task, and belongs to no step. (Outside Slurm,
/// where somebody else has set the variables, there is no job either.)
pub(super) fn is_script(rank: &Rank, env: super::Environment<'_>) -> bool {
    let steps = ["SLURM_STEP_ID", "SLURM_STEPID"];
    rank.told_by == "Slurm"
        && rank.slice.of() > 1
        && env("SLURM_JOB_ID").is_some()
        && steps.iter().all(|step| env(step).is_none())
}
