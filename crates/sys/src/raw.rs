//! The only unsafe code of the workspace: a few system calls, the memory that io_uring shares
//! with the kernel, and calls into NVIDIA's library for management. Nothing here knows what the bytes mean; parsing is safe code outside.
//!
//! Invariant: each function is safe to call with any arguments its types allow.

pub(crate) mod calls;
pub(crate) mod nvml;
pub(crate) mod ring;
