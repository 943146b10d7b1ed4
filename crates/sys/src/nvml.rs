//! GPUs of this host by NVIDIA's library for management (NVML): which there are, and what they say at an instant.
//!
//! What a GPU or an older library does not support is absent. Whatever else fails is an error: a GPU that fell off the
//! bus does not become one that draws nothing. Invariant: the library is loaded only when somebody asks for it.

use crate::raw::nvml::{Device, Library, Process, Refused};
use std::ffi::CStr;
use std::path::Path;

/// Where the loader finds it on a host with a driver.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// `NVML_ERROR_NOT_SUPPORTED`.
const NOT_SUPPORTED: i32 = 3;
/// `NVML_ERROR_NO_PERMISSION`: of what only an administrator may see.
const NO_PERMISSION: i32 = 4;
/// `NVML_ERROR_INSUFFICIENT_SIZE`.
const INSUFFICIENT_SIZE: i32 = 7;
/// `NVML_ERROR_FUNCTION_NOT_FOUND`: by a driver older than the library.
const NO_FUNCTION: i32 = 13;
/// `NVML_CLOCK_SM`.
const CLOCK_SM: u32 = 1;
/// `NVML_CLOCK_MEM`.
const CLOCK_MEMORY: u32 = 2;
/// `NVML_TEMPERATURE_GPU`.
const SENSOR_GPU: u32 = 0;
/// `NVML_MEMORY_ERROR_TYPE_CORRECTED` since the driver was loaded (`NVML_VOLATILE_ECC`).
const CORRECTED: [u32; 2] = [0, 0];
/// `NVML_MEMORY_ERROR_TYPE_UNCORRECTED`, the same.
const UNCORRECTED: [u32; 2] = [1, 0];
/// GPUs of a host that are read.
const GPUS_LIMIT: u32 = 256;
/// Processes on a GPU that are told.
const PROCESSES_LIMIT: usize = 64;
/// `NVML_VALUE_NOT_AVAILABLE`: the memory of a process that may not be seen.
const NOT_AVAILABLE: u64 = u64::MAX;

/// Why NVML says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NvmlError {
    /// There is no such library here, or it is another one.
    #[error("NVML cannot be loaded: {0}")]
    NotLoaded(String),
    /// It lacks what every version has.
    #[error("NVML has no function {0}: the file is another library")]
    Missing(&'static str),
    /// A function failed.
    #[error("NVML: {function} failed with {} (code {code})", meaning(*.code))]
    Failed {
        /// The function.
        function: &'static str,
        /// What it returned.
        code: i32,
    },
}

/// The codes that a user can do something about, in words.
fn meaning(code: i32) -> &'static str {
    match code {
        1 => "the library is not initialised",
        4 => "no permission",
        6 => "no such device",
        8 => "a power cable is missing",
        9 => "the driver is not loaded",
        12 => "another version of the driver's library",
        15 => "the GPU is lost: it fell off the bus",
        16 => "the GPU needs a reset",
        18 => "the library and the driver are of different versions",
        _ => "an error of the library",
    }
}

/// A GPU of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its place.
    pub index: u32,
    /// Its own name in all the world.
    pub uuid: String,
    /// The model's name.
    pub model: String,
}

/// What a GPU says. Absent is what it does not support.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GpuReading {
    /// Share of the last sampling period in which a kernel ran, 0 to 1.
    pub utilisation: Option<f64>,
    /// Share of it in which memory was read or written at all, 0 to 1: not its bandwidth.
    pub memory_busy: Option<f64>,
    /// Bytes of its memory in use.
    pub memory_used: Option<u64>,
    /// Bytes that are free.
    pub memory_free: Option<u64>,
    /// Bytes of its memory.
    pub memory_total: Option<u64>,
    /// Power of the board, watts.
    pub power_w: Option<f64>,
    /// Power that it may draw, watts.
    pub power_limit_w: Option<f64>,
    /// Energy since the driver was loaded, joules.
    pub energy_j: Option<f64>,
    /// Clock of its multiprocessors, hertz.
    pub sm_clock_hz: Option<f64>,
    /// Clock of its memory, hertz.
    pub memory_clock_hz: Option<f64>,
    /// Its temperature, degrees Celsius.
    pub temperature_c: Option<f64>,
    /// Why its clock is not higher, a bit for each reason.
    pub throttle_reasons: Option<u64>,
    /// Memory errors that were corrected since the driver was loaded.
    pub ecc_corrected: Option<u64>,
    /// Those that could not be.
    pub ecc_uncorrected: Option<u64>,
    /// Processes that compute on it, and bytes of its memory that each holds.
    pub processes: Vec<GpuProcess>,
}

/// A process on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuProcess {
    /// Its number.
    pub pid: u32,
    /// Bytes of the GPU's memory that it holds.
    pub memory: u64,
}

/// The library, ready.
#[derive(Debug)]
pub struct Nvml {
    library: Library,
}

impl Nvml {
    /// Loads and initialises it, from `file` or from where the loader finds it.
    ///
    /// # Errors
    /// When it is not there or finds no driver.
    pub fn open(file: Option<&Path>) -> Result<Self, NvmlError> {
        let library = Library::open(file.unwrap_or(Path::new(LIBRARY)));
        let library = library.map_err(NvmlError::NotLoaded)?;
        required("nvmlInit_v2", library.call(c"nvmlInit_v2"))?;
        Ok(Self { library })
    }

    /// The GPUs of this host.
    ///
    /// # Errors
    /// When a function fails.
    pub fn gpus(&self) -> Result<Vec<Gpu>, NvmlError> {
        let count = self.library.number(c"nvmlDeviceGetCount_v2");
        let count = required("nvmlDeviceGetCount_v2", count)?;
        let gpu = |index| {
            let device = self.device(index)?;
            let text = |function, name: &CStr| required(function, self.library.text(name, device));
            Ok(Gpu {
                index,
                uuid: text("nvmlDeviceGetUUID", c"nvmlDeviceGetUUID")?,
                model: text("nvmlDeviceGetName", c"nvmlDeviceGetName")?,
            })
        };
        (0..count.min(GPUS_LIMIT)).map(gpu).collect()
    }

    fn device(&self, index: u32) -> Result<Device, NvmlError> {
        let device = self.library.device(c"nvmlDeviceGetHandleByIndex_v2", index);
        required("nvmlDeviceGetHandleByIndex_v2", device)
    }

    /// What a GPU says now.
    ///
    /// # Errors
    /// When a function fails that the GPU supports.
    pub fn read(&self, index: u32) -> Result<GpuReading, NvmlError> {
        let asked = Asked {
            library: &self.library,
            device: self.device(index)?,
        };
        let rates = asked.utilization()?;
        let memory = asked.memory()?;
        let milli = |value: Option<u32>| value.map(|value| f64::from(value) / 1e3);
        Ok(GpuReading {
            utilisation: rates.map(|rates| f64::from(rates.gpu) / 1e2),
            memory_busy: rates.map(|rates| f64::from(rates.memory) / 1e2),
            memory_used: memory.map(|memory| memory.used),
            memory_free: memory.map(|memory| memory.free),
            memory_total: memory.map(|memory| memory.total),
            power_w: milli(asked.u32("nvmlDeviceGetPowerUsage", c"nvmlDeviceGetPowerUsage")?),
            power_limit_w: milli(asked.u32(
                "nvmlDeviceGetEnforcedPowerLimit",
                c"nvmlDeviceGetEnforcedPowerLimit",
            )?),
            energy_j: asked.energy_j()?,
            sm_clock_hz: asked.clock_hz(CLOCK_SM)?,
            memory_clock_hz: asked.clock_hz(CLOCK_MEMORY)?,
            temperature_c: asked.temperature_c()?,
            throttle_reasons: asked.throttle_reasons()?,
            ecc_corrected: asked.errors(CORRECTED)?,
            ecc_uncorrected: asked.errors(UNCORRECTED)?,
            processes: asked.processes()?,
        })
    }
}

/// A device that is asked.
struct Asked<'a> {
    library: &'a Library,
    device: Device,
}

impl Asked<'_> {
    fn utilization(&self) -> Result<Option<crate::raw::nvml::Utilization>, NvmlError> {
        let name = c"nvmlDeviceGetUtilizationRates";
        optional(
            "nvmlDeviceGetUtilizationRates",
            self.library.utilization(name, self.device),
        )
    }

    fn memory(&self) -> Result<Option<crate::raw::nvml::Memory>, NvmlError> {
        let name = c"nvmlDeviceGetMemoryInfo";
        optional(
            "nvmlDeviceGetMemoryInfo",
            self.library.memory(name, self.device),
        )
    }

    fn u32(&self, function: &'static str, name: &CStr) -> Result<Option<u32>, NvmlError> {
        optional(function, self.library.u32_of(name, self.device))
    }

    fn energy_j(&self) -> Result<Option<f64>, NvmlError> {
        let name = c"nvmlDeviceGetTotalEnergyConsumption";
        let found = self.library.u64_of(name, self.device);
        let found = optional("nvmlDeviceGetTotalEnergyConsumption", found)?;
        Ok(found.map(|millijoules| millijoules as f64 / 1e3))
    }

    fn clock_hz(&self, kind: u32) -> Result<Option<f64>, NvmlError> {
        let name = c"nvmlDeviceGetClockInfo";
        let found = self.library.u32_of_kind(name, self.device, kind);
        let found = optional("nvmlDeviceGetClockInfo", found)?;
        Ok(found.map(|mhz| f64::from(mhz) * 1e6))
    }

    fn temperature_c(&self) -> Result<Option<f64>, NvmlError> {
        let name = c"nvmlDeviceGetTemperature";
        let found = self.library.u32_of_kind(name, self.device, SENSOR_GPU);
        Ok(optional("nvmlDeviceGetTemperature", found)?.map(f64::from))
    }

    /// Under its newer name, or under the older one.
    fn throttle_reasons(&self) -> Result<Option<u64>, NvmlError> {
        let newer = c"nvmlDeviceGetCurrentClocksEventReasons";
        let older = c"nvmlDeviceGetCurrentClocksThrottleReasons";
        let found = match self.library.u64_of(newer, self.device) {
            Err(Refused::Missing) => self.library.u64_of(older, self.device),
            found => found,
        };
        optional("nvmlDeviceGetCurrentClocksEventReasons", found)
    }

    fn errors(&self, kinds: [u32; 2]) -> Result<Option<u64>, NvmlError> {
        let name = c"nvmlDeviceGetTotalEccErrors";
        let found = self.library.errors(name, self.device, kinds);
        optional("nvmlDeviceGetTotalEccErrors", found)
    }

    /// None where there are more than are told, and where that may not be seen.
    fn processes(&self) -> Result<Vec<GpuProcess>, NvmlError> {
        let name = c"nvmlDeviceGetComputeRunningProcesses_v3";
        let mut room = [Process::default(); PROCESSES_LIMIT];
        let found = match self.library.processes(name, self.device, &mut room) {
            Err(Refused::Code(INSUFFICIENT_SIZE)) => Ok(0),
            found => found,
        };
        let found = optional("nvmlDeviceGetComputeRunningProcesses_v3", found)?;
        let seen = room[..found.unwrap_or(0)].iter();
        let seen = seen.filter(|process| process.used != NOT_AVAILABLE);
        Ok(seen
            .map(|process| GpuProcess {
                pid: process.pid,
                memory: process.used,
            })
            .collect())
    }
}

/// What every library has and every GPU says.
fn required<T>(function: &'static str, found: Result<T, Refused>) -> Result<T, NvmlError> {
    found.map_err(|refused| match refused {
        Refused::Missing => NvmlError::Missing(function),
        Refused::Code(code) => NvmlError::Failed { function, code },
    })
}

/// What some do not.
fn optional<T>(function: &'static str, found: Result<T, Refused>) -> Result<Option<T>, NvmlError> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(Refused::Missing | Refused::Code(NOT_SUPPORTED | NO_PERMISSION | NO_FUNCTION)) => {
            Ok(None)
        }
        Err(Refused::Code(code)) => Err(NvmlError::Failed { function, code }),
    }
}

#[cfg(test)]
mod tests;
