//! Packs the built-in vocabularies, so that the binary holds 1 MB of them instead of 5 MB of Base64.
//!
//! Writes `NAME.vocabulary` for each: the tokens by rank, each as one byte of length and its bytes, deflated.
//! `src/vocabulary.rs` reads them.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tiktoken_rs::CoreBPE;

fn main() -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "cargo::rerun-if-changed=build.rs")?;
    let out = env::var("OUT_DIR")?;
    for (name, vocabulary) in [
        ("cl100k", tiktoken_rs::cl100k_base()?),
        ("o200k", tiktoken_rs::o200k_base()?),
    ] {
        let path = Path::new(&out).join(name).with_extension("vocabulary");
        pack(&vocabulary, File::create(path)?)?;
    }
    Ok(())
}

/// Ranks have no gap: the first that has no token ends them.
fn pack(vocabulary: &CoreBPE, file: File) -> Result<(), Box<dyn Error>> {
    let mut packed = DeflateEncoder::new(file, Compression::best());
    for rank in 0.. {
        let Ok(token) = vocabulary.decode_bytes(&[rank]) else {
            break;
        };
        packed.write_all(&[u8::try_from(token.len())?])?;
        packed.write_all(&token)?;
    }
    packed.finish()?;
    Ok(())
}
