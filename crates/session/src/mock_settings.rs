//! The simulator's parameters as users write them: in a file, on the command line, in a target
//! `mock:PRESET?NAME=VALUE&...`.

use anyhow::{Context, Result, anyhow, bail};
use infermeter_mock::settings::{SETTINGS, SettingError, Settings};
use infermeter_mock::{Config, Preset};
use serde_json::Value;
use std::fmt;
use std::path::Path;

/// A target's preset and its parameters, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockTarget {
    /// The preset's name.
    pub preset: String,
    /// Texts for `--set`.
    pub set: Vec<String>,
}

impl MockTarget {
    /// From what stands behind `mock:`.
    ///
    /// # Errors
    /// For an unknown preset or parameter, and for values that make no simulator.
    pub fn parse(text: &str) -> Result<Self> {
        let (preset, query) = text.split_once('?').unwrap_or((text, ""));
        let set: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(str::to_owned)
            .collect();
        let target = Self {
            preset: preset.to_owned(),
            set,
        };
        target.config()?;
        Ok(target)
    }

    /// The simulator that it is.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn config(&self) -> Result<Config> {
        let mut config = Config::new(Preset::parse(&self.preset).map_err(|e| anyhow!("{e}"))?);
        from_texts(self.set.iter().map(String::as_str))?.apply(&mut config)?;
        Ok(config)
    }
}

impl fmt::Display for MockTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.preset)?;
        match self.set.is_empty() {
            true => Ok(()),
            false => write!(f, "?{}", self.set.join("&")),
        }
    }
}

/// Parameters from texts, each `NAME=VALUE`.
///
/// # Errors
/// With the name and what to do.
pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Settings> {
    Settings::from_texts(texts).map_err(with_hint)
}

/// Parameters from a TOML file.
///
/// # Errors
/// With the line or the name that is wrong.
pub fn from_file(path: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path).context("cannot be read")?;
    let table: toml::Table = text.parse().context("is not TOML")?;
    let Value::Object(map) = serde_json::to_value(table)? else {
        bail!("is not a table of names and values");
    };
    Settings::from_map(map).map_err(with_hint)
}

fn with_hint(error: SettingError) -> anyhow::Error {
    match error {
        SettingError::Unknown {
            suggestion: None, ..
        } => anyhow!("{error}: `infermeter mock --print-config` lists them"),
        other => other.into(),
    }
}

/// Everything in force as a file that `--config` reads.
pub fn as_file(config: &Config) -> String {
    let map = Settings::of(config).to_full_map();
    let mut text = format!(
        "# Parameters of the simulator, preset {}.\n",
        config.preset.name
    );
    for setting in SETTINGS {
        let line = match map.get(setting.name) {
            // Strings, numbers, truth values and lists are written alike in JSON and TOML.
            Some(value) if !value.is_null() => format!("{} = {value}", setting.name),
            _ => format!("# {} =", setting.name),
        };
        text.push_str(&format!("{line:<40} # {}\n", setting.help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_carries_its_parameters() {
        let target = MockTarget::parse("fixed?step=5ms&max-num-seqs=8").expect("a target");
        assert_eq!(target.preset, "fixed");
        assert_eq!(target.set, ["step=5ms", "max-num-seqs=8"]);
        assert!(MockTarget::parse("null").expect("a target").set.is_empty());
    }

    #[test]
    fn a_wrong_target_says_what_is_wrong() {
        for (text, message) in [
            (
                "fixed?stp=5ms",
                "unknown setting `stp`: did you mean `step`?",
            ),
            (
                "fixed?qqqq=5ms",
                "unknown setting `qqqq`: `infermeter mock --print-config` lists them",
            ),
            ("fixed?step=0ms", "step must be at least 1us"),
        ] {
            let error = MockTarget::parse(text).expect_err("no such target");
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn the_printed_file_reads_back_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mock.toml");
        for preset in Preset::NAMES {
            let config = Config::new(Preset::parse(preset).expect("a preset"));
            std::fs::write(&path, as_file(&config)).expect("written");
            assert_eq!(
                from_file(&path).expect("a file"),
                Settings::of(&config),
                "{preset}"
            );
        }
    }
}
