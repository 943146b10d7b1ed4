//! The `infermeter` command: reads the arguments, runs the subcommand, says what went wrong.

use clap::Parser;
use infermeter::cli::{Cli, Command};
use infermeter::{commands, exit, output};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let result = match cli.command {
        Command::Run(args) => commands::run::run(&args),
        Command::Mock(args) => commands::mock::mock(&args),
        Command::Audit(args) => commands::audit::audit(&args),
        Command::Calibrate(args) => commands::calibrate::calibrate(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Workload(args) => commands::workload::workload(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::complain(&error);
            ExitCode::from(exit::code_of(&error))
        }
    }
}

/// Prints help and version as they are, and what is wrong with the arguments in a line.
fn refused(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if !error.use_stderr() {
        output::print(&text);
        return ExitCode::from(exit::OK);
    }
    match text.split_once("\n\nUsage:") {
        Some((wrong, _)) => output::note(&one_line(wrong)),
        None => output::note(text.trim_end()),
    }
    ExitCode::from(exit::USAGE)
}

fn one_line(text: &str) -> String {
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        match line.chars().last() {
            None => {}
            Some(':') => line.push(' '),
            Some(_) => line.push_str("; "),
        }
        line.push_str(part);
    }
    line + "; --help tells what there is"
}
