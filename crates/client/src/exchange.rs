//! What is spoken over a connection, sans-IO: which of the bytes belong to which request.
//!
//! It owns no socket and no stamp, does not know what an answer means, and decides nothing about when
//! to send. The dispatcher gives each request a [`StreamId`]; the bytes of its answer come back under it.
//!
//! Invariant: a stream is one that was begun and has not ended, and its bytes come in order. Everything
//! else asks [`Exchange`] instead of assuming that a connection carries one request at a time, so that a
//! protocol with many of them is one more file here.

#[cfg(test)]
pub(crate) mod frames;
mod http1;

#[cfg(test)]
use frames::Frames;
use http1::Http1;

/// A request that is being answered: its place in the dispatcher's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId(pub(crate) u32);

/// Bytes of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'b> {
    /// For this stream; `followed` where more came with them in the same read.
    Answer {
        stream: StreamId,
        bytes: &'b [u8],
        followed: bool,
    },
    /// The answer of this stream is complete.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "in HTTP/1.1 the answer's decoder finds its end")
    )]
    End(StreamId),
    /// Nobody asked for them: the connection cannot be trusted any more.
    Unasked,
}

/// The state of one connection's protocol.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// HTTP/1.1: one request after the other.
    Http1(Http1),
    /// Many at once: what HTTP/2 will be to the rest.
    #[cfg(test)]
    Frames(Frames),
}

macro_rules! delegate {
    ($self:ident, $inner:ident => $call:expr) => {
        match $self {
            Self::Http1($inner) => $call,
            #[cfg(test)]
            Self::Frames($inner) => $call,
        }
    };
}

impl Exchange {
    /// HTTP/1.1.
    pub(crate) fn http1() -> Self {
        Self::Http1(Http1::default())
    }

    /// A request more can be begun.
    pub(crate) fn has_room(&self) -> bool {
        delegate!(self, inner => inner.has_room())
    }

    /// No request is being answered.
    pub(crate) fn is_silent(&self) -> bool {
        self.any().is_none()
    }

    /// A stream that is open.
    pub(crate) fn any(&self) -> Option<StreamId> {
        delegate!(self, inner => inner.streams().next())
    }

    /// Begins a request (head and body as HTTP/1.1 writes them); its bytes on the wire.
    pub(crate) fn begin(&mut self, stream: StreamId, request: Vec<u8>) -> Vec<u8> {
        delegate!(self, inner => inner.begin(stream, request))
    }

    /// The next piece of what has come; none when `input` is used up.
    pub(crate) fn next<'b>(&mut self, input: &mut &'b [u8]) -> Option<Piece<'b>> {
        delegate!(self, inner => inner.next(input))
    }

    /// What the protocol itself wants sent after what has come.
    pub(crate) fn reply(&mut self) -> Option<Vec<u8>> {
        delegate!(self, inner => inner.reply())
    }

    /// The answer of a stream has been read to its end, which leaves the connection usable where `keep`
    /// says so. Whether it goes on.
    pub(crate) fn end(&mut self, stream: StreamId, keep: bool) -> bool {
        delegate!(self, inner => inner.end(stream, keep))
    }

    /// Gives a stream up before its answer has ended: what tells the server so, or nothing where the
    /// connection has to go.
    pub(crate) fn abandon(&mut self, stream: StreamId) -> Option<Vec<u8>> {
        delegate!(self, inner => inner.abandon(stream))
    }

    /// Sees each stream that is open.
    pub(crate) fn for_each(&self, see: impl FnMut(StreamId)) {
        delegate!(self, inner => inner.streams().for_each(see));
    }

    /// Takes out a stream that is open: the connection has gone.
    pub(crate) fn take(&mut self) -> Option<StreamId> {
        delegate!(self, inner => inner.take())
    }

    /// The end of the connection may be the end of an answer.
    pub(crate) fn may_end_by_close(&self) -> bool {
        matches!(self, Self::Http1(_))
    }
}
