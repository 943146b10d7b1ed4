//! A server's metrics page: asked for, and understood.
//!
//! It decides neither when nor how often. Invariant: whatever a server answers is figures or a
//! reason; a page that nobody knows is a reason, not a page without figures.

use crate::series::{PageFigures, figures};
use crate::target::Control;
use infermeter_client::control::{Channel, ControlAnswer, ControlError};
use infermeter_client::encode::{Headers, Target, encode_get};

/// Where an engine has its page.
const PATH: &str = "/metrics";
/// Where the simulator tells of its GPUs, as a DCGM exporter would.
const SIMULATED_GPUS: &str = "/dcgm/metrics";

/// Where a page is.
#[derive(Debug, Clone)]
pub struct MetricsPage {
    channel: Channel,
    target: Target,
    path: &'static str,
    headers: Headers,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] ControlError),
    /// Another status than 200.
    #[error("status {0}")]
    Status(u16),
    /// No series of a known engine.
    #[error("no series of a known engine stands on the page")]
    Unknown,
}

impl MetricsPage {
    /// The page of the server at `target`.
    pub fn of(target: Target, headers: Headers, channel: Channel) -> Self {
        Self {
            channel,
            target,
            path: PATH,
            headers,
        }
    }

    /// The page on which the simulator at `target` tells of its GPUs.
    pub fn of_simulated_gpus(target: Target, headers: Headers, channel: Channel) -> Self {
        Self {
            path: SIMULATED_GPUS,
            ..Self::of(target, headers, channel)
        }
    }

    /// The page whose URL is `target` itself; its path is the usual one where it has none.
    pub fn at(target: Target, headers: Headers, channel: Channel) -> Self {
        let path = if target.path("").is_empty() { PATH } else { "" };
        Self {
            path,
            ..Self::of(target, headers, channel)
        }
    }

    /// Its URL, user info hidden.
    pub fn url(&self) -> String {
        format!("{}{}", self.target, self.path)
    }

    /// Asks for it, on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer in HTTP.
    pub fn ask(&self, request_id: &str) -> Result<ControlAnswer, ControlError> {
        let mut request = encode_get(&self.target, self.path, &self.headers);
        // Before the empty line that ends the head.
        request.truncate(request.len() - 2);
        let more = format!("connection: close\r\nx-request-id: {request_id}\r\n\r\n");
        request.extend_from_slice(more.as_bytes());
        self.channel.exchange(&request)
    }

    /// Asks for it: its text, whoever's series stand on it.
    ///
    /// # Errors
    /// When there is no page.
    pub(crate) fn text(&self, request_id: &str) -> Result<String, PageError> {
        let answer = self.ask(request_id)?;
        match answer.head.status {
            200 => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
            status => Err(PageError::Status(status)),
        }
    }

    /// Asks for it and reads it: what each engine says whose series stand on it, at least one.
    ///
    /// # Errors
    /// When there are no figures.
    pub fn read(&self, request_id: &str) -> Result<Vec<PageFigures>, PageError> {
        understood(&self.ask(request_id)?)
    }
}

impl Control {
    /// Reads a page, and logs the request as one of this run's.
    ///
    /// # Errors
    /// When there are no figures.
    pub fn read_page(
        &mut self,
        page: &MetricsPage,
        when: &str,
    ) -> Result<Vec<PageFigures>, PageError> {
        let what = format!("GET {}", page.target.path(page.path));
        let (limit, flag) = (page.channel.timeout, "--server-metrics off");
        let (waits, id) = (self.waits().clone(), self.next_id());
        let answer = waits.during(&what, limit, flag, || page.ask(&id));
        let purpose = format!("server metrics {when}");
        let answer = self.log_answer(answer, &what, &purpose)?;
        if answer.head.status == 200 {
            self.note_page(&String::from_utf8_lossy(&answer.body));
        }
        let found = understood(&answer);
        self.conclude(&match &found {
            Ok(found) => {
                let names: Vec<&str> = found.iter().map(|of| of.engine.name()).collect();
                format!("read, {}", names.join(", "))
            }
            Err(error) => error.to_string(),
        });
        found
    }
}

fn understood(answer: &ControlAnswer) -> Result<Vec<PageFigures>, PageError> {
    if answer.head.status != 200 {
        return Err(PageError::Status(answer.head.status));
    }
    let found = figures(&String::from_utf8_lossy(&answer.body));
    if found.is_empty() {
        return Err(PageError::Unknown);
    }
    Ok(found)
}
