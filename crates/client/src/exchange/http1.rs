//! HTTP/1.1 on one connection: one request at a time, and every byte that comes is its answer's. Where the
//! answer ends its decoder finds out ([`crate::http`]), as it may take the end of the connection to tell.

use super::{Piece, StreamId};

/// The request that is being answered.
#[derive(Debug, Default)]
pub(crate) struct Http1(Option<StreamId>);

impl Http1 {
    pub(super) fn has_room(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn begin(&mut self, stream: StreamId, request: Vec<u8>) -> Vec<u8> {
        self.0 = Some(stream);
        request
    }

    pub(super) fn next<'b>(&mut self, input: &mut &'b [u8]) -> Option<Piece<'b>> {
        if input.is_empty() {
            return None;
        }
        let bytes = std::mem::take(input);
        Some(self.0.map_or(Piece::Unasked, |stream| Piece::Answer {
            stream,
            bytes,
            followed: false,
        }))
    }

    pub(super) fn reply(&mut self) -> Option<Vec<u8>> {
        None
    }

    pub(super) fn end(&mut self, stream: StreamId, keep: bool) -> bool {
        self.0 = self.0.filter(|open| *open != stream);
        keep
    }

    /// A second answer cannot be told from the rest of the first.
    pub(super) fn abandon(&mut self, stream: StreamId) -> Option<Vec<u8>> {
        self.end(stream, false);
        None
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.0.into_iter()
    }

    pub(super) fn take(&mut self) -> Option<StreamId> {
        self.0.take()
    }
}
