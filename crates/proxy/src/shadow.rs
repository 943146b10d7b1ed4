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
                tokio::task::spawn_local(send(Rc::clone(&shadow), to.clone(), *job));
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
#[derive(Clone)]
struct To {
    aim: Rc<Aim>,
    pool: Rc<Pool>,
}

impl To {
    fn new(aim: Aim, shared: &Shared, opening: &Opening) -> Self {
        let upstream: Upstream = aim.upstream().clone();
        let pool = Rc::new(Pool::new(upstream, shared, opening));
        tokio::task::spawn_local(pruning(Rc::downgrade(&pool)));
        Self {
            aim: Rc::new(aim),
            pool,
        }
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

async fn send(shadow: Rc<Shadow>, to: To, job: Job) {
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
        shadow: Rc::clone(&shadow),
    };
    let call = Call {
        pool: Rc::clone(&to.pool),
        log: Rc::clone(&open.log),
        upload: None,
        total_due: begun.plus(ns(limits.total_time)),
    };
    if let Err(failure) = exchange(&call, request(head, body, &to.aim)).await {
        open.log.fail(&failure, shadow.shared.clocks.now());
    }
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
