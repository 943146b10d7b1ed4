//! What GPUs say of themselves: held back, idle while requests wait, broken, or not known.
//!
//! Invariant: a check that needs what no GPU tells finds nothing.

use super::{Check, NOTE, WARNING, of_server as check, percent};
use crate::energy::{EnergySummary, GpuEnergy};
use crate::limits;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Finding, Severity, Weight};
use infermeter_core::number::counted;
use infermeter_core::text::inert;

/// Reasons for which a clock is held down that are no setting: heat and hardware.
const HELD_DOWN: [&str; 4] = [
    "hardware_slowdown",
    "thermal",
    "hardware_thermal",
    "power_brake",
];

fn energy(summary: &Summary) -> Option<&EnergySummary> {
    summary.energy.as_ref()
}

/// `GPU 3`, or its own name where it has no place.
fn name(gpu: &GpuEnergy) -> String {
    let index = gpu
        .index
        .as_deref()
        .map(|index| format!("GPU {}", inert(index, 20)));
    index.unwrap_or_else(|| inert(&gpu.uuid, 60))
}

/// The GPU of which something is the most.
fn worst(summary: &Summary, of: impl Fn(&GpuEnergy) -> f64) -> Option<(&GpuEnergy, f64)> {
    let all = energy(summary)?.gpus.iter().map(|gpu| (gpu, of(gpu)));
    all.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// A clock was held down.
pub(super) const THROTTLED: Check = check(
    "gpu-throttled",
    Weight::UpTo(Severity::Warning),
    None,
    throttled,
);

fn throttled(_: &Run, summary: &Summary) -> Option<Finding> {
    let share = |gpu: &GpuEnergy, reasons: &[&str]| {
        let of = reasons
            .iter()
            .filter_map(|reason| gpu.throttled.get(*reason));
        of.copied().fold(0.0, f64::max)
    };
    let (gpu, held) = worst(summary, |gpu| share(gpu, &HELD_DOWN))?;
    if held > limits::THROTTLED {
        return Some(THROTTLED.found(
            "A GPU's clock was held down by its temperature or by its hardware: the figures are those of a GPU that \
             is slower than it should be.",
            format!("{}: {} of the readings, {}.", name(gpu), percent(held), reasons(gpu)),
            "Look at the cooling, at the power supply and at the GPU's temperature, and measure again.",
        ));
    }
    let (gpu, capped) = worst(summary, |gpu| share(gpu, &["power_cap"]))?;
    (capped > limits::POWER_CAPPED).then(|| {
        THROTTLED.weighing(
            Severity::Note,
            "A GPU ran at its power limit, which held its clock down.",
            format!("{}: {} of the readings.", name(gpu), percent(capped)),
            "That is how a busy GPU runs by design; say the power limit beside the figures (nvidia-smi -q -d POWER).",
        )
    })
}

/// `thermal 12.0 %, power_cap 3.0 %`.
fn reasons(gpu: &GpuEnergy) -> String {
    let all = gpu.throttled.iter();
    let all: Vec<String> = all
        .map(|(reason, share)| format!("{} {}", reason.replace('_', " "), percent(*share)))
        .collect();
    all.join(", ")
}

/// A clock fell during the window.
pub(super) const CLOCK_DROPPED: Check = check(
    "gpu-clock-dropped",
    WARNING,
    Some(limits::CLOCK_DROPPED),
    clock_dropped,
);

fn clock_dropped(_: &Run, summary: &Summary) -> Option<Finding> {
    let (gpu, drop) = worst(summary, |gpu| 1.0 - gpu.clock_ratio.unwrap_or(1.0))?;
    (1.0 - drop < limits::CLOCK_DROPPED).then(|| {
        CLOCK_DROPPED.found(
            "A GPU's clock fell during the window while it worked: its end is of a slower GPU than its beginning.",
            format!("{}: {} lower in the last third than in the first.", name(gpu), percent(drop)),
            "Warm up for longer, lock the clocks (nvidia-smi -lgc), or look at temperature and power.",
        )
    })
}

/// Memory had errors.
pub(super) const ECC: Check = check(
    "gpu-memory-errors",
    Weight::UpTo(Severity::Warning),
    None,
    memory_errors,
);

fn memory_errors(_: &Run, summary: &Summary) -> Option<Finding> {
    let rose =
        |name: &'static str| move |gpu: &GpuEnergy| gpu.errors.get(name).copied().unwrap_or(0.0);
    let advice = "Look at nvidia-smi -q -d ECC and at the kernel's log; a GPU whose errors grow is to be replaced.";
    let (gpu, uncorrected) = worst(summary, rose("gpu_ecc_uncorrected"))?;
    if uncorrected > 0.0 {
        return Some(ECC.found(
            "A GPU's memory had errors in the window that could not be corrected: what it computed may be wrong.",
            format!("{}: {uncorrected:.0} uncorrected.", name(gpu)),
            advice,
        ));
    }
    let (gpu, corrected) = worst(summary, rose("gpu_ecc_corrected"))?;
    (corrected > 0.0).then(|| {
        ECC.weighing(
            Severity::Note,
            "A GPU's memory had errors in the window, all of them corrected.",
            format!("{}: {corrected:.0} corrected.", name(gpu)),
            advice,
        )
    })
}

/// The driver logged an error.
pub(super) const XID: Check = check("gpu-driver-error", WARNING, None, driver_error);

fn driver_error(_: &Run, summary: &Summary) -> Option<Finding> {
    let gpu = energy(summary)?
        .gpus
        .iter()
        .find(|gpu| !gpu.xids.is_empty())?;
    let xids: Vec<String> = gpu.xids.iter().take(5).map(u64::to_string).collect();
    Some(XID.found(
        "NVIDIA's driver logged an error of a GPU inside the window.",
        format!("{}: Xid {}.", name(gpu), xids.join(", ")),
        "Look for the Xid in the kernel's log (dmesg) and in NVIDIA's list of them, and measure again.",
    ))
}

/// Requests wait, and the GPUs do nothing.
pub(super) const IDLE: Check = check(
    "gpu-idle-while-waiting",
    WARNING,
    Some(limits::IDLE_WHILE_WAITING),
    idle_while_waiting,
);

fn idle_while_waiting(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = energy(summary)?.idle_while_waiting?;
    let share = found.idle as f64 / found.waiting.max(1) as f64;
    let enough = found.waiting >= limits::WAITING_GPU_READINGS;
    (enough && share > limits::IDLE_WHILE_WAITING).then(|| {
        IDLE.found(
            "Requests waited in the server while its GPUs did nothing: something before the GPU holds them up.",
            format!(
                "At {} of {} with waiting requests the GPUs were busy for less than a tenth of the time.",
                found.idle,
                counted(found.waiting as u64, "reading")
            ),
            "Look at the engine's CPU: its scheduler, tokenising, detokenising, and limits on running requests. If \
             the GPUs that were read are not those that serve, name others with --gpu-metrics.",
        )
    })
}

/// Energy is not known, or badly.
pub(super) const ENERGY_UNKNOWN: Check = check("energy-not-known", NOTE, None, energy_unknown);

fn energy_unknown(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = energy(summary)?;
    let advice = "Read the GPUs more often (--server-metrics-interval), with a warm-up before the window, and from \
                  an exporter that has the counter of energy (DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION).";
    if let Some(all) = found.energy {
        let share = all.error / all.value;
        return (share > limits::ENERGY_ERROR).then(|| {
            ENERGY_UNKNOWN.found(
                "The GPUs' energy over the window is known badly: readings lie too far from its edges.",
                format!("{:.0} J, at most {:.0} J off ({}).", all.value, all.error, percent(share)),
                advice,
            )
        });
    }
    let gpu = found.gpus.iter().find(|gpu| gpu.energy.is_none())?;
    let why = gpu.not_known.as_deref().unwrap_or("it does not tell");
    let gap = gpu.longest_gap_s.filter(|gap| *gap > limits::POWER_GAP_S);
    let gap = gap.map_or_else(String::new, |gap| format!(" (longest gap {gap:.1} s)"));
    Some(ENERGY_UNKNOWN.found(
        "The GPUs' energy over the window is not known.",
        format!("{}: {}{gap}.", name(gpu), inert(why, 160)),
        advice,
    ))
}

/// Figures stand still for longer than the window can bear.
pub(super) const STALE: Check = check(
    "gpu-readings-stale",
    NOTE,
    Some(limits::STALE_SHARE),
    readings_stale,
);

fn readings_stale(_: &Run, summary: &Summary) -> Option<Finding> {
    let window_s = summary.window_s?;
    let (gpu, refresh_s) = worst(summary, |gpu| gpu.refresh_s.unwrap_or(0.0))?;
    (refresh_s > window_s * limits::STALE_SHARE).then(|| {
        STALE.found(
            "The exporter refreshes a GPU's figures so seldom that few of them lie inside the window.",
            format!("{}: each {refresh_s:.1} s, in a window of {window_s:.0} s.", name(gpu)),
            "Measure for longer, or have the exporter collect more often (dcgm-exporter -c 1000: each second; its \
             default is 30 s).",
        )
    })
}

/// Whoever was to tell of GPUs did not, or stopped.
pub(super) const UNREAD: Check = check("gpu-metrics-unread", NOTE, None, metrics_unread);

fn metrics_unread(run: &Run, summary: &Summary) -> Option<Finding> {
    use infermeter_core::environment::MetricsPlace;
    let found = energy(summary)?;
    let advice = "Check the address given to --gpu-metrics from this machine. For NVML: nvidia-smi has to work for \
                  the user who measures.";
    let place = &run.manifest.environment.target.gpu_metrics;
    if let Some(MetricsPlace::Known { unread, .. }) = place
        && let Some(first) = unread.first()
    {
        return Some(UNREAD.found(
            "A place that the plan names for GPUs could not be read: what is told of them is without it.",
            format!("{}: {}.", inert(&first.url, 160), inert(&first.why, 160)),
            advice,
        ));
    }
    if let Some(why) = &found.not_available {
        return Some(UNREAD.found(
            "The GPUs that the plan names could not be read: nothing is known of their energy.",
            format!("{}.", inert(why, 160)),
            advice,
        ));
    }
    let why = found.failure.as_ref()?;
    Some(UNREAD.found(
        "GPUs could not be read for a part of the window.",
        format!(
            "{} of {} failed; {}.",
            found.failed,
            counted((found.failed + found.readings) as u64, "reading"),
            inert(why, 160)
        ),
        advice,
    ))
}

#[cfg(test)]
mod tests;
