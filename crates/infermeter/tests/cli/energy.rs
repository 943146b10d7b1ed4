//! Energy and GPUs: of the simulator against its own truth, and by a fake NVML that is built here.

use crate::process::{Mock, Run, Scratch, finding, infermeter, run_with, words};
use infermeter_core::server::{Quantity, ServerEngine};
use infermeter_record::read_server_metrics;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const WATCHED: &str = "--rate 8 --duration 6s --warmup 1s --workload fixed:128,64 --threads 1 \
                       --server-metrics-interval 250ms";

fn watched(target: &str, more: &str) -> Run {
    run_with(words(&format!("run {target} {WATCHED} {more}")), |_| {})
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// What the simulator at `url` says of itself.
fn stats(url: &str) -> Option<Value> {
    let address = url.strip_prefix("http://")?;
    let mut stream = TcpStream::connect(address).ok()?;
    let request = "GET /admin/stats HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// The energy that the simulator itself says it has drawn, by its own clock: another way than its page of GPUs.
struct Truth {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(f64, f64)>>,
}

impl Truth {
    fn watch(url: &str) -> Self {
        let (url, stop) = (url.to_owned(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = vec![];
            while !until.load(Ordering::Relaxed) {
                if let Some(stats) = stats(&url) {
                    seen.push((number(&stats["now_ns"]), number(&stats["energy_j"])));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            seen
        });
        Self { stop, thread }
    }

    /// Joules between two instants, at least and at most: of the points around each.
    fn between(self, from: f64, to: f64) -> [f64; 2] {
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().expect("it ended");
        let around = |at: f64| {
            let after = seen.partition_point(|(now, _)| *now <= at);
            [seen[after - 1].1, seen[after].1]
        };
        let ([low, high], [last_low, last_high]) = (around(from), around(to));
        [last_low - high, last_high - low]
    }
}

#[test]
fn joules_per_token_are_those_of_the_simulator() {
    let mock = Mock::start("--preset llama-8b-h100");
    let truth = Truth::watch(&mock.url);
    let gpus = format!(
        "--gpu-metrics {}/dcgm/metrics --kwh 0.25 --gpus 1 --gpu-hour 2",
        mock.url
    );
    let run = watched(&mock.url, &gpus);
    let manifest = run.manifest();
    let energy = &manifest["summary"]["energy"];
    let origin = number(&manifest["clock"]["monotonic_origin_ns"]);
    let edge = |name: &str| origin + number(&manifest["window"][name]);
    let [least, most] = truth.between(edge("start"), edge("end"));
    let (joules, error) = (
        number(&energy["energy"]["value"]),
        number(&energy["energy"]["error"]),
    );
    assert!(least > 100.0, "an idle H100 draws 105 W: {least}");
    assert!(
        (least - error..=most + error).contains(&joules),
        "{joules} ± {error}, {least} to {most}"
    );
    assert!(error < joules * 0.2, "{error} of {joules}");
    let tokens = number(&manifest["summary"]["throughput"]["output_tokens"]["count"]);
    let per_token = number(&energy["per_output_token"]["value"]);
    assert!(
        (per_token / (joules / tokens) - 1.0).abs() < 1e-9,
        "{energy}"
    );
    let million = number(&energy["cost"]["million_output"]);
    assert!((million / (per_token * 1e6 / 3.6e6 * 0.25) - 1.0).abs() < 1e-9);
    let gpu = &energy["gpus"][0];
    assert_eq!(gpu["method"], "counter");
    assert_eq!(gpu["model"], "H100 SXM (simulated)");
    let power = &gpu["gauges"]["gpu_power"];
    assert!(number(&power["greatest"]) <= 700.0 && number(&power["least"]) >= 104.9);
    for word in [
        "Energy and GPUs",
        "per output token",
        "H100 SXM (simulated)",
    ] {
        assert!(run.ran.out.contains(word), "{word}: {}", run.ran.out);
    }
}

#[test]
fn gpus_of_the_embedded_simulator_are_found() {
    let run = watched("mock:llama-70b-8xh100", "");
    let manifest = run.manifest();
    let energy = &manifest["summary"]["energy"];
    assert_eq!(energy["gpus"].as_array().expect("a list").len(), 8);
    let watts = number(&energy["mean_power_w"]);
    assert!((840.0..=5_600.0).contains(&watts), "{watts}");
    let place = &manifest["environment"]["target"]["gpu_metrics"];
    assert_eq!(place["engine"], "dcgm", "{place}");
    let found = read_server_metrics(&run.dir)
        .expect("readable")
        .expect("a file");
    let engines: Vec<ServerEngine> = found.watch.pages.iter().map(|page| page.engine).collect();
    assert_eq!(engines, [ServerEngine::Vllm, ServerEngine::Dcgm]);
    // A page with charts has the GPUs on the run's own time.
    let html = infermeter(&format!("report {} --format html", run.dir.display()));
    assert!(html.out.contains("gpu-power"), "no chart of power");
}

#[test]
fn a_simulator_without_devices_and_one_that_is_not_asked() {
    let fixed = watched("mock:fixed", "");
    assert!(fixed.manifest()["summary"]["energy"].is_null());
    let off = watched("mock:llama-8b-h100", "--gpu-metrics off");
    let manifest = off.manifest();
    assert!(manifest["summary"]["energy"].is_null());
    let place = &manifest["environment"]["target"]["gpu_metrics"];
    assert_eq!(place["not_available"], "--gpu-metrics off");
    let found = read_server_metrics(&off.dir)
        .expect("readable")
        .expect("a file");
    assert_eq!(found.watch.pages.len(), 1);
}

#[test]
fn what_cannot_be_read_is_said_and_ends_no_run() {
    let mock = Mock::start("--preset llama-8b-h100");
    let places = format!(
        "--gpu-metrics {}/nothing --gpu-metrics nvml:/nonexistent.so",
        mock.url
    );
    let run = watched(&mock.url, &places);
    let manifest = run.manifest();
    let said = finding(&manifest, "gpu-metrics-unread");
    assert!(
        said["evidence"]
            .as_str()
            .expect("a text")
            .contains("status 404"),
        "{said}"
    );
    assert!(manifest["summary"]["energy"]["energy"].is_null());
    let engine = watched(&mock.url, &format!("--gpu-metrics {}/metrics", mock.url));
    let said = engine.finding("gpu-metrics-unread");
    let evidence = said["evidence"].as_str().expect("a text");
    assert!(evidence.contains("of no GPU"), "{evidence}");
    infermeter("run http://host --rate 1 --gpu-metrics on").fails(2, &["--gpu-metrics", "nvml"]);
}

/// Builds the fake NVML that fails while `fail` exists, with the C compiler that the project itself needs.
fn fake_nvml(scratch: &Scratch, fail: &Path) -> String {
    let library = scratch.path("libfake-nvml.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../sys/src/nvml/fake_nvml.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .arg(format!("-DFAIL_FILE=\"{}\"", fail.display()))
        .status()
        .expect("a C compiler");
    assert!(built.success(), "the fake library does not build");
    library.display().to_string()
}

#[test]
fn nvml_is_loaded_and_read_like_the_real_one() {
    let scratch = Scratch::new();
    let library = fake_nvml(&scratch, &scratch.path("fail"));
    let mock = Mock::start("--preset llama-8b-h100");
    let run = watched(&mock.url, &format!("--gpu-metrics nvml:{library}"));
    let manifest = run.manifest();
    let energy = &manifest["summary"]["energy"];
    let (joules, error) = (
        number(&energy["energy"]["value"]),
        number(&energy["energy"]["error"]),
    );
    let seconds = number(&manifest["summary"]["window_s"]);
    // Its GPUs draw 300 W and 320 W, always.
    assert!(
        (joules - 620.0 * seconds).abs() <= error + 1.0,
        "{joules} ± {error}"
    );
    assert!(error < joules * 0.2, "{error} of {joules}");
    assert_eq!(energy["sources"], serde_json::json!(["nvml"]));
    let found = read_server_metrics(&run.dir)
        .expect("readable")
        .expect("a file");
    let page = found.device_pages()[0];
    let held = found
        .of_page(page)
        .find_map(|r| r.detail.parts.get(Quantity::GpuProcessMemory));
    assert!(held.expect("processes").contains_key("pid 4242"));
    assert_eq!(finding(&manifest, "gpu-throttled")["severity"], "note");
}

#[test]
fn nvml_that_fails_during_the_run_is_a_finding() {
    let scratch = Scratch::new();
    let fail = scratch.path("fail");
    let library = fake_nvml(&scratch, &fail);
    let mock = Mock::start("--preset llama-8b-h100");
    let breaks = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(4));
        std::fs::write(fail, "").expect("written");
    });
    let run = watched(&mock.url, &format!("--gpu-metrics nvml:{library}"));
    breaks.join().expect("it ended");
    assert_eq!(run.ran.code, Some(0), "{:?}", run.ran);
    let said = run.finding("gpu-metrics-unread");
    assert!(
        said["evidence"]
            .as_str()
            .expect("a text")
            .contains("the GPU is lost"),
        "{said}"
    );
    let energy = &run.manifest()["summary"]["energy"];
    assert!(
        energy["energy"].is_null(),
        "half a window is not a window: {energy}"
    );
}
