//! The body of a request on its way to an upstream: the user's, as it comes, or one that is whole.
//!
//! The user's body is passed on piece by piece and copied beside that, up to a limit. Invariant: it is read no faster
//! than the upstream takes it.

use crate::clocks::Clocks;
use crate::observer::Keeper;
use crate::seen;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use infermeter_core::clock::Offset;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// What is done with the body once it has come whole.
type Then = Box<dyn FnOnce(&seen::Body)>;

/// A user's body that is coming.
pub(crate) struct Upload {
    kept: RefCell<Option<Vec<u8>>>,
    body: RefCell<seen::Body>,
    ended: Cell<Option<Offset>>,
    /// Since when the upstream is waited for: it has had a part and asks for no further one.
    upstream_since: Cell<Option<Offset>>,
    keeper: Keeper,
    clocks: Rc<Clocks>,
    then: RefCell<Option<Then>>,
}

impl Upload {
    pub(crate) fn new(keeper: Keeper, clocks: &Rc<Clocks>) -> Self {
        Self {
            kept: RefCell::new(Some(Vec::new())),
            body: RefCell::default(),
            ended: Cell::new(None),
            upstream_since: Cell::new(Some(clocks.now())),
            keeper,
            clocks: Rc::clone(clocks),
            then: RefCell::new(None),
        }
    }

    /// Has `then` done with the body once it has come whole.
    pub(crate) fn then(&self, then: Then) {
        *self.then.borrow_mut() = Some(then);
    }

    /// When the last byte was here; absent before.
    pub(crate) fn ended(&self) -> Option<Offset> {
        self.ended.get()
    }

    /// Since when it is not the user who is waited for; absent while it is.
    pub(crate) fn upstream_since(&self) -> Option<Offset> {
        self.ended.get().or(self.upstream_since.get())
    }

    /// What has come.
    pub(crate) fn body(&self) -> seen::Body {
        self.body.borrow().clone()
    }

    fn add(&self, bytes: &Bytes) {
        self.body.borrow_mut().len += bytes.len() as u64;
        let mut kept = self.kept.borrow_mut();
        let has_room = kept.is_some() && self.keeper.has_room(bytes.len());
        match kept.as_mut().filter(|_| has_room) {
            Some(whole) => whole.extend_from_slice(bytes),
            None => *kept = None,
        }
    }

    fn end(&self) {
        if self.ended.get().is_some() {
            return;
        }
        self.ended.set(Some(self.clocks.now()));
        let mut body = self.body.borrow_mut();
        body.bytes = self.kept.take().map(Bytes::from);
        body.held = self.keeper.hand_over();
        drop(body);
        if let Some(then) = self.then.take() {
            then(&self.body.borrow());
        }
    }
}

/// A request's body.
pub(crate) enum Outgoing {
    /// The user's.
    User(Incoming, Rc<Upload>),
    /// One that is whole.
    Whole(Option<Bytes>),
}

impl Outgoing {
    pub(crate) fn of_user(incoming: Incoming, upload: &Rc<Upload>) -> Self {
        // A body without bytes is never asked for one.
        if incoming.is_end_stream() {
            upload.end();
        }
        Self::User(incoming, Rc::clone(upload))
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::User(incoming, upload) => {
                upload.upstream_since.set(None);
                let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
                upload.upstream_since.set(Some(upload.clocks.now()));
                match &frame {
                    Some(Ok(frame)) => {
                        if let Some(bytes) = frame.data_ref() {
                            upload.add(bytes);
                        }
                        // A body of known length is not asked again after its last byte, nor any after its trailers.
                        if frame.is_trailers() || incoming.is_end_stream() {
                            upload.end();
                        }
                    }
                    Some(Err(_)) => {}
                    None => upload.end(),
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::User(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let len = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(len as u64)
            }
            Self::User(incoming, _) => incoming.size_hint(),
        }
    }
}
