//! Where spans of requests are received during a run.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Where spans are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpansAt {
    /// On loopback at the usual port of OTLP over HTTP; of the embedded simulator at any free one.
    Auto,
    /// Here. Port 0 takes a free one.
    At(SocketAddr),
}

/// The usual port of OTLP over HTTP.
const OTLP_HTTP: u16 = 4318;

impl SpansAt {
    /// The address where a served engine's spans are received.
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Auto => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), OTLP_HTTP),
            Self::At(address) => address,
        }
    }

    /// That of the embedded simulator's, which is told where to send them.
    pub fn address_of_simulator(self) -> SocketAddr {
        match self {
            Self::Auto => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            Self::At(address) => address,
        }
    }
}

/// Why a text is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address and port: write 127.0.0.1:4318, or 0.0.0.0:4318 for other hosts")]
pub struct SpansAtError(String);

impl FromStr for SpansAt {
    type Err = SpansAtError;

    fn from_str(text: &str) -> Result<Self, SpansAtError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let address = text.parse().map(Self::At);
        address.map_err(|_| SpansAtError(crate::text::inert(text, 80)))
    }
}

impl fmt::Display for SpansAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::At(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_and_print() {
        for text in ["auto", "127.0.0.1:4318", "0.0.0.0:0", "[::1]:4318"] {
            let place: SpansAt = text.parse().expect("a place");
            assert_eq!(place.to_string(), text);
        }
        assert_eq!(SpansAt::Auto.address().to_string(), "127.0.0.1:4318");
        assert_eq!(SpansAt::Auto.address_of_simulator().port(), 0);
        for text in ["", "4318", "localhost:4318", "127.0.0.1", "on"] {
            assert!(text.parse::<SpansAt>().is_err(), "{text}");
        }
    }
}
