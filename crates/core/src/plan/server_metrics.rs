//! Whether and where the server's own metrics are read during a run: `auto`, `off`, or URLs.

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

/// Pages that one run reads.
const PAGES_LIMIT: usize = 64;

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

/// Why a text is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerMetricsError {
    /// Neither.
    #[error("`{0}` is neither auto, off nor a URL: write http://host:port/metrics")]
    Unknown(String),
    /// A word beside URLs.
    #[error("`{0}` stands alone and not beside URLs: leave out one or the other")]
    Beside(&'static str),
    /// It is there already: its requests would count twice.
    #[error("{0} is given twice: leave one of them out")]
    Twice(String),
    /// More than are read.
    #[error("{0} pages are more than the {PAGES_LIMIT} that one run reads: leave some out")]
    Many(usize),
}

/// The word that a part is, where it is one.
fn word(part: &str) -> Option<&'static str> {
    ["auto", "off"].into_iter().find(|word| *word == part)
}

impl FromStr for ServerMetrics {
    type Err = ServerMetricsError;

    fn from_str(text: &str) -> Result<Self, ServerMetricsError> {
        match text {
            "auto" => return Ok(Self::Auto),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let parts = text.split(',').map(str::trim);
        if let Some(word) = parts
            .clone()
            .find_map(word)
            .filter(|_| text.contains("://"))
        {
            return Err(ServerMetricsError::Beside(word));
        }
        let mut urls: Vec<String> = Vec::new();
        for part in parts {
            match urls.last_mut() {
                _ if part.contains("://") => urls.push(part.to_owned()),
                // A comma within the URL before it.
                Some(url) if !part.is_empty() => {
                    url.push(',');
                    url.push_str(part);
                }
                _ => return Err(ServerMetricsError::Unknown(crate::text::inert(text, 80))),
            }
        }
        if urls.len() > PAGES_LIMIT {
            return Err(ServerMetricsError::Many(urls.len()));
        }
        for (index, url) in urls.iter().enumerate() {
            if urls[..index].contains(url) {
                return Err(ServerMetricsError::Twice(crate::text::inert(url, 80)));
            }
        }
        Ok(Self::Urls(urls))
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
        let many: Vec<String> = (0..=PAGES_LIMIT).map(|n| format!("http://h{n}")).collect();
        let error = many
            .join(",")
            .parse::<ServerMetrics>()
            .expect_err("too many");
        assert!(error.to_string().starts_with("65 pages"), "{error}");
    }
}
