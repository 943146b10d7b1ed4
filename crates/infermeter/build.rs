//! Packs the published schemas for the binary: what several of them have is packed once.
//!
//! A text is cut before each member two levels below its top, which is where types stand. Behind a list with the
//! pieces of each text come the pieces.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Where they lie: in the book, to which a link leads here, and in a packaged crate a folder of that name.
const FOLDER: &str = "schemas";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let mut pieces: Vec<String> = Vec::new();
    let mut lists = String::new();
    for (name, text) in texts()? {
        lists.push_str(name.strip_suffix(".json").unwrap_or(&name));
        for piece in cut(&text) {
            let known = pieces.iter().position(|known| *known == piece);
            let at = known.unwrap_or_else(|| {
                pieces.push(piece);
                pieces.len() - 1
            });
            lists.push_str(&format!(" {at}"));
        }
        lists.push('\n');
    }
    let whole = format!("{lists}\0{}", pieces.join("\0"));
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
    packed.write_all(whole.as_bytes())?;
    let to = PathBuf::from(env::var("OUT_DIR")?).join("schemas.deflate");
    Ok(fs::write(to, packed.finish()?)?)
}

fn texts() -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(FOLDER)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        texts.insert(name, fs::read_to_string(entry.path())?);
    }
    Ok(texts)
}

fn cut(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.starts_with("    \"") {
            pieces.push(String::new());
        }
        if let Some(last) = pieces.last_mut() {
            last.push_str(line);
        }
    }
    pieces
}
