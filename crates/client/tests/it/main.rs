//! Tests of the client through its public interface.

mod bodies;
mod heads;
mod reads;
mod requests;
mod seeds;
mod splits;
mod streams;
mod support;
mod tokens;
