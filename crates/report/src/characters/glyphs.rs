//! The characters that charts are drawn with: those of Unicode, or those of ASCII where nothing else is shown.
//!
//! Invariant: up to [`Glyphs::APART`] series differ in both by the form of their mark.

/// Which characters a screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// All of them.
    #[default]
    Unicode,
    /// Those of ASCII.
    Ascii,
}

/// What stands for what.
#[derive(Debug)]
pub(super) struct Glyphs {
    /// Series, by their number.
    pub marks: [char; 6],
    /// Where marks of several series meet.
    pub several: char,
    /// A line between marks.
    pub line: char,
    /// An interval, or the axis at the left.
    pub upright: char,
    /// The same across, or the axis below.
    pub level: char,
    /// Where both axes meet.
    pub corner: char,
    /// A tick at the left, and one below.
    pub ticks: [char; 2],
    /// A rule across, and an upright one.
    pub rules: [char; 2],
    /// A band.
    pub band: char,
    /// Inside of a column.
    pub full: char,
    /// Open ends: left, right, below, above.
    pub open: [char; 4],
    /// From faint to strong.
    pub shades: [char; 5],
    /// Heights of a column of one line, from nothing.
    pub heights: [char; 9],
}

const UNICODE: Glyphs = Glyphs {
    marks: ['●', '○', '■', '□', '▲', '△'],
    several: '◆',
    line: '·',
    upright: '│',
    level: '─',
    corner: '└',
    ticks: ['┤', '┬'],
    rules: ['╌', '┊'],
    band: '░',
    full: '█',
    open: ['←', '→', '↓', '↑'],
    shades: [' ', '░', '▒', '▓', '█'],
    heights: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
};

const ASCII: Glyphs = Glyphs {
    marks: ['*', 'o', '#', '%', '@', '&'],
    several: '$',
    line: '.',
    upright: '|',
    level: '-',
    corner: '+',
    ticks: ['+', '+'],
    rules: ['=', ':'],
    band: ',',
    full: 'H',
    open: ['<', '>', 'v', '^'],
    shades: [' ', '.', ':', '+', '#'],
    heights: [' ', '.', ',', '-', '~', '=', '+', '*', '#'],
};

/// Signs of our own texts, in ASCII.
const WRITTEN: [(char, &str); 8] = [
    ('✓', "ok"),
    ('✗', "no"),
    ('µ', "u"),
    ('∞', "inf"),
    ('±', "+-"),
    ('→', "->"),
    ('—', "-"),
    ('\u{a0}', " "),
];

impl Charset {
    /// A text of a chart: names of others stay as they are.
    pub(super) fn text(self, text: &str) -> String {
        let ascii = |text: String, (sign, plain): &(char, &str)| text.replace(*sign, plain);
        match self {
            Self::Unicode => text.replace('\u{a0}', " "),
            Self::Ascii => WRITTEN.iter().fold(text.to_owned(), ascii),
        }
    }

    pub(super) fn glyphs(self) -> &'static Glyphs {
        match self {
            Self::Unicode => &UNICODE,
            Self::Ascii => &ASCII,
        }
    }
}

/// Marks of the series behind those that have a form: no other glyph is one of them.
const LETTERS: [char; 24] = [
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'U', 'V',
    'W', 'X', 'Y', 'Z', 'I',
];

impl Glyphs {
    /// Series that have a mark of their own; behind them marks are repeated.
    pub(super) const APART: usize = 6 + LETTERS.len();

    /// The mark of a series.
    pub(super) fn mark(&self, series: usize) -> char {
        let mut all = self.marks.iter().chain(&LETTERS);
        all.nth(series % Self::APART)
            .copied()
            .unwrap_or(self.several)
    }

    /// Whether a series, or several, stand there.
    pub(super) fn is_mark(&self, glyph: char) -> bool {
        glyph == self.several || self.marks.contains(&glyph) || LETTERS.contains(&glyph)
    }
}
