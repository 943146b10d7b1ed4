//! Messages to a URL: JSON by POST, with limits.
//!
//! Decides nothing of what is said. Invariants: nothing is sent while something is measured; a message is delivered
//! once the URL has answered with a status of 2xx, and until then it waits; those that wait are limited, and what is
//! dropped is counted; the URL is never shown beyond its host.

use super::pace::{Pace, Waited};
use anyhow::{Result, anyhow, bail};
use infermeter_client::control::{Channel, reach};
use infermeter_client::encode::{Headers, Target, encode_get};
use infermeter_client::engine::Route;
use infermeter_client::tls::{Trust, tls_for};
use infermeter_core::text::inert;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Duration;

/// Time to connect, and for the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Waits before the second and the third try.
const WAITS_NS: [i64; 2] = [1_000_000_000, 4_000_000_000];
/// Messages that wait for a URL that takes none.
const MOST_WAITING: usize = 100;
/// Longest message, bytes: chat services take no more.
const LONGEST: usize = 64 << 10;

/// A URL that is told what happens.
#[derive(Debug)]
pub struct Webhook {
    target: Target,
    /// Path and query, as they are sent.
    path: String,
    /// The URL without what may be secret: paths of chat services are.
    shown: String,
    waiting: VecDeque<Vec<u8>>,
    dropped: u64,
}

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Messages that were delivered.
    pub delivered: usize,
    /// Those that wait.
    pub waiting: usize,
    /// Those that were dropped since the beginning: too many waited, or one was too long.
    pub dropped: u64,
    /// Why the first of those that wait was not delivered.
    pub why: Option<String>,
}

impl Webhook {
    /// Takes a URL, and asks nobody.
    ///
    /// # Errors
    /// Where it is none.
    pub fn to(url: &str) -> Result<Self> {
        let url = url.trim();
        let mut schemes = ["http://", "https://"].into_iter();
        let Some(scheme) = schemes.find(|scheme| url.starts_with(scheme)) else {
            bail!("--webhook: give a URL of http:// or https://");
        };
        let host = &url[scheme.len()..];
        let end = scheme.len() + host.find(['/', '?', '#']).unwrap_or(host.len());
        let (base, path) = url.split_at(end);
        let target = Target::parse(base).map_err(|e| anyhow!("--webhook: {e}"))?;
        let path = path.split('#').next().unwrap_or_default();
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("--webhook: write what is not plain in its path as %XX");
        }
        Ok(Self {
            shown: format!("{scheme}{}/...", inert(&target.authority(), 100)),
            path: match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/{path}"),
            },
            target,
            waiting: VecDeque::new(),
            dropped: 0,
        })
    }

    /// Whom it tells, as far as that may be shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Puts a message behind those that wait.
    pub fn add(&mut self, message: &impl Serialize) {
        match serde_json::to_vec(message) {
            Ok(body) if body.len() <= LONGEST => self.waiting.push_back(body),
            Ok(_) | Err(_) => self.dropped += 1,
        }
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    /// Sends what waits, in order: each up to three times. The first that is not taken ends it, and what is left waits
    /// for the next time.
    pub fn deliver(&mut self, pace: &mut dyn Pace) -> Delivery {
        let (mut delivered, mut why) = (0, None);
        while let Some(body) = self.waiting.front() {
            if let Err(error) = self.try_several_times(body, pace) {
                why = Some(format!("{error:#}"));
                break;
            }
            self.waiting.pop_front();
            delivered += 1;
        }
        Delivery {
            delivered,
            waiting: self.waiting.len(),
            dropped: self.dropped,
            why,
        }
    }

    fn try_several_times(&self, body: &[u8], pace: &mut dyn Pace) -> Result<()> {
        for wait in WAITS_NS {
            if self.post(body).is_ok() {
                return Ok(());
            }
            let at = pace.now_ns().saturating_add(wait);
            if pace.wait_until(at) == Waited::Stopped {
                break;
            }
        }
        self.post(body)
    }

    fn post(&self, body: &[u8]) -> Result<()> {
        let target = &self.target;
        // Causes may name the URL whole.
        let failed = |why: &str| anyhow!("--webhook {}: {why}", self.shown);
        let reached = reach(target.host(), target.port(), TIMEOUT);
        let reached = reached.map_err(|error| failed(&error.to_string()))?;
        let tls = match target.is_https() {
            true => Some(tls_for(target.host(), Trust::Platform)?),
            false => None,
        };
        let channel = Channel {
            route: Route::to(reached.addresses[0], tls),
            connect_timeout: TIMEOUT,
            timeout: TIMEOUT,
        };
        let answer = channel.exchange(&self.request(body));
        let status = answer
            .map_err(|error| failed(&error.to_string()))?
            .head
            .status;
        match status {
            200..300 => Ok(()),
            _ => Err(failed(&format!("it answers with status {status}"))),
        }
    }

    fn request(&self, body: &[u8]) -> Vec<u8> {
        let get = encode_get(&self.target, &self.path, &Headers::default());
        let mut request = b"POST".to_vec();
        // Its empty line ends the head.
        request.extend_from_slice(&get[b"GET".len()..get.len() - 2]);
        let head = format!(
            "content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body);
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Time that passes by itself.
    struct Passing(i64);

    impl Pace for Passing {
        fn now_ns(&self) -> i64 {
            self.0
        }

        fn unix_ns(&self) -> i64 {
            self.0
        }

        fn is_stopped(&self) -> bool {
            false
        }

        fn wait_until(&mut self, at_ns: i64) -> Waited {
            self.0 = at_ns;
            Waited::Due
        }
    }

    #[test]
    fn what_nobody_takes_waits_and_is_limited() {
        let mut hook = Webhook::to("http://127.0.0.1:1/secret/path").expect("a URL");
        assert_eq!(hook.shown(), "http://127.0.0.1:1/...");
        for number in 0..MOST_WAITING + 3 {
            hook.add(&json!({ "number": number }));
        }
        hook.add(&"x".repeat(LONGEST));
        let mut pace = Passing(0);
        let went = hook.deliver(&mut pace);
        assert_eq!((went.delivered, went.waiting), (0, MOST_WAITING));
        assert_eq!(went.dropped, 4);
        let why = went.why.expect("nobody is there");
        assert!(!why.contains("secret"), "{why}");
        assert_eq!(pace.0, WAITS_NS.iter().sum::<i64>(), "three tries");
        assert_eq!(hook.waiting.front().expect("one"), br#"{"number":3}"#);
    }

    #[test]
    fn a_message_is_a_post_of_json() {
        let hook = Webhook::to("http://localhost:9/hook?x=1").expect("a URL");
        let text = String::from_utf8(hook.request(b"{}")).expect("text");
        assert!(text.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{text}");
        assert!(
            text.contains("\r\ncontent-type: application/json\r\n"),
            "{text}"
        );
        assert!(
            text.ends_with("content-length: 2\r\nconnection: close\r\n\r\n{}"),
            "{text}"
        );
        let bare = Webhook::to("https://me:pw@hooks.example?sig=abc").expect("a URL");
        assert_eq!(bare.shown(), "https://hooks.example:443/...");
        assert!(
            bare.request(b"")
                .starts_with(b"POST /?sig=abc HTTP/1.1\r\n")
        );
        for wrong in ["not a url", "ftp://host/x", "http://host/a b", "http://"] {
            assert!(Webhook::to(wrong).is_err(), "{wrong}");
        }
    }
}
