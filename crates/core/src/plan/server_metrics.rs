//! Whether and where the server's own metrics are read during a run: `auto`, `off`, or URLs.

use super::places::{Listed, PlacesError, listed};
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
    /// Here, at least once: replicas, pools, a router and what is behind it.
    Urls(Vec<String>),
}

impl ServerMetrics {
    /// The pages that it names.
    pub fn urls(&self) -> &[String] {
        match self {
            Self::Auto | Self::Off => &[],
            Self::Urls(urls) => urls,
        }
    }

    /// The same with other URLs.
    #[must_use]
    pub fn with_urls(&self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Auto => Self::Auto,
            Self::Off => Self::Off,
            Self::Urls(urls) => Self::Urls(urls.iter().map(|url| change(url)).collect()),
        }
    }
}

impl FromStr for ServerMetrics {
    type Err = PlacesError;

    fn from_str(text: &str) -> Result<Self, PlacesError> {
        let expected = "auto, off nor a URL: write http://host:port/metrics";
        Ok(match listed(text, |part| part.contains("://"), expected)? {
            Listed::Auto => Self::Auto,
            Listed::Off => Self::Off,
            Listed::Places(urls) => Self::Urls(urls),
        })
    }
}

impl fmt::Display for ServerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Urls(urls) => f.write_str(&urls.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::places::PLACES_LIMIT;
    use super::*;

    #[test]
    fn places_read_and_print() {
        for text in [
            "auto",
            "off",
            "http://host:9100/metrics",
            "http://a:1/metrics, http://b:2?x=1,2",
        ] {
            let place: ServerMetrics = text.parse().expect("a place");
            assert_eq!(place.to_string(), text);
        }
        assert!("on".parse::<ServerMetrics>().is_err());
        assert!("host:9100".parse::<ServerMetrics>().is_err());
        let two: ServerMetrics = "http://a,https://b".parse().expect("two places");
        assert_eq!(two.urls(), ["http://a", "https://b"]);
        for text in [
            "http://a, off",
            "auto, http://a",
            "http://a,",
            "http://a, http://a",
        ] {
            assert!(text.parse::<ServerMetrics>().is_err(), "{text}");
        }
        let error = "off, http://a"
            .parse::<ServerMetrics>()
            .expect_err("a word beside a URL");
        assert!(
            error.to_string().starts_with("`off` stands alone"),
            "{error}"
        );
        let many: Vec<String> = (0..=PLACES_LIMIT).map(|n| format!("http://h{n}")).collect();
        let error = many
            .join(",")
            .parse::<ServerMetrics>()
            .expect_err("too many");
        assert!(error.to_string().starts_with("65 places"), "{error}");
    }
}
