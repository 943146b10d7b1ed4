//! Where the page of live metrics is served: an address of this machine, on the loopback unless another is named.
//!
//! Nothing listens here. Invariant: what is printed reads back as the same address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expose(pub SocketAddr);

/// Where none is named. Not 9090 to 9499, where Prometheus and common exporters are.
const PORT: u16 = 9599;

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address to listen on: write IP:PORT (127.0.0.1:9599, [::1]:9599), or a port alone for the \
     loopback (9599; 0 is any free one)"
)]
pub struct ExposeError(String);

impl Expose {
    /// Machines other than this one can read it.
    pub fn is_open(self) -> bool {
        !self.0.ip().to_canonical().is_loopback()
    }
}

impl FromStr for Expose {
    type Err = ExposeError;

    fn from_str(text: &str) -> Result<Self, ExposeError> {
        let text = text.trim();
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = text.strip_prefix("localhost:").or(text.strip_prefix(':'));
        if let Ok(port) = port.unwrap_or(text).parse::<u16>() {
            return Ok(Self(SocketAddr::new(loopback, port)));
        }
        if text == "localhost" {
            return Ok(Self(SocketAddr::new(loopback, PORT)));
        }
        let bare = text.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
        if let Ok(ip) = bare.unwrap_or(text).parse::<IpAddr>() {
            return Ok(Self(SocketAddr::new(ip, PORT)));
        }
        let bad = |_| ExposeError(crate::text::inert(text, 80));
        text.parse().map(Self).map_err(bad)
    }
}

impl fmt::Display for Expose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let expose: Expose = text.parse().expect("an address");
        assert_eq!(expose.to_string(), expect);
        assert_eq!(expect.parse(), Ok(expose));
    }

    #[test]
    fn addresses_and_ports_read_and_print() {
        check("9100", "127.0.0.1:9100");
        check(":0", "127.0.0.1:0");
        check("localhost", "127.0.0.1:9599");
        check("localhost:80", "127.0.0.1:80");
        check("127.0.0.1", "127.0.0.1:9599");
        check("0.0.0.0:1", "0.0.0.0:1");
        check("::1", "[::1]:9599");
        check("[::1]", "[::1]:9599");
        check("[::]:7", "[::]:7");
    }

    #[test]
    fn what_is_no_address_is_said() {
        for text in [
            "",
            "host:9599",
            "70000",
            "1.2.3:4",
            "http://127.0.0.1:1",
            "-1",
            "[::1",
            "a\nb",
        ] {
            let error = text.parse::<Expose>().expect_err(text);
            assert!(error.to_string().contains("IP:PORT"), "{error}");
        }
    }

    #[test]
    fn the_loopback_is_not_open() {
        for (text, open) in [
            ("127.0.0.5:1", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("0.0.0.0", true),
            ("[::]:1", true),
            ("10.0.0.1:1", true),
        ] {
            assert_eq!(
                text.parse::<Expose>().expect(text).is_open(),
                open,
                "{text}"
            );
        }
    }
}
