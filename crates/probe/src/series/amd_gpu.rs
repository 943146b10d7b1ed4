//! Series of AMD's device metrics exporter, and behind them those of the older amd_smi_exporter. The newer one's
//! names may have the prefix `amd_`. The older one has a GPU's index in a label that is called as the series is,
//! and writes what the library says as it is: microwatts, thousandths of a degree, hertz.

use super::{Apart, Label, Reader, Series, Tells, series, tells};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::AmdGpu,
    apart: Apart::Devices(&LABELS),
    series: &SERIES,
};

static LABELS: [Tells; 13] = [
    tells("gpu_uuid", "uuid"),
    tells("serial_number", "uuid"),
    tells("gpu_id", "gpu"),
    tells("card_model", "model"),
    tells("hostname", "host"),
    tells("productname", "model"),
    tells("gpu_power", "gpu"),
    tells("gpu_power_cap", "gpu"),
    tells("gpu_use_percent", "gpu"),
    tells("gpu_memory_use_percent", "gpu"),
    tells("gpu_current_temperature", "gpu"),
    tells("gpu_SCLK", "gpu"),
    tells("gpu_MCLK", "gpu"),
];

/// The clock of the compute units among those of a GPU.
static SYSTEM: [Label; 1] = [Label {
    name: "clock_type",
    value: "GPU_CLOCK_TYPE_SYSTEM",
}];
/// That of the memory.
static MEMORY: [Label; 1] = [Label {
    name: "clock_type",
    value: "GPU_CLOCK_TYPE_MEMORY",
}];
/// A megabyte of its texts: 2^20 bytes.
const MB: f64 = 1_048_576.0;

static SERIES: [Series; 23] = [
    series(
        Q::GpuUtilisation,
        &["gpu_gfx_activity", "amd_gpu_gfx_activity"],
    )
    .scaled(1e-2),
    series(Q::GpuUtilisation, &["amd_gpu_use_percent"]).scaled(1e-2),
    series(
        Q::GpuMemoryBusyProxy,
        &["gpu_umc_activity", "amd_gpu_umc_activity"],
    )
    .scaled(1e-2),
    series(Q::GpuMemoryBusyProxy, &["amd_gpu_memory_use_percent"]).scaled(1e-2),
    series(Q::GpuMemoryUsed, &["gpu_used_vram", "amd_gpu_used_vram"]).scaled(MB),
    series(Q::GpuMemoryFree, &["gpu_free_vram", "amd_gpu_free_vram"]).scaled(MB),
    series(Q::GpuMemoryTotal, &["gpu_total_vram", "amd_gpu_total_vram"]).scaled(MB),
    series(
        Q::GpuPower,
        &[
            "gpu_package_power",
            "amd_gpu_package_power",
            "gpu_average_package_power",
            "amd_gpu_average_package_power",
            "gpu_power_usage",
            "amd_gpu_power_usage",
        ],
    ),
    series(Q::GpuPower, &["amd_gpu_power"]).scaled(1e-6),
    series(Q::GpuPowerLimit, &["amd_gpu_power_cap"]).scaled(1e-6),
    series(
        Q::GpuEnergy,
        &["gpu_energy_consumed", "amd_gpu_energy_consumed"],
    )
    .scaled(1e-6),
    series(Q::GpuSmClock, &["gpu_clock", "amd_gpu_clock"])
        .only(&SYSTEM)
        .scaled(1e6),
    series(Q::GpuSmClock, &["amd_gpu_SCLK"]),
    series(Q::GpuMemoryClock, &["gpu_clock", "amd_gpu_clock"])
        .only(&MEMORY)
        .scaled(1e6),
    series(Q::GpuMemoryClock, &["amd_gpu_MCLK"]),
    series(
        Q::GpuTemperature,
        &[
            "gpu_junction_temperature",
            "amd_gpu_junction_temperature",
            "gpu_edge_temperature",
            "amd_gpu_edge_temperature",
        ],
    ),
    series(Q::GpuTemperature, &["amd_gpu_current_temperature"]).scaled(1e-3),
    series(
        Q::GpuMemoryTemperature,
        &["gpu_memory_temperature", "amd_gpu_memory_temperature"],
    ),
    series(
        Q::GpuEccCorrected,
        &["gpu_ecc_correct_total", "amd_gpu_ecc_correct_total"],
    ),
    series(
        Q::GpuEccUncorrected,
        &["gpu_ecc_uncorrect_total", "amd_gpu_ecc_uncorrect_total"],
    ),
    series(
        Q::GpuPcieReplays,
        &["pcie_replay_count", "amd_pcie_replay_count"],
    ),
    series(
        Q::GpuSmActive,
        &["gpu_prof_sm_active", "amd_gpu_prof_sm_active"],
    )
    .scaled(1e-2),
    series(
        Q::GpuTensorActive,
        &[
            "gpu_prof_tensor_active_percent",
            "amd_gpu_prof_tensor_active_percent",
        ],
    )
    .scaled(1e-2),
];
