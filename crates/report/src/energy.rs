//! Energy: what the GPUs drew, what that makes per token and in money, and each GPU for itself.
//!
//! Decides nothing. Invariant: energy never stands without its error and what it was computed from, and what is not
//! known is said to be so.

use crate::document::{Block, Cell, Column, Entries, Grade, Section, Table, Tone};
use crate::number::{JOIN, money, percent, plus_minus, significant};
use crate::view::View;
use infermeter_analysis::{
    EnergyCost, EnergyMethod, EnergySummary, GpuEnergy, HostLoad, Measured, Summary,
};
use infermeter_core::number::counted;
use infermeter_core::text::inert;

/// Rows of GPUs in the summary: the rest is told in the full view.
const SHORT_ROWS: usize = 8;

/// What is told of energy; empty where nobody told of GPUs.
pub(crate) fn section(summary: &Summary, view: View) -> Section {
    let section = Section::new("Energy and GPUs, in the window");
    let Some(energy) = &summary.energy else {
        return section;
    };
    let section = section.with(lines(energy));
    if energy.gpus.is_empty() {
        return section;
    }
    let rows = match view {
        View::Summary => SHORT_ROWS,
        _ => usize::MAX,
    };
    let section = section.with(table(energy.gpus.iter().take(rows)));
    section.with(Block::Text(Tone::Aside, legend(energy, rows)))
}

fn lines(energy: &EnergySummary) -> Entries {
    let mut entries = Entries::default();
    entries.add("Energy", total(energy));
    let per = [
        (energy.per_output_token, "per output token"),
        (energy.per_token, "per token, input and output"),
        (energy.per_request, "per request"),
        (
            energy.per_good_request,
            "per request that meets the objectives",
        ),
    ];
    let known = per.into_iter();
    let known = known.filter_map(|(value, what)| Some(format!("{} {what}", joules(value?))));
    entries.all("Joules", known);
    entries.all("Energy cost", energy.cost.iter().flat_map(cost));
    entries.all("Host", energy.hosts.iter().filter_map(host));
    entries
}

/// `12.3 kJ ± 0.02, 412 W on average (2 GPUs, DCGM exporter, by the energy counter)`.
fn total(energy: &EnergySummary) -> String {
    if let Some(why) = &energy.not_available {
        return format!("not known: {}", inert(why, 160));
    }
    let sources: Vec<&str> = energy.sources.iter().map(|source| source.name()).collect();
    let gpus = counted(energy.gpus.len() as u64, "GPU");
    let of = format!("{gpus}, {}", sources.join(", "));
    let Some(all) = energy.energy else {
        let why = energy.gpus.iter().find_map(|gpu| gpu.not_known.as_deref());
        let why = why.unwrap_or("no GPU tells it");
        return format!("not known: {} ({of})", inert(why, 160));
    };
    let power = energy
        .mean_power_w
        .map(|watts| format!(", {}{JOIN}W on average", significant(watts)));
    format!(
        "{}{} ({of}, {})",
        joules(all),
        power.unwrap_or_default(),
        method(&energy.gpus)
    )
}

fn method(gpus: &[GpuEnergy]) -> &'static str {
    let is = |method| move |gpu: &GpuEnergy| gpu.method == Some(method);
    match (
        gpus.iter().all(is(EnergyMethod::Counter)),
        gpus.iter().all(is(EnergyMethod::Power)),
    ) {
        (true, _) => "by their counters of energy",
        (_, true) => "by their power, summed by trapezoids",
        _ => "by counters of energy, and by power where there is none",
    }
}

/// `12.3 ± 0.02 kJ`.
fn joules(value: Measured) -> String {
    let (unit, scale) = match value.value {
        j if j >= 1e6 => ("MJ", 1e6),
        j if j >= 1e3 => ("kJ", 1e3),
        j if j >= 1.0 => ("J", 1.0),
        _ => ("mJ", 1e-3),
    };
    let write = |value: f64| significant(value / scale);
    let error = plus_minus(Some(write(value.error)));
    format!("{}{error}{JOIN}{unit}", write(value.value))
}

fn cost(cost: &EnergyCost) -> Vec<String> {
    let of = |amount: Option<f64>, what: &str| Some(format!("${} {what}", money(amount?)));
    let each = [
        of(cost.million_output, "per million output tokens"),
        of(cost.million_total, "per million tokens"),
        of(cost.good_request, "per request that meets the objectives"),
        of(Some(cost.hour), "per hour, GPUs alone"),
    ];
    each.into_iter().flatten().collect()
}

fn host(host: &HostLoad) -> Option<String> {
    let busy = host
        .cpu_busy
        .map(|share| format!("CPU {} busy", percent(share)));
    let memory = host.memory_used.zip(host.memory_total);
    let memory = memory.map(|(used, total)| {
        let gb = |bytes: f64| significant(bytes / 1e9);
        format!(
            "{} of {}{JOIN}GB of memory in use at most",
            gb(used),
            gb(total)
        )
    });
    let parts: Vec<String> = [busy, memory].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("{} ({})", parts.join(", "), inert(&host.source, 120)))
}

fn table<'a>(gpus: impl Iterator<Item = &'a GpuEnergy>) -> Table {
    let columns = [
        "energy", "mean W", "max W", "busy", "tensor", "DRAM", "SM MHz", "max °C",
    ];
    let mut table = Table::new("GPU", columns.map(Column::right).into());
    for gpu in gpus {
        table.row(name(gpu), cells(gpu));
    }
    table
}

/// `0 H100 SXM`.
fn name(gpu: &GpuEnergy) -> String {
    let place = gpu.index.as_deref().unwrap_or(&gpu.uuid);
    let model = gpu
        .model
        .as_deref()
        .map(|model| format!(" {}", inert(model, 40)));
    format!("{}{}", inert(place, 48), model.unwrap_or_default())
}

fn cells(gpu: &GpuEnergy) -> Vec<Cell> {
    let gauge = |name: &str| gpu.gauges.get(name);
    let share = |name: &str| Cell::or_dash(gauge(name).map(|of| percent(of.mean)));
    let energy = match gpu.energy {
        Some(energy) => Cell {
            grade: match gpu.method {
                Some(EnergyMethod::Power) => Grade::Indicative,
                _ => Grade::Full,
            },
            ..Cell::of(joules(energy))
        },
        None => Cell::noted("not known"),
    };
    let clock = gauge("gpu_sm_clock").map(|clock| significant(clock.mean / 1e6));
    let temperature = gauge("gpu_temperature").map(|of| significant(of.greatest));
    vec![
        energy,
        Cell::or_dash(gpu.mean_power_w.map(significant)),
        Cell::or_dash(gauge("gpu_power").map(|power| significant(power.greatest))),
        share("gpu_utilisation"),
        share("gpu_tensor_active"),
        share("gpu_dram_active"),
        Cell::or_dash(clock),
        Cell::or_dash(temperature),
    ]
}

fn legend(energy: &EnergySummary, rows: usize) -> String {
    let mut text = "Energy is that of the GPUs' boards: not of CPUs, fans and power supplies. ± what readings beside \
                    the window's edges can have moved; the sensor's own error is not in it. All GPUs of the pages \
                    that were read are counted, whether they serve or not. busy: a kernel runs, however small."
        .to_owned();
    if let Some(sensor) = energy.gpus.iter().find_map(|gpu| gpu.sensor) {
        text.push_str(&format!(
            " By the literature these GPUs' sensor averages over {} of each {} ms, {} of the time.",
            significant(sensor.averages_ms),
            significant(sensor.period_ms),
            percent(sensor.sampled_share())
        ));
    }
    if energy.gpus.len() > rows {
        let more = counted((energy.gpus.len() - rows) as u64, "GPU");
        text.push_str(&format!(" {more} more in the full view."));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::spaced;
    use infermeter_core::server::ServerEngine;

    fn gpu(index: usize, energy: Option<Measured>) -> GpuEnergy {
        serde_json::from_value(serde_json::json!({
            "uuid": format!("GPU-{index}"), "index": index.to_string(), "model": "H100",
            "source": "http://host/metrics", "energy": energy,
            "method": energy.map(|_| "counter"),
            "not_known": energy.is_none().then_some("its power was read less than twice"),
            "mean_power_w": energy.map(|_| 411.5),
            "gauges": {"gpu_power": {"mean": 411.5, "least": 90.0, "greatest": 690.0, "n": 60},
                       "gpu_utilisation": {"mean": 0.9, "least": 0.0, "greatest": 1.0, "n": 60}},
        }))
        .expect("a GPU")
    }

    fn energy(gpus: Vec<GpuEnergy>, all: Option<Measured>) -> EnergySummary {
        let known = serde_json::from_value(serde_json::json!({
            "not_available": null, "sources": ["dcgm"], "readings": 60, "failed": 0, "gpus": [],
        }));
        let known: EnergySummary = known.expect("a summary");
        EnergySummary {
            gpus,
            energy: all,
            mean_power_w: all.map(|all| all.value / 60.0),
            per_output_token: all.map(|_| Measured {
                value: 0.31,
                error: 0.001,
            }),
            ..known
        }
    }

    #[test]
    fn energy_stands_with_its_error_and_its_way() {
        let all = Measured {
            value: 24_690.0,
            error: 12.0,
        };
        let found = energy(vec![gpu(0, Some(all))], Some(all));
        assert_eq!(
            spaced(&total(&found)),
            "24.7 ± 0.012 kJ, 412 W on average (1 GPU, DCGM exporter, by their counters of energy)"
        );
        assert_eq!(
            spaced(&joules(found.per_output_token.expect("known"))),
            "310 ± 1.00 mJ"
        );
        let shown: Vec<String> = cells(&found.gpus[0])
            .iter()
            .map(|cell| spaced(&cell.shown()))
            .collect();
        assert_eq!(
            shown,
            [
                "24.7 ± 0.012 kJ",
                "412",
                "690",
                "90.0 %",
                "-",
                "-",
                "-",
                "-"
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_said() {
        let found = energy(vec![gpu(0, None)], None);
        assert_eq!(
            total(&found),
            "not known: its power was read less than twice (1 GPU, DCGM exporter)"
        );
        let none = EnergySummary {
            not_available: Some("status 404".to_owned()),
            sources: vec![ServerEngine::Dcgm],
            ..energy(vec![], None)
        };
        assert_eq!(total(&none), "not known: status 404");
    }
}
