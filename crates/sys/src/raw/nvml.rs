//! NVIDIA's library for management, loaded while the program runs: it is there only where a driver is. Calls its
//! functions by name, and knows of them no more than what they fill in.
//!
//! Invariant: each function is safe to call with any arguments its types allow. What cannot be checked is that the file
//! which is loaded is that library: a name means the function that NVIDIA's header declares under it, and a wrapper is
//! handed the names of its own shape alone.
#![expect(
    unsafe_code,
    reason = "dlopen, dlsym, and calls of the functions that they find"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::mem::transmute;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{NonNull, null_mut};

/// The library, loaded. It is never unloaded: its threads may outlive what it was wanted for.
#[derive(Debug)]
pub(crate) struct Library {
    handle: NonNull<c_void>,
}

// SAFETY: a handle of dlopen belongs to no thread.
unsafe impl Send for Library {}
// SAFETY: dlsym may be called by several threads at once, and NVML says the same of its own functions.
unsafe impl Sync for Library {}

/// Why a function gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The library does not have it.
    Missing,
    /// It returned this.
    Code(c_int),
}

/// A device, as the library hands it out: valid until the library is shut down, which nobody does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device(*mut c_void);

/// `nvmlUtilization_t`: per cent.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Utilization {
    pub(crate) gpu: c_uint,
    pub(crate) memory: c_uint,
}

/// `nvmlMemory_t`: bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) total: c_ulonglong,
    pub(crate) free: c_ulonglong,
    pub(crate) used: c_ulonglong,
}

/// `nvmlProcessInfo_t` of the functions with `_v3`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Process {
    pub(crate) pid: c_uint,
    pub(crate) used: c_ulonglong,
    pub(crate) gpu_instance: c_uint,
    pub(crate) compute_instance: c_uint,
}

/// Bytes of a text that a function writes: the longest that NVML has are 96.
const TEXT_LEN: usize = 128;

type Plain = unsafe extern "C" fn() -> c_int;
type FillNumber = unsafe extern "C" fn(*mut c_uint) -> c_int;
type FillDevice = unsafe extern "C" fn(c_uint, *mut *mut c_void) -> c_int;
type OfDevice<T> = unsafe extern "C" fn(*mut c_void, *mut T) -> c_int;
type OfDeviceAnd<T> = unsafe extern "C" fn(*mut c_void, c_uint, *mut T) -> c_int;
type Errors = unsafe extern "C" fn(*mut c_void, c_uint, c_uint, *mut c_ulonglong) -> c_int;
type TextOfDevice = unsafe extern "C" fn(*mut c_void, *mut c_char, c_uint) -> c_int;
type Processes = unsafe extern "C" fn(*mut c_void, *mut c_uint, *mut Process) -> c_int;

impl Library {
    /// Loads it from a file, or from where the loader finds a name without a slash.
    ///
    /// # Errors
    /// What the loader says.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let path = CString::new(path.as_os_str().as_bytes());
        let path = path.map_err(|_| "a path with a zero byte".to_owned())?;
        // SAFETY: path is a C text that lives here. What the file does when it is loaded is the user's choice of it.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        let handle = NonNull::new(handle).ok_or_else(loader_says)?;
        Ok(Self { handle })
    }

    fn find(&self, name: &CStr) -> Result<NonNull<c_void>, Refused> {
        // SAFETY: the handle was given by dlopen and is never closed; name is a C text.
        let found = unsafe { libc::dlsym(self.handle.as_ptr(), name.as_ptr()) };
        NonNull::new(found).ok_or(Refused::Missing)
    }

    /// Calls a function without arguments.
    pub(crate) fn call(&self, name: &CStr) -> Result<(), Refused> {
        let found = self.find(name)?;
        // SAFETY: the functions that this is called for take nothing and return a code.
        let code = unsafe { transmute::<*mut c_void, Plain>(found.as_ptr())() };
        told(code, ())
    }

    /// A number.
    pub(crate) fn number(&self, name: &CStr) -> Result<u32, Refused> {
        let found = self.find(name)?;
        let mut value = 0;
        // SAFETY: the functions that this is called for write one number to where the pointer says.
        let code = unsafe { transmute::<*mut c_void, FillNumber>(found.as_ptr())(&raw mut value) };
        told(code, value)
    }

    /// A device by its index.
    pub(crate) fn device(&self, name: &CStr, index: u32) -> Result<Device, Refused> {
        let found = self.find(name)?;
        let mut device = null_mut();
        // SAFETY: the function takes an index and writes one pointer to where the pointer says.
        let code =
            unsafe { transmute::<*mut c_void, FillDevice>(found.as_ptr())(index, &raw mut device) };
        told(code, Device(device))
    }

    /// Something of a device.
    fn of<T: Copy + Default>(&self, name: &CStr, device: Device) -> Result<T, Refused> {
        let found = self.find(name)?;
        let mut value = T::default();
        // SAFETY: the functions that this is called for write one T, a C struct or number, to where the pointer
        // says; the device was handed out by the library.
        let code = unsafe {
            transmute::<*mut c_void, OfDevice<T>>(found.as_ptr())(device.0, &raw mut value)
        };
        told(code, value)
    }

    /// A number of 32 bits about a device.
    pub(crate) fn u32_of(&self, name: &CStr, device: Device) -> Result<u32, Refused> {
        self.of(name, device)
    }

    /// A number of 64 bits about a device.
    pub(crate) fn u64_of(&self, name: &CStr, device: Device) -> Result<u64, Refused> {
        self.of(name, device)
    }

    /// `nvmlDeviceGetUtilizationRates`.
    pub(crate) fn utilization(&self, name: &CStr, device: Device) -> Result<Utilization, Refused> {
        self.of(name, device)
    }

    /// `nvmlDeviceGetMemoryInfo`.
    pub(crate) fn memory(&self, name: &CStr, device: Device) -> Result<Memory, Refused> {
        self.of(name, device)
    }

    /// A number of 32 bits about a device and a kind: of a clock, of a sensor.
    pub(crate) fn u32_of_kind(
        &self,
        name: &CStr,
        device: Device,
        kind: u32,
    ) -> Result<u32, Refused> {
        let found = self.find(name)?;
        let mut value: c_uint = 0;
        // SAFETY: the functions that this is called for take a kind and write one number to where the pointer says.
        let code = unsafe {
            transmute::<*mut c_void, OfDeviceAnd<c_uint>>(found.as_ptr())(
                device.0,
                kind,
                &raw mut value,
            )
        };
        told(code, value)
    }

    /// `nvmlDeviceGetTotalEccErrors`: of a kind of errors, by a kind of counter.
    pub(crate) fn errors(
        &self,
        name: &CStr,
        device: Device,
        kinds: [u32; 2],
    ) -> Result<u64, Refused> {
        let found = self.find(name)?;
        let mut value: c_ulonglong = 0;
        // SAFETY: the function takes two kinds and writes one number of 64 bits to where the pointer says.
        let code = unsafe {
            transmute::<*mut c_void, Errors>(found.as_ptr())(
                device.0,
                kinds[0],
                kinds[1],
                &raw mut value,
            )
        };
        told(code, value)
    }

    /// A text about a device.
    pub(crate) fn text(&self, name: &CStr, device: Device) -> Result<String, Refused> {
        let found = self.find(name)?;
        let mut buffer = [0_u8; TEXT_LEN];
        // SAFETY: the functions that this is called for write at most as many bytes as they are told.
        let code = unsafe {
            transmute::<*mut c_void, TextOfDevice>(found.as_ptr())(
                device.0,
                buffer.as_mut_ptr().cast(),
                TEXT_LEN as c_uint,
            )
        };
        let text = CStr::from_bytes_until_nul(&buffer);
        let text = text.map_or_else(
            |_| String::new(),
            |text| text.to_string_lossy().into_owned(),
        );
        told(code, text)
    }

    /// Processes on a device, at most as many as `room` has; `Refused::Code` of a size that does not suffice where
    /// there are more.
    pub(crate) fn processes(
        &self,
        name: &CStr,
        device: Device,
        room: &mut [Process],
    ) -> Result<usize, Refused> {
        let found = self.find(name)?;
        let mut count = room.len() as c_uint;
        // SAFETY: the function writes at most `count` processes, for which `room` has room, and how many there are.
        let code = unsafe {
            transmute::<*mut c_void, Processes>(found.as_ptr())(
                device.0,
                &raw mut count,
                room.as_mut_ptr(),
            )
        };
        told(code, room.len().min(count as usize))
    }
}

/// What a function filled in, unless it returned an error.
fn told<T>(code: c_int, value: T) -> Result<T, Refused> {
    match code {
        0 => Ok(value),
        code => Err(Refused::Code(code)),
    }
}

/// Why nothing was loaded.
fn loader_says() -> String {
    // SAFETY: it takes nothing, and returns null or a text that lives until this thread's next call of the loader.
    let said = unsafe { libc::dlerror() };
    match NonNull::new(said) {
        None => "the loader does not say why".to_owned(),
        Some(said) => {
            // SAFETY: see above.
            let said = unsafe { CStr::from_ptr(said.as_ptr()) };
            said.to_string_lossy().into_owned()
        }
    }
}
