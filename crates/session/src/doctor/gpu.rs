//! What there is on this host to read a GPU with: looked for, and not opened.

use super::proc;
use infermeter_analysis::doctor::Gpu;
use infermeter_core::text::inert;
use std::fs;
use std::path::{Path, PathBuf};

/// NVIDIA's library for management.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// What the loader knows.
const LOADER_CACHE: &str = "/etc/ld.so.cache";
/// Where it lies without being in that: containers have it mounted.
const FOLDERS: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/nvidia/lib64",
    "/run/opengl-driver/lib",
];

/// Looks for it.
pub(super) fn look() -> Gpu {
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let folders = std::env::split_paths(&own).chain(FOLDERS.map(PathBuf::from));
    Gpu {
        device: Path::new("/dev/nvidiactl").exists(),
        library: library(folders, &fs::read(LOADER_CACHE).unwrap_or_default()),
        driver: proc::said("/proc/driver/nvidia/version", driver).ok(),
        amd: Path::new("/dev/kfd").exists(),
    }
}

/// Where the library lies: in a folder, or where the loader's cache says.
fn library(folders: impl Iterator<Item = PathBuf>, cache: &[u8]) -> Option<String> {
    let mut candidates = folders.map(|folder| folder.join(LIBRARY));
    if let Some(found) = candidates.find(|path| path.exists()) {
        return Some(inert(&found.display().to_string(), 200));
    }
    // The cache's texts end with a zero byte.
    let mut texts = cache.split(|byte| *byte == 0);
    let path =
        texts.find(|text| text.first() == Some(&b'/') && text.ends_with(LIBRARY.as_bytes()))?;
    Some(inert(&String::from_utf8_lossy(path), 200))
}

/// The version in `NVRM version: NVIDIA UNIX ... Kernel Module  550.54  date`.
fn driver(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find(|line| line.starts_with("NVRM version:"))?;
    let is_version =
        |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    line.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_names_its_version() {
        let text = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n\
                    GCC version:  gcc version 12.2.0\n";
        assert_eq!(driver(text).as_deref(), Some("550.54.15"));
        assert_eq!(driver("GCC version: 12.2.0\n"), None);
    }

    #[test]
    fn the_library_is_in_a_folder_or_in_the_cache() {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = || std::iter::once(dir.path().to_owned());
        assert_eq!(
            library(folder(), b"glibc\0libc.so.6\0/lib/libc.so.6\0"),
            None
        );
        let cache = b"x\0libnvidia-ml.so.1\0/opt/n/libnvidia-ml.so.1\0";
        assert_eq!(
            library(folder(), cache).as_deref(),
            Some("/opt/n/libnvidia-ml.so.1")
        );
        fs::write(dir.path().join(LIBRARY), "").expect("written");
        let found = library(folder(), cache).expect("there");
        assert!(
            found.ends_with(LIBRARY) && !found.starts_with("/opt/n"),
            "{found}"
        );
    }
}
