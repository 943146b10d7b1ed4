//! Where a run's requests go: one address or several, how the load is spread over them, and what each
//! engine has learnt of each.
//!
//! Invariant: what is learnt of one address (that it refuses connections, that it does not keep them) says
//! nothing about another.

use super::EngineConfig;
use crate::backoff::{Backoff, LastConnect};
use crate::reuse::ReuseHabit;
use crate::transport::{LinkId, Route};
use infermeter_core::clock::Offset;
use infermeter_core::plan::Balance;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most connections kept in reserve for an address.
const MAX_SPARES: usize = 64;

/// The addresses of a run, shared by its engines.
#[derive(Debug)]
pub struct Destinations {
    all: Vec<Destination>,
    pub(super) balance: Balance,
    /// Length of what requests begin with as they are made.
    head_len: usize,
}

/// One of them.
pub(super) struct Destination {
    pub(super) route: Route,
    /// When a connection of any engine came up.
    pub(super) last_connect: LastConnect,
    /// Requests of all engines that were sent there, or wait for a connection, and have not ended.
    in_flight: AtomicUsize,
    /// What requests to it begin with, where that is not what they were made with.
    head: Option<Vec<u8>>,
}

impl Destinations {
    /// One address at least.
    pub fn new(first: Route, others: Vec<Route>, balance: Balance) -> Self {
        let routes = std::iter::once(first).chain(others);
        let of = |route| Destination {
            route,
            last_connect: LastConnect::default(),
            in_flight: AtomicUsize::new(0),
            head: None,
        };
        Self {
            all: routes.map(of).collect(),
            balance,
            head_len: 0,
        }
    }

    /// Requests are made for the first address, and begin with its head; those to the others begin with
    /// theirs instead. One for each address.
    pub fn with_heads(mut self, heads: &[&[u8]]) -> Self {
        let first = heads.first().copied().unwrap_or_default();
        self.head_len = first.len();
        for (destination, head) in self.all.iter_mut().zip(heads) {
            destination.head = (*head != first).then(|| head.to_vec());
        }
        self
    }

    /// A single address.
    pub fn one(route: Route) -> Self {
        Self::new(route, Vec::new(), Balance::default())
    }

    /// The ways to the addresses.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.all.iter().map(|destination| &destination.route)
    }

    /// A request as this address gets it.
    pub(super) fn addressed(&self, place: usize, request: Vec<u8>) -> Vec<u8> {
        let rest = request.get(self.head_len..);
        match (&self.all[place].head, rest) {
            (Some(head), Some(rest)) => [head, rest].concat(),
            _ => request,
        }
    }

    pub(super) fn get(&self, place: usize) -> &Destination {
        &self.all[place]
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }
}

impl std::fmt::Debug for Destination {
    // The head may hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.route.address)
    }
}

impl Destination {
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn request_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn request_ends(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One engine's view of an address.
pub(super) struct Place {
    /// Links that can take a request, last in, first out.
    pub(super) idle: Vec<LinkId>,
    /// Opening, without a request.
    pub(super) opening: Vec<LinkId>,
    spares: usize,
    /// Connects that failed.
    pub(super) backoff: Backoff,
    /// How the last of them did.
    pub(super) problem: String,
    /// Connections opened ahead that did not last. They hold up no request.
    pub(super) ahead: Backoff,
    pub(super) reuse: ReuseHabit,
}

impl Place {
    pub(super) fn of(config: &EngineConfig, number: usize) -> Self {
        Self {
            idle: Vec::new(),
            opening: Vec::new(),
            spares: config.spare_connections,
            backoff: backoff(config, number),
            problem: String::new(),
            ahead: backoff(config, number),
            reuse: ReuseHabit::new(config.reuse),
        }
    }

    pub(super) fn take_opening(&mut self) -> Option<LinkId> {
        (!self.opening.is_empty()).then(|| self.opening.remove(0))
    }

    /// The reserve was empty when a request came: keep one more from now on.
    pub(super) fn more_spares(&mut self) {
        self.spares = (self.spares + 1).min(MAX_SPARES);
    }

    pub(super) fn wants_spare(&self) -> bool {
        self.idle.len() + self.opening.len() < self.spares
    }

    /// The clock's origin has moved. The first requests of the run find out for themselves whether they can
    /// connect, and say what they met.
    pub(super) fn shift(&mut self, by: i64, fresh: Backoff) {
        self.backoff = fresh;
        self.ahead.shift(by);
        self.reuse.shift(by);
    }
}

/// For one engine and address.
pub(super) fn backoff(config: &EngineConfig, place: usize) -> Backoff {
    let seed = u64::from(config.first_connection) | (place as u64) << 32;
    Backoff::new(config.connection_stride, seed)
}

impl super::Engine {
    /// Where a request goes: to the address of its session, or to the one whose turn it is. An address that
    /// cannot be reached keeps its turn, so that its failures show; where the least busy is asked for, it is
    /// passed over until it is due to be tried, as it would draw everything.
    pub(super) fn choose(&mut self, of_session: Option<u32>) -> usize {
        let count = self.places.len();
        if count == 1 {
            return 0;
        }
        if let Some(place) = of_session.filter(|place| (*place as usize) < count) {
            return place as usize;
        }
        let first = self.turn % count;
        self.turn = self.turn.wrapping_add(1);
        match self.config.to.balance {
            Balance::RoundRobin => first,
            Balance::LeastInFlight => self.least_busy(first),
        }
    }

    fn least_busy(&mut self, first: usize) -> usize {
        let now = self.now();
        let count = self.places.len();
        let mut best: Option<(usize, usize)> = None;
        for place in (0..count).map(|n| (first + n) % count) {
            let held = self.hold_of(place).is_some_and(|until| now < until);
            let busy = self.config.to.get(place).in_flight();
            if !held && best.is_none_or(|(least, _)| busy < least) {
                best = Some((busy, place));
            }
        }
        best.map_or(first, |(_, place)| place)
    }

    /// No connection to this address may be opened before this.
    pub(super) fn hold_of(&mut self, place: usize) -> Option<Offset> {
        let clock = self.config.clock;
        let known = &mut self.places[place].backoff;
        known.hold()?;
        // Another engine may have found the server again.
        if let Some(at) = self.config.to.get(place).last_connect.get() {
            known.heard(clock.at_monotonic(at));
        }
        known.hold()
    }

    /// Where no connection may be opened to any address: when the next one may.
    pub fn connects_from(&mut self) -> Option<Offset> {
        let mut soonest = None;
        for place in 0..self.places.len() {
            let hold = self.hold_of(place)?;
            soonest = Some(soonest.map_or(hold, |at: Offset| at.min(hold)));
        }
        soonest
    }

    /// Whether a connection may be opened now.
    pub(super) fn may_connect(&mut self, place: usize, now: Offset) -> bool {
        self.hold_of(place).is_none() || self.places[place].backoff.allows(now)
    }
}
