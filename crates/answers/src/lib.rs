//! Whether an answer is one: checks of a text without any reference, and questions whose answers a program can check.
//!
//! No IO, no clock, and nothing of a run: what was asked and said goes in, facts come out. It judges single answers; what
//! follows from many of them is for `analysis`. Invariant: the time for an answer grows with its length and with nothing
//! else, whatever a server sends.

pub mod canary;
mod check;
pub mod compare;
pub mod eval;
mod form;
mod found;
#[doc(hidden)]
pub mod fuzzing;
pub mod marker;
mod numbers;
pub mod questions;
mod right;
mod said;
mod writing;

pub use form::{Form, FormError};
pub use found::{facts, hash_of};
pub use said::{Asked, Said};
pub use writing::Writings;
