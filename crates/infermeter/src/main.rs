//! The `infermeter` command: reads the arguments, runs the subcommand, says what went wrong.

use clap::Parser;
use infermeter::cli::{Cli, Command};
use infermeter::{commands, exit, output};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
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
