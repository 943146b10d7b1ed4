//! The shadow's thread: requests out, answers read to their end, both sides joined.
//!
//! It has no socket, no buffer and no thread in common with the users. Invariant: every request that it is given comes
//! back to its pair, however it ends.

use crate::answer::Call;
use crate::breaker::Breaker;
use crate::clocks::{Clocks, ns};
use crate::counts::Tally;
use crate::gate::{Head, Hold, Job, Order};
use crate::headers::{Kept, address_to};
use crate::model;
use crate::observer::{Keeper, Observer, Pair};
use crate::outgoing::Outgoing;
use crate::seen::{Outcome, Withheld};
use crate::settings::{Limits, Upstream};
use crate::side::SideLog;
use crate::socket::Scratch;
use crate::target::Aim;
use crate::upstream::{Failure, Opening, Pool, Shared, pruning};
use bytes::Bytes;
use hyper::Request;
use infermeter_core::clock::{Clock, Offset};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A drain looks this often whether all has ended.
const LOOK: Duration = Duration::from_millis(2);

/// What the thread is made with.
pub(crate) struct Setup {
    pub(crate) aim: Aim,
    pub(crate) model: Option<String>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) keep_headers: Vec<String>,
    pub(crate) observer: Observer,
}

struct Shadow {
    model: Option<String>,
    breaker: Arc<Breaker>,
    shared: Shared,
    kept: Rc<Kept>,
    observer: Observer,
}

/// Serves orders until they end.
pub(crate) async fn run(setup: Setup) {
    let mut orders = setup.orders;
    let shared = Shared {
        clocks: Rc::new(Clocks::new(setup.clock)),
        scratch: Scratch::new(),
        limits: Rc::new(setup.limits),
    };
    let tally = Arc::clone(&setup.observer.tally);
    let counted = Arc::clone(&tally);
    let opening = Opening::new(move || counted.counters.shadow_connections.one());
    let shadow = Rc::new(Shadow {
        model: setup.model,
        breaker: setup.breaker,
        shared,
        kept: Rc::new(Kept::new(&setup.keep_headers)),
        observer: setup.observer,
    });
    let mut to = To::new(setup.aim, &shadow.shared, &opening);
    while let Some(order) = orders.recv().await {
        match order {
            Order::Send(job) => {
                send(&shadow, &to, *job);
            }
            Order::Replace(upstream) => {
                // An upstream whose name is no header was refused before it came here.
                if let Some(aim) = Aim::new(upstream) {
                    to = To::new(aim, &shadow.shared, &opening);
                }
            }
            Order::Drain(due) => {
                orders.close();
                end(&tally, &shadow.shared.clocks, due).await;
            }
        }
    }
}

async fn end(tally: &Tally, clocks: &Clocks, due: Offset) {
    while tally.counters.now_shadow.get() > 0 && clocks.now() < due {
        tokio::time::sleep(LOOK).await;
    }
}

/// Where requests go.
struct To {
    aim: Aim,
    pool: Rc<Pool>,
}

impl To {
    fn new(aim: Aim, shared: &Shared, opening: &Opening) -> Self {
        let upstream: Upstream = aim.upstream().clone();
        let pool = Rc::new(Pool::new(upstream, shared, opening));
        tokio::task::spawn_local(pruning(Rc::downgrade(&pool)));
        Self { aim, pool }
    }
}

/// A request at the shadow; however it ends, its pair gets it.
struct Open {
    shadow: Rc<Shadow>,
    log: Rc<SideLog>,
    pair: Arc<Pair>,
    _hold: Hold,
}

impl Drop for Open {
    fn drop(&mut self) {
        let now = self.shadow.shared.clocks.now();
        // What had not ended was cut off with the thread.
        self.log.end(Outcome::Drained, None, now);
        let side = self.log.take();
        let counters = &self.shadow.observer.tally.counters;
        // A status of 429 or 5xx is the server's own word that it cannot.
        let is_refusal = side
            .status
            .is_some_and(|status| status == 429 || status >= 500);
        match side.outcome {
            Outcome::Complete if !is_refusal => {
                counters.shadow_completed.one();
                self.shadow.breaker.succeeded();
            }
            Outcome::Drained => counters.shadow_failed.one(),
            _ => {
                counters.shadow_failed.one();
                self.shadow.breaker.failed(now);
            }
        }
        self.pair.shadow(Ok(Box::new(side)), &self.shadow.observer);
    }
}

/// Has a request sent, unless it cannot be rewritten. What comes back to its pair exists from here on: a task that the
/// thread's end drops before its first turn has an end all the same.
fn send(shadow: &Rc<Shadow>, to: &To, job: Job) {
    let Job {
        head,
        body,
        pair,
        hold,
    } = job;
    let tally = &shadow.observer.tally;
    let body = match &shadow.model {
        None => body,
        Some(name) => match model::renamed(&body, name) {
            Some(body) => Bytes::from(body),
            None => {
                tally.counters.shadow_withheld_other.one();
                return pair.shadow(Err(Withheld::NotRewritable), &shadow.observer);
            }
        },
    };
    tally.counters.shadow_sent.one();
    let limits = &shadow.shared.limits;
    let keeper = Keeper::new(tally, limits.kept_bytes, limits.kept_bytes_together);
    let begun = shadow.shared.clocks.now();
    let open = Open {
        log: Rc::new(SideLog::new(begun, keeper, &shadow.kept)),
        pair,
        _hold: hold,
        shadow: Rc::clone(shadow),
    };
    let call = Call {
        pool: Rc::clone(&to.pool),
        log: Rc::clone(&open.log),
        upload: None,
        total_due: begun.plus(ns(limits.total_time)),
    };
    let request = request(head, body, &to.aim);
    tokio::task::spawn_local(async move {
        if let Err(failure) = exchange(&call, request).await {
            let now = open.shadow.shared.clocks.now();
            open.log.fail(&failure, now);
        }
    });
}

async fn exchange(call: &Call, request: Result<Request<Outgoing>, Failure>) -> Result<(), Failure> {
    let (_, mut answer) = call.answer(request?).await?;
    // How it ended is in its log.
    while let Some(Ok(_)) = poll_fn(|cx| answer.poll_part(cx)).await {}
    Ok(())
}

fn request(head: Head, body: Bytes, aim: &Aim) -> Result<Request<Outgoing>, Failure> {
    let target = aim
        .target(head.target.as_ref())
        .ok_or_else(|| Failure::new(Outcome::RequestTooLarge, "the path is too long"))?;
    let mut request = Request::new(Outgoing::whole(body));
    *request.method_mut() = head.method;
    *request.uri_mut() = target;
    *request.headers_mut() = head.headers;
    *request.extensions_mut() = head.extensions;
    address_to(request.headers_mut(), aim.host());
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Gate;
    use crate::headers::ForShadow;
    use crate::seen::Body;
    use crate::settings::{BreakerSettings, ShadowSettings, UserKeys};
    use std::sync::mpsc::sync_channel;
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    #[test]
    fn a_request_that_comes_with_the_end_of_a_drain_comes_back() {
        let upstream = Upstream {
            addresses: Vec::new(),
            host: "h:1".to_owned(),
            base: String::new(),
            tls: None,
        };
        let settings = ShadowSettings {
            upstream: upstream.clone(),
            share: 1.0,
            seed: 1,
            max_rate: None,
            max_in_flight: 4,
            max_bytes: 100,
            headers: Vec::new(),
            keys: UserKeys::Removed,
            model: None,
            breaker: BreakerSettings::default(),
        };
        let tally = Arc::new(Tally::default());
        let breaker = Arc::new(Breaker::new(settings.breaker, &tally));
        let (sender, _seen) = sync_channel(1);
        let (to_shadow, orders) = mpsc::channel(4);
        let headers = ForShadow::new(UserKeys::Removed, &[]).expect("sound");
        let gate = Gate::new(&settings, headers, to_shadow, &breaker, &tally, Offset(0));
        let (user, ()) = Request::new(()).into_parts();
        let head = gate.chosen(0, &user).expect("the share is all");
        let body = Body {
            bytes: Some(Bytes::new()),
            ..Body::default()
        };
        gate.offer(head, &body, Offset(0)).expect("room");
        let setup = Setup {
            aim: Aim::new(upstream).expect("sound"),
            model: None,
            orders,
            breaker,
            clock: Clock::starting_in(0),
            limits: Limits::default(),
            keep_headers: Vec::new(),
            observer: Observer {
                sender,
                tally: Arc::clone(&tally),
            },
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        // Both orders are there before the thread has its first turn.
        LocalSet::new().block_on(&runtime, async {
            gate.order(Order::Drain(Offset(0))).await;
            drop(gate);
            run(setup).await;
        });
        let counts = tally.counts();
        assert_eq!((counts.shadow_sent, counts.shadow_failed), (1, 1));
        assert_eq!(counts.now_shadow, 0);
    }
}
