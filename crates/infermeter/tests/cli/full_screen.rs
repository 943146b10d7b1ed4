//! `--live` on a pseudo terminal: it is drawn, heeds keys, and gives the terminal back however it ends.

use crate::process::{Scratch, infermeter, words};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const TAKEN: &str = "\u{1b}[?1049h";
const GIVEN_BACK: &str = "\u{1b}[?1049l";
/// At the end of each frame the cursor is hidden.
const FRAME_ENDS: &str = "\u{1b}[?25l";
/// The longest time without a byte: the screen is drawn several times a second.
const LONGEST: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// The binary on a terminal of its own; what it draws is read, and keys are pressed.
struct OnTerminal {
    master: File,
    slave: File,
    child: Child,
    drawn: String,
    screen: Cells,
    /// Bytes that are not whole yet.
    kept: Vec<u8>,
}

/// What stands on the screen. Only cells that change are drawn, so a text may come in pieces.
#[derive(Default)]
struct Cells {
    rows: BTreeMap<usize, BTreeMap<usize, char>>,
    at: (usize, usize),
}

impl Cells {
    /// Follows texts, moves of the cursor and what clears the screen; other sequences change no cell.
    fn follow(&mut self, drawn: &str) {
        let mut rest = drawn;
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            if first != '\u{1b}' {
                let row = self.rows.entry(self.at.0).or_default();
                row.insert(self.at.1, first);
                self.at.1 += 1;
                continue;
            }
            let end = rest.find(|c: char| c.is_ascii_alphabetic());
            let (sequence, behind) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = behind;
            // After a resize blanks are not drawn: they are what the clearing left.
            if sequence == "[2J" {
                self.rows.clear();
            }
            let place = sequence.strip_prefix('[').and_then(|s| s.strip_suffix('H'));
            if let Some((row, column)) = place.and_then(|place| place.split_once(';')) {
                let number = |text: &str| text.parse().expect("a number");
                self.at = (number(row), number(column));
            }
        }
    }

    fn shows(&self, text: &str) -> bool {
        self.rows.values().any(|cells| {
            let width = cells.keys().last().map_or(0, |last| last + 1);
            let row: String = (0..width).map(|i| *cells.get(&i).unwrap_or(&' ')).collect();
            row.contains(text)
        })
    }
}

/// Both sides of a pseudo terminal.
struct Pair {
    master: File,
    slave: File,
    name: PathBuf,
}

impl Pair {
    fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("a name");
        let name = PathBuf::from(name.to_str().expect("UTF-8"));
        let slave = OpenOptions::new().read(true).write(true).open(&name);
        Self {
            master: File::from(master),
            slave: slave.expect("its other side"),
            name,
        }
    }

    /// Writes until it takes no more, as a terminal that was stopped does.
    fn fill(&self) {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32);
        let mut own = options.open(&self.name).expect("its other side again");
        while own.write(&[b'x'; 256]).is_ok() {}
    }
}

impl OnTerminal {
    fn start(line: &str) -> Self {
        Self::on(Pair::open(), line)
    }

    fn on(pair: Pair, line: &str) -> Self {
        let mut terminal = Self {
            child: started(line, &pair.slave),
            master: pair.master,
            slave: pair.slave,
            drawn: String::new(),
            screen: Cells::default(),
            kept: Vec::new(),
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
        while !self.drawn.contains(text) && !self.screen.shows(text) {
            // This side of the terminal stays open, so its end would never be seen.
            let mut master = [PollFd::new(&self.master, PollFlags::IN)];
            let ready = poll(&mut master, Some(&LONGEST)).expect("polled");
            assert!(ready > 0, "nothing more, and no `{text}`: {:?}", self.drawn);
            let n = self.master.read(&mut bytes).unwrap_or(0);
            assert!(n > 0, "it ended without `{text}`: {:?}", self.drawn);
            self.kept.extend_from_slice(&bytes[..n]);
            // A character or a sequence that is cut waits for its rest.
            let whole = match str::from_utf8(&self.kept) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let text = str::from_utf8(&self.kept[..whole]).expect("valid");
            let cut = text.rfind('\u{1b}').filter(|at| {
                let sequence = &text[at + 1..];
                !sequence.contains(|c: char| c.is_ascii_alphabetic())
            });
            let whole = cut.unwrap_or(whole);
            let drawn = String::from_utf8(self.kept.drain(..whole).collect()).expect("valid");
            self.screen.follow(&drawn);
            self.drawn += &drawn;
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
        "run mock:fixed --rate 20 --duration 2m --warmup 0 --workload fixed:16,4 --threads 1 --live \
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
    // A key that comes in the same moment as a new size waits for the next key: crossterm's poll hears one of them. So
    // the frame of the new size comes first, and another one, before which the size was heard.
    for drawn in ["\u{1b}[2J", FRAME_ENDS, FRAME_ENDS] {
        terminal.until_drawn(drawn);
    }
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
fn a_terminal_that_takes_nothing_holds_nothing_up() {
    let scratch = Scratch::new();
    let full = long(&scratch).replace("2m", "1s");
    let line = full.replace("--live", "").replace("/run", "/one-line");
    for line in [full, line] {
        let pair = Pair::open();
        pair.fill();
        let (code, out) = OnTerminal::on(pair, &line).end();
        assert!(matches!(code, Some(0 | 3)), "{code:?} {out}");
        assert!(out.starts_with("Verdict: "), "{out}");
    }
}

#[test]
fn without_a_terminal_there_are_lines() {
    let scratch = Scratch::new();
    let line = long(&scratch).replace("2m", "1s");
    let ran = infermeter(&line);
    assert!(ran.err.contains("measuring"), "{ran:#?}");
    assert!(!ran.err.contains('\u{1b}'), "{ran:#?}");
    infermeter(&format!("{line} --quiet")).fails(2, &["--live", "--quiet"]);
}
