//! What is said about an answer that is no answer: another status, another kind of content.

use super::ResponseReader;
use crate::answer::{error_message, failure};
use crate::limits::QUOTED_BYTES;
use infermeter_core::oddity::Oddity;
use infermeter_core::record::{Reason, RequestError};
use infermeter_core::text::inert_bytes;

impl ResponseReader {
    pub(super) fn status_failure(&self) -> RequestError {
        let head = self.http.head();
        let mut text = format!("status {}", head.status);
        if let Some(location) = &head.location {
            text.push_str(&format!(" (to {location}; redirects are not followed)"));
        }
        if let Some(after) = &head.retry_after {
            text.push_str(&format!(" (Retry-After: {after})"));
        }
        if let Some(coding) = &head.content_encoding {
            text.push_str(&format!(" (the body is coded as {coding})"));
            return failure(Reason::HttpStatus, text);
        }
        let message = error_message(&self.held);
        if !message.is_empty() {
            text.push_str(": ");
            text.push_str(&message);
        }
        failure(Reason::HttpStatus, text)
    }

    /// A body of another kind than was asked for, or coded in a way that was not asked for.
    pub(super) fn unexpected_failure(&self) -> RequestError {
        let head = self.http.head();
        let text = match &head.content_encoding {
            // Its bytes say nothing to a reader.
            Some(coding) => format!(
                "the answer is coded as {coding}, and the request accepts no coding: leave \
                 accept-encoding out of --header, or turn compression off before the server"
            ),
            None => {
                let quoted = inert_bytes(&self.held, QUOTED_BYTES);
                format!("{}: {quoted}", self.asked_and_got())
            }
        };
        failure(Reason::UnexpectedContent, text)
    }

    /// What was not labelled as the kind asked for, and does not read as it, is something else.
    pub(super) fn perhaps_unexpected(&self, error: RequestError) -> RequestError {
        let broken = matches!(
            error.reason,
            Reason::MalformedEvent | Reason::Truncated | Reason::NoTokens
        );
        let odd = self.oddities.contains(Oddity::Mislabelled);
        if broken && odd && self.answer.chunks().is_empty() {
            return self.unexpected_failure();
        }
        error
    }

    fn asked_and_got(&self) -> String {
        let asked = if self.expect.streaming {
            "text/event-stream"
        } else {
            "application/json"
        };
        let head = self.http.head();
        let came = head.content_type.as_deref().unwrap_or("no content-type");
        format!("asked for {asked}, got {came}")
    }
}
