//! The static program with its pages, in one archive that is unpacked anywhere.

use super::build::Kind;
use super::{Outcome, Release, licences, pages, sbom, tools};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// What everybody who gets the program gets as well.
const DOCUMENTS: [&str; 4] = ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "CHANGELOG.md"];

pub(super) fn step(release: &Release) -> Result<Outcome> {
    let Some(program) = release.program(Kind::Static) else {
        return Ok(Outcome::LeftOut(
            "the static program was not built".to_owned(),
        ));
    };
    let name = format!("infermeter-{}-{}-linux", release.version, program.arch);
    let stage = release.stage("tarball")?;
    let folder = stage.join(&name);
    tools::put(&program.path, &folder.join("infermeter"))?;
    for document in DOCUMENTS {
        tools::put(Path::new(document), &folder.join(document))?;
    }
    for file in [licences::FILE, sbom::FILE] {
        if let Some(path) = release.staged_file(file) {
            tools::put(&path, &folder.join(file))?;
        }
    }
    for part in [pages::MAN, pages::COMPLETIONS] {
        for path in release
            .staged_file(part)
            .map_or(Ok(Vec::new()), |part| tools::files(&part))?
        {
            let file = path.file_name().unwrap_or_default();
            tools::put(&path, &folder.join(part).join(file))?;
        }
    }
    let archive = release.out.join(format!("{name}.tar.gz"));
    pack(release, &stage, &name, &archive)?;
    Ok(Outcome::Done(format!("{name}.tar.gz")))
}

/// Packs a folder: the same files make the same bytes.
fn pack(release: &Release, stage: &Path, name: &str, archive: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.current_dir(stage)
        .args([
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mode=u+w,go-w",
        ])
        .arg(format!("--mtime=@{}", release.epoch))
        .args(["--use-compress-program=gzip -9n", "-cf"])
        .arg(archive)
        .arg(name);
    tools::output(&mut tar)?;
    Ok(())
}
