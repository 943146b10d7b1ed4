//! One request of a user: to the primary and back.
//!
//! It waits for the primary alone. Invariant: what the user gets is the primary's answer as it came, or a status that
//! says who failed; an answer that was cut off never ends as if it were whole.

use crate::answer::{Answer, Call, Cut, Part};
use crate::clocks::ns;
use crate::front::{Front, Primary};
use crate::headers::{address_to, take_out_connection};
use crate::outgoing::{Outgoing, Upload};
use crate::primary::{Asked, Chosen, PrimaryLog};
use crate::screen::{Arrival, Refusal};
use crate::seen::Outcome;
use crate::side::SideLog;
use crate::upstream::Failure;
use crate::user::{Marked, User};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Version};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Serves the requests of one connection.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) front: Rc<Front>,
    pub(crate) user: Rc<User>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Reply>;
    type Error = Cut;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, Cut>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        // The library parses what the screen has let through, one by one.
        let Some(arrival) = self.user.next_arrival() else {
            return Box::pin(std::future::ready(Err(Cut)));
        };
        // Now, not when it is polled: a user may be gone before that.
        let (parts, incoming) = request.into_parts();
        let log = self.open(&parts, arrival);
        self.user.serves(&log);
        let service = self.clone();
        Box::pin(async move { Ok(service.serve(parts, incoming, log).await) })
    }
}

impl Service {
    async fn serve(
        &self,
        mut user: Parts,
        incoming: Incoming,
        log: Rc<PrimaryLog>,
    ) -> Response<Reply> {
        if user.headers.contains_key(UPGRADE) {
            // What the library keeps for an upgrade: none is passed on.
            user.extensions.clear();
        }
        take_out_connection(&mut user.headers);
        let primary = Rc::clone(&self.front.primary.borrow());
        self.choose(&log, &user);
        let version = user.version;
        let call = Call {
            pool: Rc::clone(&primary.pool),
            log: Rc::clone(&log.side),
            upload: Some(Rc::clone(&log.upload)),
            total_due: (log.arrival.first.at).plus(ns(self.front.shared.limits.total_time)),
        };
        let body = Outgoing::of_user(incoming, &log.upload);
        let answered = match outgoing(user, body, &primary) {
            Ok(request) => call.answer(request).await,
            Err(failure) => Err(failure),
        };
        match answered {
            Ok((head, answer)) => self.pass_on(head, answer, log, version),
            Err(failure) => self.fail(&failure, &log),
        }
    }

    fn open(&self, user: &Parts, arrival: Rc<Arrival>) -> Rc<PrimaryLog> {
        let front = &self.front;
        let counters = &front.observer.tally.counters;
        counters.requests.one();
        counters.now_requests.one();
        let clocks = &front.shared.clocks;
        let asked = Asked {
            number: front.number(),
            method: user.method.as_str().to_owned(),
            path: user.uri.path().to_owned(),
            headers: front.kept.of(&user.headers),
        };
        Rc::new(PrimaryLog {
            asked: RefCell::new(asked),
            arrival,
            upload: Rc::new(Upload::new(front.keeper(), clocks)),
            side: Rc::new(SideLog::new(clocks.now(), front.keeper(), &front.kept)),
            chosen: Rc::default(),
            if_cut: Cell::new(Outcome::ClientGone),
            handed_over: Cell::new(false),
            is_cutting: Rc::clone(&front.is_cutting),
            observer: front.observer.clone(),
            clocks: Rc::clone(clocks),
        })
    }

    /// Has the request sent to the shadow as well, once it has come whole, where the share chooses it.
    fn choose(&self, log: &Rc<PrimaryLog>, user: &Parts) {
        let Some(gate) = &self.front.gate else {
            return;
        };
        let number = log.asked.borrow().number;
        let Some(head) = gate.chosen(number, user) else {
            return;
        };
        *log.chosen.borrow_mut() = Chosen::Waiting;
        let (gate, chosen) = (Rc::clone(gate), Rc::clone(&log.chosen));
        let clocks = Rc::clone(&self.front.shared.clocks);
        log.upload.then(Box::new(move |body| {
            *chosen.borrow_mut() = match gate.offer(head, body, clocks.now()) {
                Ok(pair) => Chosen::Sent(pair),
                Err(why) => Chosen::Withheld(why),
            };
        }));
    }

    fn pass_on(
        &self,
        mut head: hyper::http::response::Parts,
        answer: Answer,
        log: Rc<PrimaryLog>,
        version: Version,
    ) -> Response<Reply> {
        take_out_connection(&mut head.headers);
        // The answer's version is that of this connection.
        head.version = Version::HTTP_11;
        self.user.mark(&log, Marked::Head);
        let mut passed = Passed {
            answer,
            log,
            user: Rc::clone(&self.user),
            version,
            is_marked: false,
            cut: None,
        };
        passed.mark_end();
        Response::from_parts(head, Reply::Answer(Box::new(passed)))
    }

    fn fail(&self, failure: &Failure, log: &Rc<PrimaryLog>) -> Response<Reply> {
        let now = self.front.shared.clocks.now();
        let (status, why) = match (self.user.refusal(), failure.outcome) {
            (Some(refusal), _) => {
                let outcome = match refusal {
                    Refusal::BodyTooLarge => Outcome::RequestTooLarge,
                    Refusal::TooSlow => Outcome::ClientTooSlow,
                    _ => Outcome::ClientGone,
                };
                log.side.fail(&Failure::new(outcome, refusal.why()), now);
                self.user.is_told.set(true);
                (refusal.status(), refusal.why())
            }
            (None, Outcome::UpstreamTooSlow) => (504, "the primary did not answer in time"),
            (None, Outcome::RequestTooLarge) => (414, "the path is too long"),
            (None, Outcome::ConnectFailed) => (502, "the primary cannot be reached"),
            (None, Outcome::BadAnswer) => (502, "the primary's answer cannot be passed on"),
            (None, _) => (502, "the primary closed the connection without an answer"),
        };
        // A user who was refused is told so, and the first word on how it ended has been said.
        log.side.fail(failure, now);
        self.user.mark(log, Marked::Head);
        self.user.mark(log, Marked::End);
        let mut response = Response::new(Reply::Text(Some(error_body(why))));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        if self.user.is_mid_request() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }
}

/// What is said instead of an answer, in the form that APIs say it in.
pub(crate) fn error_body(why: &str) -> Bytes {
    let error =
        serde_json::json!({"error": {"message": why, "type": "proxy_error", "by": "infermeter"}});
    Bytes::from(error.to_string())
}

fn outgoing(user: Parts, body: Outgoing, primary: &Primary) -> Result<Request<Outgoing>, Failure> {
    let target = primary
        .aim
        .target(user.uri.path_and_query())
        .ok_or_else(|| Failure::new(Outcome::RequestTooLarge, "the path is too long"))?;
    let mut request = Request::from_parts(user, body);
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_11;
    address_to(request.headers_mut(), primary.aim.host());
    Ok(request)
}

/// What a user gets.
pub(crate) enum Reply {
    /// The primary's answer.
    Answer(Box<Passed>),
    /// A word of the proxy's own.
    Text(Option<Bytes>),
}

/// The primary's answer on its way to a user.
pub(crate) struct Passed {
    answer: Answer,
    log: Rc<PrimaryLog>,
    user: Rc<User>,
    version: Version,
    is_marked: bool,
    /// It was cut off; the user has not been told yet.
    cut: Option<Cut>,
}

impl Passed {
    /// Has the answer's end known when it leaves.
    fn mark_end(&mut self) {
        if self.answer.has_ended() && self.cut.is_none() && !self.is_marked {
            self.is_marked = true;
            self.user.mark(&self.log, Marked::End);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.cut.is_none() {
            match ready!(self.answer.poll_part(cx)) {
                Some(Ok(Part::Piece(bytes, stamp, kept))) => {
                    self.user.mark(&self.log, Marked::Piece(kept, stamp));
                    self.mark_end();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Ok(Part::Trailers(trailers))) => {
                    self.mark_end();
                    return Poll::Ready(Some(Ok(trailers)));
                }
                None => {
                    self.mark_end();
                    return Poll::Ready(None);
                }
                Some(Err(cut)) => self.cut = Some(cut),
            }
        }
        // First what there is, then the cut: the library drops what it has not written when it hears of one.
        ready!(self.user.poll_taken(cx));
        if self.version == Version::HTTP_10 {
            // Such an answer ends with its connection: an orderly end would make a part the whole.
            self.user.reset_at_end();
        }
        Poll::Ready(Some(Err(Cut)))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Answer(passed) => passed.poll_frame(cx),
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Answer(passed) => passed.answer.has_ended() && passed.cut.is_none(),
            Self::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Answer(passed) => passed.answer.size_hint(),
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}
