//! Receiving through io_uring. Sockets receive by themselves into buffers; connecting and room to
//! write stay with epoll, which the ring watches, as it watches the timer.
//!
//! Lower bounds, as in [`super::receive`], from what is known to have been empty:
//! - A receive that did not fill its buffer took all there was. Bytes of the next one of that
//!   socket came later than its stamp. (Behind a filled buffer the bound stays what it was: the
//!   rest may be older than the stamp, which is that of the newest merged segment.)
//! - The thread looks at the shared queue all the time, once per completion that it handles. A
//!   segment delivered while it runs interrupts it and is received before it goes on. So what a
//!   look has not seen came at most [`WAKE_MARGIN_NS`] before that look: the time from delivery to
//!   the end of the interrupt.
//! - After a wait that blocked, as with epoll.
//!
//! A receive that ended (no buffer was left, say) and was started again finds what has gathered in
//! the socket meanwhile, unseen by any look: until it has caught up only the first rule holds.
//!
//! While the thread waits for a core nothing is received, and segments merge: the next look comes
//! after that, and the bound is the one before it. Invariant: a bound never rests on an instant at
//! which the thread did not run.

use super::link::Link;
use super::receive::{LEAST_EVENTS, Receiver, ended};
use super::ring_side::{EPOLL, Round};
use super::{Event, LinkId, Problem, TIMER, Transport, WAKE_MARGIN_NS};
use crate::response::ReadStamp;
use infermeter_core::clock::{Offset, monotonic_ns};
use infermeter_core::record::StampSource;
use infermeter_sys::socket;
use infermeter_sys::stamp::Received;
use infermeter_sys::uring::{Completion, What};
use std::io;
use std::os::fd::AsFd;

/// Completions handled in one round: time-outs and sends get their turn.
const MOST_COMPLETIONS: usize = 1024;
/// Bytes that the ring has received, and what is known of when they came.
#[derive(Clone, Copy)]
struct Arrival {
    received: Received,
    /// They fill their buffer: there may be more, which is newer.
    full: bool,
    /// They came no earlier, unless the link is behind.
    floor: Offset,
    seen: Offset,
}

impl Receiver {
    /// Whether bytes of this link have been received and not been handled.
    pub(super) fn holds(&mut self, link: LinkId) -> bool {
        let Some(side) = &mut self.ring else {
            return false;
        };
        // A failure here is met again by the next wait.
        let _ = side.look(monotonic_ns(), i64::MIN);
        side.ring.holds(link.0)
    }

    /// Lets go of a link that is about to be closed.
    pub(super) fn forget(&mut self, link: &Link, id: LinkId) {
        let Some(side) = &mut self.ring else {
            return;
        };
        // The kernel's hold on the socket would keep it open, in the ring and in epoll. Neither
        // call fails for a socket that is there.
        if link.wants_write {
            let _ = self.poll.remove(&link.fd);
        }
        if link.armed {
            let _ = side.ring.cancel(id.0);
        }
    }
}

impl Transport {
    /// Has the ring, where there is one, receive from a link that is connected.
    pub(super) fn start_receiving(&mut self, id: LinkId) -> io::Result<()> {
        let Some(index) = self.index_of(id) else {
            return Ok(());
        };
        let (Some(side), Some(link)) = (&mut self.receiver.ring, &mut self.links[index]) else {
            return Ok(());
        };
        if !link.armed {
            // A receive on a socket that does not block would end where it finds nothing.
            socket::set_blocking(link.fd.as_fd())?;
        }
        side.ring.receive(link.fd.as_fd(), id.0)?;
        link.armed = true;
        Ok(())
    }

    /// Waits where nothing has come.
    pub(super) fn wait_ring(&mut self, until: Offset, look: Option<Offset>) -> io::Result<()> {
        let clock = self.config.clock;
        loop {
            let entry = clock.now();
            let receiver = &mut self.receiver;
            let Some(side) = &mut receiver.ring else {
                return Ok(());
            };
            side.round = Round::Completions(0);
            side.look(clock.monotonic_at(entry), i64::MIN)?;
            if side.has_news() {
                return Ok(());
            }
            let deadline = look.map_or(until, |look| look.min(until));
            if entry >= deadline {
                side.round = Round::Over;
                return Ok(());
            }
            let wake_at = if deadline == until {
                until.plus(-self.config.spin)
            } else {
                deadline
            };
            if entry < wake_at {
                receiver.timer.arm(clock.monotonic_at(wake_at))?;
                side.ring.wait()?;
                let woke = clock.now();
                let floor = receiver.floor_after_block(entry.plus(-WAKE_MARGIN_NS), woke);
                if let Some(side) = &mut receiver.ring {
                    side.look(clock.monotonic_at(woke), clock.monotonic_at(floor))?;
                }
                return Ok(());
            }
            std::hint::spin_loop();
        }
    }

    /// Completions first; then links that are connected, or have room to write again.
    pub(super) fn next_ring(&mut self, until: Offset) -> io::Result<Option<Event>> {
        loop {
            let Some(side) = &mut self.receiver.ring else {
                return Ok(None);
            };
            let event = match side.round {
                Round::Over => return Ok(None),
                Round::Completions(n) => {
                    side.round = Round::Completions(n + 1);
                    self.next_completion(n, until)?
                }
                Round::Ready => self.next_ready(),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Handles one completion; where there is none, or a send is due, it is epoll's turn.
    fn next_completion(&mut self, n: usize, until: Offset) -> io::Result<Option<Event>> {
        let clock = self.config.clock;
        let now = clock.now();
        if n >= MOST_COMPLETIONS || (n >= LEAST_EVENTS && now >= until) {
            self.ask_epoll()?;
            return Ok(None);
        }
        self.refresh_pairing(clock.monotonic_at(now));
        let Some(side) = &mut self.receiver.ring else {
            return Ok(None);
        };
        side.look(clock.monotonic_at(now), i64::MIN)?;
        let Some(completion) = side.ring.take(&mut self.receiver.buffer) else {
            self.ask_epoll()?;
            return Ok(None);
        };
        match completion.token {
            TIMER => self.on_timer(completion.more)?,
            EPOLL => self.on_epoll(completion.more)?,
            _ => return Ok(self.on_completion(completion, now)),
        }
        Ok(None)
    }

    /// The timer has fired. The kernel may end a watch with any of its completions, and says so: what
    /// is not watched again then would never wake the thread, and the next send would wait for bytes to
    /// arrive. A new watch tells at once what has happened since, so nothing is lost in between.
    fn on_timer(&mut self, more: bool) -> io::Result<()> {
        let receiver = &mut self.receiver;
        receiver.timer.note_fired();
        match &mut receiver.ring {
            Some(side) if !more => side.ring.watch(receiver.timer.as_fd(), TIMER),
            _ => Ok(()),
        }
    }

    /// epoll has news, to be asked for once the completions are handled. Its watch can end like the
    /// timer's.
    fn on_epoll(&mut self, more: bool) -> io::Result<()> {
        let receiver = &mut self.receiver;
        let Some(side) = &mut receiver.ring else {
            return Ok(());
        };
        side.epoll_has_news = true;
        if more {
            return Ok(());
        }
        side.ring.watch(receiver.poll.as_fd(), EPOLL)
    }

    fn ask_epoll(&mut self) -> io::Result<()> {
        let receiver = &mut self.receiver;
        let Some(side) = &mut receiver.ring else {
            return Ok(());
        };
        side.round = Round::Over;
        if side.epoll_has_news {
            receiver.poll.wait(false, &mut receiver.ready)?;
            receiver.handled = 0;
            // The ring tells of changes only: epoll is asked until it has nothing more to say.
            side.epoll_has_news = !receiver.ready.is_empty();
            side.round = Round::Ready;
        }
        Ok(())
    }

    fn next_ready(&mut self) -> Option<Event> {
        let receiver = &mut self.receiver;
        let Some(ready) = receiver.ready.get(receiver.handled).copied() else {
            if let Some(side) = &mut receiver.ring {
                side.round = Round::Over;
            }
            return None;
        };
        receiver.handled += 1;
        self.on_writable(LinkId(ready.token))
    }

    fn on_completion(&mut self, completion: Completion, seen: Offset) -> Option<Event> {
        let id = LinkId(completion.token);
        let index = self.index_of(id)?;
        let floor = self.config.clock.at_monotonic(completion.not_before);
        let broken = |problem| Some(Event::Broken { link: id, problem });
        let mut event = match completion.what {
            What::Received {
                received,
                payload,
                full,
            } if received.len > 0 => {
                let arrival = Arrival {
                    received,
                    full,
                    floor,
                    seen,
                };
                let stamp = self.stamp_received(index, arrival)?;
                self.on_bytes(id, payload, stamp)
            }
            What::Received { .. } | What::Ready => {
                let last_at = self.links[index].as_ref()?.last_at;
                let stamp = self.stamp(None, seen, floor, last_at);
                return Some(ended(id, self.link(id)?, stamp));
            }
            What::OutOfBuffers => {
                self.health.buffers_out += 1;
                None
            }
            What::Cancelled => return None,
            What::Failed(error) => return broken(error.into()),
        };
        if !completion.more
            && let Some(problem) = self.receive_again(id)
        {
            let broke = Event::Broken { link: id, problem };
            match event {
                None => event = Some(broke),
                Some(_) => self.told.push_back(broke),
            }
        }
        event
    }

    /// Starts a receive anew that has ended. The kernel may end one with any completion (no buffer was free,
    /// the queue was full) and says so with that completion alone: without a new one the socket would never be
    /// heard of again, and its answer would look as if the server had gone silent.
    ///
    /// What has come in between waits in the socket, where no look at the queue could see it. So the instant of
    /// the last look says nothing of when it came; the link stays `behind` until a receive has found less than
    /// its buffer holds.
    fn receive_again(&mut self, id: LinkId) -> Option<Problem> {
        self.link_mut(id)?.behind = true;
        self.start_receiving(id).err().map(Problem::from)
    }

    fn stamp_received(&mut self, index: usize, arrival: Arrival) -> Option<ReadStamp> {
        let Arrival {
            received,
            full,
            floor,
            seen,
        } = arrival;
        let link = self.links[index].as_mut()?;
        let lower = if link.behind {
            link.read_floor
        } else {
            link.read_floor.max(floor)
        };
        link.behind &= full;
        let last_at = link.last_at;
        let stamp = self.stamp(received.realtime_ns, seen, lower, last_at);
        let link = self.links[index].as_mut()?;
        link.last_at = stamp.at;
        link.read_floor = match stamp.source {
            StampSource::Kernel if !full => stamp.at,
            // Two cases in which the stamp is no floor for what comes next. The newest of merged segments gives
            // all of them its stamp: where they fill the buffer, the rest of them is older than that. And a
            // program's stamp is late: bytes that came before it may still be in the socket.
            StampSource::Kernel | StampSource::Program | StampSource::Imported => lower,
        };
        self.count_read(&received);
        Some(stamp)
    }
}
