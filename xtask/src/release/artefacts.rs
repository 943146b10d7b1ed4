//! What is handed out: checksums of all of it, and a table of sizes.

use super::{Outcome, Release, files};
use anyhow::Result;
use std::path::Path;

/// The file that `sha256sum --check` reads.
const CHECKSUMS: &str = "SHA256SUMS";

pub(super) fn checksums(release: &Release) -> Result<Outcome> {
    let mut lines = String::new();
    let files = files::listed(&release.out)?;
    for path in files.iter().filter(|path| !path.ends_with(CHECKSUMS)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        lines.push_str(&format!("{}  {name}\n", files::digest(path)?));
    }
    files::write(&release.out.join(CHECKSUMS), &lines)?;
    Ok(Outcome::Done(format!(
        "{} files in {CHECKSUMS}",
        lines.lines().count()
    )))
}

/// Prints what there is.
pub(super) fn table(folder: &Path) -> Result<()> {
    println!(
        "\n{:>10}  {:12}  artefact in {}",
        "bytes",
        "sha256",
        folder.display()
    );
    for path in files::listed(folder)? {
        let bytes = std::fs::metadata(&path)?.len();
        let digest = files::digest(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!(
            "{bytes:>10}  {}  {name}",
            digest.get(..12).unwrap_or(&digest)
        );
    }
    Ok(())
}
