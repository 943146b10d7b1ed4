//! Answers that refuse: an error status with a body that says why, in vLLM's shape.

use crate::http::HttpError;
use infermeter_core::text::inert;

/// A whole response that is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    /// One more header line with its line end, or nothing.
    header: &'static str,
}

/// Longest piece of a request that is quoted back, bytes.
const MAX_QUOTE: usize = 200;

/// Less similar names (Jaro-Winkler, 0 to 1) are no suggestion.
const SIMILAR: f64 = 0.75;

impl Refusal {
    /// An error of vLLM's API.
    fn error(status: u16, kind: &str, message: &str) -> Self {
        Self::raw_error(status, kind, &inert(message, 4 * MAX_QUOTE))
    }

    fn raw_error(status: u16, kind: &str, message: &str) -> Self {
        let body = serde_json::json!({
            "error": {"message": message, "type": kind, "param": null, "code": status}
        });
        Self {
            status,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
            header: "",
        }
    }

    /// 400 with a message.
    pub fn bad_request(message: impl AsRef<str>) -> Self {
        Self::error(400, "BadRequestError", message.as_ref())
    }

    /// 404: other models are served.
    pub fn no_such_model<'a>(model: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let given = model.to_ascii_lowercase();
        let closest = known
            .map(|name| {
                (
                    strsim::jaro_winkler(&given, &name.to_ascii_lowercase()),
                    name,
                )
            })
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = closest.map_or_else(String::new, |(_, name)| {
            format!(" Did you mean `{}`?", inert(name, MAX_QUOTE))
        });
        let model = inert(model, MAX_QUOTE);
        let message = format!("The model `{model}` does not exist.{hint}");
        Self::error(404, "NotFoundError", &message)
    }

    /// 404: no such path.
    pub fn no_such_path() -> Self {
        Self::detail(404, "Not Found", "")
    }

    /// 405: the path takes another method.
    pub fn wrong_method(allow_header: &'static str) -> Self {
        Self::detail(405, "Method Not Allowed", allow_header)
    }

    fn detail(status: u16, detail: &str, header: &'static str) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: serde_json::json!({ "detail": detail })
                .to_string()
                .into_bytes(),
            header,
        }
    }

    /// 403: the simulator is not changed that way.
    pub fn forbidden(why: &str) -> Self {
        Self::error(403, "PermissionDeniedError", why)
    }

    /// 415: parameters come as JSON.
    pub fn not_json() -> Self {
        let why = "parameters are JSON: send the header `content-type: application/json`";
        Self::error(415, "UnsupportedMediaTypeError", why)
    }

    /// 401: no key, or a wrong one.
    pub fn unauthorized() -> Self {
        Self {
            status: 401,
            content_type: "application/json",
            body: br#"{"error":"Unauthorized"}"#.to_vec(),
            header: "www-authenticate: Bearer\r\n",
        }
    }

    /// What is no request at all.
    pub fn of_http(error: &HttpError) -> Self {
        match error {
            HttpError::NoRoom(_) => Self::not_ready(&error.to_string()),
            HttpError::Malformed(_) | HttpError::HeadTooLong | HttpError::BodyTooLong => {
                Self::error(error.status(), "BadRequestError", &error.to_string())
            }
        }
    }

    /// A status asked for as a fault.
    pub fn by_fault(status: u16) -> Self {
        let kind = match status {
            300..=399 => "Redirect",
            401 => "AuthenticationError",
            404 => "NotFoundError",
            429 => "RateLimitError",
            400..=499 => "BadRequestError",
            _ => "InternalServerError",
        };
        let mut refusal = Self::error(status, kind, &format!("status {status} on demand"));
        refusal.header = match status {
            300..=399 => "location: /v1/models\r\n",
            429 | 503 => "retry-after: 1\r\n",
            _ => "",
        };
        refusal
    }

    /// 503: the engine is not there yet.
    pub fn not_ready(why: &str) -> Self {
        Self {
            header: "retry-after: 1\r\n",
            ..Self::error(503, "ServiceUnavailableError", why)
        }
    }

    /// 503 or 429: the queue is full.
    pub fn queue_full(status: u16, why: &str) -> Self {
        let kind = match status {
            429 => "RateLimitError",
            _ => "ServiceUnavailableError",
        };
        Self {
            header: "retry-after: 1\r\n",
            ..Self::error(status, kind, why)
        }
    }

    /// 400 whose message carries what must never reach a terminal or a page.
    pub fn escaped() -> Self {
        Self::raw_error(400, "BadRequestError", crate::render::HOSTILE_TEXT)
    }

    /// A page as a proxy would send it.
    pub fn page(status: u16) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\
             <body><h1>{status}</h1><p>A proxy was here.</p></body></html>\n"
        );
        Self {
            status,
            content_type: "text/html",
            body: body.into_bytes(),
            header: "",
        }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body's content type.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// A header line beyond the usual ones.
    pub fn header(&self) -> &'static str {
        self.header
    }
}
