//! When to send: arrival processes as pure functions of plan and seed.
