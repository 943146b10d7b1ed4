//! Linux system calls behind a safe interface: stamped receive, event loop, timers, affinity.
