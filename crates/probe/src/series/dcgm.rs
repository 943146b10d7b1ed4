//! Series of NVIDIA's DCGM exporter, by the names of DCGM's fields. A board that is cut into instances (MIG) has a row
//! for each of them, and each repeats what the board draws: rows of one UUID are one board. What instances have of
//! their own is added up or averaged, unless the board's own row stands beside theirs.
//!
//! Time that the clock was held down is in microseconds by the exporter's help text and in nanoseconds by newer fields'
//! documentation: only whether it rises is used.

use super::{Apart, Reader, Series, Tells, series, tells};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::Dcgm,
    apart: Apart::Devices(&LABELS),
    series: &SERIES,
};

static LABELS: [Tells; 4] = [
    tells("UUID", "uuid"),
    tells("gpu", "gpu"),
    tells("modelName", "model"),
    tells("Hostname", "host"),
];

/// Which instance of a board that is cut.
const INSTANCE: &str = "GPU_I_ID";
/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

static SERIES: [Series; 27] = [
    series(Q::GpuUtilisation, &["DCGM_FI_DEV_GPU_UTIL"]).scaled(1e-2),
    // Of boards that are cut, which have no utilisation.
    series(Q::GpuUtilisation, &["DCGM_FI_PROF_GR_ENGINE_ACTIVE"]).by(INSTANCE),
    series(Q::GpuMemoryBusyProxy, &["DCGM_FI_DEV_MEM_COPY_UTIL"]).scaled(1e-2),
    series(Q::GpuSmActive, &["DCGM_FI_PROF_SM_ACTIVE"]).by(INSTANCE),
    series(Q::GpuTensorActive, &["DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"]).by(INSTANCE),
    series(Q::GpuDramActive, &["DCGM_FI_PROF_DRAM_ACTIVE"]).by(INSTANCE),
    series(Q::GpuMemoryUsed, &["DCGM_FI_DEV_FB_USED"])
        .by(INSTANCE)
        .scaled(MIB),
    series(Q::GpuMemoryFree, &["DCGM_FI_DEV_FB_FREE"])
        .by(INSTANCE)
        .scaled(MIB),
    series(Q::GpuMemoryTotal, &["DCGM_FI_DEV_FB_TOTAL"])
        .by(INSTANCE)
        .scaled(MIB),
    series(Q::GpuPower, &["DCGM_FI_DEV_POWER_USAGE"]),
    series(
        Q::GpuPowerLimit,
        &[
            "DCGM_FI_DEV_ENFORCED_POWER_LIMIT",
            "DCGM_FI_DEV_POWER_MGMT_LIMIT",
        ],
    ),
    series(Q::GpuEnergy, &["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"]).scaled(1e-3),
    series(Q::GpuSmClock, &["DCGM_FI_DEV_SM_CLOCK"]).scaled(1e6),
    series(Q::GpuMemoryClock, &["DCGM_FI_DEV_MEM_CLOCK"]).scaled(1e6),
    series(Q::GpuTemperature, &["DCGM_FI_DEV_GPU_TEMP"]),
    series(Q::GpuMemoryTemperature, &["DCGM_FI_DEV_MEMORY_TEMP"]),
    series(
        Q::GpuThrottleReasons,
        &[
            "DCGM_FI_DEV_CLOCKS_EVENT_REASONS",
            "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
        ],
    ),
    series(Q::GpuPowerThrottled, &["DCGM_FI_DEV_POWER_VIOLATION"]),
    series(Q::GpuThermalThrottled, &["DCGM_FI_DEV_THERMAL_VIOLATION"]),
    series(
        Q::GpuEccCorrected,
        &[
            "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
            "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL",
        ],
    ),
    series(
        Q::GpuEccUncorrected,
        &[
            "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
            "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL",
        ],
    ),
    series(Q::GpuXid, &["DCGM_FI_DEV_XID_ERRORS"]),
    series(Q::GpuPcieSent, &["DCGM_FI_PROF_PCIE_TX_BYTES"]).by(INSTANCE),
    series(Q::GpuPcieReceived, &["DCGM_FI_PROF_PCIE_RX_BYTES"]).by(INSTANCE),
    series(Q::GpuPcieReplays, &["DCGM_FI_DEV_PCIE_REPLAY_COUNTER"]),
    series(Q::GpuLinkSent, &["DCGM_FI_PROF_NVLINK_TX_BYTES"]).by(INSTANCE),
    series(Q::GpuLinkReceived, &["DCGM_FI_PROF_NVLINK_RX_BYTES"]).by(INSTANCE),
];
