//! What the ranks will run, read here as `run` will read it there.
//!
//! Files that the plan names may lie on the cluster alone: they are not opened. Invariant: what would be refused on the
//! cluster for its spelling, its values or its number of ranks is refused here.

use crate::cli::tables::{MeasureArgs, RunArgs};
use crate::cli::{self, Given, Invocation, Subcommand};
use crate::input::DASH;
use crate::{layers, validate, values};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::key::Keyed;
use infermeter_core::plan::Plan;
use infermeter_core::schedule::Slice;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_session::load::Load;
use infermeter_session::redact::{redact, redact_words};
use infermeter_session::tiling;
use serde_json::Value;

/// What measures.
const RUN: &str = "run";

/// Flags that a launch gives itself, or that make no sense in many processes.
const OWN: [&str; 13] = [
    "rendezvous",
    "rank",
    "workers",
    "as-worker",
    "resume",
    "out",
    "repeat",
    "until",
    "print-config",
    "dry-run",
    "live",
    "expose",
    "expose-linger",
];

/// Keys of a plan that name a file.
const FILES: [&str; 9] = [
    "trace",
    "dataset",
    "workload-file",
    "body-template",
    "chat-template",
    "schema",
    "grammar",
    "api-key-file",
    "tls-ca",
];

/// Keys whose values name a file or something built in.
const MAY_BE_FILES: [&str; 3] = ["tokenizer", "clients", "workload"];

/// A command for the ranks that was read and is sound.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Its words, `run` first.
    pub words: Vec<String>,
    /// Its flags.
    pub given: Given,
    /// The plan that they make, with that of a file.
    pub plan: Plan,
}

impl Checked {
    /// Reads what stands behind `--` as a command line of `program`, for so many ranks.
    ///
    /// # Errors
    /// As `run` has them, and for what a launch gives itself.
    pub(crate) fn of(words: &[String], ranks: u32, program: &'static [Subcommand]) -> Result<Self> {
        let given = parsed(words, program)?;
        own(&given)?;
        let config = given.read::<MeasureArgs>()?.config;
        if config
            .as_deref()
            .is_some_and(|path| path.as_os_str() == DASH)
        {
            bail!("-- run: --config - is standard input, which no rank has: give a file");
        }
        let said = || format!("-- {RUN}");
        // Ranks need a place; which one stands here decides nothing.
        let mut as_rank = words.to_vec();
        as_rank.extend(["--rendezvous".to_owned(), "/".to_owned()]);
        let as_rank = parsed(&as_rank, program)?;
        as_rank.read::<RunArgs>().with_context(said)?;
        let mut resolved = layers::resolve(&given, config.as_deref()).with_context(said)?;
        tiling::settle(&mut resolved.plan).with_context(said)?;
        validate::validate(&resolved).with_context(said)?;
        let checked = Self {
            words: words.to_vec(),
            given,
            plan: resolved.plan,
        };
        checked.no_standard_input()?;
        checked.can_be_cut(ranks)?;
        Ok(checked)
    }

    /// Keys of the plan that name files, with their names: whoever runs it there needs them there.
    pub(crate) fn files(&self) -> Vec<(&'static str, String)> {
        let plan = values::map_of(&self.plan);
        let named = |key: &&'static str| Some((*key, plan.get(*key)?.as_str()?.to_owned()));
        let sure = FILES.iter().filter_map(&named);
        let likely = MAY_BE_FILES.iter().filter_map(&named);
        let likely = likely.filter(|(_, text)| looks_like_a_file(text));
        sure.chain(likely).collect()
    }

    /// Nothing that it says is a secret: what is launched is text that others read.
    ///
    /// # Errors
    /// Naming the first word that is one, and where it belongs.
    pub(crate) fn no_secret_in_words(&self, instead: &str) -> Result<()> {
        let shown = redact_words(&self.words);
        let mut words = self.words.iter().zip(&shown);
        words.try_for_each(|(word, shown)| no_secret("-- run:", word, shown, instead))
    }

    /// The same of the plan, with what a file says.
    ///
    /// # Errors
    /// Naming the key.
    pub(crate) fn no_secret_in_plan(&self, instead: &str) -> Result<()> {
        let (plan, shown) = (
            values::map_of(&self.plan),
            values::map_of(&redact(&self.plan)),
        );
        match plan
            .iter()
            .find(|(key, value)| shown.get(*key) != Some(*value))
        {
            Some((key, _)) => bail!(
                "-- run: --{key} may hold a secret, which would stand there for all to read: {instead}"
            ),
            None => Ok(()),
        }
    }

    /// A limit on the job's time is long enough for warm-up and window, where the plan says how long they are.
    ///
    /// # Errors
    /// With both times.
    pub(crate) fn fits_into(&self, time: Option<Span>) -> Result<()> {
        let (Some(time), Some(window)) = (time, self.plan.duration) else {
            return Ok(());
        };
        let needed = Span(self.plan.warmup().time.ns().saturating_add(window.ns()));
        match needed >= time {
            true => bail!(
                "--time {time} is no longer than warm-up and window, {needed}: leave room for the start, the last \
                 answers and the merging"
            ),
            false => Ok(()),
        }
    }

    /// Flags of `run` that are no keys of the plan, as words.
    pub(crate) fn flags_beside_the_plan(&self) -> Vec<String> {
        let beside = self.given.flags.iter().filter(|flag| {
            flag.key != "config" && Plan::KEYS.iter().all(|key| key.name != flag.key)
        });
        let word = |flag: &cli::Flag| match &flag.value {
            Value::String(text) => format!("--{}={text}", flag.key),
            _ => format!("--{}", flag.key),
        };
        beside.map(word).collect()
    }

    fn no_standard_input(&self) -> Result<()> {
        match self.files().into_iter().find(|(_, name)| name == DASH) {
            Some((key, _)) => {
                bail!("-- run: --{key} - is standard input, which no rank has: give a file")
            }
            None => Ok(()),
        }
    }

    /// Every rank has something to do. Of files nobody knows it here.
    fn can_be_cut(&self, ranks: u32) -> Result<()> {
        if !self.files().is_empty() {
            return Ok(());
        }
        let load = Load::from_plan(&self.plan, 0).context("-- run")?;
        let last = Slice::new(ranks.saturating_sub(1), ranks.max(1))?;
        load.cut(last).context("--ranks").map(drop)
    }
}

/// Nothing in a text is a secret: it is `shown` where secrets are hidden.
///
/// # Errors
/// Naming the place where it was given, and where a secret belongs.
pub(super) fn no_secret(place: &str, text: &str, shown: &str, instead: &str) -> Result<()> {
    match text == shown {
        true => Ok(()),
        false => bail!(
            "{place} {} may hold a secret, which would stand there for all to read: {instead}",
            inert(shown, 80)
        ),
    }
}

/// What the flags of a launch are not.
fn own(given: &Given) -> Result<()> {
    if let Some(flag) = given.flags.iter().find(|flag| OWN.contains(&flag.key)) {
        bail!(
            "-- run: {} is not for the ranks of a launch: leave it out. Where ranks meet and where the record goes say \
             flags in front of --",
            flag.written
        );
    }
    Ok(())
}

fn parsed(words: &[String], program: &'static [Subcommand]) -> Result<Given> {
    match words.first().map(String::as_str) {
        Some(RUN) => {}
        Some(other) => bail!(
            "-- {}: ranks measure by run: write it behind --, with its target and flags",
            inert(other, 40)
        ),
        None => bail!(
            "what do the ranks run? Write it behind --, as in -- run http://host:8000 --rate 40"
        ),
    }
    let all: Vec<String> = std::iter::once("infermeter".to_owned())
        .chain(words.iter().cloned())
        .collect();
    match cli::parse(&all, program) {
        Ok(Invocation { given, .. }) => Ok(given),
        Err(refused) => Err(anyhow!(
            "behind --: {}",
            refused.text.trim().trim_start_matches("error: ")
        )),
    }
}

/// Something built in has no such name.
fn looks_like_a_file(text: &str) -> bool {
    text.contains('/')
        || text.ends_with(".json")
        || text.ends_with(".jsonl")
        || text.ends_with(".toml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::COMMANDS;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn of(line: &str, ranks: u32) -> Result<Checked> {
        Checked::of(&words(line), ranks, &COMMANDS)
    }

    fn refused(line: &str, ranks: u32, said: &str) {
        let error = of(line, ranks).expect_err(line);
        assert!(format!("{error:#}").contains(said), "{error:#}");
    }

    #[test]
    fn what_run_would_refuse_is_refused_here() {
        let sound = of("run http://h:8000 --rate 40 --duration 60s", 8).expect("sound");
        assert_eq!(sound.plan.rate, Some(40.0));
        refused("run http://h:8000 --rat 40", 8, "--rate");
        refused("run http://h:8000 --rate 0 --duration 5s", 8, "--rate");
        refused("run --rate 40 --duration 5s", 8, "target");
        refused("sweep http://h:8000", 8, "ranks measure by run");
        refused("", 8, "what do the ranks run?");
        for (flag, said) in [
            ("--out x", "--out"),
            ("--rendezvous /x", "--rendezvous"),
            ("--workers 2", "--workers"),
            ("--live", "--live"),
            ("--trace -", "standard input"),
        ] {
            let rate = if flag.starts_with("--trace") {
                ""
            } else {
                "--rate 40"
            };
            refused(
                &format!("run http://h:8000 {rate} --duration 5s {flag}"),
                8,
                said,
            );
        }
    }

    #[test]
    fn every_rank_has_something_to_do() {
        of("run http://h:8000 --concurrency 8 --duration 5s", 8).expect("one slot each");
        refused(
            "run http://h:8000 --concurrency 7 --duration 5s",
            8,
            "8 slices",
        );
        // A file lies on the cluster.
        of("run http://h:8000 --trace /shared/none.jsonl", 8).expect("not opened here");
    }

    #[test]
    fn secrets_are_named_and_not_repeated() {
        let check = |line: &str| {
            let sound = of(&format!("run {line} --rate 40 --duration 5s"), 2).expect(line);
            for error in [
                sound.no_secret_in_words("there"),
                sound.no_secret_in_plan("there"),
            ] {
                let text = format!("{:#}", error.expect_err(line));
                assert!(
                    text.contains("secret") && !text.contains("hunter"),
                    "{text}"
                );
            }
        };
        check("http://h:8000 --header=X-Api-Key:hunter2");
        check("http://me:hunter2@h:8000");
        let sound = of("run http://h:8000 --rate 40 --duration 5s", 2).expect("sound");
        sound.no_secret_in_words("").expect("none");
        sound.no_secret_in_plan("").expect("none");
    }

    #[test]
    fn a_time_limit_leaves_room() {
        let sound = of("run http://h:8000 --rate 4 --duration 60s --warmup 10s", 2).expect("sound");
        let fits = |time: i64| sound.fits_into(Some(Span::seconds(time)));
        assert!(fits(70).is_err() && fits(71).is_ok() && sound.fits_into(None).is_ok());
    }

    #[test]
    fn flags_beside_the_plan_are_handed_on() {
        let line = "run http://h:8000 --rate 4 --duration 5s --without-missing --rendezvous-timeout 2m --format json";
        let flags = of(line, 2).expect("sound").flags_beside_the_plan();
        for flag in [
            "--without-missing",
            "--rendezvous-timeout=2m",
            "--format=json",
        ] {
            assert!(flags.iter().any(|one| one == flag), "{flags:?}");
        }
        assert_eq!(flags.len(), 3);
    }

    #[test]
    fn every_key_named_here_is_one() {
        let run = COMMANDS.iter().find(|command| command.name == RUN);
        let Some(cli::Then::Flags { keys, .. }) = run.map(|run| run.then) else {
            panic!("run has flags");
        };
        let known: Vec<&str> = keys().iter().map(|key| key.name).collect();
        for name in OWN.iter().chain(&FILES).chain(&MAY_BE_FILES) {
            assert!(known.contains(name), "{name}");
        }
    }
}
