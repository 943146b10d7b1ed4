//! Whether and where the GPUs' metrics are read during a run: `auto`, `off`, `nvml`, URLs of exporters.

use super::places::{Listed, PlacesError, listed};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where GPUs are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GpuMetrics {
    /// By NVML, where it is here and the target is on this host; the embedded simulator's own page.
    #[default]
    Auto,
    /// They are not read.
    Off,
    /// Here, at least once.
    At(Vec<GpuSource>),
}

/// One place to read GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuSource {
    /// NVIDIA's library for management on this host, where the loader finds it.
    Nvml,
    /// The same in this file.
    NvmlAt(PathBuf),
    /// The page of an exporter.
    Url(String),
}

impl GpuMetrics {
    /// The pages that it names.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.places().iter().filter_map(|place| match place {
            GpuSource::Url(url) => Some(&**url),
            GpuSource::Nvml | GpuSource::NvmlAt(_) => None,
        })
    }

    /// The places that it names.
    pub fn places(&self) -> &[GpuSource] {
        match self {
            Self::Auto | Self::Off => &[],
            Self::At(places) => places,
        }
    }

    /// The same with other URLs.
    #[must_use]
    pub fn with_urls(&self, change: impl Fn(&str) -> String) -> Self {
        let changed = |place: &GpuSource| match place {
            GpuSource::Url(url) => GpuSource::Url(change(url)),
            GpuSource::Nvml | GpuSource::NvmlAt(_) => place.clone(),
        };
        match self {
            Self::Auto => Self::Auto,
            Self::Off => Self::Off,
            Self::At(places) => Self::At(places.iter().map(changed).collect()),
        }
    }
}

impl FromStr for GpuMetrics {
    type Err = PlacesError;

    fn from_str(text: &str) -> Result<Self, PlacesError> {
        let expected = "auto, off, nvml nor a URL: write the address of an exporter, such as \
                        http://host:9400/metrics";
        let is_place = |part: &str| place(part).is_some();
        Ok(match listed(text, is_place, expected)? {
            Listed::Auto => Self::Auto,
            Listed::Off => Self::Off,
            Listed::Places(all) => Self::At(all.iter().filter_map(|one| place(one)).collect()),
        })
    }
}

fn place(part: &str) -> Option<GpuSource> {
    match part {
        "nvml" => Some(GpuSource::Nvml),
        part if part.contains("://") => Some(GpuSource::Url(part.to_owned())),
        part => {
            let path = part.strip_prefix("nvml:").filter(|path| !path.is_empty());
            path.map(|path| GpuSource::NvmlAt(path.into()))
        }
    }
}

impl fmt::Display for GpuSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nvml => f.write_str("nvml"),
            Self::NvmlAt(path) => write!(f, "nvml:{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

impl fmt::Display for GpuMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::At(places) => {
                let texts: Vec<String> = places.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(", "))
            }
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
            "nvml",
            "nvml:/opt/lib/libnvidia-ml.so.1",
            "http://host:9400/metrics",
            "http://a:1/metrics?x=1,2, nvml, https://b",
        ] {
            let place: GpuMetrics = text.parse().expect("a place");
            assert_eq!(place.to_string(), text);
        }
        let two: GpuMetrics = "http://a,nvml,https://b".parse().expect("places");
        assert_eq!(two.urls().collect::<Vec<_>>(), ["http://a", "https://b"]);
        assert_eq!(two.places().len(), 3);
    }

    #[test]
    fn what_is_no_place() {
        for text in [
            "on",
            "host:9400",
            "nvml:",
            "nvml, nvml",
            "http://a, off",
            "auto, nvml",
            "",
        ] {
            assert!(text.parse::<GpuMetrics>().is_err(), "{text}");
        }
        let error = "off, nvml"
            .parse::<GpuMetrics>()
            .expect_err("a word beside a place");
        assert!(
            error.to_string().starts_with("`off` stands alone"),
            "{error}"
        );
    }
}
