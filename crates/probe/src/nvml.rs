//! GPUs of this host as NVML tells of them: a reading in the words of the exporters' pages.
//!
//! It decides neither when nor how often. Invariant: where one GPU cannot be read there is no reading, since a sum over
//! the others would look like less load.

use crate::series::PageFigures;
use infermeter_core::server::{
    EngineFigures, PageDetail, Quantity as Q, ServerEngine, ServerFigures,
};
use infermeter_core::text::inert;
use infermeter_sys::nvml::{Gpu, GpuReading, Nvml, NvmlError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a GPU's name that are kept.
const NAME_LIMIT: usize = 96;

/// The library, loaded, and the GPUs that it knows.
#[derive(Debug, Clone)]
pub struct NvmlGpus {
    nvml: Arc<Nvml>,
    gpus: Vec<Gpu>,
    file: Option<PathBuf>,
}

impl NvmlGpus {
    /// Loads it, from `file` or from where the loader finds it.
    ///
    /// # Errors
    /// When it is not there, or there is no GPU that it can speak of.
    pub fn find(file: Option<&Path>) -> Result<Self, NvmlError> {
        let nvml = Nvml::open(file)?;
        let gpus = nvml.gpus()?;
        Ok(Self {
            nvml: Arc::new(nvml),
            gpus,
            file: file.map(Path::to_owned),
        })
    }

    /// How many GPUs there are.
    pub fn count(&self) -> usize {
        self.gpus.len()
    }

    /// Where it is, as the plan may name it.
    pub fn place(&self) -> String {
        match &self.file {
            None => "nvml".to_owned(),
            Some(file) => format!("nvml:{}", inert(&file.display().to_string(), 200)),
        }
    }

    /// What all of them say now.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(&self) -> Result<PageFigures, NvmlError> {
        let mut detail = PageDetail::default();
        let mut processes: BTreeMap<String, f64> = BTreeMap::new();
        for gpu in &self.gpus {
            let reading = self.nvml.read(gpu.index)?;
            for process in &reading.processes {
                let name = format!("pid {}", process.pid);
                *processes.entry(name).or_default() += process.memory as f64;
            }
            detail.engines.push(EngineFigures {
                labels: labels(gpu),
                figures: figures(&reading),
            });
        }
        let figures = together(&detail.engines);
        if !processes.is_empty() {
            detail.parts.0.insert(Q::GpuProcessMemory, processes);
        }
        Ok(PageFigures {
            engine: ServerEngine::Nvml,
            figures,
            detail,
        })
    }
}

fn labels(gpu: &Gpu) -> BTreeMap<String, String> {
    let named = |name: &str, value: &str| (name.to_owned(), inert(value, NAME_LIMIT));
    BTreeMap::from([
        named("uuid", &gpu.uuid),
        named("gpu", &gpu.index.to_string()),
        named("model", &gpu.model),
    ])
}

/// A GPU's reading by quantity.
fn figures(reading: &GpuReading) -> ServerFigures {
    let whole = |value: Option<u64>| value.map(|value| value as f64);
    let held: u64 = reading.processes.iter().map(|p| p.memory).sum();
    let all = [
        (Q::GpuUtilisation, reading.utilisation),
        (Q::GpuMemoryBusyProxy, reading.memory_busy),
        (Q::GpuMemoryUsed, whole(reading.memory_used)),
        (Q::GpuMemoryFree, whole(reading.memory_free)),
        (Q::GpuMemoryTotal, whole(reading.memory_total)),
        (
            Q::GpuProcessMemory,
            (!reading.processes.is_empty()).then_some(held as f64),
        ),
        (Q::GpuPower, reading.power_w),
        (Q::GpuPowerLimit, reading.power_limit_w),
        (Q::GpuEnergy, reading.energy_j),
        (Q::GpuSmClock, reading.sm_clock_hz),
        (Q::GpuMemoryClock, reading.memory_clock_hz),
        (Q::GpuTemperature, reading.temperature_c),
        (Q::GpuThrottleReasons, whole(reading.throttle_reasons)),
        (Q::GpuEccCorrected, whole(reading.ecc_corrected)),
        (Q::GpuEccUncorrected, whole(reading.ecc_uncorrected)),
    ];
    let known = all.into_iter();
    known
        .filter_map(|(quantity, value)| Some((quantity, value?)))
        .collect()
}

/// What all GPUs that have a quantity say of it together.
fn together(gpus: &[EngineFigures]) -> ServerFigures {
    let all = Q::ALL.iter().filter_map(|quantity| {
        let values = gpus.iter().filter_map(|gpu| gpu.figures.get(*quantity));
        let values: Vec<f64> = values.collect();
        Some((*quantity, quantity.over().of(&values)?))
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(power_w: f64, utilisation: Option<f64>) -> EngineFigures {
        let reading = GpuReading {
            power_w: Some(power_w),
            utilisation,
            ..GpuReading::default()
        };
        EngineFigures {
            labels: BTreeMap::new(),
            figures: figures(&reading),
        }
    }

    #[test]
    fn what_a_gpu_does_not_say_is_absent() {
        let found = of(300.0, None).figures;
        assert_eq!(found, ServerFigures::from([(Q::GpuPower, 300.0)]));
    }

    #[test]
    fn power_is_added_and_utilisation_averaged() {
        let all = together(&[of(300.0, Some(0.5)), of(320.0, Some(1.0)), of(80.0, None)]);
        assert_eq!(all.get(Q::GpuPower), Some(700.0));
        assert_eq!(all.get(Q::GpuUtilisation), Some(0.75));
    }

    #[test]
    fn a_library_that_is_not_there() {
        let error = NvmlGpus::find(Some(Path::new("/nonexistent/nvml.so"))).expect_err("none");
        assert!(
            error.to_string().starts_with("NVML cannot be loaded"),
            "{error}"
        );
    }
}
