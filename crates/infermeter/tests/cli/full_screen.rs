//! `--live` on a pseudo terminal: it is drawn, heeds keys, and gives the terminal back however it ends.

use crate::process::{Scratch, infermeter, words};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TAKEN: &str = "\u{1b}[?1049h";
const GIVEN_BACK: &str = "\u{1b}[?1049l";

/// The binary on a terminal of its own; what it draws is read, and keys are pressed.
struct OnTerminal {
    master: File,
    slave: File,
    child: Child,
    drawn: String,
}

impl OnTerminal {
    fn start(line: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("a name");
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(Path::new(name.to_str().expect("UTF-8")))
            .expect("its other side");
        let mut terminal = Self {
            master: File::from(master),
            child: started(line, &slave),
            slave,
            drawn: String::new(),
        };
        terminal.resize(100, 30);
        terminal
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.slave, size).expect("a size");
    }

    /// Waits until it has drawn `text` since the last time.
    #[track_caller]
    fn until_drawn(&mut self, text: &str) {
        let mut bytes = [0; 4_096];
        while !self.drawn.contains(text) {
            let n = self.master.read(&mut bytes).unwrap_or(0);
            assert!(n > 0, "it ended without `{text}`: {:?}", self.drawn);
            self.drawn += &String::from_utf8_lossy(&bytes[..n]);
        }
        self.drawn.clear();
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("pressed");
    }

    /// How it ended and what it printed; the terminal is as it was.
    fn end(mut self) -> (Option<i32>, String) {
        let mut out = String::new();
        let stdout = self.child.stdout.as_mut().expect("a pipe");
        stdout.read_to_string(&mut out).expect("UTF-8");
        let code = self.child.wait().expect("ended").code();
        let modes = tcgetattr(&self.slave).expect("a terminal").local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        (code, out)
    }
}

/// In a session of its own, whose terminal this is: only then do keys become signals.
fn started(line: &str, terminal: &File) -> Child {
    let side = || Stdio::from(terminal.try_clone().expect("a descriptor"));
    Command::new("setsid")
        .args(["--ctty", "--wait"])
        .arg(env!("CARGO_BIN_EXE_infermeter"))
        .args(words(line))
        .env("TERM", "xterm")
        .env("INFERMETER_CALIBRATION", "")
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        .stdin(side())
        .stdout(Stdio::piped())
        .stderr(side())
        .spawn()
        .expect("setsid of util-linux")
}

fn long(scratch: &Scratch) -> String {
    let out = scratch.path("run");
    format!(
        "run mock:fixed --rate 20 --duration 10m --warmup 0 --workload fixed:16,4 --threads 1 --live \
         --out {}",
        out.display()
    )
}

#[test]
fn tabs_sizes_and_ctrl_c_leave_the_terminal_as_it_was() {
    let scratch = Scratch::new();
    let mut terminal = OnTerminal::start(&long(&scratch));
    terminal.until_drawn(TAKEN);
    terminal.until_drawn("1 Load");
    terminal.press("2");
    terminal.until_drawn("TTFT over time");
    terminal.resize(60, 15);
    terminal.press("\t");
    terminal.until_drawn("Send lag");
    terminal.press("5");
    terminal.until_drawn("judged when it has ended");
    terminal.press("\u{3}");
    terminal.until_drawn(GIVEN_BACK);
    let (code, out) = terminal.end();
    assert_eq!(code, Some(130), "{out}");
    assert!(out.starts_with("Verdict: "), "{out}");
}

#[test]
fn q_goes_back_to_one_line() {
    let scratch = Scratch::new();
    let mut terminal = OnTerminal::start(&long(&scratch));
    terminal.until_drawn("1 Load");
    terminal.press("q");
    terminal.until_drawn(GIVEN_BACK);
    terminal.until_drawn("measuring");
    terminal.press("\u{3}");
    let (code, out) = terminal.end();
    assert_eq!(code, Some(130), "{out}");
}

#[test]
fn without_a_terminal_there_are_lines() {
    let scratch = Scratch::new();
    let line = long(&scratch).replace("10m", "1s");
    let ran = infermeter(&line);
    assert!(ran.err.contains("measuring"), "{ran:#?}");
    assert!(!ran.err.contains('\u{1b}'), "{ran:#?}");
    infermeter(&format!("{line} --quiet")).fails(2, &["--live", "--quiet"]);
}
