//! How a calibration goes on, on standard error.

pub(crate) mod progress;
