//! Writes SVG: places rounded to a tenth of a pixel, text escaped.
//!
//! Invariant: whatever a text says, it stays text.

use infermeter_core::text::inert;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// Longest text of one piece, bytes.
const MOST_BYTES: usize = 4_096;
/// Width of a character of 12 pixels, on average and rounded up.
const CHARACTER: f64 = 6.6;

/// Where a text stands to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct At {
    pub x: f64,
    pub y: f64,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

/// SVG in the making.
#[derive(Debug, Default)]
pub(super) struct Pen {
    pub out: String,
}

impl Pen {
    /// Begins an element; `open` is its name and attributes.
    pub(super) fn open(&mut self, open: &str) {
        let _ = write!(self.out, "<{open}>");
    }

    /// Ends an element.
    pub(super) fn close(&mut self, name: &str) {
        let _ = write!(self.out, "</{name}>");
    }

    /// A path.
    pub(super) fn path(&mut self, class: &str, d: &str) {
        let _ = write!(self.out, "<path class=\"{class}\" d=\"{d}\"/>");
    }

    /// A rectangle; nothing thinner than half a pixel.
    pub(super) fn rect(&mut self, class: &str, area: Area) {
        let wide = (area.right - area.left).max(0.5);
        let high = (area.bottom - area.top).max(0.5);
        let _ = write!(
            self.out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            px(area.left),
            px(area.top),
            px(wide),
            px(high)
        );
    }

    /// A text.
    pub(super) fn text(&mut self, class: &str, at: At, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = match class {
            "" => String::new(),
            class => format!(" class=\"{class}\""),
        };
        let _ = write!(
            self.out,
            "<text{class} x=\"{}\" y=\"{}\"{anchor}>{}</text>",
            px(at.x),
            px(at.y),
            escaped(text)
        );
    }
}

/// A length or place in pixels: `12`, `12.5`.
pub(super) fn px(x: f64) -> String {
    let text = format!("{x:.1}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// `M12 34.5`, `L12 34.5`.
pub(super) fn step(command: char, at: At) -> String {
    format!("{command}{} {}", px(at.x), px(at.y))
}

/// Text as it may stand between tags and in an attribute.
pub(crate) fn escaped(text: &str) -> String {
    let text = inert(text, MOST_BYTES).replace(crate::number::JOIN, " ");
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// About how wide a text of 12 pixels is.
pub(super) fn wide(text: &str) -> f64 {
    UnicodeWidthStr::width(text) as f64 * CHARACTER
}

/// `text` cut to about `room` pixels.
pub(super) fn cut(text: &str, room: f64) -> String {
    if wide(text) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if wide(&short) + 2.0 * CHARACTER > room {
            break;
        }
        short.push(c);
    }
    short + "…"
}
