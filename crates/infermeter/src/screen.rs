//! What standard output and standard error are: their colour, their width, whether a line can be
//! drawn over.
//!
//! The only place that asks. Invariant: what is not a terminal gets no colour unless
//! `CLICOLOR_FORCE` asks for it, and nothing is drawn over on it.

use infermeter_report::{Charset, Screen};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;

/// Standard output as a screen.
pub(crate) fn of_output() -> Screen {
    let out = std::io::stdout();
    let terminal = out.is_terminal().then(|| columns(&out));
    screen(terminal, &|name| std::env::var_os(name))
}

/// The screen of a stream; `terminal` is `None` where it is none, and else how wide it says it is.
fn screen(terminal: Option<Option<usize>>, variable: &dyn Fn(&str) -> Option<OsString>) -> Screen {
    let is = |name: &str, value: &str| variable(name).is_some_and(|v| v == value);
    let set = |name: &str| variable(name).is_some_and(|v| !v.is_empty());
    let forced = set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0");
    let asked = variable("COLUMNS").and_then(|v| v.to_str()?.trim().parse().ok());
    let asked = asked.filter(|columns: &usize| *columns > 0);
    let default = Screen::default();
    Screen {
        color: !set("NO_COLOR") && (forced || (terminal.is_some() && !is("TERM", "dumb"))),
        width: asked.or(terminal.flatten()).unwrap_or(default.width),
        charset: charset(variable),
    }
}

/// By the locale, as POSIX reads it. Where none is set nothing is known against Unicode: containers and CI have
/// none, and show it.
fn charset(variable: &dyn Fn(&str) -> Option<OsString>) -> Charset {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| {
        let value = variable(name)?.to_string_lossy().to_lowercase();
        (!value.is_empty()).then_some(value)
    });
    match set {
        Some(locale) if !(locale.contains("utf-8") || locale.contains("utf8")) => Charset::Ascii,
        _ => Charset::Unicode,
    }
}

/// Columns of a terminal, where it tells.
fn columns(stream: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(feature = "live")]
/// Whether standard error, a terminal, has colour.
pub(crate) fn has_color() -> bool {
    screen(Some(None), &|name| std::env::var_os(name)).color
}

/// How progress is shown on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drawing {
    /// Not at all.
    Off,
    /// Line after line.
    Lines,
    /// One line, drawn over.
    Over,
}

impl Drawing {
    /// By what standard error is.
    pub fn choose(quiet: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match (quiet, std::io::stderr().is_terminal() && !is_dumb) {
            (true, _) => Self::Off,
            (false, true) => Self::Over,
            (false, false) => Self::Lines,
        }
    }
}

/// Draws over the last line of standard error; an empty line clears it. Cut to the terminal's width: a
/// line that was wrapped cannot be drawn over.
pub(crate) fn draw_over(line: &str) {
    let width = columns(&std::io::stderr()).unwrap_or(80);
    let fits: String = line.chars().take(width.saturating_sub(1)).collect();
    let mut out = std::io::stderr().lock();
    // A closed standard error is no reason to stop measuring.
    let _ = write!(out, "\r\x1b[2K{fits}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(terminal: Option<usize>, variables: &[(&str, &str)], color: bool, width: usize) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let terminal = terminal.map(|columns| Some(columns).filter(|c| *c > 0));
        let expect = Screen {
            color,
            width,
            ..Screen::default()
        };
        assert_eq!(screen(terminal, &variable), expect, "{variables:?}");
    }

    #[test]
    fn a_terminal_has_colour_and_its_own_width() {
        check(Some(80), &[], true, 80);
        check(Some(0), &[], true, 100);
        check(Some(80), &[("TERM", "dumb")], false, 80);
        check(Some(80), &[("NO_COLOR", "1")], false, 80);
        check(Some(80), &[("NO_COLOR", "")], true, 80);
        check(Some(80), &[("COLUMNS", "132")], true, 132);
        check(Some(80), &[("COLUMNS", "many")], true, 80);
    }

    #[test]
    fn a_locale_without_unicode_has_ascii() {
        let of = |variables: &[(&str, &str)]| {
            charset(&|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        assert_eq!(of(&[]), Charset::Unicode);
        assert_eq!(of(&[("LANG", "en_US.UTF-8")]), Charset::Unicode);
        assert_eq!(of(&[("LANG", "C")]), Charset::Ascii);
        assert_eq!(
            of(&[("LC_ALL", "POSIX"), ("LANG", "C.utf8")]),
            Charset::Ascii
        );
        assert_eq!(
            of(&[("LC_ALL", ""), ("LC_CTYPE", "de_DE.utf8")]),
            Charset::Unicode
        );
    }

    #[test]
    fn a_file_has_none_unless_it_is_asked_for() {
        check(None, &[], false, 100);
        check(None, &[("COLUMNS", "60")], false, 60);
        check(None, &[("CLICOLOR_FORCE", "1")], true, 100);
        check(None, &[("CLICOLOR_FORCE", "0")], false, 100);
        check(
            None,
            &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
            false,
            100,
        );
    }
}
