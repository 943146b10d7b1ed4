//! The users' side of the shadow: which requests it gets, and whether now.
//!
//! Everything here is decided at once: a request that the shadow has no room for is withheld and counted. Invariant: the
//! choice rests on seed and number alone, so that it is the same again.

use crate::breaker::{Breaker, Rate};
use crate::counts::Tally;
use crate::headers::ForShadow;
use crate::observer::Pair;
use crate::seen::{Body, Withheld};
use crate::settings::{ShadowSettings, Upstream};
use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::http::{Extensions, uri::PathAndQuery};
use hyper::{HeaderMap, Method};
use infermeter_core::clock::Offset;
use infermeter_core::seed::splitmix64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::mpsc;

/// What the shadow's thread is told.
pub(crate) enum Order {
    Send(Box<Job>),
    Replace(Upstream),
    /// Nothing more comes; what is open has until then.
    Drain(Offset),
}

/// A request for the shadow.
pub(crate) struct Job {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    pub(crate) pair: Arc<Pair>,
    pub(crate) hold: Hold,
}

/// A request's head as the shadow gets it.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) target: Option<PathAndQuery>,
    pub(crate) headers: HeaderMap,
    /// How the user spelt the headers' names.
    pub(crate) extensions: Extensions,
}

/// The place of one request in the shadow's budget.
#[derive(Debug)]
pub(crate) struct Hold {
    tally: Arc<Tally>,
    bytes: Arc<AtomicUsize>,
    len: usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.tally.counters.now_shadow.one_less();
        self.bytes.fetch_sub(self.len, Relaxed);
    }
}

/// Decides on requests for the shadow.
pub(crate) struct Gate {
    orders: mpsc::Sender<Order>,
    breaker: Arc<Breaker>,
    rate: Option<Rate>,
    headers: ForShadow,
    share: f64,
    seed: u64,
    max_in_flight: usize,
    max_bytes: usize,
    bytes: Arc<AtomicUsize>,
    tally: Arc<Tally>,
}

impl Gate {
    pub(crate) fn new(
        settings: &ShadowSettings,
        headers: ForShadow,
        orders: mpsc::Sender<Order>,
        breaker: &Arc<Breaker>,
        tally: &Arc<Tally>,
        now: Offset,
    ) -> Self {
        Self {
            orders,
            breaker: Arc::clone(breaker),
            rate: settings.max_rate.map(|rate| Rate::new(rate, now)),
            headers,
            share: settings.share,
            seed: settings.seed,
            max_in_flight: settings.max_in_flight,
            max_bytes: settings.max_bytes,
            bytes: Arc::new(AtomicUsize::new(0)),
            tally: Arc::clone(tally),
        }
    }

    /// The head that the shadow gets, where the share chooses this request.
    pub(crate) fn chosen(&self, number: u64, user: &Parts) -> Option<Head> {
        if !is_chosen(number, self.seed, self.share) {
            return None;
        }
        self.tally.counters.shadow_chosen.one();
        Some(Head {
            method: user.method.clone(),
            target: (user.uri.path_and_query()).and_then(|asked| self.headers.target(asked)),
            headers: self.headers.headers(&user.headers),
            extensions: user.extensions.clone(),
        })
    }

    /// Tells the shadow's thread something; waits for room, which only the end of everything may.
    pub(crate) async fn order(&self, order: Order) {
        // Where the thread has gone there is nobody to tell.
        let _ = self.orders.send(order).await;
    }

    /// Sends a request to the shadow, now or never.
    pub(crate) fn offer(
        &self,
        head: Head,
        body: &Body,
        now: Offset,
    ) -> Result<Arc<Pair>, Withheld> {
        let offered = self.try_offer(head, body, now);
        let counters = &self.tally.counters;
        match &offered {
            Ok(_) => {}
            Err(Withheld::BreakerOpen) => counters.shadow_withheld_breaker.one(),
            Err(Withheld::Rate | Withheld::InFlight | Withheld::Bytes) => {
                counters.shadow_withheld_budget.one();
            }
            Err(_) => counters.shadow_withheld_other.one(),
        }
        offered
    }

    fn try_offer(&self, head: Head, body: &Body, now: Offset) -> Result<Arc<Pair>, Withheld> {
        let body = body.bytes.clone().ok_or(Withheld::BodyTooLong)?;
        let counters = &self.tally.counters;
        if counters.now_shadow.get() >= self.max_in_flight as u64 {
            return Err(Withheld::InFlight);
        }
        if self.bytes.load(Relaxed) + body.len() > self.max_bytes {
            return Err(Withheld::Bytes);
        }
        if self.rate.as_ref().is_some_and(|rate| !rate.takes(now)) {
            return Err(Withheld::Rate);
        }
        // Asked last: what it admits while half open has to be sent.
        if !self.breaker.admits(now) {
            return Err(Withheld::BreakerOpen);
        }
        counters.now_shadow.one();
        self.bytes.fetch_add(body.len(), Relaxed);
        let hold = Hold {
            tally: Arc::clone(&self.tally),
            bytes: Arc::clone(&self.bytes),
            len: body.len(),
        };
        let pair = Arc::new(Pair::default());
        let job = Job {
            head,
            body,
            pair: Arc::clone(&pair),
            hold,
        };
        self.orders
            .try_send(Order::Send(Box::new(job)))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => Withheld::InFlight,
                mpsc::error::TrySendError::Closed(_) => Withheld::Draining,
            })?;
        Ok(pair)
    }
}

/// Whether the share chooses a request: the hash is uniform, 53 bits of it are a number below 1.
fn is_chosen(number: u64, seed: u64, share: f64) -> bool {
    let hash = splitmix64(seed ^ splitmix64(number));
    ((hash >> 11) as f64) * 2_f64.powi(-53) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept_and_is_the_same_again() {
        let chosen = |seed, share| -> Vec<u64> {
            let numbers = 0..100_000_u64;
            numbers.filter(|n| is_chosen(*n, seed, share)).collect()
        };
        let five = chosen(1, 0.05);
        // Six standard deviations of a binomial count.
        assert!(
            (five.len() as f64 - 5000.0).abs() < 6.0 * 69.0,
            "{}",
            five.len()
        );
        assert_eq!(five, chosen(1, 0.05));
        assert_ne!(five, chosen(2, 0.05));
        assert_eq!(chosen(1, 0.0).len(), 0);
        assert_eq!(chosen(1, 1.0).len(), 100_000);
    }
}
