//! How a calibration is shown: its progress and its certificate.

pub mod progress;
pub mod render;
