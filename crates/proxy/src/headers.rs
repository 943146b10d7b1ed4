//! Which headers go on, to whom, and which are kept.
//!
//! Invariant: what belongs to one connection stays there (RFC 9110, 7.6.1), the users' keys (in headers and in queries)
//! reach the shadow only where that was asked for, and no header that may carry a key is ever kept.

use crate::seen::Header;
use crate::settings::{SetHeader, UserKeys};
use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
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
    // A length beside a coding is not the body's (RFC 9112, 6.3): without the coding it would be believed.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
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

/// Whether the body is as it was meant once its chunks are undone: whoever takes out another coding's name leaves bytes
/// that nobody can read.
pub(crate) fn is_chunked_at_most(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| {
        let coding = coding.as_bytes().trim_ascii();
        coding.eq_ignore_ascii_case(b"chunked")
    };
    codings.next().is_none_or(is_chunked) && codings.next().is_none()
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

    /// What the shadow is asked for: what of a query may carry a key stays with the primary, as such headers do.
    pub(crate) fn target(&self, user: &PathAndQuery) -> Option<PathAndQuery> {
        let Some(query) = user.query().filter(|_| self.keys == UserKeys::Removed) else {
            return Some(user.clone());
        };
        let pairs = query.split('&').filter(|pair| !pair_may_carry_key(pair));
        let pairs: Vec<&str> = pairs.collect();
        let target = match pairs.is_empty() {
            true => user.path().to_owned(),
            false => format!("{}?{}", user.path(), pairs.join("&")),
        };
        PathAndQuery::try_from(target).ok()
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

/// Whether a pair of a query may carry a key: its name says so, or is coded and may say anything. Some servers separate
/// pairs by semicolons as well.
fn pair_may_carry_key(pair: &str) -> bool {
    pair.split(';').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        name.contains('%') || may_carry_key(&name.to_ascii_lowercase())
    })
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
            ("host", "a"),
            ("x-stays", "1"),
        ]);
        let mut sized = headers.clone();
        headers.insert("content-length", HeaderValue::from_static("5"));
        take_out_connection(&mut headers);
        assert_eq!(names(&headers), ["host", "x-stays"], "the chunks count");
        sized.remove("transfer-encoding");
        sized.insert("content-length", HeaderValue::from_static("5"));
        take_out_connection(&mut sized);
        assert_eq!(names(&sized), ["content-length", "host", "x-stays"]);
    }

    #[test]
    fn chunks_are_the_only_coding_that_is_undone() {
        let check = |codings: &[&'static str], expect| {
            let pairs: Vec<_> = codings.iter().map(|c| ("transfer-encoding", *c)).collect();
            assert_eq!(is_chunked_at_most(&map(&pairs)), expect, "{codings:?}");
        };
        check(&[], true);
        check(&["chunked"], true);
        check(&["Chunked "], true);
        check(&["gzip"], false);
        check(&["gzip, chunked"], false);
        check(&["gzip", "chunked"], false);
        check(&["chunked", "chunked"], false);
    }

    #[test]
    fn users_keys_in_a_query_reach_the_shadow_only_where_asked_for() {
        let check = |keys, asked: &'static str, expect: &str| {
            let target = ForShadow::new(keys, &[])
                .expect("sound")
                .target(&PathAndQuery::from_static(asked));
            assert_eq!(target.expect("a target").as_str(), expect);
        };
        let removed = |asked, expect| check(UserKeys::Removed, asked, expect);
        removed("/v1/x", "/v1/x");
        removed("/v1/x?api-version=1&n=2", "/v1/x?api-version=1&n=2");
        removed("/v1/x?key=k", "/v1/x");
        removed("/v1/x?a=1&API_Key=k&b=2", "/v1/x?a=1&b=2");
        removed("/v1/x?a=1;access_token=k&b=2", "/v1/x?b=2");
        removed("/v1/x?%6bey=k&b=2", "/v1/x?b=2");
        removed("/v1/x?b=a%20key", "/v1/x?b=a%20key");
        check(UserKeys::Passed, "/v1/x?key=k&b=2", "/v1/x?key=k&b=2");
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
