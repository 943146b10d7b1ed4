//! The program, built so that the same commit makes the same bytes wherever that is done.
//!
//! Paths of this machine are mapped away, dates are the commit's, nothing is incremental. Invariant: what is called static
//! asks for no library, and what can run here has said its version.

use super::{Outcome, Release, files};
use crate::ci::cargo_program;
use crate::command;
use anyhow::{Context, Result, bail};
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where everything is built: the second time in a folder of the same name.
pub(super) const FOLDER: &str = "target/dist-build";
/// Where the first build is while there is a second.
const FIRST: &str = "target/dist-build-first";
/// The other architecture, and the compiler that makes programs for it.
const ARM: &str = "aarch64";
const ARM_COMPILER: &str = "aarch64-linux-gnu-gcc";
/// What links for the C library musl.
const MUSL_COMPILER: &str = "musl-gcc";

/// What a program asks of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it is static.
    Static,
    /// The C library of its host.
    Dynamic,
}

/// A program that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// What it asks for.
    pub kind: Kind,
    /// As rustc calls its platform.
    pub target: String,
    /// Its processor: `x86_64` or `aarch64`.
    pub arch: String,
    /// Where it is.
    pub path: PathBuf,
    /// The newest version of glibc that it asks for; `None` where it asks for none.
    pub glibc: Option<String>,
}

impl Built {
    /// It can run on this machine.
    pub fn is_of_this_host(&self) -> bool {
        self.arch == ARCH
    }
}

/// The static program: with musl where its standard library and compiler are here, else glibc's, linked in.
pub(super) fn without_libc(release: &mut Release) -> Result<Outcome> {
    let musl = format!("{ARCH}-unknown-linux-musl");
    let lacks = lacks(&musl, MUSL_COMPILER)?;
    let target = match &lacks {
        None => musl,
        Some(_) => format!("{ARCH}-unknown-linux-gnu"),
    };
    let told = built(release, Kind::Static, &target)?;
    Ok(match lacks {
        None => Outcome::Done(told),
        Some(lacks) => Outcome::Noted(format!("{told}; of glibc, since musl is not here: {lacks}")),
    })
}

/// The program that takes the host's C library, and with it NVIDIA's: for this architecture, and for the other one where
/// there is a compiler for it.
pub(super) fn with_libc(release: &mut Release) -> Result<Outcome> {
    let mut told = vec![built(
        release,
        Kind::Dynamic,
        &format!("{ARCH}-unknown-linux-gnu"),
    )?];
    let arm = format!("{ARM}-unknown-linux-gnu");
    match lacks(&arm, ARM_COMPILER)? {
        _ if ARCH == ARM => {}
        None => told.push(built(release, Kind::Dynamic, &arm)?),
        Some(lacks) => told.push(format!("not for {ARM}: {lacks}")),
    }
    Ok(Outcome::Done(told.join("; ")))
}

/// What is missing to build for a target, and how it is installed.
fn lacks(target: &str, compiler: &str) -> Result<Option<String>> {
    let library = Path::new(&sysroot()?).join("lib/rustlib").join(target);
    let library = match library.is_dir() {
        true => None,
        false => Some(format!("`rustup target add {target}`")),
    };
    let package = match compiler {
        MUSL_COMPILER => "musl-tools",
        _ => "gcc-aarch64-linux-gnu",
    };
    let compiler = match command::found(compiler) {
        Some(_) => None,
        None => Some(format!("`apt-get install {package}`")),
    };
    let lacks: Vec<String> = library.into_iter().chain(compiler).collect();
    Ok((!lacks.is_empty()).then(|| lacks.join(", ")))
}

fn sysroot() -> Result<String> {
    command::said("rustc", &["--print", "sysroot"])
}

/// Builds for a target, a second time where that was asked for, and looks at what came of it.
fn built(release: &mut Release, kind: Kind, target: &str) -> Result<String> {
    let path = compile(release, kind, target)?;
    let mut told = vec![format!("{target}, {:.1} MB", size_mb(&path)?)];
    if release.twice {
        let digest = files::digest(&path)?;
        if Path::new(FIRST).exists() {
            fs::remove_dir_all(FIRST)?;
        }
        fs::rename(FOLDER, FIRST)?;
        let second = files::digest(&compile(release, kind, target)?)?;
        if second != digest {
            bail!("{target}: two builds differ: {digest} and {second}; the first is below {FIRST}");
        }
        told.push("twice the same".to_owned());
    }
    let glibc = glibc(&path)?;
    if kind == Kind::Static && needs_libraries(&path)? {
        bail!(
            "{} asks for libraries, and should be static",
            path.display()
        );
    }
    told.extend(
        glibc
            .iter()
            .map(|version| format!("glibc {version} or newer")),
    );
    let built = Built {
        kind,
        target: target.to_owned(),
        arch: target.split('-').next().unwrap_or(ARCH).to_owned(),
        path,
        glibc,
    };
    if built.is_of_this_host() {
        says_version(&mut Command::new(&built.path), &release.version)?;
    }
    release.built.push(built);
    Ok(told.join(", "))
}

/// A program says the version that is released.
///
/// # Errors
/// When it does not start, and when it says another.
pub(super) fn says_version(command: &mut Command, version: &str) -> Result<()> {
    let said = command::output(command.arg("--version"))?;
    match said.split_whitespace().last() == Some(version) {
        true => Ok(()),
        false => bail!("it says `{said}`, and should be {version}"),
    }
}

fn compile(release: &Release, kind: Kind, target: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(cargo_program());
    cargo.args(["build", "--release", "--locked", "--package", "infermeter"]);
    cargo.args([
        "--bin",
        "infermeter",
        "--target",
        target,
        "--target-dir",
        FOLDER,
    ]);
    for (name, value) in environment(release, kind, target)? {
        cargo.env(name, value);
    }
    println!("    {}", command::line(&cargo));
    command::succeed(&mut cargo)?;
    let folder = Path::new(FOLDER).join(target).join("release");
    // Apart from the folder of the build: the next one may be for the same target.
    let name = match kind {
        Kind::Static => "static",
        Kind::Dynamic => "dynamic",
    };
    let kept = release.staged.join(target).join(name).join("infermeter");
    files::put(&folder.join("infermeter"), &kept)?;
    Ok(kept)
}

/// What a build is told, by variables: where nothing of this machine may stay in what is built.
pub(super) fn environment(
    release: &Release,
    kind: Kind,
    target: &str,
) -> Result<Vec<(String, String)>> {
    let here = std::env::current_dir()?.display().to_string();
    let home = cargo_home()?;
    let maps = [
        (here, "/infermeter"),
        (home, "/cargo"),
        (sysroot()?, "/rust"),
    ];
    let mut rust: Vec<String> = maps
        .iter()
        .map(|(from, to)| format!("--remap-path-prefix={from}={to}"))
        .collect();
    if kind == Kind::Static {
        rust.extend(["-C".to_owned(), "target-feature=+crt-static".to_owned()]);
    }
    let c: Vec<String> = maps
        .iter()
        .map(|(from, to)| format!("-ffile-prefix-map={from}={to}"))
        .collect();
    let underscored = target.replace('-', "_");
    let mut variables = vec![
        // With the separator that paths with blanks survive.
        ("CARGO_ENCODED_RUSTFLAGS".to_owned(), rust.join("\x1f")),
        (format!("CFLAGS_{underscored}"), c.join(" ")),
        ("SOURCE_DATE_EPOCH".to_owned(), release.epoch.clone()),
        ("CARGO_INCREMENTAL".to_owned(), "0".to_owned()),
    ];
    if target.ends_with("musl") {
        variables.push((format!("CC_{underscored}"), MUSL_COMPILER.to_owned()));
    }
    if target.starts_with(ARM) && ARCH != ARM {
        let linker = format!("CARGO_TARGET_{}_LINKER", underscored.to_uppercase());
        variables.push((linker, ARM_COMPILER.to_owned()));
    }
    Ok(variables)
}

fn cargo_home() -> Result<String> {
    match (std::env::var("CARGO_HOME"), std::env::var("HOME")) {
        (Ok(home), _) => Ok(home),
        (Err(_), Ok(home)) => Ok(format!("{home}/.cargo")),
        _ => bail!("neither CARGO_HOME nor HOME is set"),
    }
}

/// The newest version of glibc that a program asks for.
fn glibc(program: &Path) -> Result<Option<String>> {
    let symbols = command::said("readelf", &["-VW", &super::text(program)])?;
    Ok(newest_glibc(&symbols))
}

fn newest_glibc(symbols: &str) -> Option<String> {
    let versions = symbols.split("GLIBC_").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        &rest[..end.unwrap_or(rest.len())]
    });
    let numbers = |version: &str| {
        version
            .split('.')
            .map(|n| n.parse().unwrap_or(0))
            .collect::<Vec<u32>>()
    };
    versions
        .max_by_key(|version| numbers(version))
        .map(str::to_owned)
}

fn needs_libraries(program: &Path) -> Result<bool> {
    let dynamic = command::said("readelf", &["-dW", &super::text(program)])?;
    Ok(dynamic.contains("(NEEDED)"))
}

/// Length of a file in millions of bytes.
pub(super) fn size_mb(path: &Path) -> Result<f64> {
    let length = fs::metadata(path)
        .with_context(|| path.display().to_string())?
        .len();
    Ok(length as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_not_text() {
        let symbols =
            "Name: GLIBC_2.9  Flags: none\n 0x0: GLIBC_2.35 x\n GLIBC_2.17\n GLIBC_2.2.5\n";
        assert_eq!(newest_glibc(symbols).as_deref(), Some("2.35"));
        assert_eq!(newest_glibc("nothing"), None);
    }
}
