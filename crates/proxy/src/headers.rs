//! Which headers go on, to whom, and which are kept.
//!
//! Invariant: what belongs to one connection stays there (RFC 9110, 7.6.1), the users' keys reach the shadow only where
//! that was asked for, and no header that may carry a key is ever kept.

use crate::seen::Header;
use crate::settings::{SetHeader, UserKeys};
use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};
use infermeter_core::text::inert_bytes;

/// How the proxy calls itself in `Via`.
const VIA: &str = "1.1 infermeter";

/// Headers of one connection. `Expect` was met by the proxy itself.
const OF_CONNECTION: [&str; 10] = [
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is kept of requests and answers: what tells APIs, sessions, traces and the server's own times.
const KEPT: [&str; 22] = [
    "accept",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "openai-processing-ms",
    "request-id",
    "retry-after",
    "server",
    "server-timing",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "x-client-request-id",
    "x-conversation-id",
    "x-correlation-id",
    "x-envoy-upstream-service-time",
    "x-inference-time",
    "x-request-id",
    "x-session-affinity",
    "x-session-id",
];

/// A name that holds one of these may carry a key.
const SECRET: [&str; 8] = [
    "auth",
    "cookie",
    "credential",
    "key",
    "passw",
    "secret",
    "signature",
    "token",
];

/// Longest value that is kept, bytes.
const VALUE_BYTES: usize = 1024;

/// Takes out what belongs to the connection that a message came on.
pub(crate) fn take_out_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        // They say what the message is, not what the connection is.
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in OF_CONNECTION {
        headers.remove(name);
    }
}

/// Names the upstream and the proxy in a request.
pub(crate) fn address_to(headers: &mut HeaderMap, host: &HeaderValue) {
    headers.insert(header::HOST, host.clone());
    headers.append(header::VIA, HeaderValue::from_static(VIA));
}

/// Headers of a request that were made for the shadow.
#[derive(Debug, Clone)]
pub(crate) struct ForShadow {
    pub(crate) keys: UserKeys,
    pub(crate) set: Vec<(HeaderName, HeaderValue)>,
}

impl ForShadow {
    /// Reads the headers that are set.
    ///
    /// # Errors
    /// The name of the one that is no header.
    pub(crate) fn new(keys: UserKeys, set: &[SetHeader]) -> Result<Self, String> {
        let parsed = set.iter().map(|header| {
            let bad = || header.name.clone();
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(&header.value).map_err(|_| bad())?;
            value.set_sensitive(true);
            match is_framing(&name) {
                true => Err(bad()),
                false => Ok((name, value)),
            }
        });
        Ok(Self {
            keys,
            set: parsed.collect::<Result<_, String>>()?,
        })
    }

    /// The shadow's headers, from those of a request without what belongs to its connection.
    pub(crate) fn headers(&self, user: &HeaderMap) -> HeaderMap {
        let mut headers = user.clone();
        if self.keys == UserKeys::Removed {
            let secret: Vec<HeaderName> = headers
                .keys()
                .filter(|name| may_carry_key(name.as_str()))
                .cloned()
                .collect();
            for name in secret {
                headers.remove(name);
            }
        }
        // The body is sent whole, and may have been rewritten.
        headers.remove(header::CONTENT_LENGTH);
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }
}

/// Headers that nobody sets: they are the proxy's own.
fn is_framing(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH
        || *name == header::HOST
        || OF_CONNECTION.contains(&name.as_str())
}

/// Whether a header of this name may carry a key.
fn may_carry_key(name: &str) -> bool {
    SECRET.iter().any(|part| name.contains(part))
}

/// Which headers are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    further: Vec<String>,
}

impl Kept {
    pub(crate) fn new(further: &[String]) -> Self {
        let further = further.iter().map(|name| name.to_ascii_lowercase());
        Self {
            further: further.collect(),
        }
    }

    pub(crate) fn of(&self, headers: &HeaderMap) -> Vec<Header> {
        headers
            .iter()
            .filter(|(name, _)| self.keeps(name.as_str()))
            .map(|(name, value)| Header {
                name: name.as_str().to_owned(),
                value: inert_bytes(value.as_bytes(), VALUE_BYTES),
            })
            .collect()
    }

    fn keeps(&self, name: &str) -> bool {
        let is_wanted = KEPT.contains(&name) || self.further.iter().any(|kept| kept == name);
        is_wanted && !may_carry_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let mut headers = map(&[
            ("connection", "close, X-Hop, content-length, host"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("host", "a"),
            ("x-stays", "1"),
        ]);
        take_out_connection(&mut headers);
        assert_eq!(names(&headers), ["content-length", "host", "x-stays"]);
    }

    #[test]
    fn users_keys_reach_the_shadow_only_where_asked_for() {
        let user = map(&[
            ("authorization", "Bearer user"),
            ("x-api-key", "user"),
            ("cookie", "a=b"),
            ("content-length", "5"),
            ("accept", "*/*"),
        ]);
        let set = [SetHeader {
            name: "Authorization".to_owned(),
            value: "Bearer shadow".to_owned(),
        }];
        let removed = ForShadow::new(UserKeys::Removed, &[]).expect("sound");
        assert_eq!(names(&removed.headers(&user)), ["accept"]);
        let own = ForShadow::new(UserKeys::Removed, &set).expect("sound");
        assert_eq!(own.headers(&user)["authorization"], "Bearer shadow");
        let passed = ForShadow::new(UserKeys::Passed, &[]).expect("sound");
        let headers = passed.headers(&user);
        assert_eq!(headers["authorization"], "Bearer user");
        assert_eq!(
            names(&headers),
            ["accept", "authorization", "cookie", "x-api-key"]
        );
        assert!(!format!("{set:?} {own:?}").contains("Bearer shadow"));
    }

    #[test]
    fn framing_is_nobodys_to_set() {
        for name in ["content-length", "Transfer-Encoding", "host", "not a name"] {
            let set = [SetHeader {
                name: name.to_owned(),
                value: "1".to_owned(),
            }];
            assert_eq!(
                ForShadow::new(UserKeys::Removed, &set).err().as_deref(),
                Some(name)
            );
        }
    }

    #[test]
    fn a_header_that_may_carry_a_key_is_never_kept() {
        let further = ["authorization", "X-API-Key", "set-cookie", "x-own"];
        let kept = Kept::new(&further.map(str::to_owned));
        let headers = map(&[
            ("authorization", "secret"),
            ("x-api-key", "secret"),
            ("set-cookie", "secret"),
            ("x-own", "mine"),
            ("content-type", "text/plain"),
            ("x-unknown", "not kept"),
        ]);
        let mut kept: Vec<String> = kept.of(&headers).into_iter().map(|h| h.name).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["content-type", "x-own"]);
    }
}
