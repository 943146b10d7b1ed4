//! The full screen of `--live`: the terminal itself, its keys, and giving it back.
//!
//! What is drawn is in `tabs`. Invariant: however the load ends, by itself, by a signal or by a panic, the
//! terminal is as it was before. Keys are read when a snapshot comes; nothing waits for one, and Ctrl-C
//! stays a signal.

use super::series::Series;
use super::tabs::{Look, Tab, View};
use crate::screen;
use infermeter_core::plan::Plan;
use infermeter_runner::progress::Snapshot;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use std::io::{BufWriter, IsTerminal, Stderr, stderr, stdin};
use std::panic;
use std::sync::{Mutex, Once};
use std::time::Duration;

/// The terminal as it was, while a full screen has it.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
/// A panic gives the terminal back before it says anything.
static ON_PANIC: Once = Once::new();

/// A terminal that is drawn on as a whole, until this is dropped.
#[derive(Debug)]
pub(super) struct FullScreen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
    view: View,
}

impl FullScreen {
    /// Takes the terminal; nothing where there is none to take, so that lines are shown.
    pub(super) fn open(plan: &Plan, said: &[String]) -> Option<Self> {
        if !stdin().is_terminal() {
            return None;
        }
        take_keys()?;
        ON_PANIC.call_once(|| {
            let hook = panic::take_hook();
            panic::set_hook(Box::new(move |about| {
                give_back();
                hook(about);
            }));
        });
        let opened = execute!(stderr(), EnterAlternateScreen);
        let terminal =
            opened.and_then(|()| Terminal::new(CrosstermBackend::new(BufWriter::new(stderr()))));
        match terminal {
            Ok(terminal) => Some(Self {
                terminal,
                view: View::of(plan, said, screen::has_color()),
            }),
            Err(_) => {
                give_back();
                None
            }
        }
    }

    /// Draws, and heeds the keys that were pressed. False where the screen is no longer wanted, or gone.
    pub(super) fn show(&mut self, snapshot: &Snapshot, series: &Series) -> bool {
        while let Ok(true) = event::poll(Duration::ZERO) {
            match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    if !self.heed(key.code) {
                        return false;
                    }
                }
                // A new size is found when it is drawn.
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        let look = Look { snapshot, series };
        let view = &self.view;
        self.terminal.draw(|frame| view.draw(look, frame)).is_ok()
    }

    /// Whether the screen stays.
    fn heed(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.view.turn(1),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => self.view.turn(-1),
            KeyCode::Char(digit) => {
                let place = digit.to_digit(10).and_then(|n| n.checked_sub(1));
                if let Some(tab) = place.and_then(|place| Tab::ALL.get(place as usize)) {
                    self.view.tab = *tab;
                }
            }
            _ => {}
        }
        true
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Keys come one by one and are not shown. Ctrl-C stays a signal; Ctrl-Z would stop the clock of a run.
fn take_keys() -> Option<()> {
    let before = tcgetattr(stdin()).ok()?;
    let mut keys = before.clone();
    keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    keys.special_codes[SpecialCodeIndex::VSUSP] = 0;
    tcsetattr(stdin(), OptionalActions::Now, &keys).ok()?;
    *BEFORE.lock().ok()? = Some(before);
    Some(())
}

/// Leaves the terminal as it was. Does nothing the second time.
fn give_back() {
    if give_back_keys() {
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    }
}

/// Gives back what a terminal that takes no output can be given back: how it reads keys. Whether that was still to
/// be done.
pub(super) fn give_back_keys() -> bool {
    // A panic may come while this is held; then they are given back already.
    let before = BEFORE.try_lock().ok().and_then(|mut before| before.take());
    before.is_some_and(|before| {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
        true
    })
}
