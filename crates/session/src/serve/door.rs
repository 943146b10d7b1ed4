//! The way to a server that may not be there yet: whether its port is open, what its health page says, and one request
//! at a time.
//!
//! Each question is a connection of its own, so that no state of an earlier server is used; instants are the program's
//! own. It retries nothing. Invariant: prompts of one door are all different, and of one length.

use crate::api_key::api_key;
use crate::experiment::{Answers, Experiment, Server};
use crate::failure::Failure;
use crate::found::{duration, form, unless_stopped};
use crate::load::Load;
use crate::observer::Observer;
use crate::redact::redact_lines;
use crate::serve::process::left_behind;
use crate::ways::{self, trust};
use anyhow::{Result, bail};
use infermeter_analysis::cold_start::ColdAnswer;
use infermeter_client::control::{Channel, ControlAnswer, ControlError, reach, try_address};
use infermeter_client::encode::{Headers, RequestEncoder, RequestShape, Target, encode_get};
use infermeter_client::engine::{Address, Route};
use infermeter_client::tls::{Tls, tls_for};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::plan::Endpoint;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_probe::response_cache::times;
use infermeter_probe::target::{Control, IdentifyError, Limits, said};
use infermeter_probe::waits::Waits;
use std::path::Path;
use std::time::Duration;

/// Longest time for a connection of a look: a port that is not open refuses at once, a host that is not there does not.
/// A request has `--connect-timeout`.
const CONNECT: Duration = Duration::from_secs(1);
/// Longest time for the health page and the list of models.
const ASK: Duration = Duration::from_secs(5);

/// The way to a server.
pub(crate) struct Door {
    target: Target,
    headers: Headers,
    tls: Option<Tls>,
    shape: RequestShape,
    load: Load,
    /// Longest time for the connection of a request.
    connect: Duration,
    timeout: Duration,
    health: String,
    /// The number of the next request.
    next: u64,
}

/// What a question came to.
pub(crate) enum Said {
    /// What was hoped for.
    Yes,
    /// The server has no such thing.
    Absent,
    /// Not now, and why.
    NotYet(String),
    /// Never, and why.
    Never(String),
}

/// What a request came to.
pub(crate) enum Asked {
    /// An answer; instants since the origin.
    Answered(ColdAnswer),
    /// Not now, and why.
    NotYet(String),
    /// Never, and why.
    Never(String),
}

impl Door {
    /// The way to the target of an experiment; `health` is the path of its health page.
    ///
    /// # Errors
    /// For a target that cannot be asked so.
    pub fn of(experiment: &Experiment, salt: u64, health: &str) -> Result<Self> {
        let server = &experiment.target.server;
        if matches!(server, Server::Simulator(_)) {
            bail!(
                "a `mock:` target has no start of its own: give its URL, and --serve 'infermeter mock --port PORT'"
            );
        }
        if server.proxy().is_some() {
            bail!("--proxy: whether a port is open cannot be seen through a proxy: leave it out");
        }
        let targets = ways::targets(server, None)?;
        let [target] = targets.as_slice() else {
            bail!("one server is started and asked: give one target");
        };
        let form = &experiment.requests.form;
        if !matches!(form.endpoint, Endpoint::Chat | Endpoint::Completions) {
            bail!("--endpoint: the light load speaks chat and completions alone");
        }
        if form.answers == Answers::Whole {
            bail!(
                "--no-stream: without a stream there is no first token to wait for: leave it out"
            );
        }
        let key = api_key(experiment, target)?;
        let headers = form::headers(form, key.as_deref())?;
        let template = form::template(&experiment.requests)?;
        if template.is_some() {
            bail!("--body-template does not go with the light load: leave it out");
        }
        let mut shape = form::shape(form, headers.clone(), template)?;
        shape.model = form.model.clone().unwrap_or_default();
        let tls = match target.is_https() {
            true => Some(tls_for(target.host(), trust(&experiment.target.trust))?),
            false => None,
        };
        Ok(Self {
            target: target.clone(),
            headers,
            tls,
            shape,
            load: Load::of(experiment, salt)?,
            connect: duration(experiment.client.connect_timeout),
            timeout: duration(experiment.client.timeout),
            health: health.to_owned(),
            next: 0,
        })
    }

    /// Where it leads, without secrets.
    pub fn name(&self) -> String {
        self.target.to_string()
    }

    /// The model that is asked; empty where it is not known yet.
    pub fn model(&self) -> &str {
        &self.shape.model
    }

    /// Whether the port accepts a connection; it is one step of a wait.
    pub fn open(&self) -> Result<Address, ControlError> {
        match self.target.socket() {
            Some(socket) => {
                let address = Address::Unix(socket.to_owned());
                try_address(&address, CONNECT).map(|()| address)
            }
            None => {
                let reached = reach(self.target.host(), self.target.port(), CONNECT)?;
                Ok(Address::Tcp(reached.addresses[0]))
            }
        }
    }

    fn channel(&self, address: &Address, timeout: Duration) -> Channel {
        Channel {
            route: Route::to(address.clone(), self.tls.clone()),
            connect_timeout: CONNECT,
            timeout,
        }
    }

    /// The way of a request, for at most `left`.
    fn requesting(&self, address: &Address, left: Span) -> Channel {
        let left = duration(left);
        Channel {
            connect_timeout: self.connect.min(left),
            ..self.channel(address, self.timeout.min(left))
        }
    }

    /// Asks for the health page.
    pub fn healthy(&self, address: &Address) -> Said {
        let request = encode_get(&self.target, &self.health, &self.headers);
        let answer = self.channel(address, ASK).exchange(&request);
        match answer {
            Err(error) => Said::NotYet(error.to_string()),
            Ok(answer) => match answer.head.status {
                200..300 => Said::Yes,
                404 | 405 | 501 => Said::Absent,
                401 | 403 => Said::Never(refused("the health page", &answer)),
                status => Said::NotYet(format!("{} answers with status {status}", self.health)),
            },
        }
    }

    /// Learns the model's name, where none was given.
    pub fn learn_model(&mut self, address: &Address) -> Said {
        if !self.shape.model.is_empty() {
            return Said::Yes;
        }
        let limits = Limits {
            each: ASK,
            all: ASK * 2,
        };
        let mut control = Control::new(
            self.channel(address, ASK),
            self.target.clone(),
            self.headers.clone(),
            "cold".to_owned(),
            limits,
            Waits::default(),
        );
        let facts = match control.identify() {
            Ok(facts) => facts,
            Err(error @ IdentifyError::Refused { .. }) => return Said::Never(error.to_string()),
            Err(error @ IdentifyError::NoAnswer(_)) => return Said::NotYet(error.to_string()),
        };
        match facts.models.models.first() {
            Some(first) => {
                self.shape.model = first.id.clone();
                Said::Yes
            }
            None => Said::NotYet(format!(
                "/v1/models lists no model ({}): give --model NAME",
                facts.models.problem.unwrap_or_default()
            )),
        }
    }

    /// Sends the next request and waits for its answer, for at most `left`. Instants count from `origin_ns`.
    ///
    /// # Errors
    /// When a signal came.
    pub fn ask(
        &mut self,
        address: &Address,
        left: Span,
        origin_ns: i64,
        observer: &dyn Observer,
    ) -> Result<Asked> {
        let spec = self.load.workload.spec(self.next);
        let content = self.load.workload.content(&spec, &[])?;
        let name = format!("cold-{}", self.next);
        self.next += 1;
        let request = RequestEncoder::new(&self.target, &self.shape).encode(&name, &spec, &content);
        let channel = self.requesting(address, left);
        let answer = unless_stopped(observer, move |_| Ok(channel.exchange(&request)))?;
        Ok(match answer {
            Err(error) => Asked::NotYet(redact_lines(&error.to_string())),
            Ok(answer) => asked(&answer, origin_ns),
        })
    }
}

fn refused(what: &str, answer: &ControlAnswer) -> String {
    let status = answer.head.status;
    format!(
        "{what} is refused (status {status}): {}",
        inert(&said(answer), 300)
    )
}

/// What an answer comes to. Servers that are not ready yet say so with 408, 425, 429 or 5xx.
fn asked(answer: &ControlAnswer, origin_ns: i64) -> Asked {
    match answer.head.status {
        200 => match of_answer(answer, origin_ns) {
            Some(answer) => Asked::Answered(answer),
            None => Asked::NotYet("an answer without a token".to_owned()),
        },
        408 | 425 | 429 | 500..=599 => Asked::NotYet(refused("a request", answer)),
        _ => Asked::Never(refused("a request", answer)),
    }
}

fn of_answer(answer: &ControlAnswer, origin_ns: i64) -> Option<ColdAnswer> {
    let found = times(answer)?;
    let since = |at_ns: i64| (at_ns - origin_ns) as f64 / 1e6;
    let sent_ms = since(answer.sent_ns);
    Some(ColdAnswer {
        sent_ms,
        first_byte_ms: since(answer.reads.first()?.0),
        first_token_ms: found.ttft_ms.map(|ms| sent_ms + ms),
        end_ms: sent_ms + found.e2e_ms,
        output_tokens: found.output_tokens,
    })
}

/// Refuses a start where somebody answers already: what would be measured is not what is started. `directory` is that of
/// the start, where an earlier process may have left word of its server.
///
/// # Errors
/// Saying so.
pub(crate) fn nobody_answers(door: &Door, directory: &Path) -> Result<()> {
    let asked_ns = monotonic_ns();
    match door.open() {
        Err(_) => Ok(()),
        Ok(address) => {
            let took_ms = (monotonic_ns() - asked_ns) as f64 / 1e6;
            let left = left_behind(directory).unwrap_or_default();
            Err(Failure::target(format!(
                "somebody answers at {} ({address}, after {took_ms:.1} ms) before --serve has started anything{left}: end \
                 that server, or give another port",
                door.name()
            ))
            .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::plan::Plan;

    #[test]
    fn a_request_has_the_time_for_a_connection_that_was_given() {
        let plan = Plan {
            target: "http://127.0.0.1:1".to_owned(),
            model: Some("m".to_owned()),
            concurrency: Some(1),
            requests: Some(1),
            workload: "fixed:32,4".parse().expect("a workload"),
            connect_timeout: Span::seconds(7),
            ..Plan::defaults()
        };
        let experiment = Experiment::of(&plan).expect("an experiment");
        let door = Door::of(&experiment, 1, "/health").expect("a door");
        let address = Address::Tcp(([127, 0, 0, 1], 1).into());
        let connect = |left| door.requesting(&address, left).connect_timeout;
        assert_eq!(connect(Span::seconds(60)), Duration::from_secs(7));
        assert_eq!(connect(Span::seconds(2)), Duration::from_secs(2));
        assert_eq!(door.channel(&address, ASK).connect_timeout, CONNECT);
    }
}
