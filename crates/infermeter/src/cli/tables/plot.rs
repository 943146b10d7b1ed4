//! Flags of `plot`.

use infermeter_core::key::{Form, ValueKind};
use infermeter_core::{key_values, keys};
use infermeter_report::svg::Theme;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureTheme {
    /// As whoever looks prefers.
    #[default]
    Auto,
    /// On white.
    Light,
    /// On nearly black.
    Dark,
}

key_values!(ValueKind::OneOf(&["auto", "light", "dark"]) => PictureTheme);

impl From<PictureTheme> for Theme {
    fn from(theme: PictureTheme) -> Self {
        match theme {
            PictureTheme::Auto => Self::Auto,
            PictureTheme::Light => Self::Light,
            PictureTheme::Dark => Self::Dark,
        }
    }
}

keys! {
    /// Flags of `plot`.
    pub struct PlotArgs {
        run_dir: PathBuf = PathBuf::new(), General, "RUN_DIR",
            "Directory of a run, or of an experiment of several"
            .form(Form::Required).example("runs/sweep-a");
        chart: Option<String> = None, General, "NAME",
            "The chart to draw; without it the names of all are listed"
            .example("curve");
        out: Option<PathBuf> = None, General, "FILE",
            "Write the picture to this file, by its name as SVG or PNG, instead of SVG to standard output"
            .example("curve.svg");
        theme: PictureTheme = PictureTheme::Auto, General, "THEME",
            "Colours: light, dark, or auto, as whoever looks at an SVG prefers"
            .example("dark");
        width: u32 = 860, General, "PIXELS",
            "Width of the picture"
            .example("1200").least(320.0).most(4_000.0);
    }
}
