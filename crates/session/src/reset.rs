//! The hook that brings a server back to a state between runs: a URL of its own, or a command.
//!
//! It measures nothing and reads nothing of the answer. Invariant: a hook that fails ends the sequence of runs:
//! what came after it would be measured in another state than it says.

use crate::experiment::TrustSpec;
use crate::failure::Failure;
use crate::redact::redact_url;
use crate::ways::trust;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::control::{Channel, reach};
use infermeter_client::encode::{Headers, Target, encode_get};
use infermeter_client::engine::{Address, Route};
use infermeter_client::tls::tls_for;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Time for the whole exchange with a URL.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Time to connect to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What brings a server back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    /// A POST without a body.
    Url(String),
    /// A command for `sh -c`.
    Command(String),
}

impl Reset {
    /// Does it, and waits for its end.
    ///
    /// # Errors
    /// When nobody answers, when the answer is no success, and when the command fails.
    pub fn run(&self, spec: &TrustSpec) -> Result<()> {
        match self {
            Self::Url(url) => post(url, spec),
            Self::Command(command) => run(command),
        }
    }
}

fn post(url: &str, spec: &TrustSpec) -> Result<()> {
    let target = Target::parse(url).map_err(|e| anyhow!("--reset-url: {e}"))?;
    let shown = redact_url(url);
    let failed = |why: String| Failure::target(format!("--reset-url {shown}: {why}"));
    let address = match target.socket() {
        Some(socket) => Address::Unix(socket.to_owned()),
        None => {
            let reached = reach(target.host(), target.port(), CONNECT_TIMEOUT);
            let reached = reached.map_err(|error| failed(error.to_string()))?;
            Address::Tcp(reached.addresses[0])
        }
    };
    let tls = match target.is_https() {
        true => Some(tls_for(target.host(), trust(spec))?),
        false => None,
    };
    let channel = Channel {
        route: Route::to(address, tls),
        connect_timeout: CONNECT_TIMEOUT,
        timeout: TIMEOUT,
    };
    let answer = channel.exchange(&request(&target));
    let status = answer
        .map_err(|error| failed(error.to_string()))?
        .head
        .status;
    match status {
        200..300 => Ok(()),
        _ => Err(failed(format!("the server answers with status {status}")).into()),
    }
}

/// A POST with nothing in it.
fn request(target: &Target) -> Vec<u8> {
    let get = encode_get(target, "", &Headers::default());
    let mut request = b"POST".to_vec();
    // Its empty line ends the head.
    request.extend_from_slice(&get[b"GET".len()..get.len() - 2]);
    request.extend_from_slice(b"content-length: 0\r\nconnection: close\r\n\r\n");
    request
}

fn run(command: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    // Standard output holds the result, and nothing else.
    shell
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = shell
        .status()
        .context("--reset-command: sh cannot be started")?;
    match status.success() {
        true => Ok(()),
        false => bail!("--reset-command: it failed ({status})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_to_succeed() {
        let of = |command: &str| Reset::Command(command.to_owned()).run(&TrustSpec::Platform);
        of("true").expect("it ends well");
        let error = of("exit 3").expect_err("it fails").to_string();
        assert!(
            error.contains("--reset-command") && error.contains('3'),
            "{error}"
        );
    }

    #[test]
    fn the_request_is_a_post_without_a_body() {
        let target = Target::parse("http://localhost:8000/reset_prefix_cache").expect("a URL");
        let text = String::from_utf8(request(&target)).expect("text");
        assert!(
            text.starts_with("POST /reset_prefix_cache HTTP/1.1\r\n"),
            "{text}"
        );
        assert!(
            text.ends_with("content-length: 0\r\nconnection: close\r\n\r\n"),
            "{text}"
        );
        let nobody = Reset::Url("http://127.0.0.1:1/x".to_owned());
        let error = nobody
            .run(&TrustSpec::Platform)
            .expect_err("nobody is there");
        assert_eq!(
            crate::failure::Cause::of(&error),
            crate::failure::Cause::Target
        );
    }
}
