//! A protocol with many requests at once, for tests: that the dispatcher, the transport and the decoders
//! need no change for one. Each frame is a stream's number, a length (0: the stream's end) and bytes of
//! HTTP/1.1. Stream `u32::MAX` is the protocol's own: it is answered with the same bytes.

use super::{Piece, StreamId};
use std::collections::BTreeMap;

/// Number of the protocol's own stream.
pub(crate) const OWN: u32 = u32::MAX;
/// Requests at once.
const ROOM: usize = 100;

/// A connection's state.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// By number on the wire.
    streams: BTreeMap<u32, StreamId>,
    next: u32,
    /// A frame whose head came in part.
    held: Vec<u8>,
    /// The frame that is being read, and how much of it is missing.
    current: Option<(u32, usize)>,
    reply: Vec<u8>,
}

/// A frame as bytes.
pub(crate) fn frame(number: u32, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&number.to_be_bytes(), &length.to_be_bytes(), bytes].concat()
}

impl Frames {
    pub(super) fn has_room(&self) -> bool {
        self.streams.len() < ROOM
    }

    pub(super) fn begin(&mut self, stream: StreamId, request: Vec<u8>) -> Vec<u8> {
        self.next += 1;
        self.streams.insert(self.next, stream);
        frame(self.next, &request)
    }

    pub(super) fn next<'b>(&mut self, input: &mut &'b [u8]) -> Option<Piece<'b>> {
        while !input.is_empty() {
            let Some((number, missing)) = self.current else {
                match self.read_head(input) {
                    Some(stream) => return Some(Piece::End(stream)),
                    None => continue,
                }
            };
            let (bytes, rest) = input.split_at(input.len().min(missing));
            *input = rest;
            let left = missing - bytes.len();
            self.current = (left > 0).then_some((number, left));
            if number == OWN {
                self.reply.extend(frame(OWN, bytes));
            } else if let Some(stream) = self.streams.get(&number).copied() {
                return Some(Piece::Answer {
                    stream,
                    bytes,
                    followed: !rest.is_empty(),
                });
            }
        }
        None
    }

    /// Reads on in a frame's head; the stream that it ends, if it does.
    fn read_head(&mut self, input: &mut &[u8]) -> Option<StreamId> {
        let (head, rest) = input.split_at(input.len().min(8 - self.held.len()));
        self.held.extend_from_slice(head);
        *input = rest;
        if self.held.len() < 8 {
            return None;
        }
        let word = |at: usize| {
            let bytes = self.held[at..at + 4].try_into().expect("four bytes");
            u32::from_be_bytes(bytes)
        };
        let (number, length) = (word(0), word(4) as usize);
        self.held.clear();
        self.current = (length > 0).then_some((number, length));
        let ended = self.streams.get(&number).copied();
        ended.filter(|_| length == 0)
    }

    pub(super) fn reply(&mut self) -> Option<Vec<u8>> {
        (!self.reply.is_empty()).then(|| std::mem::take(&mut self.reply))
    }

    pub(super) fn end(&mut self, stream: StreamId, _: bool) -> bool {
        self.streams.retain(|_, open| *open != stream);
        true
    }

    pub(super) fn abandon(&mut self, stream: StreamId) -> Option<Vec<u8>> {
        let number = self.streams.iter().find(|(_, open)| **open == stream);
        let gone = number.map(|(number, _)| frame(*number, b""));
        self.end(stream, true);
        gone
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = StreamId> {
        self.streams.values().copied()
    }

    pub(super) fn take(&mut self) -> Option<StreamId> {
        self.streams.pop_first().map(|(_, stream)| stream)
    }
}
