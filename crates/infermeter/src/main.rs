//! The `infermeter` command.
fn main() {}
