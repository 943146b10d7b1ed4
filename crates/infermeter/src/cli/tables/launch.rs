//! Flags of `launch`. What the ranks run stands behind `--`, with flags of its own.

use infermeter_core::key::Form;
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_core::units::Span;
use std::path::PathBuf;

/// Most ranks of a launch: beyond that every scheduler asks for something else than one job.
const MOST_RANKS: f64 = 10_000.0;

keys! {
    /// Flags of every launcher.
    pub struct LaunchArgs {
        ranks: Option<u32> = None, General, "N",
            "Processes that share the load: each sends its part of it"
            .form(Form::RequiredFlag).common().example("8").above(0.0).most(MOST_RANKS);
        name: String = "infermeter".to_owned(), General, "NAME",
            "What the job is called"
            .common().example("nightly");
        time: Option<Span> = None, General, "TIME",
            "Longest time of the job, waiting for the start and merging included"
            .absent("the cluster's").common().example("30m").above(0.0);
        submit: bool = false, General, "",
            "Hand it to the cluster at once: to sbatch, or to kubectl create"
            .common();
        measured_by: Vec<String> = Vec::new(), General, "COMMAND",
            "Behind --: run with its target and flags, without --rendezvous and --out"
            .form(Form::Required).common().example("run");
    }
}

keys! {
    /// Flags of `launch slurm`.
    pub struct SlurmArgs {
        rendezvous: String = String::new(), General, "PLACE",
            "Where ranks meet: a directory that all nodes share, or s3://, gs://, az://; {launch} stands for the job's id"
            .more("Without {launch} the job's id is a folder below it.")
            .form(Form::RequiredFlag).common().example("/shared/runs/{launch}");
        out: String = "runs/{name}-{launch}".to_owned(), General, "DIR",
            "Directory of the merged record, as the first node sees it"
            .common().example("/shared/results/{launch}");
        ranks_per_node: Option<u32> = None, General, "N",
            "Ranks on one node"
            .absent("as Slurm places them").common().example("2").above(0.0);
        cpus_per_rank: u32 = 2, General, "N",
            "Cores of each rank"
            .common().example("4").above(0.0);
        partition: Option<String> = None, General, "NAME",
            "Partition"
            .absent("the cluster's").common().example("cpu");
        account: Option<String> = None, General, "NAME",
            "Account that is charged"
            .absent("the user's").example("benchmarks");
        sbatch: Vec<String> = Vec::new(), General, "OPTION",
            "A further option of sbatch, as in --sbatch=--exclusive or --sbatch=--constraint=ib"
            .example("--exclusive").dashes();
        before: Vec<String> = Vec::new(), General, "COMMAND",
            "A line of shell in front of the ranks, as in 'module load infermeter'"
            .example("module load infermeter");
        program: PathBuf = PathBuf::from("infermeter"), General, "PATH",
            "This program, as the nodes find it"
            .example("/shared/bin/infermeter");
    }
}

/// A place is one of two.
const PLACES: &[Rule] = &[Rule::excludes(
    &[Given("rendezvous")],
    "ranks meet at one place",
)];

keys! {
    /// Flags of `launch k8s`.
    pub struct KubernetesArgs {
        rendezvous: Option<String> = None, General, "PLACE",
            "Where ranks meet: s3://, gs:// or az://; {launch} stands for the job's uid"
            .more("Without {launch} the uid is a folder below it.")
            .common().example("s3://bucket/runs/{launch}");
        storage_claim: Option<String> = None, General, "NAME",
            "Where ranks meet: a volume of this claim, which all nodes can write to (ReadWriteMany)"
            .common().example("shared-runs").rules(PLACES);
        image: String = String::new(), General, "IMAGE",
            "Image whose entry point is this program"
            .form(Form::RequiredFlag).common().example("registry.example/infermeter:0.1.0");
        namespace: Option<String> = None, General, "NAME",
            "Namespace"
            .absent("that of kubectl").common().example("benchmarks");
        service_account: Option<String> = None, General, "NAME",
            "Service account, where an object store or an admission rule asks for one"
            .absent("default").example("infermeter");
        secret: Option<String> = None, General, "NAME",
            "Secret whose keys become environment variables, as OPENAI_API_KEY"
            .common().example("llm-key");
        cpu: u32 = 2, General, "N",
            "Whole cores of each rank"
            .common().example("4").above(0.0);
        memory: String = "1Gi".to_owned(), General, "SIZE",
            "Memory of each rank"
            .common().example("2Gi");
    }
}
