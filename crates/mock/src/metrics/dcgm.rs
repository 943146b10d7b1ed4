//! `/dcgm/metrics`: the simulated boards as a DCGM exporter writes them.
//!
//! Gauges are those of the instant, where a real exporter has averages of its own interval. Invariant: a board's rows
//! all have its UUID, and the model's name says that it is simulated.

use crate::board::Board;
use infermeter_core::exposition::Page;

/// Clock of a board's multiprocessors, megahertz: a round number near that of the data sheets.
const SM_CLOCK: f64 = 1_980.0;
/// Clock of its memory, megahertz.
const MEMORY_CLOCK: f64 = 2_619.0;
/// Share of its memory that an engine takes at the start.
const MEMORY_SHARE: f64 = 0.9;
/// Temperature of an idle board, and how much warmer it is at full power, degrees.
const TEMPERATURE: [f64; 2] = [32.0, 40.0];
/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// What the page says.
#[derive(Debug)]
pub(crate) struct BoardsView<'a> {
    /// The device's name.
    pub gpu: &'a str,
    /// Bytes of its memory.
    pub memory_bytes: f64,
    /// Every board, in order.
    pub boards: &'a [Board],
}

/// One family: its name, its help, and a board's value.
type Family = (&'static str, &'static str, fn(&Board) -> f64);

const GAUGES: [Family; 12] = [
    (
        "DCGM_FI_DEV_SM_CLOCK",
        "SM clock frequency (in MHz).",
        |_| SM_CLOCK,
    ),
    (
        "DCGM_FI_DEV_MEM_CLOCK",
        "Memory clock frequency (in MHz).",
        |_| MEMORY_CLOCK,
    ),
    ("DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", |board| {
        TEMPERATURE[0] + TEMPERATURE[1] * board.power_w / board.limit_w
    }),
    ("DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", |board| {
        board.power_w
    }),
    (
        "DCGM_FI_DEV_POWER_MGMT_LIMIT",
        "Power limit (in W).",
        |board| board.limit_w,
    ),
    ("DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", |board| {
        if board.busy { 100.0 } else { 0.0 }
    }),
    (
        "DCGM_FI_DEV_MEM_COPY_UTIL",
        "Memory utilization (in %).",
        |board| (board.dram_active * 100.0).round(),
    ),
    (
        "DCGM_FI_DEV_XID_ERRORS",
        "Value of the last XID error.",
        |_| 0.0,
    ),
    (
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS",
        "Why clocks are not higher, in bits.",
        |board| {
            // Bit 0: the GPU is idle.
            if board.busy { 0.0 } else { 1.0 }
        },
    ),
    (
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        "Share of the time the engine is active.",
        |board| {
            if board.busy { 1.0 } else { 0.0 }
        },
    ),
    (
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
        "Share of the cycles the tensor pipes are active.",
        |board| board.tensor_active,
    ),
    (
        "DCGM_FI_PROF_DRAM_ACTIVE",
        "Share of the cycles the memory moves data.",
        |board| board.dram_active,
    ),
];

const COUNTERS: [Family; 2] = [
    (
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        "Total energy consumption since boot (in mJ).",
        |board| (board.energy_j * 1e3).floor(),
    ),
    (
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
        "Double-bit errors since the driver was loaded.",
        |_| 0.0,
    ),
];

/// The page.
pub(crate) fn page(view: &BoardsView<'_>) -> Vec<u8> {
    let mut page = Page::default();
    let model = format!("{} (simulated)", view.gpu);
    let boards = view.boards.iter().enumerate();
    let names = boards.map(|(index, _)| {
        let uuid = format!("GPU-00000000-6d6f-636b-0000-{index:012x}");
        [index.to_string(), uuid, format!("nvidia{index}")]
    });
    let names: Vec<[String; 3]> = names.collect();
    let samples = |of: fn(&Board) -> f64| {
        let named = names.iter().zip(view.boards);
        let sample = named.map(|([gpu, uuid, device], board)| {
            let labels = vec![
                ("gpu", gpu.as_str()),
                ("UUID", uuid.as_str()),
                ("device", device.as_str()),
                ("modelName", model.as_str()),
                ("Hostname", "infermeter-mock"),
            ];
            (labels, of(board))
        });
        sample.collect::<Vec<_>>()
    };
    for (name, help, of) in GAUGES {
        page.gauge(name, help, samples(of));
    }
    for (name, help, of) in COUNTERS {
        page.counter(name, help, samples(of));
    }
    let used = (view.memory_bytes * MEMORY_SHARE / MIB).round();
    let free = (view.memory_bytes / MIB).round() - used;
    let memory = [
        (
            "DCGM_FI_DEV_FB_USED",
            "Framebuffer memory used (in MiB).",
            used,
        ),
        (
            "DCGM_FI_DEV_FB_FREE",
            "Framebuffer memory free (in MiB).",
            free,
        ),
    ];
    for (name, help, value) in memory {
        let all = samples(|_| 0.0).into_iter();
        page.gauge(name, help, all.map(|(labels, _)| (labels, value)));
    }
    page.into_bytes()
}
