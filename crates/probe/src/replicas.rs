//! How many replicas there are: a metric of a page, or the number that a command prints.
//!
//! It decides neither when nor how often. Invariant: whatever comes back is a number of replicas or a reason; a metric
//! that is not there and a command that prints nothing are reasons, never 0.

use crate::metrics_page::MetricsPage;
use crate::prometheus::{Sample, samples};
use crate::series::PageFigures;
use infermeter_core::plan::ReplicasFrom;
use infermeter_core::server::{PageDetail, Quantity, ServerEngine};
use infermeter_core::text::inert;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Longest time of a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// What a command may take to end once it has closed its output.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);
/// From one look at a command that is about to end to the next.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of a command's output that are read.
const OUTPUT_LIMIT: u64 = 64 << 10;
/// More than anybody runs: a counter or a time is no number of replicas.
const MOST: f64 = 1e6;

/// Who says how many replicas there are.
#[expect(clippy::large_enum_variant, reason = "a run has one of them")]
#[derive(Debug, Clone)]
pub enum ReplicaCount {
    /// A metric of a page.
    Page {
        /// The page.
        page: MetricsPage,
        /// Which of its series.
        series: ReplicasFrom,
    },
    /// A command for `sh`, whose output is a number.
    Command(String),
}

impl ReplicaCount {
    /// Where that is, as the record names it.
    pub fn place(&self) -> String {
        match self {
            Self::Page { page, series } => {
                let url = page.url();
                ReplicasFrom {
                    url,
                    ..series.clone()
                }
                .to_string()
            }
            Self::Command(command) => format!("command: {}", inert(command, 200)),
        }
    }

    /// How many there are now.
    pub(crate) fn read(&self, request_id: &str) -> Result<PageFigures, String> {
        let count = match self {
            Self::Page { page, series } => {
                let text = page.text(request_id).map_err(|error| error.to_string())?;
                count_on(&text, series)
            }
            Self::Command(command) => printed(&output_of(command)?),
        };
        Ok(PageFigures {
            engine: ServerEngine::Replicas,
            figures: [(Quantity::Replicas, count?)].into(),
            detail: PageDetail::default(),
        })
    }
}

/// The sum of the samples that are meant.
fn count_on(page: &str, series: &ReplicasFrom) -> Result<f64, String> {
    let has = |sample: &Sample<'_>, (name, value): &(String, String)| {
        sample
            .label(name)
            .is_some_and(|found| found == value.as_str())
    };
    let is_meant = |sample: &Sample<'_>| {
        sample.name == series.metric && series.labels.iter().all(|label| has(sample, label))
    };
    let meant = samples(page).filter(is_meant).map(|sample| sample.value);
    let sum = meant.reduce(|a, b| a + b);
    let missing = || format!("no sample of {} stands on the page", series.metric);
    plausible(sum.ok_or_else(missing)?)
}

/// The number that was printed, alone.
fn printed(output: &str) -> Result<f64, String> {
    match output.trim() {
        "" => Err("the command printed nothing".to_owned()),
        text => {
            let number = text
                .parse()
                .map_err(|_| format!("`{}` is not a number", inert(text, 80)));
            plausible(number?)
        }
    }
}

fn plausible(count: f64) -> Result<f64, String> {
    match (0.0..=MOST).contains(&count) {
        true => Ok(count),
        false => Err(format!("{count} is not a number of replicas")),
    }
}

/// What a command prints, where it ends well and in time. It has a process group of its own, which ends with it.
fn output_of(command: &str) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("sh cannot be started: {error}"))?;
    let (send, told) = channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = out.take(OUTPUT_LIMIT).read_to_string(&mut text);
            // Nobody listens any more where it took too long.
            let _ = send.send(read.map(|_| text));
        });
    }
    let read = told.recv_timeout(COMMAND_TIMEOUT);
    let ended = read.is_ok().then(|| ending(&mut child)).flatten();
    if ended.is_none() {
        end(&mut child);
    }
    match (read, ended) {
        (Ok(Ok(text)), Some(status)) if status.success() => Ok(text),
        (Ok(Ok(_)), Some(status)) => Err(format!("the command failed ({status})")),
        (Ok(Err(error)), _) => Err(format!("its output cannot be read: {error}")),
        (Ok(Ok(_)), None) | (Err(_), _) => {
            let seconds = COMMAND_TIMEOUT.as_secs();
            Err(format!("the command did not end within {seconds} s"))
        }
    }
}

/// How a command ended that has closed its output.
fn ending(child: &mut Child) -> Option<std::process::ExitStatus> {
    let looks = EXIT_TIMEOUT.as_millis() / LOOK.as_millis();
    (0..looks).find_map(|_| {
        let ended = child.try_wait().ok().flatten();
        if ended.is_none() {
            std::thread::sleep(LOOK);
        }
        ended
    })
}

/// Ends a command with whatever it has started.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP replicas Them.\n\
        replicas{state=\"ready\",zone=\"a\"} 3\n\
        replicas{state=\"ready\",zone=\"b\"} 2\n\
        replicas{state=\"loading\",zone=\"a\"} 1\n\
        broken -1\n";

    fn on_page(series: &str) -> Result<f64, String> {
        let series = format!("http://h#{series}").parse().expect("a place");
        count_on(PAGE, &series)
    }

    #[test]
    fn samples_that_are_meant_are_added() {
        assert_eq!(on_page("replicas"), Ok(6.0));
        assert_eq!(on_page("replicas{state=\"ready\"}"), Ok(5.0));
        assert_eq!(on_page("replicas{state=\"ready\",zone=\"b\"}"), Ok(2.0));
        let missing = on_page("replicas{state=\"gone\"}").expect_err("none");
        assert_eq!(missing, "no sample of replicas stands on the page");
        assert!(on_page("broken").is_err());
    }

    #[test]
    fn a_command_prints_a_number_and_nothing_else() {
        let run = |command: &str| output_of(command).and_then(|text| printed(&text));
        assert_eq!(run("echo ' 4 '"), Ok(4.0));
        assert_eq!(run("true"), Err("the command printed nothing".to_owned()));
        assert_eq!(run("echo four"), Err("`four` is not a number".to_owned()));
        assert!(
            run("echo 4; exit 3")
                .expect_err("it failed")
                .contains("failed")
        );
        assert!(run("echo -1").is_err());
        // Its output is open no longer than it is read: what it has started ends with it.
        assert!(run("yes").is_err());
    }
}
