//! The `infermeter` command: reads the arguments, runs the subcommand, says what went wrong.

use infermeter::commands::COMMANDS;
use infermeter::{cli, exit, output};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Paths that are not UTF-8 are named with stand-ins, and not found.
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let invocation = match cli::parse(&words.collect::<Vec<String>>(), &COMMANDS) {
        Ok(invocation) => invocation,
        Err(refused) => {
            match refused.code {
                exit::OK => output::print(&refused.text),
                _ => output::note(&refused.text),
            }
            return ExitCode::from(refused.code);
        }
    };
    match (invocation.run)(&invocation.given) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::complain(&error);
            ExitCode::from(exit::code_of(&error))
        }
    }
}
