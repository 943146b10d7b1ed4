//! Client decomposition: a load as many clients, each with its own rate, burstiness, lengths and
//! hours (after Xiang et al., ServeGen, arXiv 2505.09999).
//!
//! It does not say when requests arrive, nor at which rate after scaling: it gives the parameters,
//! and makes rows once the arrivals are known.
//!
//! Invariant: the lengths of a client's k-th request depend on the profile's entry of that client,
//! on the seed and on whether the request falls into one of its windows; not on other clients.

mod error;
mod file;

pub use error::ClientsError;

use crate::classes::Classes;
use crate::trace::{Trace, TraceRow};
use file::ReadFrom;
use infermeter_core::clock::Offset;
use infermeter_core::plan::{ArrivalKind, RateProfile};
use infermeter_core::seed::splitmix64;
use infermeter_core::units::Span;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::path::Path;

/// The name of the bundled profile.
pub(crate) const SYNTHETIC: &str = "synthetic";

/// Keeps the draws of clients apart from others of the same seed.
const CLIENT_TAG: u64 = 0x636c_6965_6e74_732e;

/// Most clients of a profile.
pub(crate) const MAX_CLIENTS: usize = 10_000;

/// Shape of the gaps between a client's requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaps {
    /// The family.
    pub arrival: ArrivalKind,
    /// Coefficient of variation, where the family has one.
    pub cv: Option<f64>,
}

/// A client of a profile.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name, unique in the profile.
    pub name: String,
    /// The class of its requests: its name, unless the profile has another.
    pub class: String,
    /// Requests per second.
    pub rate: f64,
    /// Its gaps.
    pub gaps: Gaps,
    /// Its rate over time, as multiples of `rate`; time 0 is the start of the measured window.
    pub curve: RateProfile,
    /// When something else holds, in order of time.
    pub windows: Vec<ClientWindow>,
    lengths: Classes,
}

/// A time in which a client does something else.
#[derive(Debug, Clone)]
pub struct ClientWindow {
    /// Its start.
    pub from: Span,
    /// Its end; the instant itself lies outside.
    pub to: Span,
    /// Requests per second in it; absent: as usual.
    pub rate: Option<f64>,
    /// Gaps in it; absent: as usual.
    pub gaps: Option<Gaps>,
    lengths: Option<Classes>,
}

/// Clients as a file describes them.
#[derive(Debug, Clone)]
pub struct ClientProfile {
    /// Its name.
    pub name: String,
    /// What it is, and where it comes from.
    pub note: Option<String>,
    /// At least one.
    pub clients: Vec<Client>,
}

impl ClientProfile {
    /// The profile called `what`: the bundled one, or that of a file (JSON by its `.json`, else
    /// TOML). Files of lengths are looked for beside it.
    ///
    /// # Errors
    /// When the file cannot be read, or an entry is wrong: with the client's name.
    pub fn open(what: &str) -> Result<Self, ClientsError> {
        if what == SYNTHETIC {
            let text = include_str!("clients/synthetic.toml");
            return ReadFrom::toml(text, Path::new("")).map_err(|p| p.within(what));
        }
        let path = Path::new(what);
        file::read(path).map_err(|problem| problem.within(what))
    }

    /// The rows of requests that arrive at `arrivals`, each from the client with that number, in a
    /// run whose window starts at `start`.
    pub fn trace(&self, arrivals: &[Offset], client_of: &[u32], start: Offset, seed: u64) -> Trace {
        let (classes, class_of_client) = self.classes();
        let mut streams: Vec<Stream> = self.clients.iter().map(|c| Stream::new(c, seed)).collect();
        let mut rows = Vec::with_capacity(arrivals.len());
        let mut class_of = Vec::with_capacity(arrivals.len());
        for (at, number) in arrivals.iter().zip(client_of) {
            let number = *number as usize;
            let lengths = self.clients[number].lengths_at(at.since(start));
            let draw = lengths.draw(&mut streams[number].next());
            rows.push(TraceRow {
                offset_ns: at.0,
                input_tokens: draw.lengths.input,
                output_tokens: draw.lengths.output,
            });
            class_of.push(class_of_client[number]);
        }
        Trace::of_classes(rows, classes, class_of)
    }

    /// Names of the classes, and the class of each client.
    fn classes(&self) -> (Vec<String>, Vec<u16>) {
        let mut index: HashMap<&str, u16> = HashMap::new();
        let mut names = Vec::new();
        let mut of_client = Vec::with_capacity(self.clients.len());
        for client in &self.clients {
            let class = *index.entry(&client.class).or_insert_with(|| {
                names.push(client.class.clone());
                // The reader has checked that they are few.
                (names.len() - 1) as u16
            });
            of_client.push(class);
        }
        (names, of_client)
    }
}

impl Client {
    /// A seed of its own out of the run's: it depends on the client's name and no other client.
    pub fn seed(&self, seed: u64) -> u64 {
        let named = self.name.bytes();
        named.fold(splitmix64(seed ^ CLIENT_TAG), |key, byte| {
            splitmix64(key ^ u64::from(byte))
        })
    }

    /// Mean lengths of its requests outside of windows, tokens: prompt and answer.
    pub fn mean_tokens(&self) -> (f64, f64) {
        let mean = self.lengths.expected();
        (mean.input, mean.output)
    }

    fn lengths_at(&self, at_ns: i64) -> &Classes {
        let inside = |w: &&ClientWindow| (w.from.ns()..w.to.ns()).contains(&at_ns);
        let window = self.windows.iter().find(inside);
        window
            .and_then(|w| w.lengths.as_ref())
            .unwrap_or(&self.lengths)
    }
}

/// The random streams of one client's requests, one after the other.
struct Stream {
    seed: u64,
    request: u64,
}

impl Stream {
    fn new(client: &Client, seed: u64) -> Self {
        Self {
            seed: client.seed(seed),
            request: 0,
        }
    }

    fn next(&mut self) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.request);
        self.request += 1;
        rng
    }
}

#[cfg(test)]
mod tests;
