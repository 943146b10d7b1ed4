//! The colours of charts and pages, light and dark, and the style sheet that uses them.
//!
//! Invariants: text has a contrast of 4.5 to its ground and marks one of 3, in both themes; the hues stay
//! apart for every common kind of colour blindness (after Okabe and Ito, darker or lighter for the contrast).

/// The rules of charts, with the names of colours in it.
pub(crate) const CSS: &str = include_str!("chart.css");

/// Colours by name.
pub(crate) type Palette = [(&'static str, &'static str); 21];

/// On white.
pub(crate) const LIGHT: Palette = [
    ("paper", "#ffffff"),
    ("ink", "#1b1f24"),
    ("dim", "#57606a"),
    ("grid", "#e3e6ea"),
    ("axis", "#8c959f"),
    ("bad", "#b42318"),
    ("good", "#0b6b45"),
    ("h0", "#0067a5"),
    ("h1", "#c2480a"),
    ("h2", "#007a5a"),
    ("h3", "#a03c80"),
    ("h4", "#806000"),
    ("h5", "#4d4d4d"),
    ("q0", "#eef4fa"),
    ("q1", "#cfe0f0"),
    ("q2", "#a3c4e0"),
    ("q3", "#6f9fca"),
    ("q4", "#3a70a8"),
    ("q5", "#164a7d"),
    ("on-strong", "#ffffff"),
    ("on-faint", "#1b1f24"),
];

/// On nearly black. More is lighter.
pub(crate) const DARK: Palette = [
    ("paper", "#12161b"),
    ("ink", "#e8eaed"),
    ("dim", "#a0a8b2"),
    ("grid", "#2a3038"),
    ("axis", "#6e7781"),
    ("bad", "#ff8a80"),
    ("good", "#6fd6a8"),
    ("h0", "#6cb4ee"),
    ("h1", "#ff9d66"),
    ("h2", "#4fd1a5"),
    ("h3", "#e79ccb"),
    ("h4", "#e6c34a"),
    ("h5", "#c4c8cd"),
    ("q0", "#16222f"),
    ("q1", "#1d3550"),
    ("q2", "#275077"),
    ("q3", "#2f6494"),
    ("q4", "#7fb2dd"),
    ("q5", "#c6e0f5"),
    ("on-strong", "#12161b"),
    ("on-faint", "#e8eaed"),
];

/// The colours of a picture that stands on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As whoever looks prefers.
    #[default]
    Auto,
    /// On white.
    Light,
    /// On nearly black.
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The rules with colours in place of their names: not every program that shows pictures knows custom
    /// properties.
    pub(super) fn rules(self) -> String {
        match self {
            Self::Light => resolved(&LIGHT),
            Self::Dark => resolved(&DARK),
            Self::Auto => format!(
                "{}@media (prefers-color-scheme: dark) {{\n{}}}\n",
                resolved(&LIGHT),
                resolved(&DARK)
            ),
        }
    }
}

fn resolved(palette: &Palette) -> String {
    let paper = ".chart .paper { fill: var(--paper); }\n".to_owned();
    palette.iter().fold(paper + CSS, |css, (name, color)| {
        css.replace(&format!("var(--{name})"), color)
    })
}

/// The palette as custom properties.
pub(crate) fn properties(palette: &Palette) -> String {
    let each = palette
        .iter()
        .map(|(name, color)| format!("--{name}:{color};"));
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG's relative luminance.
    fn luminance(color: &str) -> f64 {
        let channel = |i: usize| {
            let byte = u8::from_str_radix(&color[i..i + 2], 16).expect("a colour");
            let c = f64::from(byte) / 255.0;
            if c <= 0.040_45 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn colours_stand_out() {
        for palette in [LIGHT, DARK] {
            let of = |name: &str| palette.iter().find(|(n, _)| *n == name).expect("a name").1;
            let check = |name: &str, on: &str, least: f64| {
                let found = contrast(of(name), of(on));
                assert!(found >= least, "{name} on {on}: {found:.2}");
            };
            for text in ["ink", "dim", "bad", "good"] {
                check(text, "paper", 4.5);
            }
            for mark in ["h0", "h1", "h2", "h3", "h4", "h5"] {
                check(mark, "paper", 4.5);
            }
            for faint in ["q0", "q1", "q2", "q3"] {
                check("on-faint", faint, 4.5);
            }
            for strong in ["q4", "q5"] {
                check("on-strong", strong, 4.5);
            }
        }
    }

    #[test]
    fn every_colour_has_a_value() {
        let rules = Theme::Auto.rules();
        assert!(!rules.contains("var("), "{rules}");
        assert!(rules.contains("prefers-color-scheme") && !Theme::Dark.rules().contains("@media"));
    }
}
