//! Whether and where the server's own metrics are read during a run: `auto`, `off` or a URL.

use std::fmt;
use std::str::FromStr;

/// Where the server's metrics page is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ServerMetrics {
    /// At the target, where it has one that is known.
    #[default]
    Auto,
    /// It is not read.
    Off,
    /// Here.
    Url(String),
}

/// Why a text is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither auto, off nor a URL: write http://host:port/metrics")]
pub struct ServerMetricsError(String);

impl FromStr for ServerMetrics {
    type Err = ServerMetricsError;

    fn from_str(text: &str) -> Result<Self, ServerMetricsError> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            url if url.contains("://") => Ok(Self::Url(url.to_owned())),
            other => Err(ServerMetricsError(crate::text::inert(other, 80))),
        }
    }
}

impl fmt::Display for ServerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::Url(url) => url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_and_print() {
        for text in ["auto", "off", "http://host:9100/metrics"] {
            let place: ServerMetrics = text.parse().expect("a place");
            assert_eq!(place.to_string(), text);
        }
        assert!("on".parse::<ServerMetrics>().is_err());
        assert!("host:9100".parse::<ServerMetrics>().is_err());
    }
}
