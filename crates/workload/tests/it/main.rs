//! Tests of the workload crate through its public interface.

mod exact_tokens;
mod seeds;
mod tokenizer_file;
mod trace;
mod workload;
