//! The image of a container: the static program, alone, built by buildah without a daemon.
//!
//! Needs buildah, and the certificates of public authorities as Debian packs them. Images and scratch space lie below
//! `target`, and nothing is taken from any registry: it begins with nothing. What comes of it is an archive in Docker's own
//! form: its classic store loads no other.

use super::build::Kind;
use super::{Outcome, Release, files};
use crate::command;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

const DOCKERFILE: &str = "packaging/Dockerfile";
/// Where Debian's package `ca-certificates` keeps them: those that were added to this host lie elsewhere.
const AUTHORITIES: &str = "/usr/share/ca-certificates/mozilla";
/// Who the program is in the image: nobody with rights.
const USER: &str = "65532:65532";
/// What it has to say of itself, as labels of Open Containers.
const LABELS: [&str; 6] = [
    "title",
    "description",
    "licenses",
    "version",
    "revision",
    "created",
];

pub(super) fn step(release: &Release) -> Result<Outcome> {
    let Some(program) = release.program(Kind::Static) else {
        return Ok(Outcome::LeftOut(
            "the static program was not built".to_owned(),
        ));
    };
    if command::found("buildah").is_none() {
        return Ok(Outcome::LeftOut(
            "no buildah here: `apt-get install buildah`".to_owned(),
        ));
    }
    let context = release.stage("image")?;
    files::put(&program.path, &context.join("root/usr/bin/infermeter"))?;
    let certificates = match Path::new(AUTHORITIES).is_dir() {
        true => authorities(&context.join("root/etc/ssl/certs/ca-certificates.crt"))?,
        false => 0,
    };
    for folder in ["root/tmp", "data"] {
        fs::create_dir_all(context.join(folder))?;
    }
    command::said("chmod", &["1777", &super::text(&context.join("root/tmp"))])?;
    let buildah = Buildah::new(release)?;
    let tag = format!("infermeter:{}", release.version);
    buildah.build(release, &tag, &context)?;
    looks_right(&buildah.said(&["inspect", "--type", "image", &tag])?)?;
    buildah.try_out(&tag, &release.version)?;
    let name = format!("infermeter-{}-{}.docker.tar", release.version, program.arch);
    // In a new folder: an archive that is there is not written over.
    let archive = release.stage("image-archive")?.join(&name);
    let place = format!("docker-archive:{}:{tag}", archive.display());
    buildah.said(&["push", "--quiet", &tag, &place])?;
    files::put(&archive, &release.out.join(&name))?;
    Ok(Outcome::Done(format!(
        "{name}, {certificates} certificates, user {USER}"
    )))
}

/// The certificates in one file, in order of their names.
fn authorities(to: &Path) -> Result<usize> {
    let files = files::listed(Path::new(AUTHORITIES))?;
    let mut all = String::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        all.push_str(text.trim_end());
        all.push('\n');
    }
    files::write(to, &all)?;
    Ok(files.len())
}

/// The builder, with all that it keeps below one folder.
struct Buildah {
    arguments: Vec<String>,
}

impl Buildah {
    fn new(release: &Release) -> Result<Self> {
        let place = release.stage("buildah")?;
        let folder = |name: &str| place.join(name).display().to_string();
        let (store, run) = (folder("store"), folder("run"));
        let arguments = [
            "--storage-driver",
            "vfs",
            "--root",
            &store,
            "--runroot",
            &run,
        ];
        Ok(Self {
            arguments: arguments.map(str::to_owned).to_vec(),
        })
    }

    fn said(&self, arguments: &[&str]) -> Result<String> {
        command::output(
            Command::new("buildah")
                .args(&self.arguments)
                .args(arguments),
        )
    }

    fn build(&self, release: &Release, tag: &str, context: &Path) -> Result<()> {
        let version = format!("VERSION={}", release.version);
        let revision = format!("REVISION={}", release.commit);
        let created = format!("CREATED={}", release.date);
        self.said(&[
            "build",
            "--isolation",
            "chroot",
            "--format",
            "docker",
            "--quiet",
            "--timestamp",
            &release.epoch,
            "--build-arg",
            &version,
            "--build-arg",
            &revision,
            "--build-arg",
            &created,
            "--file",
            DOCKERFILE,
            "--tag",
            tag,
            &super::text(context),
        ])?;
        Ok(())
    }

    /// Has the program in it say its version, as the user that it says.
    fn try_out(&self, tag: &str, version: &str) -> Result<()> {
        let container = self.said(&["from", tag])?;
        let ran = self.said(&[
            "run",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--user",
            USER,
            &container,
            "--",
            "/usr/bin/infermeter",
            "--version",
        ]);
        self.said(&["rm", &container])?;
        let said = ran?;
        match said.ends_with(version) {
            true => Ok(()),
            false => bail!("the image says `{said}`, and should be {version}"),
        }
    }
}

/// What an image says of itself: not root, no health check, labels.
fn looks_right(inspected: &str) -> Result<()> {
    let value: serde_json::Value =
        serde_json::from_str(inspected).context("buildah gave no JSON")?;
    let config = &value["Docker"]["config"];
    if config["User"] != USER {
        bail!("the image's user is {}, not {USER}", config["User"]);
    }
    if config["Healthcheck"]["Test"][0] != "NONE" {
        bail!("the image has a health check: {}", config["Healthcheck"]);
    }
    for label in LABELS {
        let label = format!("org.opencontainers.image.{label}");
        if config["Labels"][&label].as_str().is_none_or(str::is_empty) {
            bail!("the image has no label {label}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_image_of_root_is_refused() {
        let labels = LABELS.map(|label| (format!("org.opencontainers.image.{label}"), json!("x")));
        let labels: serde_json::Map<String, serde_json::Value> = labels.into_iter().collect();
        let image = |user: &str, test: &str| {
            let config = json!({"User": user, "Healthcheck": {"Test": [test]}, "Labels": labels});
            looks_right(&json!({"Docker": {"config": config}}).to_string())
        };
        assert!(image(USER, "NONE").is_ok());
        assert!(image("", "NONE").is_err());
        assert!(image(USER, "CMD").is_err());
        assert!(looks_right("{}").is_err());
    }
}
