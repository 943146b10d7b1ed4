//! Series of all-smi, which tells of GPUs of several makers. Its counter of energy is the hardware's where there is
//! one; the sum that it integrates itself from power is not read, since the same is done here with its gaps known.

use super::{Apart, Reader, Series, Tells, series, tells};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::AllSmi,
    apart: Apart::Devices(&LABELS),
    series: &SERIES,
};

static LABELS: [Tells; 8] = [
    tells("uuid", "uuid"),
    tells("gpu_uuid", "uuid"),
    tells("index", "gpu"),
    tells("gpu_index", "gpu"),
    tells("gpu", "model"),
    tells("name", "model"),
    tells("instance", "host"),
    tells("host", "host"),
];

static SERIES: [Series; 8] = [
    series(Q::GpuUtilisation, &["all_smi_gpu_utilization"]).scaled(1e-2),
    series(Q::GpuMemoryUsed, &["all_smi_gpu_memory_used_bytes"]),
    series(Q::GpuMemoryTotal, &["all_smi_gpu_memory_total_bytes"]),
    series(Q::GpuPower, &["all_smi_gpu_power_consumption_watts"]),
    series(Q::GpuPowerLimit, &["all_smi_gpu_power_limit_current_watts"]),
    series(Q::GpuEnergy, &["all_smi_gpu_energy_hw_millijoules"]).scaled(1e-3),
    series(Q::GpuSmClock, &["all_smi_gpu_frequency_mhz"]).scaled(1e6),
    series(Q::GpuTemperature, &["all_smi_gpu_temperature_celsius"]),
];
