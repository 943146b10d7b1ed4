//! Charts as files: SVG and PNG, of a record that an earlier version wrote.

use crate::kept_records::copy_of;
use crate::process::{Scratch, infermeter};
use resvg::tiny_skia::Pixmap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The chart as a PNG file, read back.
fn png(record: &Path, theme: &str) -> Pixmap {
    let path = record.join(format!("{theme}.png"));
    let line = format!(
        "plot {} --chart ttft-over-time --theme {theme} --width 700",
        record.display()
    );
    let ran = infermeter(&format!("{line} --out {}", path.display()));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    Pixmap::load_png(&path).expect("a PNG")
}

#[test]
fn a_chart_as_png_has_its_marks_and_its_theme() {
    let scratch = Scratch::new();
    let record = copy_of(&scratch, "open");
    let light = png(&record, "light");
    // Two pixels for one of the picture.
    assert_eq!(light.width(), 1400);
    let colours = |picture: &Pixmap| -> BTreeSet<[u8; 4]> {
        let pixels = picture.pixels().iter();
        pixels
            .map(|p| [p.red(), p.green(), p.blue(), p.alpha()])
            .collect()
    };
    assert!(colours(&light).len() > 50, "text and marks have edges");
    let (first, dark) = (|picture: &Pixmap| picture.pixels()[0], png(&record, "dark"));
    assert!(first(&light).red() > 200, "{:?}", first(&light));
    assert!(first(&dark).red() < 80, "{:?}", first(&dark));
}

#[test]
fn the_name_of_the_file_says_which() {
    let scratch = Scratch::new();
    let svg = scratch.path("x.svg");
    let record = copy_of(&scratch, "open");
    let line = format!("plot {} --chart ttft-over-time --out", record.display());
    let ran = infermeter(&format!("{line} {}", svg.display()));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        fs::read_to_string(svg)
            .expect("written")
            .starts_with("<svg")
    );
    infermeter(&format!("{line} x.gif")).fails(2, &["ends with .svg or .png"]);
}
