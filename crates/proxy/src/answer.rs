//! One request to one upstream: sent, waited for, its answer read piece by piece.
//!
//! The same for primary and shadow; who gets the pieces is the caller's matter. Invariant: every wait has a limit, and an
//! answer that is dropped before its end closes its connection, so that the upstream stops working for nobody.

use crate::clocks::ns;
use crate::headers::is_chunked_at_most;
use crate::outgoing::{Outgoing, Upload};
use crate::seen::{Outcome, Stamp};
use crate::side::SideLog;
use crate::upstream::{Failure, Line, Pool};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::http::response::Parts;
use hyper::{Request, Response};
use infermeter_core::clock::Offset;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Connections that end just as a request is given to them: so many, and it has failed.
const TRIES: usize = 4;

/// What a call belongs to.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) pool: Rc<Pool>,
    pub(crate) log: Rc<SideLog>,
    /// The user's body, where it is passed on as it comes.
    pub(crate) upload: Option<Rc<Upload>>,
    /// When the whole request has to be over.
    pub(crate) total_due: Offset,
}

impl Call {
    /// Sends the request and waits for the answer's head.
    pub(crate) async fn answer(
        &self,
        mut request: Request<Outgoing>,
    ) -> Result<(Parts, Answer), Failure> {
        for _ in 0..TRIES {
            let mut line = self.pool.line().await?;
            self.log.on_line(&line);
            let sending = line.sender.try_send_request(request);
            match self.within_time(sending).await? {
                Ok(response) => return self.begun(response, line),
                // What comes back was not written: another connection may have it.
                Err(mut error) => match error.take_message() {
                    Some(back) => request = back,
                    None => return Err(failure(&error.into_error())),
                },
            }
        }
        let problem = "its connections end as soon as they are made";
        Err(Failure::new(Outcome::ClosedBeforeAnswer, problem))
    }

    fn begun(&self, response: Response<Incoming>, line: Line) -> Result<(Parts, Answer), Failure> {
        let (parts, incoming) = response.into_parts();
        if !is_chunked_at_most(&parts.headers) {
            let problem = "its transfer coding is not chunked";
            return Err(Failure::new(Outcome::BadAnswer, problem));
        }
        let stamp = line.link.first_read.get().unwrap_or_else(|| self.stamp());
        self.log.on_head(&parts, stamp);
        let mut answer = Answer {
            timer: Box::pin(sleep(self.pool.shared().limits.upstream_silence)),
            call: self.clone(),
            incoming,
            line: Some(line),
            waiting_since: None,
        };
        if answer.incoming.is_end_stream() {
            answer.complete();
        }
        Ok((parts, answer))
    }

    fn stamp(&self) -> Stamp {
        let clocks = &self.pool.shared().clocks;
        clocks.stamp(None, clocks.now())
    }

    /// Waits for `sending`, as long as an answer's head may take once the request is whole.
    async fn within_time<T>(&self, sending: impl Future<Output = T>) -> Result<T, Failure> {
        let mut sending = pin!(sending);
        let wait = self.pool.shared().limits.head_wait;
        let mut timer = pin!(sleep(wait.min(self.left_of(self.total_due))));
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                    return Poll::Ready(Ok(sent));
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let due = self.head_due(wait).min(self.total_due);
                let left = self.left_of(due);
                if left.is_zero() {
                    let problem = "no answer in time";
                    return Poll::Ready(Err(Failure::new(Outcome::UpstreamTooSlow, problem)));
                }
                timer.set(sleep(left));
            }
        })
        .await
    }

    /// An upload that the user is waited for has limits of its own.
    fn head_due(&self, wait: Duration) -> Offset {
        let now = self.pool.shared().clocks.now();
        let since = match &self.upload {
            Some(upload) => upload.upstream_since().unwrap_or(now),
            None => self.log.begun(),
        };
        since.plus(ns(wait))
    }

    fn left_of(&self, due: Offset) -> Duration {
        let left = due.since(self.pool.shared().clocks.now());
        Duration::from_nanos(u64::try_from(left).unwrap_or(0))
    }
}

/// What a failed call means.
fn failure(error: &hyper::Error) -> Failure {
    let outcome = if error.is_parse() {
        Outcome::BadAnswer
    } else if error.is_user() {
        // The body that was passed on has ended early.
        Outcome::ClientGone
    } else {
        Outcome::ClosedBeforeAnswer
    };
    Failure::new(outcome, told(error))
}

/// An error with its causes.
fn told(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// An answer whose head has come.
pub(crate) struct Answer {
    call: Call,
    incoming: Incoming,
    line: Option<Line>,
    timer: Pin<Box<Sleep>>,
    /// Since when the upstream is waited for: not while nobody asks.
    waiting_since: Option<Offset>,
}

/// What an answer consists of.
pub(crate) enum Part {
    /// A piece of its body; its place among those that are kept.
    Piece(Bytes, Stamp, Option<usize>),
    /// Its trailers.
    Trailers(Frame<Bytes>),
}

/// The answer was cut off; its log says how.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the upstream cut its answer off")]
pub(crate) struct Cut;

impl Answer {
    /// The next part; `None` at the end.
    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, Cut>>> {
        if self.call.log.has_ended() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting_since = None;
                // Whoever has trailers does not ask for what follows them.
                let is_last = frame.is_trailers() || self.incoming.is_end_stream();
                let part = self.part(frame);
                if is_last {
                    self.complete();
                }
                Poll::Ready(Some(Ok(part)))
            }
            Poll::Ready(Some(Err(error))) => {
                let failure = Failure::new(Outcome::CutWithinAnswer, told(&error));
                Poll::Ready(Some(Err(self.fail(&failure))))
            }
            Poll::Ready(None) => {
                self.complete();
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_silence(cx).map(|cut| Some(Err(cut))),
        }
    }

    /// Nothing more comes.
    pub(crate) fn has_ended(&self) -> bool {
        self.call.log.has_ended()
    }

    /// Of the body that has not come yet.
    pub(crate) fn size_hint(&self) -> hyper::body::SizeHint {
        self.incoming.size_hint()
    }

    fn part(&self, frame: Frame<Bytes>) -> Part {
        match frame.into_data() {
            Ok(bytes) => {
                let read = self
                    .line
                    .as_ref()
                    .and_then(|line| line.link.last_read.get());
                let stamp = read.unwrap_or_else(|| self.call.stamp());
                let kept = self.call.log.on_piece(&bytes, stamp);
                Part::Piece(bytes, stamp, kept)
            }
            Err(trailers) => Part::Trailers(trailers),
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Cut> {
        let shared = self.call.pool.shared();
        let silence = ns(shared.limits.upstream_silence);
        let now = shared.clocks.now();
        let since = *self.waiting_since.get_or_insert(now);
        while self.timer.as_mut().poll(cx).is_ready() {
            let due = since.plus(silence).min(self.call.total_due);
            let left = self.call.left_of(due);
            if left.is_zero() {
                let failure = Failure::new(Outcome::UpstreamTooSlow, "the answer stopped");
                return Poll::Ready(self.fail(&failure));
            }
            self.timer.set(sleep(left));
        }
        Poll::Pending
    }

    fn complete(&mut self) {
        self.call.log.complete();
        let upload = self.call.upload.as_ref();
        let is_sent = upload.is_none_or(|upload| upload.ended().is_some());
        if let Some(line) = self.line.take().filter(|_| is_sent) {
            self.call.pool.give_back(line);
        }
    }

    fn fail(&mut self, failure: &Failure) -> Cut {
        self.line = None;
        let now = self.call.pool.shared().clocks.now();
        self.call.log.fail(failure, now);
        Cut
    }
}
