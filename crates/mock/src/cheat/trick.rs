//! What is to be known of a cheat: its name, whom it strikes where nobody says, and its act.

use super::stages::{Intent, Reading, Story};

/// Share of the answers that a way of serving is used for.
pub(super) const POLICY: f64 = 1.0;

/// Share of the answers that something breaks.
pub(super) const CORRUPTION: f64 = 0.05;

/// More than so many requests in flight are a load, for the cheats that wait for one.
pub(super) const LOAD: u32 = 8;

/// A row of the table of cheats.
#[derive(Debug)]
pub(super) struct Trick {
    /// Its name in parameters.
    pub name: &'static str,
    /// The share of the answers that it strikes where none is given.
    pub share: f64,
    /// It strikes while more than so many requests are in flight, where nothing is given.
    pub above: u32,
    /// What it does.
    pub acts: Acts,
}

/// Where a cheat acts, and how. An act says whether it changed anything.
#[derive(Debug)]
pub(super) enum Acts {
    /// On what the model reads of the prompt.
    Reading(fn(&mut Reading) -> bool),
    /// On what it means to answer.
    Intent(fn(&mut Intent) -> bool),
    /// On what is told, and how.
    Story(fn(&mut Story<'_>) -> bool),
}
