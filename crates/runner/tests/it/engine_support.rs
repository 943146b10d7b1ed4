//! One engine, driven by the test itself.

use crate::support::{Ask, check_instants, engine_config, prepare};
use infermeter_client::engine::{Engine, EngineConfig};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_sys::stamp::Sentinel;
use std::net::SocketAddr;
use std::sync::Arc;

/// A test that waits longer has failed.
const PATIENCE_NS: i64 = 60_000_000_000;

pub struct Driver {
    pub engine: Engine,
    done: Vec<RequestRecord>,
    next: u64,
    _stamps: Option<Sentinel>,
}

impl Driver {
    pub fn new(address: SocketAddr) -> Self {
        Self::with(engine_config(address))
    }

    pub fn with(mut config: EngineConfig) -> Self {
        let stamps = Sentinel::start();
        config.kernel_stamps = stamps.is_some();
        Self {
            engine: Engine::new(config, Arc::default()).expect("an engine"),
            done: Vec::new(),
            next: 0,
            _stamps: stamps,
        }
    }

    /// Sends now.
    pub fn send(&mut self, ask: Ask) {
        let intended = self.engine.now();
        self.engine
            .send(prepare(self.next, ask), Phase::Measure, intended);
        self.next += 1;
    }

    /// The same to one of several addresses, where the turn before was answered from there.
    pub fn exchange_at(&mut self, ask: Ask, address: Option<u32>) -> RequestRecord {
        let intended = self.engine.now();
        let mut prepared = prepare(self.next, ask);
        prepared.address = address;
        self.engine.send(prepared, Phase::Measure, intended);
        self.next += 1;
        self.finish().remove(0)
    }

    /// Sends and waits for the end.
    pub fn exchange(&mut self, ask: Ask) -> RequestRecord {
        self.send(ask);
        self.finish().remove(0)
    }

    /// Waits until nothing is in flight; the records of what was, in id order.
    pub fn finish(&mut self) -> Vec<RequestRecord> {
        self.poll_until("every request has ended", |engine| engine.in_flight() == 0);
        self.engine.take_done(&mut self.done);
        self.done.sort_by_key(|record| record.id);
        self.done.iter().for_each(check_instants);
        std::mem::take(&mut self.done)
    }

    /// Opens connections and waits until they are up.
    pub fn open_ahead(&mut self, count: usize) {
        let wanted = self.engine.health().connections_opened + count as u64;
        loop {
            let missing = wanted - self.engine.health().connections_opened;
            self.engine
                .open_ahead(missing as usize)
                .expect("connections");
            self.poll_until("connections are up", |e| e.opening_connections() == 0);
            // After some that did not last it takes its time.
            if missing == 0 {
                return;
            }
        }
    }

    pub fn poll_until(&mut self, what: &str, met: impl Fn(&Engine) -> bool) {
        let deadline = monotonic_ns() + PATIENCE_NS;
        while !met(&self.engine) {
            assert!(monotonic_ns() < deadline, "waited in vain until {what}");
            let soon = self.engine.now().plus(10_000_000);
            self.engine.poll(soon).expect("polls");
        }
    }
}

/// Outcome and reason of a record.
pub fn end(record: &RequestRecord) -> (Outcome, Option<Reason>) {
    (record.outcome, record.error.as_ref().map(|e| e.reason))
}

/// The server could not be reached: a connect failed, or was not due yet.
pub fn is_unreachable(record: &RequestRecord) -> bool {
    match end(record) {
        (Outcome::Failed, Some(Reason::ConnectFailed)) => true,
        (Outcome::Failed, Some(Reason::ConnectBackoff)) => {
            assert_eq!(
                (record.send_start, record.attempts),
                (None, 0),
                "{record:?}"
            );
            assert!(record.closed >= Some(record.intended), "{record:?}");
            true
        }
        _ => false,
    }
}
