//! What all users' connections of a proxy have in common.
//!
//! Invariant: it belongs to one thread; others see its counts alone.

use crate::gate::Gate;
use crate::headers::Kept;
use crate::observer::{Keeper, Observer};
use crate::screen::Most;
use crate::settings::{HalfClosed, Upstream};
use crate::target::Aim;
use crate::upstream::{Opening, Pool, Shared, pruning};
use rustls::ServerConfig;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// The users' side of a proxy.
pub(crate) struct Front {
    pub(crate) shared: Shared,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) half_closed: HalfClosed,
    pub(crate) observer: Observer,
    pub(crate) kept: Rc<Kept>,
    pub(crate) gate: Option<Rc<Gate>>,
    pub(crate) primary: RefCell<Rc<Primary>>,
    pub(crate) opening: Opening,
    /// Number of the next request.
    pub(crate) next: Cell<u64>,
    /// A drain's time is over: what is open is cut off.
    pub(crate) is_cutting: Rc<Cell<bool>>,
    /// Connections of users that are open.
    pub(crate) connections: Cell<usize>,
}

/// Who serves the users.
pub(crate) struct Primary {
    pub(crate) aim: Aim,
    pub(crate) pool: Rc<Pool>,
}

impl Primary {
    pub(crate) fn new(aim: Aim, shared: &Shared, opening: &Opening) -> Rc<Self> {
        let upstream: Upstream = aim.upstream().clone();
        let pool = Rc::new(Pool::new(upstream, shared, opening));
        tokio::task::spawn_local(pruning(Rc::downgrade(&pool)));
        Rc::new(Self { aim, pool })
    }
}

impl Front {
    /// Requests that begin from now on go to this one.
    pub(crate) fn replace(&self, upstream: Upstream) {
        // One whose name is no header was refused before it came here.
        if let Some(aim) = Aim::new(upstream) {
            *self.primary.borrow_mut() = Primary::new(aim, &self.shared, &self.opening);
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    pub(crate) fn keeper(&self) -> Keeper {
        let limits = &self.shared.limits;
        Keeper::new(
            &self.observer.tally,
            limits.kept_bytes,
            limits.kept_bytes_together,
        )
    }

    pub(crate) fn most(&self) -> Most {
        let limits = &self.shared.limits;
        Most {
            head_bytes: limits.head_bytes,
            headers: limits.headers,
            body_bytes: limits.body_bytes,
        }
    }
}
