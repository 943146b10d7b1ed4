//! Packs the published schemas for the binary.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Where they lie.
const FOLDER: &str = "../../docs/src/schemas";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let to = PathBuf::from(env::var("OUT_DIR")?);
    for entry in fs::read_dir(FOLDER)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&fs::read(&path)?)?;
        fs::write(to.join(format!("{name}.deflate")), packed.finish()?)?;
    }
    Ok(())
}
