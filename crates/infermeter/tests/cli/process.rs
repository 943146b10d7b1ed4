//! Starting the binary, and reading what it leaves behind.

use crate::schemas;
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_record::read_records;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A few small requests, in a moment.
pub const LIGHT: &str = "--rate 50 --requests 6 --warmup 0 --workload fixed:16,4 --threads 1";
/// No control traffic: the load's own requests are the only ones.
pub const UNPROBED: &str = "--no-probe --model mock/fixed";

/// A proxy of the machine that tests run on is none of theirs.
const PROXIES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

/// A directory that goes with the test.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its path as text.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Ends with `code`, and says each of `words` on standard error.
    #[track_caller]
    pub fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in {}", self.err);
        }
    }

    /// Standard output, which is one JSON value and as its published schema says.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value = serde_json::from_str(&self.out).expect("standard output is one JSON value");
        schemas::fits(&value);
        value
    }
}

/// Words of a command line; '...' keeps spaces together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    for (i, part) in line.split('\'').enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// The binary with arguments, away from the environment's settings.
pub fn command(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infermeter"));
    command.args(arguments);
    clean(&mut command);
    command
}

/// Takes away what the environment would say to the binary.
pub fn clean(command: &mut Command) {
    command
        .env_remove("OPENAI_API_KEY")
        .env_remove("ANTHROPIC_API_KEY")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("COLUMNS")
        .envs(PROXIES.map(|name| (name, "")))
        .env("INFERMETER_CALIBRATION", "")
        .stdin(Stdio::null());
}

/// A shell that sets limits and becomes the binary.
pub fn limited(limits: &str, arguments: &[String]) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("{limits}; exec \"$@\""), "bash"])
        .arg(env!("CARGO_BIN_EXE_infermeter"))
        .args(arguments);
    clean(&mut command);
    command
}

pub fn ran(mut command: Command) -> Ran {
    let output = command.output().expect("started");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// `infermeter LINE`.
pub fn infermeter(line: &str) -> Ran {
    ran(command(&words(line)))
}

/// A run with its directory.
pub struct Run {
    pub ran: Ran,
    pub dir: PathBuf,
    _scratch: Scratch,
}

/// Arguments of a run of the light load against `target`.
pub fn light(target: &str, more: &str) -> Vec<String> {
    words(&format!("run {target} {LIGHT} {more}"))
}

/// The light load against `target`, unprobed.
pub fn run(target: &str, more: &str) -> Run {
    run_with(light(target, &format!("{UNPROBED} {more}")), |_| {})
}

/// `arguments` and `--out` in a directory of its own, after `change`.
pub fn run_with(mut arguments: Vec<String>, change: impl FnOnce(&mut Command)) -> Run {
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    arguments.push("--out".to_owned());
    arguments.push(dir.to_str().expect("UTF-8").to_owned());
    let mut command = command(&arguments);
    change(&mut command);
    Run {
        ran: ran(command),
        dir,
        _scratch: scratch,
    }
}

impl Run {
    #[track_caller]
    pub fn manifest(&self) -> Value {
        manifest(&self.dir)
    }

    #[track_caller]
    pub fn records(&self) -> Vec<RequestRecord> {
        read_records(&self.dir).unwrap_or_else(|e| panic!("{e}: {:#?}", self.ran))
    }

    /// Records of the measured phase.
    #[track_caller]
    pub fn measured(&self) -> Vec<RequestRecord> {
        let mut records = self.records();
        records.retain(|record| record.phase == Phase::Measure);
        records
    }

    /// Every measured request completed.
    #[track_caller]
    pub fn completes(&self) -> Vec<RequestRecord> {
        let measured = self.measured();
        assert_eq!(measured.len(), 6);
        for record in &measured {
            assert_eq!(record.outcome, Outcome::Completed, "{record:?}");
        }
        measured
    }

    /// Every measured request failed for `reason`; the command says so with code 4 and a report.
    #[track_caller]
    pub fn all_fail(&self, reason: Reason) -> Vec<RequestRecord> {
        assert_eq!(self.ran.code, Some(4), "{:#?}", self.ran);
        let measured = self.measured();
        assert_eq!(measured.len(), 6);
        for record in &measured {
            let error = record.error.as_ref().expect("an error");
            assert_eq!(error.reason, reason, "{record:?}");
        }
        assert!(self.ran.out.starts_with("Verdict: Invalid"));
        assert!(self.ran.out.contains(reason.as_str()), "{}", self.ran.out);
        measured
    }

    #[track_caller]
    pub fn finding(&self, code: &str) -> Value {
        finding(&self.manifest(), code)
    }
}

#[track_caller]
pub fn manifest(dir: &Path) -> Value {
    let text = fs::read_to_string(dir.join("run.json")).expect("run.json");
    let value = serde_json::from_str(&text).expect("JSON");
    schemas::is_a("run.json", &value);
    value
}

/// The finding with a code.
#[track_caller]
pub fn finding(manifest: &Value, code: &str) -> Value {
    let findings = manifest["findings"].as_array().expect("a list");
    let found = findings.iter().find(|finding| finding["code"] == code);
    found
        .unwrap_or_else(|| panic!("no finding {code} in {findings:#?}"))
        .clone()
}

/// `infermeter mock` as a child, ended with this process.
pub struct Mock {
    pub url: String,
    child: Child,
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Mock {
    pub fn start(more: &str) -> Self {
        Self::at(&format!("--port 0 {more}"))
    }

    /// One that is told where to listen.
    pub fn at(more: &str) -> Self {
        let own = std::process::id();
        let line = format!("mock --exit-with-parent {own} {more}");
        let mut child = command(&words(&line))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("serving on ").expect("an address");
        Self {
            url: url.to_owned(),
            child,
        }
    }
}

/// A fast simulator that all tests share.
pub fn mock() -> &'static str {
    static SHARED: OnceLock<Mock> = OnceLock::new();
    let start = || Mock::start("--preset fixed --ttft 2ms --step 1ms");
    &SHARED.get_or_init(start).url
}

/// A command that is still going on.
pub struct Going {
    pub child: Child,
    err: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Going {
    pub fn start(arguments: &[String]) -> Self {
        Self::spawn(command(arguments))
    }

    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let err = BufReader::new(child.stderr.take().expect("a pipe"));
        Self {
            child,
            err,
            said: String::new(),
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it lives");
    }

    /// Waits until standard error says `word`.
    #[track_caller]
    pub fn until_says(&mut self, word: &str) {
        while !self.said.contains(word) {
            let read = self.err.read_line(&mut self.said).expect("UTF-8");
            assert!(read > 0, "it ended without `{word}`: {}", self.said);
        }
    }

    /// What stands behind `word` on the line of standard error that says it; waits for that line.
    #[track_caller]
    pub fn says_behind(&mut self, word: &str) -> String {
        self.until_says(word);
        let behind = self.said.split_once(word).map_or("", |(_, behind)| behind);
        behind.lines().next().unwrap_or_default().to_owned()
    }

    pub fn end(mut self) -> Ran {
        self.err.read_to_string(&mut self.said).expect("UTF-8");
        let output = self.child.wait_with_output().expect("ended");
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: self.said,
        }
    }
}

/// Waits for something that is sure to happen.
pub fn wait_until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Every byte of every file below `dir`.
pub fn everything_in(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        bytes.extend(fs::read(&path).expect("readable"));
    }
    bytes
}

/// Names of the files in `dir`, sorted.
pub fn files_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}
