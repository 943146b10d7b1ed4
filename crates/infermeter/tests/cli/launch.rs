//! `infermeter launch`: what is printed, what is handed over, and a script that runs under an `srun` of the tests' own.
//! Real Slurm: `cargo xtask launchers`.

use crate::process::{Mock, Ran, Scratch, clean, command, infermeter, manifest, ran, words};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const RUN: &str = "-- run http://host:8000 --rate 400 --duration 60s";

/// A program of the tests' own in a folder.
fn program(folder: &Path, name: &str, script: &str) {
    fs::create_dir_all(folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// With a folder in front of all others that programs are looked for in.
fn with_programs(mut command: Command, folder: &Path) -> Ran {
    let path = std::env::var("PATH").expect("a path");
    command.env("PATH", format!("{}:{path}", folder.display()));
    ran(command)
}

#[test]
fn a_script_is_printed_and_a_misspelt_flag_is_found_here() {
    let line = "launch slurm --ranks 8 --ranks-per-node 2 --rendezvous /shared/runs/{launch}";
    let printed = infermeter(&format!("{line} {RUN} --slo ttft.p99<500ms"));
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    assert!(
        printed
            .out
            .starts_with("#!/bin/bash\n#SBATCH --job-name=infermeter\n")
    );
    assert!(
        printed.out.contains("--slo 'ttft.p99<500ms' \\\n"),
        "{}",
        printed.out
    );
    for (more, said) in [
        (
            format!("{RUN} --warmupp 5s"),
            "a similar argument exists: '--warmup'",
        ),
        (format!("{RUN} --slo ttft.p99"), "--slo"),
        ("-- report runs/x".to_owned(), "ranks measure by run"),
        (format!("{RUN} --out x"), "--out is not for the ranks"),
        (
            "-- run http://host:8000 --concurrency 4 --duration 60s".to_owned(),
            "--ranks: 4 slots cannot be cut into 8 slices",
        ),
        (
            format!("{RUN} --header 'x-key: secret-value'"),
            "may hold a secret",
        ),
        (
            format!("--before 'export API_KEY=secret-value' {RUN}"),
            "--before export API_KEY=*** may hold a secret",
        ),
        (
            format!("--sbatch=--export=API_KEY=secret-value {RUN}"),
            "--sbatch=--export: API_KEY=*** may hold a secret",
        ),
    ] {
        let refused = infermeter(&format!("{line} {more}"));
        refused.fails(2, &[said]);
        assert!(refused.out.is_empty(), "{refused:#?}");
        assert!(!refused.err.contains("secret-value"), "{refused:#?}");
    }
    infermeter(&format!("launch slurm --ranks 0 --rendezvous /x {RUN}")).fails(2, &["--ranks"]);
    infermeter(&format!("launch slurm --ranks 2 {RUN}")).fails(2, &["--rendezvous"]);
    infermeter("launch slurm --ranks 2 --rendezvous /x").fails(2, &["COMMAND"]);
    infermeter("launch nomad").fails(2, &["nomad"]);
}

#[test]
fn manifests_are_printed_with_what_they_need_to_be_read() {
    let line =
        "launch k8s --ranks 4 --image registry.example/infermeter:0.1.0 --storage-claim runs";
    let printed = infermeter(&format!(
        "{line} -- run http://host:8000 --trace /shared/t.jsonl"
    ));
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    assert_eq!(printed.out.matches("\n---\n").count(), 2);
    assert!(
        printed
            .err
            .contains("--trace /shared/t.jsonl is read inside the pods")
    );
    assert!(!printed.err.contains("object-store"), "{printed:#?}");
    let bucket = "launch k8s --ranks 4 --image x --rendezvous s3://b/x";
    let bucket = infermeter(&format!("{bucket} {RUN}"));
    assert_eq!(bucket.code, Some(0), "{bucket:#?}");
    assert!(
        bucket
            .err
            .contains("was built with --features object-store"),
        "{bucket:#?}"
    );
    infermeter(&format!("launch k8s --ranks 4 --image x {RUN}"))
        .fails(2, &["where do the ranks meet?"]);
    infermeter(&format!("{line} --rendezvous s3://b/x {RUN}"))
        .fails(2, &["ranks meet at one place"]);
}

#[test]
fn what_is_submitted_is_what_is_printed() {
    for (launcher, program_name, line) in [
        ("slurm", "sbatch", "--ranks 2 --rendezvous /shared/x"),
        ("k8s", "kubectl", "--ranks 2 --image x --storage-claim c"),
    ] {
        let scratch = Scratch::new();
        let (folder, got) = (scratch.path("bin"), scratch.path("got"));
        let script = format!(
            "cat > {0}; echo \"$@\" > {0}.words; echo taken",
            got.display()
        );
        program(&folder, program_name, &script);
        let line = format!("launch {launcher} {line}");
        let printed = infermeter(&format!("{line} {RUN}"));
        let submitted = command(&words(&format!("{line} --submit {RUN}")));
        let submitted = with_programs(submitted, &folder);
        assert_eq!(submitted.code, Some(0), "{submitted:#?}");
        assert_eq!(submitted.out, "taken\n");
        assert_eq!(fs::read_to_string(&got).expect("taken"), printed.out);
        let words = fs::read_to_string(got.with_extension("words")).expect("words");
        assert_eq!(
            words,
            if launcher == "k8s" {
                "create -f -\n"
            } else {
                "\n"
            }
        );
        program(&folder, program_name, "echo no partition >&2; exit 1");
        let submitted = command(&self::words(&format!("{line} --submit {RUN}")));
        with_programs(submitted, &folder).fails(2, &["no partition", "refused it"]);
    }
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("empty")).expect("a folder");
    for (line, name) in [
        (
            "slurm --ranks 2 --rendezvous /shared/x",
            "no sbatch in PATH",
        ),
        (
            "k8s --ranks 2 --image x --storage-claim c",
            "no kubectl in PATH",
        ),
    ] {
        let mut command = command(&words(&format!("launch {line} --submit {RUN}")));
        command.env("PATH", scratch.path("empty"));
        ran(command).fails(2, &[name, "leave --submit out"]);
    }
}

/// Starts each task as Slurm does, on this machine: `srun` with its options, then the command.
const SRUN: &str = r#"
n=1
while :; do case "$1" in --ntasks=*) n=${1#*=}; shift;; --*) shift;; *) break;; esac; done
i=0; worst=0; all=
while [ "$i" -lt "$n" ]; do
  SLURM_PROCID=$i SLURM_NTASKS=$n SLURM_STEP_NUM_TASKS=$n SLURM_STEP_ID=0 "$@" & all="$all $!"; i=$((i + 1))
done
for one in $all; do wait "$one" || { code=$?; [ "$code" -gt "$worst" ] && worst=$code; }; done
exit "$worst""#;

#[test]
fn a_script_measures_and_merges() {
    let scratch = Scratch::new();
    let folder = scratch.path("bin");
    program(&folder, "srun", SRUN);
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let line = format!(
        "launch slurm --ranks 3 --program {} --rendezvous '{}' --out '{}' --before 'seen=$NOBODY_HAS_SET_THIS' -- run {} \
         --rate 60 --requests 30 --warmup 0 --workload fixed:16,4 --threads 1 --no-probe --model mock/fixed \
         --rendezvous-timeout 60s",
        env!("CARGO_BIN_EXE_infermeter"),
        scratch.path("meet").display(),
        scratch.path("whole {launch}").display(),
        mock.url
    );
    let script = infermeter(&line);
    assert_eq!(script.code, Some(0), "{script:#?}");
    let file = scratch.file("job.sh", &script.out);
    let mut job = Command::new("bash");
    clean(&mut job);
    job.arg(&file)
        .env("SLURM_JOB_ID", "77")
        .current_dir(scratch.path(""));
    let job = with_programs(job, &folder);
    // A busy machine may spoil the measurement, not the requests.
    assert!(matches!(job.code, Some(0 | 3)), "{job:#?}");
    let whole = manifest(&scratch.path("whole 77"));
    let clients = whole["clients"].as_array().expect("clients");
    assert_eq!(clients.len(), 3);
    for client in clients {
        assert_eq!(client["rank"]["told_by"], "Slurm", "{client:#}");
    }
    assert_eq!(whole["summary"]["requests"]["measured"]["completed"], 30);
}
