//! NVML by a small library that is built here and loaded like the real one.

use super::*;
use std::path::PathBuf;
use std::process::Command;

/// Builds the fake library in `dir`; it fails while `fail` exists there. `None`, said aloud, without a C compiler.
fn fake(dir: &Path) -> Option<PathBuf> {
    let library = dir.join("libfake-nvml.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/nvml/fake_nvml.c");
    let fail = format!("-DFAIL_FILE=\"{}\"", dir.join("fail").display());
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .args([source, &fail])
        .status();
    match built {
        Ok(status) => {
            assert!(status.success(), "the fake library does not build");
            Some(library)
        }
        Err(error) => {
            let said = format!("skipped: no C compiler to build a fake NVML with ({error})\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
            None
        }
    }
}

#[test]
fn gpus_of_a_library_that_is_loaded_like_the_real_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(library) = fake(dir.path()) else {
        return;
    };
    let nvml = Nvml::open(Some(&library)).expect("loaded");
    let gpus = nvml.gpus().expect("two");
    let names: Vec<(&str, &str)> = gpus.iter().map(|g| (&*g.uuid, &*g.model)).collect();
    assert_eq!(
        names,
        [("GPU-fake-0", "Fake H100"), ("GPU-fake-1", "Fake H100")]
    );
    let first = nvml.read(0).expect("read");
    let later = nvml.read(0).expect("read");
    let expect = GpuReading {
        utilisation: Some(0.87),
        memory_busy: Some(0.41),
        memory_used: Some(70 << 30),
        memory_free: Some(10 << 30),
        memory_total: Some(80 << 30),
        power_w: Some(300.0),
        power_limit_w: Some(700.0),
        energy_j: first.energy_j,
        sm_clock_hz: Some(1.98e9),
        memory_clock_hz: Some(2.619e9),
        temperature_c: Some(61.0),
        throttle_reasons: Some(4),
        ecc_corrected: Some(3),
        ecc_uncorrected: Some(0),
        processes: vec![GpuProcess {
            pid: 4_242,
            memory: 69 << 30,
        }],
    };
    assert_eq!(first, expect);
    assert!(later.energy_j >= first.energy_j && first.energy_j > Some(0.0));
    let second = nvml.read(1).expect("read");
    assert_eq!((second.power_w, second.ecc_corrected), (Some(320.0), None));
    // It falls off the bus, and comes back.
    std::fs::write(dir.path().join("fail"), "").expect("written");
    let error = nvml.read(0).expect_err("lost");
    assert!(error.to_string().contains("the GPU is lost"), "{error}");
    std::fs::remove_file(dir.path().join("fail")).expect("removed");
    assert_eq!(nvml.read(1).expect("read").power_w, Some(320.0));
}

#[test]
fn files_that_are_no_such_library() {
    let absent = Nvml::open(Some(Path::new("/nonexistent/libnvidia-ml.so.1")));
    let error = absent.expect_err("no such file").to_string();
    assert!(error.starts_with("NVML cannot be loaded: "), "{error}");
    let other = Nvml::open(Some(Path::new("libc.so.6"))).expect_err("the C library");
    assert_eq!(other, NvmlError::Missing("nvmlInit_v2"));
    let zero = Nvml::open(Some(Path::new("a\0b"))).expect_err("no path");
    assert!(zero.to_string().contains("zero byte"), "{zero}");
}
