//! Pages of exporters of GPUs and hosts, written by hand after their documentation: none was read from a live GPU.

use super::*;
use infermeter_core::server::EngineFigures;

const DCGM: &str = include_str!("../../../../../fuzz/seeds/metrics/dcgm.prom");
const DCGM_MIG: &str = include_str!("../../../../../fuzz/seeds/metrics/dcgm_mig.prom");
const AMD_GPU: &str = include_str!("../../../../../fuzz/seeds/metrics/amd_gpu.prom");
const AMD_SMI: &str = include_str!("../../../../../fuzz/seeds/metrics/amd_smi.prom");
const ALL_SMI: &str = include_str!("../../../../../fuzz/seeds/metrics/all_smi.prom");
const NODE: &str = include_str!("../../../../../fuzz/seeds/metrics/node_exporter.prom");

/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

#[track_caller]
fn says(figures: &ServerFigures, expect: &[(Q, f64)]) {
    for (quantity, value) in expect {
        let found = figures.get(*quantity);
        let near = found.is_some_and(|found| (found - value).abs() <= value.abs() * 1e-12);
        assert!(near, "{quantity:?}: {found:?}, {value} expected");
    }
}

#[track_caller]
fn exporter(page: &str, engine: ServerEngine) -> PageFigures {
    let found = only(page).expect("a known exporter");
    assert_eq!(found.engine, engine);
    assert!(engine.is_device());
    found
}

fn labels(gpu: &EngineFigures) -> Vec<(&str, &str)> {
    let all = gpu.labels.iter();
    all.map(|(name, value)| (&**name, &**value)).collect()
}

#[test]
fn two_gpus_of_a_dcgm_exporter() {
    let found = exporter(DCGM, ServerEngine::Dcgm);
    let together = [
        (Q::GpuPower, 1_000.0),
        (Q::GpuPowerLimit, 1_400.0),
        (Q::GpuEnergy, 130_000_000.0),
        (Q::GpuUtilisation, 0.97),
        (Q::GpuMemoryBusyProxy, 0.54),
        (Q::GpuDramActive, 0.375),
        (Q::GpuTensorActive, 0.125),
        (Q::GpuMemoryUsed, 2.0 * 73_216.0 * MIB),
        (Q::GpuMemoryFree, 2.0 * 8_192.0 * MIB),
        (Q::GpuTemperature, 67.0),
        (Q::GpuMemoryTemperature, 74.0),
        (Q::GpuXid, 79.0),
        (Q::GpuThrottleReasons, 4.0),
        (Q::GpuPowerThrottled, 12_000.0),
        (Q::GpuPcieReplays, 1.0),
        (Q::GpuLinkSent, 1e6),
    ];
    says(&found.figures, &together);
    let [first, second] = &found.detail.engines[..] else {
        panic!("two GPUs: {:?}", found.detail.engines);
    };
    // The container that holds a GPU is no part of its name.
    let expect = [
        ("gpu", "0"),
        ("host", "node1"),
        ("model", "NVIDIA H100 80GB HBM3"),
        ("uuid", "GPU-11111111-aaaa"),
    ];
    assert_eq!(labels(first), expect);
    says(
        &first.figures,
        &[(Q::GpuSmClock, 1.98e9), (Q::GpuPower, 512.5)],
    );
    says(
        &second.figures,
        &[(Q::GpuSmClock, 1.755e9), (Q::GpuXid, 79.0)],
    );
    assert_eq!(second.figures.get(Q::GpuTensorActive), None);
}

#[test]
fn a_board_that_is_cut_draws_its_power_once() {
    let found = exporter(DCGM_MIG, ServerEngine::Dcgm);
    let [board] = &found.detail.engines[..] else {
        panic!("one board: {:?}", found.detail.engines);
    };
    for figures in [&found.figures, &board.figures] {
        let expect = [
            (Q::GpuPower, 230.5),
            (Q::GpuEnergy, 5_000.0),
            // Of its instances, added and averaged.
            (Q::GpuMemoryUsed, 4_000.0 * MIB),
            (Q::GpuUtilisation, 0.5),
            // The board's own row stands for its instances.
            (Q::GpuDramActive, 0.5),
        ];
        says(figures, &expect);
    }
    let instances = found.detail.parts.get(Q::GpuMemoryUsed).expect("parts");
    assert_eq!(instances["1"], 1_000.0 * MIB);
}

#[test]
fn gpus_of_amd() {
    let found = exporter(AMD_GPU, ServerEngine::AmdGpu);
    let expect = [
        (Q::GpuPower, 1_200.0),
        (Q::GpuEnergy, 4e6),
        (Q::GpuUtilisation, 0.7),
        (Q::GpuMemoryUsed, 2_048.0 * MIB),
        (Q::GpuSmClock, 1.5e9),
        (Q::GpuMemoryClock, 1.3e9),
        (Q::GpuTemperature, 76.0),
        (Q::GpuEccUncorrected, 1.0),
    ];
    says(&found.figures, &expect);
    let names: Vec<_> = found
        .detail
        .engines
        .iter()
        .map(|gpu| &*gpu.labels["uuid"])
        .collect();
    assert_eq!(names, ["SN-0", "SN-1"]);
}

#[test]
fn gpus_of_the_older_exporter_of_amd() {
    let found = exporter(AMD_SMI, ServerEngine::AmdGpu);
    let expect = [
        (Q::GpuPower, 400.0),
        (Q::GpuPowerLimit, 300.0),
        (Q::GpuUtilisation, 0.75),
        (Q::GpuTemperature, 55.0),
        (Q::GpuSmClock, 1.7e9),
    ];
    says(&found.figures, &expect);
    let [first, second] = &found.detail.engines[..] else {
        panic!("two GPUs: {:?}", found.detail.engines);
    };
    assert_eq!(labels(first), [("gpu", "0"), ("model", "Instinct MI210")]);
    says(
        &second.figures,
        &[(Q::GpuPower, 250.0), (Q::GpuUtilisation, 1.0)],
    );
}

#[test]
fn gpus_of_all_smi() {
    let found = exporter(ALL_SMI, ServerEngine::AllSmi);
    let expect = [
        (Q::GpuPower, 400.5),
        (Q::GpuEnergy, 1_234.5),
        (Q::GpuUtilisation, 0.255),
        (Q::GpuMemoryTotal, 150_754_820_096.0),
        (Q::GpuSmClock, 1.98e9),
    ];
    says(&found.figures, &expect);
    let expect = [
        ("gpu", "0"),
        ("host", "node-4"),
        ("model", "NVIDIA H200"),
        ("uuid", "GPU-44444444"),
    ];
    assert_eq!(labels(&found.detail.engines[0]), expect);
}

#[test]
fn a_host_of_the_node_exporter() {
    let found = exporter(NODE, ServerEngine::NodeExporter);
    let expect = [
        (Q::HostCpuTime, 2_800.0),
        (Q::HostMemoryTotal, 5.4e10),
        (Q::HostMemoryAvailable, 4e10),
    ];
    says(&found.figures, &expect);
    let modes = found.detail.parts.get(Q::HostCpuTime).expect("modes");
    assert_eq!((modes["idle"], modes["iowait"]), (1_900.0, 30.0));
    assert!(found.detail.engines.is_empty(), "one host");
}

#[test]
fn a_page_of_an_engine_and_of_its_gpus_is_both() {
    let both = format!("{DCGM}vllm:num_requests_running 3\n");
    let engines: Vec<ServerEngine> = figures(&both).iter().map(|own| own.engine).collect();
    assert_eq!(engines, [Vllm, ServerEngine::Dcgm]);
}

#[test]
fn more_gpus_than_are_kept_apart_are_still_added() {
    let row = |n: usize| format!("DCGM_FI_DEV_POWER_USAGE{{UUID=\"GPU-{n}\"}} 10\n");
    let page = |count: usize| (0..count).map(row).collect::<String>();
    let some = exporter(&page(72), ServerEngine::Dcgm);
    assert_eq!(some.detail.engines.len(), 72);
    let many = exporter(&page(300), ServerEngine::Dcgm);
    assert!(many.detail.engines.is_empty());
    says(&many.figures, &[(Q::GpuPower, 3_000.0)]);
}
