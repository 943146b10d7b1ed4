//! Tests of the workload crate through its public interface.

mod blocks;
mod exact_tokens;
mod files;
mod formats;
mod prefixes;
mod requests;
mod seeds;
mod tokenizer_file;
mod trace;
mod workload;
mod workload_file;
