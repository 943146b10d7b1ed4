//! What is said about an answer that is no answer: another status, another kind of content.

use super::ResponseReader;
use crate::answer::{error_message, failure};
use crate::limits::QUOTED_BYTES;
use infermeter_core::record::{Reason, RequestError};
use infermeter_core::text::inert_bytes;

impl ResponseReader {
    pub(super) fn status_failure(&self) -> RequestError {
        let head = self.http.head();
        let mut text = format!("status {}", head.status);
        if let Some(location) = &head.location {
            text.push_str(&format!(" (to {location}; redirects are not followed)"));
        }
        let message = error_message(&self.held);
        if !message.is_empty() {
            text.push_str(": ");
            text.push_str(&message);
        }
        failure(Reason::HttpStatus, text)
    }

    pub(super) fn unexpected_failure(&self) -> RequestError {
        let head = self.http.head();
        let asked = if self.expect.streaming {
            "text/event-stream"
        } else {
            "application/json"
        };
        let came = head.content_type.as_deref().unwrap_or("no content-type");
        let coding = head.content_encoding.as_deref();
        let coding = coding.map(|c| format!(" coded as {c}")).unwrap_or_default();
        let quoted = inert_bytes(&self.held, QUOTED_BYTES);
        let text = format!("asked for {asked}, got {came}{coding}: {quoted}");
        failure(Reason::UnexpectedContent, text)
    }
}
