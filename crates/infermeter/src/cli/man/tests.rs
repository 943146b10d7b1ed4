//! Man pages: what stands in them, and what their readers say.

use super::*;
use crate::commands::COMMANDS;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn every_command_and_every_flag_has_its_place() {
    let pages = pages(&COMMANDS);
    assert_eq!(pages[0].name(), "infermeter");
    let names: Vec<String> = pages.iter().map(ManPage::name).collect();
    for command in &COMMANDS {
        let name = format!("infermeter-{}", command.name);
        let page = pages.iter().find(|page| page.name() == name);
        let page = page.unwrap_or_else(|| panic!("{name} is not in {names:?}"));
        assert!(pages[0].text.contains(&roff::bold(&name)), "{name}");
        let Then::Flags { keys, .. } = command.then else {
            continue;
        };
        for key in keys() {
            let term = match key.form {
                Form::Positional | Form::Required => roff::italic(key.value_name),
                Form::Flag | Form::RequiredFlag | Form::Joined => flag(key),
            };
            let shown = page.text.contains(&format!(".TP\n{term}\n"));
            assert_eq!(shown, !key.hidden, "{name} {}", key.name);
        }
    }
    assert!(
        names.iter().any(|name| name == "infermeter-history-add"),
        "{names:?}"
    );
}

#[test]
fn a_page_says_what_the_help_says_and_the_other_names() {
    let pages = pages(&COMMANDS);
    let run = pages
        .iter()
        .find(|page| page.command == ["run"])
        .expect("run");
    for part in [
        ".TH \"INFERMETER\\-RUN\" \"1\"",
        "\\fBinfermeter\\fR \\fBrun\\fR [\\fIOPTION\\fR] [\\fITARGET\\fR] [\\fITARGET\\fR...]",
        ".SS Load\n",
        "\\fB\\-\\-rate\\fR \\fIR\\fR\nOpen loop: requests per second",
        "Also written \\-\\-request\\-rate, \\-\\-qps",
        "\\fB\\-\\-html\\fR[=\\fIFILE\\fR]",
        ".SH EXAMPLES\n",
    ] {
        assert!(run.text.contains(part), "{part} in {}", run.text);
    }
}

/// What a program that reads man pages says of one; `None` where it is not there.
fn read_by(program: &str, arguments: &[&str], text: &str) -> Option<String> {
    let child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("MANWIDTH", "100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.ok()?;
    let mut input = child.stdin.take().expect("a pipe");
    let text = text.to_owned();
    let feed = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("ended");
    feed.join().expect("joined").expect("written");
    assert!(output.status.success(), "{program}: {output:?}");
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_readers_of_man_pages_accept_them() {
    for page in pages(&COMMANDS) {
        // Without a date, which would make each build another, mandoc has a warning; errors are another level.
        read_by("mandoc", &["-T", "utf8", "-W", "error"], &page.text);
        let said = read_by(
            "groff",
            &["-man", "-T", "utf8", "-ww", "-W", "break"],
            &page.text,
        );
        assert_eq!(said.unwrap_or_default(), "", "{}", page.name());
    }
}
