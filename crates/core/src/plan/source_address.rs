//! An address of the client's host that connections come from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address of the client's host that connections come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceAddress(pub IpAddr);

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an IP address: write one of this host's, without a port, as in 10.0.0.5 or fd00::5"
)]
pub struct SourceAddressError(String);

impl FromStr for SourceAddress {
    type Err = SourceAddressError;

    fn from_str(text: &str) -> Result<Self, SourceAddressError> {
        let address = text.parse().map(Self);
        address.map_err(|_| SourceAddressError(crate::text::inert(text, 80)))
    }
}

impl fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for text in ["10.0.0.5", "fd00::5", "::1"] {
            let address: SourceAddress = text.parse().expect("an address");
            assert_eq!(address.to_string(), text);
        }
        for text in ["", "10.0.0.5:80", "[fd00::5]", "host", "10.0.0.0/24"] {
            assert!(text.parse::<SourceAddress>().is_err(), "{text}");
        }
    }
}
