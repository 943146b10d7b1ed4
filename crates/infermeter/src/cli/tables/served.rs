//! Flags of every command that starts a server itself: how it is stopped, and how it is seen to be ready.
//!
//! The command that starts it is each one's own.

use anyhow::{Result, bail};
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_core::units::Span;

keys! {
    /// Flags of a command that starts a server.
    pub struct ServedArgs {
        stop: Option<String> = None, General, "COMMAND",
            "Stop it by this, for sh -c"
            .absent("SIGTERM to its group, then SIGKILL").common().example("docker stop llm")
            .rules(&[Rule::needs(&[Given("serve")], "")]);
        start_timeout: Span = Span::seconds(1_800), General, "TIME",
            "A start that has not answered by then has failed"
            .example("10m").above(0.0);
        stop_timeout: Span = Span::seconds(30), General, "TIME",
            "Time for each step of stopping the server"
            .example("2m").above(0.0);
        health: String = "/health".to_owned(), General, "PATH",
            "Path of the server's health page"
            .example("/healthz");
        phase: Vec<String> = Vec::new(), General, "NAME=REGEX",
            "A phase in the server's log: a group `s` or `ms` is its time, else it lasts from the first line to the last"
            .example("weights=weights in (?<s>[0-9.]+) s");
    }
}

impl ServedArgs {
    /// The path of the health page.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn health(&self) -> Result<String> {
        let path = &self.health;
        let plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        match plain {
            true => Ok(path.clone()),
            false => bail!("--health: write a path, as in /health"),
        }
    }
}
