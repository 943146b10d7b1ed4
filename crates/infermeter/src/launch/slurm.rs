//! A batch script for Slurm: `srun` starts the ranks, rank 0 merges what they leave.
//!
//! It is not handed to anybody here. Invariant: a shell that reads the script starts the ranks with the words that were
//! given, each job meets at a place of its own, and no line holds a secret.

use super::checked::no_secret;
use super::quote::{quoted, with_launch};
use super::{Checked, is_object_store, of_one_launch};
use crate::cli::tables::{LaunchArgs, SlurmArgs};
use anyhow::{Context, Result, bail};
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_session::redact::redact_command;

/// The variable that has a job's id.
const JOB: &str = "SLURM_JOB_ID";
/// What stands for the job's name in a place.
const NAME: &str = "{name}";
/// A second, nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// Options that the script gives itself.
const OWN: [&str; 9] = [
    "--ntasks",
    "--ntasks-per-node",
    "--cpus-per-task",
    "--job-name",
    "--time",
    "--partition",
    "--account",
    "--no-requeue",
    "--requeue",
];

/// Where a key belongs.
const INSTEAD: &str = "set OPENAI_API_KEY where sbatch is called, which hands the environment on, or give --api-key-file \
                       or --config, which the nodes can read";
/// What stands around commands, and between the variables of a list.
const AROUND: [char; 7] = [';', '&', '|', '(', ')', '`', ','];

/// The script of a launch.
///
/// # Errors
/// For a value that sbatch would read differently, a secret in the command or in a line of the script, and a time that is
/// too short.
pub(crate) fn script(launch: &LaunchArgs, slurm: &SlurmArgs, ranks: &Checked) -> Result<String> {
    ranks.no_secret_in_words(INSTEAD)?;
    no_secret_in_lines(slurm)?;
    ranks.fits_into(launch.time)?;
    if let Some(word) = ranks.words.iter().find(|word| word.contains('\r')) {
        bail!(
            "-- run: sbatch takes no carriage return, as in {}",
            inert(word, 40)
        );
    }
    // `module` is a function of bash.
    let mut lines = vec!["#!/bin/bash".to_owned()];
    lines.extend(directives(launch, slurm)?);
    lines.push(String::new());
    lines.extend(slurm.before.iter().cloned());
    lines.extend([
        // Behind them: scripts of modules read variables that nobody has set.
        "set -u".to_owned(),
        format!("rendezvous={}", place(&slurm.rendezvous)),
        format!("out={}", out(&slurm.out, &launch.name)),
    ]);
    if !is_object_store(&slurm.rendezvous) {
        let folder = "mkdir -p -- \"${rendezvous#file://}\" || exit 2";
        lines.push(folder.to_owned());
    }
    lines.extend(measured(launch, slurm, ranks)?);
    Ok(lines.join("\n") + "\n")
}

/// The script is read by many: lines and options that a user writes hold no secret, as far as names tell.
fn no_secret_in_lines(slurm: &SlurmArgs) -> Result<()> {
    let check = |place: &str, text: &str| {
        let words = apart(text);
        no_secret(place, &words, &redact_command(&words), INSTEAD)
    };
    for line in &slurm.before {
        check("--before", line)?;
    }
    for option in &slurm.sbatch {
        // The name is Slurm's own, --wckey for one; a value may be a list of variables, as that of --export.
        if let Some((name, value)) = option.split_once('=') {
            check(&format!("--sbatch={name}:"), value)?;
        }
    }
    Ok(())
}

/// A text whose commands and variables are words of their own, and whose flags stand apart from their values: a variable may
/// be one, as in `--export=NAME=VALUE`.
fn apart(text: &str) -> String {
    let spaced = text.replace(AROUND, " ");
    let words = spaced.split(' ').map(|word| match word.starts_with('-') {
        true => word.replacen('=', " ", 1),
        false => word.to_owned(),
    });
    words.collect::<Vec<String>>().join(" ")
}

/// The lines that sbatch reads.
fn directives(launch: &LaunchArgs, slurm: &SlurmArgs) -> Result<Vec<String>> {
    let ranks = launch.ranks.context("--ranks")?;
    let per_node = slurm.ranks_per_node;
    if let Some(per_node) = per_node.filter(|per_node| *per_node > ranks) {
        bail!("--ranks-per-node {per_node} is more than --ranks {ranks}");
    }
    let time = launch.time.map(time);
    let asked = [
        ("job-name", Some(launch.name.clone())),
        ("ntasks", Some(ranks.to_string())),
        ("ntasks-per-node", per_node.map(|n| n.to_string())),
        ("cpus-per-task", Some(slurm.cpus_per_rank.to_string())),
        ("time", time),
        ("partition", slurm.partition.clone()),
        ("account", slurm.account.clone()),
    ];
    let mut lines = Vec::new();
    for (name, value) in asked {
        let Some(value) = value else { continue };
        plain(&value).with_context(|| format!("--{name}"))?;
        lines.push(format!("#SBATCH --{name}={value}"));
    }
    // A job that begins again would meet what the first one left.
    lines.push("#SBATCH --no-requeue".to_owned());
    for option in &slurm.sbatch {
        lines.push(format!("#SBATCH {}", further(option)?));
    }
    Ok(lines)
}

/// A value that needs no quotes, of which sbatch has its own.
fn plain(value: &str) -> Result<()> {
    let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"'\\#".contains(&b);
    match !value.is_empty() && value.bytes().all(is_plain) {
        true => Ok(()),
        false => bail!(
            "`{}`: write it without spaces, quotes, backslashes and #",
            inert(value, 40)
        ),
    }
}

/// An option of sbatch that is not the script's own.
fn further(option: &str) -> Result<&str> {
    plain(option).with_context(|| "--sbatch")?;
    let name = option.split('=').next().unwrap_or_default();
    if OWN.contains(&name) {
        bail!("--sbatch {name} is the script's own: say it by the flags of launch");
    }
    match option.starts_with("--") && name.len() > 2 {
        true => Ok(option),
        false => {
            bail!("--sbatch {option}: write an option with its name, as in --sbatch=--exclusive")
        }
    }
}

/// A time as Slurm reads it, whole seconds upwards.
fn time(span: Span) -> String {
    let seconds = span.ns().saturating_add(SECOND - 1) / SECOND;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (hours, minutes) = (rest / 3_600, rest % 3_600 / 60);
    format!("{days}-{hours:02}:{minutes:02}:{:02}", rest % 60)
}

fn place(rendezvous: &str) -> String {
    with_launch(&of_one_launch(rendezvous), JOB)
}

/// An own directory even where nobody wrote the launch into it: a record is never written over another one.
fn out(out: &str, name: &str) -> String {
    let out = out.replace(NAME, name);
    with_launch(&of_one_launch(&out), JOB)
}

/// What the job does.
fn measured(launch: &LaunchArgs, slurm: &SlurmArgs, ranks: &Checked) -> Result<Vec<String>> {
    let count = launch.ranks.context("--ranks")?;
    let program = quoted(&slurm.program.to_string_lossy());
    let words: Vec<String> = ranks.words.iter().map(|word| quoted(word)).collect();
    let cpus = slurm.cpus_per_rank;
    let command = words.join(" ");
    // In a bucket nothing can be read in place; the ranks' own directories lie below that of the run.
    let left = match is_object_store(&slurm.rendezvous) {
        true => "$out",
        false => "$rendezvous",
    };
    Ok([
        "# A rank that fails is named in the result, and ends no other.",
        &format!("srun --ntasks={count} --cpus-per-task={cpus} --kill-on-bad-exit=0 --wait=0 \\"),
        &format!("  {program} {command} \\"),
        "  --rendezvous \"$rendezvous\" --out \"$out\"",
        "code=$?",
        "# Rank 0 merges. Where it came to no end, what the others have left is merged here.",
        "if [ ! -e \"$out/run.json\" ]; then",
        &format!("  {program} merge \"{left}\" --out \"$out-merged\""),
        "  code=$?",
        "fi",
        "exit \"$code\"",
    ]
    .map(str::to_owned)
    .to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::COMMANDS;

    fn launch(ranks: u32) -> LaunchArgs {
        LaunchArgs {
            ranks: Some(ranks),
            ..LaunchArgs::defaults()
        }
    }

    fn slurm() -> SlurmArgs {
        SlurmArgs {
            rendezvous: "/shared/runs/{launch}".to_owned(),
            ..SlurmArgs::defaults()
        }
    }

    fn checked(words: &[&str]) -> Checked {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Checked::of(&words, 8, &COMMANDS).expect("sound")
    }

    const RUN: [&str; 8] = [
        "run",
        "http://host:8000",
        "--rate",
        "400",
        "--duration",
        "60s",
        "--slo",
        "ttft.p99<500ms",
    ];

    #[test]
    fn a_script() {
        let launch = LaunchArgs {
            time: Some(Span::seconds(1_800)),
            ..launch(8)
        };
        let slurm = SlurmArgs {
            ranks_per_node: Some(2),
            cpus_per_rank: 4,
            partition: Some("cpu".to_owned()),
            account: Some("bench".to_owned()),
            sbatch: vec!["--exclusive".to_owned()],
            before: vec!["module load infermeter".to_owned()],
            ..slurm()
        };
        let text = script(&launch, &slurm, &checked(&RUN)).expect("a script");
        insta::assert_snapshot!(text, @r##"
        #!/bin/bash
        #SBATCH --job-name=infermeter
        #SBATCH --ntasks=8
        #SBATCH --ntasks-per-node=2
        #SBATCH --cpus-per-task=4
        #SBATCH --time=0-00:30:00
        #SBATCH --partition=cpu
        #SBATCH --account=bench
        #SBATCH --no-requeue
        #SBATCH --exclusive

        module load infermeter
        set -u
        rendezvous=/shared/runs/"${SLURM_JOB_ID}"
        out=runs/infermeter-"${SLURM_JOB_ID}"
        mkdir -p -- "${rendezvous#file://}" || exit 2
        # A rank that fails is named in the result, and ends no other.
        srun --ntasks=8 --cpus-per-task=4 --kill-on-bad-exit=0 --wait=0 \
          infermeter run http://host:8000 --rate 400 --duration 60s --slo 'ttft.p99<500ms' \
          --rendezvous "$rendezvous" --out "$out"
        code=$?
        # Rank 0 merges. Where it came to no end, what the others have left is merged here.
        if [ ! -e "$out/run.json" ]; then
          infermeter merge "$rendezvous" --out "$out-merged"
          code=$?
        fi
        exit "$code"
        "##);
    }

    #[test]
    fn a_bucket_needs_no_folder() {
        let slurm = SlurmArgs {
            rendezvous: "s3://bucket/runs".to_owned(),
            out: "/results".to_owned(),
            ..slurm()
        };
        let text = script(&launch(8), &slurm, &checked(&RUN)).expect("a script");
        for line in [
            "rendezvous=s3://bucket/runs/\"${SLURM_JOB_ID}\"\n",
            "out=/results/\"${SLURM_JOB_ID}\"\n",
            "  infermeter merge \"$out\" --out \"$out-merged\"\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("mkdir"), "{text}");
    }

    #[test]
    fn times_are_rounded_up() {
        let check = |ns: i64, expect: &str| assert_eq!(time(Span(ns)), expect);
        check(30 * 60 * SECOND, "0-00:30:00");
        check(1, "0-00:00:01");
        check(100_000 * SECOND + 1, "1-03:46:41");
    }

    #[test]
    fn what_sbatch_would_read_differently_is_refused() {
        let refused = |launch: &LaunchArgs, slurm: &SlurmArgs, words: &[&str], said: &str| {
            let error = script(launch, slurm, &checked(words)).expect_err(said);
            assert!(format!("{error:#}").contains(said), "{error:#}");
        };
        let with = |change: &dyn Fn(&mut SlurmArgs)| {
            let mut args = slurm();
            change(&mut args);
            args
        };
        let partition = with(&|args| args.partition = Some("cpu # all".to_owned()));
        refused(&launch(8), &partition, &RUN, "--partition: `cpu # all`");
        let option = with(&|args| args.sbatch = vec!["--ntasks=3".to_owned()]);
        refused(&launch(8), &option, &RUN, "script's own");
        let short = with(&|args| args.sbatch = vec!["-c4".to_owned()]);
        refused(&launch(8), &short, &RUN, "--sbatch=--exclusive");
        let lines = with(&|args| args.sbatch = vec!["--x=1\nrm".to_owned()]);
        refused(&launch(8), &lines, &RUN, "without spaces");
        let many = with(&|args| args.ranks_per_node = Some(9));
        refused(&launch(8), &many, &RUN, "--ranks-per-node 9");
        let brief = LaunchArgs {
            time: Some(Span::seconds(60)),
            ..launch(8)
        };
        refused(&brief, &slurm(), &RUN, "--time 1m");
        let header = [&RUN[..], &["--header", "authorization: Bearer x"]].concat();
        refused(&launch(8), &slurm(), &header, "OPENAI_API_KEY");
        let label = [&RUN[..], &["--label", "a\r\nb"]].concat();
        refused(&launch(8), &slurm(), &label, "carriage return");
    }

    #[test]
    fn lines_with_a_secret_are_refused() {
        let made = |change: &dyn Fn(&mut SlurmArgs)| {
            let mut args = slurm();
            change(&mut args);
            script(&launch(8), &args, &checked(&RUN))
        };
        let before = |line: &str| made(&|args| args.before = vec![line.to_owned()]);
        let sbatch = |option: &str| made(&|args| args.sbatch = vec![option.to_owned()]);
        for (made, said) in [
            (
                before("export OPENAI_API_KEY=sk-1"),
                "--before export OPENAI_API_KEY=*** may hold a secret",
            ),
            (before("(cd /x;HF_TOKEN=sk-1 ./fetch)"), "HF_TOKEN=***"),
            (before("fetch --api-key=sk-1 http://x"), "--api-key ***"),
            (
                before("srun --export=ALL,HF_TOKEN=sk-1 ./fetch"),
                "ALL HF_TOKEN=***",
            ),
            (
                sbatch("--export=OPENAI_API_KEY=sk-1"),
                "--sbatch=--export: OPENAI_API_KEY=*** may hold a secret",
            ),
            (
                sbatch("--export=ALL,X=1,HF_TOKEN=sk-1"),
                "ALL X=1 HF_TOKEN=***",
            ),
        ] {
            let error = format!("{:#}", made.expect_err(said));
            assert!(error.contains(said) && !error.contains("sk-1"), "{error}");
        }
        for made in [
            before("module load infermeter; source /shared/env.sh"),
            sbatch("--export=ALL,OPENAI_API_KEY"),
            sbatch("--wckey=nightly"),
        ] {
            made.expect("no secret");
        }
    }
}
