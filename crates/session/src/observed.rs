//! Load that is its users' own, seen as it goes through a proxy: records of both sides, pairs that are compared, and
//! captures that can be replayed.
//!
//! Nothing is sent here and nothing is forwarded: the proxy does that. Invariants: answers are read by the client's own
//! decoders, so that a figure means what it means in a run; what went through and could not be read is counted, and
//! never becomes a failed request.

mod answer;
mod blocks;
pub mod capture;
mod conversation;
#[cfg(test)]
mod fixture;
mod lengths;
mod page;
mod question;
pub mod shadowing;
mod side;
mod upstream;
pub mod watch;

pub use page::ShadowPage;
pub use side::{HowEnded, SideAbout};
pub use upstream::{named_upstream, upstream};

/// Headers that a proxy has to keep for these.
pub fn kept_headers() -> Vec<String> {
    let all = answer::ANSWER_HEADERS
        .into_iter()
        .chain(conversation::SESSION_HEADERS);
    all.map(str::to_owned).collect()
}
