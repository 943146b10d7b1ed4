//! `infermeter bench`: a server in several configurations, each started, measured in the same way, and stopped.
//!
//! What measures is a command of this program, which is read here before anything is started. Invariant: a command
//! line that would be refused is refused before the first start.

use super::COMMANDS;
use super::bench_output::{self, Table};
use crate::cli::tables::{BenchArgs, MeasureArgs, ServedArgs, ShowArgs};
use crate::cli::{self, Given, Invocation};
use crate::layers;
use crate::show::{self, Shown, Terminal};
use crate::{exit, output, page, several};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::text::{inert, inert_lines, listed};
use infermeter_report::{Document, Format, Notes, number};
use infermeter_session::bench::{
    Bench, BenchAsked, BenchNews, BenchState, Configuration, configurations,
};
use infermeter_session::coldstart::{Going, default_folder};
use infermeter_session::experiment::Experiment;
use infermeter_session::redact::{redact_command, redact_url, redact_words};
use infermeter_session::serve::phases::Patterns;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Commands that measure one server.
const MEASURES: [&str; 3] = ["run", "sweep", "search"];
/// Flags that a bench gives itself.
const OWN: [&str; 8] = [
    "out",
    "seed",
    "resume",
    "print-config",
    "dry-run",
    "live",
    "html",
    "expose",
];
/// The request that a server has to answer before it is measured.
const FIRST: &str = "fixed:32,4";
/// File of the result, in the folder.
const FILE: &str = "result.json";
/// Longest list of configurations, bytes.
const LIST_BYTES: u64 = 1 << 20;

/// What measures, read and checked.
struct Measuring {
    /// The words after the program's name.
    words: Vec<String>,
    /// The plan that they make.
    plan: Plan,
}

/// Runs the subcommand.
///
/// # Errors
/// For a wrong command line here or behind `--`, a folder that cannot be written, a server that answers already or
/// cannot be stopped.
pub(crate) fn bench(given: &Given) -> Result<u8> {
    let args: BenchArgs = given.read()?;
    let (served, shown): (ServedArgs, ShowArgs) = (given.read()?, given.read()?);
    let measuring = measuring(&args)?;
    let list = args.list.as_deref().map(list_text).transpose()?;
    let all = configurations(&args.serve, &args.vary, list.as_deref())?;
    let experiment = Experiment::of(&first_request(&args.url, &measuring.plan)?)?;
    let folder = match (&args.resume, &args.out) {
        (Some(folder), _) | (None, Some(folder)) => folder.clone(),
        (None, None) => default_folder()?,
    };
    page::check(page::asked(given).as_deref())?;
    let program = std::env::current_exe().context("own program not found")?;
    dry_run(&program, &measuring.words)?;
    let asked = asked(
        &args,
        &served,
        &measuring,
        &all,
        Place {
            experiment: &experiment,
            folder: &folder,
            program: &program,
        },
    )?;
    // Signals are counted from here on.
    let _host = several::host()?;
    let begun = asked.begin()?;
    if !args.quiet {
        announce(&asked);
    }
    let plan = Plan {
        quiet: true,
        target: args.url.clone(),
        ..Plan::defaults()
    };
    let observer = Terminal::of(&plan);
    let mut tell = |news: BenchNews<'_>| {
        if !args.quiet {
            output::note(&told(&news));
        }
    };
    let seen = begun.measure(&observer, &mut tell)?;
    if seen.interrupted && !args.quiet {
        output::note(&format!(
            "Interrupted: the same flags with --resume {} go on",
            folder.display()
        ));
    }
    if seen.rows.is_empty() {
        return Ok(exit::INTERRUPTED);
    }
    let table = Table::read(&folder, &all, &seen, args.rounds);
    finish(given, &args, shown.shown(), &folder, &table)
}

/// Where it goes, and by whom.
struct Place<'a> {
    experiment: &'a Experiment,
    folder: &'a Path,
    program: &'a Path,
}

fn asked<'a>(
    args: &BenchArgs,
    served: &ServedArgs,
    measuring: &Measuring,
    all: &'a [Configuration],
    place: Place<'a>,
) -> Result<Bench<'a>> {
    Ok(Bench {
        configurations: all,
        experiment: place.experiment,
        stop: served.stop.clone(),
        grace: served.stop_timeout,
        start_timeout: served.start_timeout,
        health: served.health()?,
        patterns: Patterns::of(&served.phase)?,
        rounds: args.rounds,
        program: place.program,
        words: measuring.words.clone(),
        seed: args.seed,
        folder: place.folder,
        asked: BenchAsked {
            serve: redact_command(&args.serve),
            commands: all.iter().map(|one| redact_command(&one.command)).collect(),
            target: redact_url(&args.url),
            measured_by: redact_words(&measuring.words),
            seed: args.seed,
        },
        resumes: match args.resume {
            Some(_) => Going::On,
            None => Going::New,
        },
    })
}

/// Reads what stands behind `--` as the command line that it is.
fn measuring(args: &BenchArgs) -> Result<Measuring> {
    let Some((command, flags)) = args.measured_by.split_first() else {
        bail!("what measures? Write it behind --, as in -- run --rate 10 --duration 30s");
    };
    if !MEASURES.contains(&command.as_str()) {
        bail!(
            "-- {}: a bench measures by {}: write one of them behind --, with its flags",
            inert(command, 40),
            listed(&MEASURES.map(str::to_owned))
        );
    }
    let mut words = vec![command.clone(), args.url.clone()];
    words.extend(flags.iter().cloned());
    let given = parsed(&words)?;
    if let Some(flag) = given.flags.iter().find(|flag| OWN.contains(&flag.key)) {
        bail!(
            "-- {command}: {} is the bench's own: give it in front of --, if at all",
            flag.written
        );
    }
    let own_target = given.flags.iter().find(|flag| flag.key == "more-targets");
    if own_target.is_some() {
        bail!("-- {command}: leave the target out: it is that of --url");
    }
    if args.quick {
        words.extend(quick(command, &given));
    }
    let given = parsed(&words)?;
    let config = given.read::<MeasureArgs>()?.config;
    let resolved = layers::resolve(&given, config.as_deref());
    let resolved = resolved.with_context(|| format!("-- {command}"))?;
    Ok(Measuring {
        words,
        plan: resolved.plan,
    })
}

/// Has the measurement look at itself without sending anything.
fn dry_run(program: &Path, words: &[String]) -> Result<()> {
    let looked = Command::new(program)
        .args(words)
        .arg("--dry-run")
        .stdin(Stdio::null())
        .output()
        .context("this program could not be started once more")?;
    if looked.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&looked.stderr);
    let said = said.trim().trim_start_matches("error: ");
    bail!("behind --: {}", inert_lines(said))
}

fn parsed(words: &[String]) -> Result<Given> {
    let all: Vec<String> = std::iter::once("infermeter".to_owned())
        .chain(words.iter().cloned())
        .collect();
    match cli::parse(&all, &COMMANDS) {
        Ok(Invocation { given, .. }) => Ok(given),
        Err(refused) => Err(anyhow!(
            "behind --: {}",
            refused.text.trim().trim_start_matches("error: ")
        )),
    }
}

/// What makes a measurement short, where nothing was said of its length.
fn quick(command: &str, given: &Given) -> Vec<String> {
    let is_given = |keys: &[&str]| given.flags.iter().any(|flag| keys.contains(&flag.key));
    let mut more: Vec<&str> = Vec::new();
    if command != "search" && !is_given(&["duration", "requests"]) {
        more.extend(["--duration", "10s"]);
    }
    if command != "search" && !is_given(&["warmup"]) {
        more.extend(["--warmup", "2s"]);
    }
    if command == "sweep" && !is_given(&["max-runs", "rates", "concurrencies"]) {
        more.extend(["--max-runs", "3", "--looks", "1"]);
    }
    if command == "search" && !is_given(&["max-runs"]) {
        more.extend(["--max-runs", "3"]);
    }
    more.into_iter().map(str::to_owned).collect()
}

/// One small request to the server that is measured, in the same words.
fn first_request(url: &str, plan: &Plan) -> Result<Plan> {
    Ok(Plan {
        model: plan.model.clone(),
        endpoint: plan.endpoint,
        endpoint_path: plan.endpoint_path.clone(),
        header: plan.header.clone(),
        api_key_file: plan.api_key_file.clone(),
        tls_ca: plan.tls_ca.clone(),
        tls_insecure: plan.tls_insecure,
        concurrency: Some(1),
        requests: Some(1),
        workload: FIRST.parse().context("the first request")?,
        target: url.to_owned(),
        ..Plan::defaults()
    })
}

fn list_text(path: &Path) -> Result<String> {
    let place = || format!("--list {}", path.display());
    let length = std::fs::metadata(path).with_context(place)?.len();
    if length > LIST_BYTES {
        bail!(
            "--list {}: {length} bytes are no list of configurations",
            path.display()
        );
    }
    std::fs::read_to_string(path).with_context(place)
}

fn announce(asked: &Bench<'_>) {
    let configurations = counted(asked.configurations.len() as u64, "configuration");
    let rounds = counted(u64::from(asked.rounds), "round");
    output::note(&format!(
        "{configurations} in {rounds}, each measured by `{}`, into {}",
        inert(&asked.asked.measured_by.join(" "), 300),
        asked.folder.display()
    ));
}

fn told(news: &BenchNews<'_>) -> String {
    match news {
        BenchNews::Starting(configuration, round) => format!(
            "Configuration {}, round {round}: {}: starting",
            configuration.number,
            configuration.name()
        ),
        BenchNews::Ready(ms) => format!("  first answer after {}; measuring", number::time(*ms)),
        BenchNews::Ended(row) => match row.state {
            BenchState::Measured => {
                let code = row
                    .exit_code
                    .map_or_else(|| "-".to_owned(), |code| code.to_string());
                format!("  measured (exit code {code}), stopped {}", row.stopped)
            }
            BenchState::NotStarted | BenchState::NotMeasured | BenchState::ServerDied => {
                format!("  NOT MEASURED: {}", row.why.as_deref().unwrap_or_default())
            }
        },
    }
}

/// Writes the result, and shows it.
fn finish(
    given: &Given,
    args: &BenchArgs,
    shown: Shown,
    folder: &Path,
    table: &Table,
) -> Result<u8> {
    let told = table.output();
    let text = format!("{:#}\n", serde_json::to_value(&told)?);
    page::put(&folder.join(FILE), text.as_bytes())?;
    let document = |notes: Notes| Document {
        notes,
        ..table.document()
    };
    match (shown, args.quiet) {
        (Shown::Document(Format::Terminal), true) => {
            output::print(&format!("{}\n", bench_output::line(table)));
        }
        _ => shown.print(|| document(show::notes(false)), || &told),
    }
    if shown != Shown::Json {
        let place = format!("Logs and records in {}", folder.display());
        shown.print_place(args.quiet, &place);
    }
    let asked: Option<PathBuf> = page::asked(given);
    page::write(asked.as_deref(), Some(folder), || document(Notes::Told))?;
    Ok(exit::gravest(&table.codes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> BenchArgs {
        BenchArgs {
            url: "http://localhost:8000".to_owned(),
            measured_by: words.iter().map(|word| (*word).to_owned()).collect(),
            ..BenchArgs::defaults()
        }
    }

    #[test]
    fn what_measures_is_read_before_anything_is_started() {
        let words = ["run", "--rate", "5", "--duration", "3s"];
        let found = measuring(&args(&words)).expect("a run");
        assert_eq!(found.words[..2], ["run", "http://localhost:8000"]);
        assert_eq!(found.plan.rate, Some(5.0));
        let refused = |words: &[&str], word: &str| {
            let error = measuring(&args(words)).err().expect(word);
            assert!(format!("{error:#}").contains(word), "{error:#}");
        };
        refused(&["report", "x"], "run, sweep and search");
        refused(&["run", "--rat", "5"], "--rate");
        refused(
            &["run", "--rate", "5", "--duration", "3s", "--out", "x"],
            "bench's own",
        );
        refused(
            &["run", "http://b:1", "--rate", "5"],
            "leave the target out",
        );
    }

    #[test]
    fn quick_shortens_what_has_no_length() {
        let quick = |words: &[&str]| {
            let quick = BenchArgs {
                quick: true,
                ..args(words)
            };
            measuring(&quick).expect("short").words[2..].join(" ")
        };
        assert_eq!(
            quick(&["run", "--rate", "5"]),
            "--rate 5 --duration 10s --warmup 2s"
        );
        assert_eq!(
            quick(&["run", "--rate", "5", "--requests", "9", "--warmup", "0"]),
            "--rate 5 --requests 9 --warmup 0"
        );
        assert!(quick(&["sweep", "--slo", "ttft.p99<1s"]).ends_with("--max-runs 3 --looks 1"));
    }
}
