//! The static program with its pages, in one archive that is unpacked anywhere.

use super::build::Kind;
use super::{Outcome, Release, files, licences, pages, sbom};
use crate::command;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// What everybody who gets the program gets as well, beside licences.
const DOCUMENTS: [&str; 2] = ["README.md", "CHANGELOG.md"];

pub(super) fn step(release: &Release) -> Result<Outcome> {
    let Some(program) = release.program(Kind::Static) else {
        return Ok(Outcome::LeftOut(
            "the static program was not built".to_owned(),
        ));
    };
    let name = format!("infermeter-{}-{}-linux", release.version, program.arch);
    let stage = release.stage("tarball")?;
    let folder = stage.join(&name);
    files::put(&program.path, &folder.join("infermeter"))?;
    for document in DOCUMENTS {
        files::put(Path::new(document), &folder.join(document))?;
    }
    licences::put_all(release, &folder)?;
    if let Some(bill) = release.staged_file(sbom::FILE) {
        files::put(&bill, &folder.join(sbom::FILE))?;
    }
    for part in [pages::MAN, pages::COMPLETIONS] {
        for path in release
            .staged_file(part)
            .map_or(Ok(Vec::new()), |part| files::listed(&part))?
        {
            let file = path.file_name().unwrap_or_default();
            files::put(&path, &folder.join(part).join(file))?;
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
    command::output(&mut tar)?;
    Ok(())
}
