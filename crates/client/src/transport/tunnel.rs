//! Asking a proxy for a way through (`CONNECT`, RFC 9110, 9.3.6), sans-IO.
//!
//! Invariant: nothing of the proxy's answer reaches the server's side, and nothing behind its head is
//! lost.

use super::problem::TunnelError;
use super::route::Tunnel;
use crate::encode::USER_AGENT;
use crate::http::{HttpError, StatusLine, status_line};
use crate::limits::Limits;

/// The question and, as far as it has come, the answer.
#[derive(Debug)]
pub(super) struct Asking {
    authority: String,
    held: Vec<u8>,
}

impl Asking {
    /// Asks for this way.
    pub(super) fn of(tunnel: &Tunnel) -> Self {
        Self {
            authority: tunnel.authority.clone(),
            held: Vec::new(),
        }
    }

    /// Takes bytes of the answer. Once the way is open: what came behind the answer.
    ///
    /// # Errors
    /// The proxy gives no way through.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, TunnelError> {
        self.held.extend_from_slice(bytes);
        // Only a line's end can complete a head: one that dribbles in is not parsed once per byte.
        if memchr::memchr(b'\n', bytes).is_none() {
            return self.within_limit();
        }
        while let Some(StatusLine { used, status, said }) = status_line(&self.held)? {
            match status {
                100..200 => {}
                200..300 => return Ok(Some(self.held.split_off(used))),
                407 => return Err(TunnelError::Credentials),
                _ => {
                    let authority = std::mem::take(&mut self.authority);
                    return Err(TunnelError::Refused {
                        authority,
                        status,
                        said,
                    });
                }
            }
            self.held.drain(..used);
        }
        self.within_limit()
    }

    fn within_limit(&self) -> Result<Option<Vec<u8>>, TunnelError> {
        match Limits::DEFAULT.head_bytes {
            most if self.held.len() >= most => Err(HttpError::HeadTooLong(most).into()),
            _ => Ok(None),
        }
    }
}

/// The question as bytes.
pub(super) fn question(tunnel: &Tunnel) -> Vec<u8> {
    let authority = &tunnel.authority;
    let mut text = format!(
        "CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: {USER_AGENT}\r\n"
    );
    if let Some(value) = &tunnel.authorization {
        text.push_str(&format!("proxy-authorization: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel() -> Tunnel {
        Tunnel {
            authority: "llm.example:443".to_owned(),
            authorization: Some("Basic dTpw".to_owned()),
        }
    }

    /// Feeds an answer, whole and byte by byte: what came behind it, or what is wrong.
    #[track_caller]
    fn check(answer: &str, expect: Result<Option<&str>, &str>) {
        for size in [answer.len(), 1] {
            let mut asking = Asking::of(&tunnel());
            let mut behind: Option<Vec<u8>> = None;
            let mut problem = None;
            for part in answer.as_bytes().chunks(size) {
                match &mut behind {
                    Some(behind) => behind.extend_from_slice(part),
                    None => match asking.read(part) {
                        Ok(found) => behind = found,
                        Err(error) => {
                            problem = Some(error.to_string());
                            break;
                        }
                    },
                }
            }
            let behind = behind.map(|b| String::from_utf8(b).expect("as sent"));
            match expect {
                Ok(expect) => assert_eq!((behind.as_deref(), problem), (expect, None)),
                Err(words) => {
                    let problem = problem.expect("refused");
                    assert!(problem.contains(words), "{problem}");
                }
            }
        }
    }

    #[test]
    fn the_way_is_open_behind_a_2xx_head_whatever_it_says_of_a_body() {
        check("HTTP/1.1 200 Connection established\r\n\r\n", Ok(Some("")));
        check(
            "HTTP/1.0 200 OK\r\ncontent-length: 7\r\n\r\n\x16\x03tls",
            Ok(Some("\x16\x03tls")),
        );
        check(
            "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            Ok(Some("")),
        );
        check("HTTP/1.1 200 OK\r\nvia: x\r\n", Ok(None));
    }

    #[test]
    fn a_refusal_says_whose_it_is_and_of_what() {
        check("HTTP/1.1 407 No\r\n\r\n", Err("USER:PASSWORD@"));
        let refused = "no way to llm.example:443: status 502 (Bad Gateway)";
        check("HTTP/1.1 502 Bad Gateway\r\n\r\nsorry", Err(refused));
        check(
            "SSH-2.0-OpenSSH_9.6\r\n\r\n",
            Err("not answer CONNECT in HTTP"),
        );
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000));
        check(&endless, Err("HTTP"));
    }

    #[test]
    fn the_question_names_the_server_and_carries_the_credentials() {
        let text = String::from_utf8(question(&tunnel())).expect("ASCII");
        assert!(text.starts_with("CONNECT llm.example:443 HTTP/1.1\r\nhost: llm.example:443\r\n"));
        assert!(text.ends_with("proxy-authorization: Basic dTpw\r\n\r\n"));
        let shown = format!("{:?}", tunnel());
        assert!(!shown.contains("dTpw"), "{shown}");
    }
}
