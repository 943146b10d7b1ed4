//! Replicas that come and go while a fleet serves: added with a time to load, drained until their last request has
//! ended.
//!
//! A replica's number is a place that is used again once it is empty. What the place has counted goes on counting, so
//! that a metrics page never goes backwards. Time is held from the instant at which a replica begins to load to that
//! at which it is gone: what its devices cost. Invariant: one replica at least is meant to stay, and one that drains
//! gets no further request.

use super::{Engine, EngineParams, EngineState, Fleet, MAX_REPLICAS, of_replica};
use crate::engine::LifeCycle;
use crate::engine::autoscale::Autoscale;
use infermeter_core::units::Span;

/// What a replica's place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It takes requests, once it is loaded.
    Serving,
    /// It ends the requests that it has, and takes no more.
    Draining,
    /// Nobody is there.
    Gone,
}

/// A place, and how long replicas have been there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub standing: Standing,
    /// Since when the present one is there.
    since_ns: i64,
    /// For how long those before it were.
    before_ns: i64,
}

impl Seat {
    /// Of a replica that begins at `since_ns`.
    pub(super) fn taken(since_ns: i64) -> Self {
        Self {
            standing: Standing::Serving,
            since_ns,
            before_ns: 0,
        }
    }

    fn held_ns(&self, now_ns: i64) -> i64 {
        match self.standing {
            Standing::Gone => self.before_ns,
            Standing::Serving | Standing::Draining => {
                self.before_ns + (now_ns - self.since_ns).max(0)
            }
        }
    }
}

/// How a fleet changes its size.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scaling {
    /// From the beginning of an added replica to its readiness; as the first ones where it is not given.
    pub loading: Option<Span>,
    /// Who decides; nobody, where it is not given.
    pub autoscale: Option<Autoscale>,
}

/// The replicas of a fleet at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplicaCounts {
    /// They take requests.
    pub ready: u32,
    /// They will, once loaded.
    pub loading: u32,
    /// They end what they have.
    pub draining: u32,
}

impl ReplicaCounts {
    /// All that are there.
    pub fn all(&self) -> u32 {
        self.ready + self.loading + self.draining
    }
}

/// More replicas than there are places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{asked} replicas do not fit beside {draining} that still drain: at most {MAX_REPLICAS} at once"
)]
pub struct NoRoom {
    /// Replicas asked for.
    pub asked: u32,
    /// Replicas that drain.
    pub draining: u32,
}

impl Fleet {
    /// The fleet with another way to change its size.
    #[must_use]
    pub fn scaled(mut self, scaling: Scaling) -> Self {
        self.rescale(scaling);
        self
    }

    /// Another way to change its size, from now on.
    pub(crate) fn rescale(&mut self, scaling: Scaling) {
        self.scaling = scaling;
    }

    /// Whether so many replicas have room.
    pub(crate) fn check_room(&self, asked: u32) -> Result<(), NoRoom> {
        let draining = self.seated(Standing::Draining);
        match asked.saturating_add(draining) > MAX_REPLICAS {
            true => Err(NoRoom { asked, draining }),
            false => Ok(()),
        }
    }

    /// From `now_ns` on so many replicas are meant to serve, at least 1: more are added and load, or the youngest are
    /// drained, those that do not serve yet first.
    ///
    /// # Errors
    /// Where there is no room; nothing changes then.
    pub(crate) fn scale(&mut self, now_ns: i64, replicas: u32) -> Result<(), NoRoom> {
        self.check_room(replicas)?;
        let (asked, now) = (replicas.max(1), self.wanted());
        for _ in now..asked {
            self.add(now_ns);
        }
        for _ in asked..now {
            self.drain(now_ns);
        }
        self.note_load(now_ns);
        Ok(())
    }

    /// Replicas that are meant to serve, loaded or not.
    pub(crate) fn wanted(&self) -> u32 {
        self.seated(Standing::Serving)
    }

    /// The replicas at `now_ns`.
    pub fn replica_counts(&self, now_ns: i64) -> ReplicaCounts {
        let mut counts = ReplicaCounts::default();
        for (seat, engine) in self.seats.iter().zip(&self.engines) {
            match (seat.standing, engine.state(now_ns)) {
                (Standing::Gone, _) => {}
                (Standing::Draining, _) => counts.draining += 1,
                (Standing::Serving, EngineState::Loading) => counts.loading += 1,
                (Standing::Serving, _) => counts.ready += 1,
            }
        }
        counts
    }

    /// Time that replicas have been there up to `now_ns`, added up, nanoseconds: loading and draining count.
    pub(crate) fn replica_ns(&self, now_ns: i64) -> i64 {
        self.seats.iter().map(|seat| seat.held_ns(now_ns)).sum()
    }

    /// When the autoscaler looks next.
    pub(crate) fn next_look_ns(&self) -> Option<i64> {
        let autoscale = self.scaling.autoscale?;
        Some(self.looked_ns.saturating_add(autoscale.interval.ns()))
    }

    /// The autoscaler looks, and changes the fleet's size. One that finds no room tries again at its next look.
    pub(crate) fn look(&mut self, now_ns: i64) {
        self.looked_ns = now_ns;
        if let Some(autoscale) = self.scaling.autoscale {
            let load = self.gauges();
            let in_flight = load.running.value() + load.waiting.value();
            let _ = self.scale(now_ns, autoscale.wanted(in_flight));
        }
    }

    /// Replicas that drain and have nothing left are gone.
    pub(super) fn let_go(&mut self, now_ns: i64) {
        for (seat, engine) in self.seats.iter_mut().zip(&self.engines) {
            if seat.standing == Standing::Draining && engine.load().requests() == 0 {
                seat.before_ns = seat.held_ns(now_ns);
                seat.standing = Standing::Gone;
            }
        }
    }

    fn seated(&self, standing: Standing) -> u32 {
        let seats = self.seats.iter();
        seats.filter(|seat| seat.standing == standing).count() as u32
    }

    /// A replica more, in the first place that is empty.
    fn add(&mut self, now_ns: i64) {
        self.made += 1;
        let loading = self.scaling.loading.map(Span::ns);
        let params = of_replica(self.params.clone(), self.made);
        let life = LifeCycle {
            loading_ns: loading.unwrap_or(params.life.loading_ns),
            ..params.life
        };
        let engine = Engine::starting(EngineParams { life, ..params }, now_ns);
        let empty = self
            .seats
            .iter()
            .position(|seat| seat.standing == Standing::Gone);
        match empty {
            Some(place) => {
                let old = &mut self.engines[place];
                *old = engine.with_replica(place as u32).going_on_from(old);
                let before_ns = self.seats[place].before_ns;
                self.seats[place] = Seat {
                    before_ns,
                    ..Seat::taken(now_ns)
                };
            }
            None => {
                let place = self.engines.len() as u32;
                self.engines.push(engine.with_replica(place));
                self.seats.push(Seat::taken(now_ns));
            }
        }
    }

    /// A replica less: the youngest of those that do not serve yet, else the youngest.
    fn drain(&mut self, now_ns: i64) {
        let seats = self.seats.iter().zip(&self.engines).enumerate();
        let serving = seats.filter(|(_, (seat, _))| seat.standing == Standing::Serving);
        let youngest = serving.max_by_key(|(place, (seat, engine))| {
            let loads = engine.state(now_ns) == EngineState::Loading;
            (loads, seat.since_ns, *place)
        });
        if let Some(place) = youngest.map(|(place, _)| place) {
            self.seats[place].standing = Standing::Draining;
        }
    }
}
