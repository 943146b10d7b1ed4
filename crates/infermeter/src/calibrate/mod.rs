//! How a calibration goes on, on standard error.

pub mod progress;
