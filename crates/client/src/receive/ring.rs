//! Receiving through io_uring. Sockets receive by themselves into buffers; connecting and room to
//! write stay with epoll, which the ring watches, as it watches the timer.
//!
//! Lower bounds, as in [`super`], from what is known to have been empty:
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

use super::{LEAST_EVENTS, Receiver, TIMER, WAKE_MARGIN_NS};
use crate::connection::{Connection, Stage};
use crate::engine::Engine;
use crate::pool::Pool;
use infermeter_core::clock::{Offset, monotonic_ns};
use infermeter_core::record::StampSource;
use infermeter_sys::poll::Poll;
use infermeter_sys::socket;
use infermeter_sys::stamp::Received;
use infermeter_sys::timer::Timer;
use infermeter_sys::uring::{Completion, Ring, What};
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

/// Token of epoll in the ring; connections have generations from 1.
const EPOLL: u64 = TIMER - 1;
/// Completions handled in one poll: time-outs and sends get their turn.
const MOST_COMPLETIONS: usize = 1024;
/// Buffers per connection, as long as that is within the limits below.
const BUFFERS_PER_CONNECTION: usize = 16;
/// Least and most buffers of a thread (2 KiB each).
const BUFFERS: (usize, usize) = (512, 4096);

/// The ring of an engine.
pub(super) struct RingSide {
    ring: Ring,
    /// When its queue was last looked at, monotonic.
    looked: i64,
    /// epoll may have news.
    epoll_has_news: bool,
}

impl RingSide {
    pub(super) fn new(poll: &Poll, timer: &Timer, max_connections: usize) -> io::Result<Self> {
        let (least, most) = BUFFERS;
        let wanted = max_connections.saturating_mul(BUFFERS_PER_CONNECTION);
        let buffers = wanted.clamp(least, most).next_power_of_two();
        let mut ring = Ring::new(buffers as u16)?;
        ring.watch(timer.as_fd(), TIMER)?;
        ring.watch(poll.as_fd(), EPOLL)?;
        Ok(Self {
            ring,
            looked: monotonic_ns(),
            epoll_has_news: true,
        })
    }

    /// Fetches completions at `now`; those new came no earlier than `floor`, nor than the last
    /// look less the margin. All monotonic.
    fn look(&mut self, now: i64, floor: i64) -> io::Result<()> {
        self.ring.observe(floor.max(self.looked - WAKE_MARGIN_NS))?;
        self.looked = now;
        Ok(())
    }

    fn has_news(&self) -> bool {
        self.epoll_has_news || !self.ring.is_empty()
    }
}

impl Receiver {
    /// Whether bytes of this connection have been received and not been handled.
    pub(crate) fn holds(&mut self, token: u64) -> bool {
        let Some(side) = &mut self.ring else {
            return false;
        };
        // A failure here is met again by the next poll.
        let _ = side.look(monotonic_ns(), i64::MIN);
        side.ring.holds(token)
    }

    /// Lets go of a connection that is about to be closed.
    pub(crate) fn forget(&mut self, connection: &Connection, token: u64) {
        let Some(side) = &mut self.ring else {
            return;
        };
        // The kernel's hold on the socket would keep it open, in the ring and in epoll. Neither
        // call fails for a socket that is there.
        if connection.wants_write {
            let _ = self.poll.remove(&connection.fd);
        }
        if connection.armed {
            let _ = side.ring.cancel(token);
        }
    }
}

impl Engine {
    /// Has the ring receive from a connection that is up.
    pub(crate) fn start_receiving(&mut self, index: usize) -> io::Result<()> {
        let Some(side) = &mut self.receiver.ring else {
            return Ok(());
        };
        let connection = self.pool.get_mut(index);
        if !connection.armed {
            // A receive on a socket that does not block would end where it finds nothing.
            socket::set_blocking(connection.fd.as_fd())?;
        }
        let token = Pool::token(index, connection.generation);
        side.ring.receive(connection.fd.as_fd(), token)?;
        connection.armed = true;
        Ok(())
    }

    /// One round: waits where nothing has come, then handles what has.
    pub(super) fn poll_ring(&mut self, until: Offset) -> io::Result<()> {
        let clock = self.config.clock;
        loop {
            let entry = clock.now();
            let receiver = &mut self.receiver;
            let Some(side) = &mut receiver.ring else {
                return Ok(());
            };
            side.look(clock.monotonic_at(entry), i64::MIN)?;
            if side.has_news() {
                break;
            }
            let deadline = self.deadlines.next().map_or(until, |d| d.min(until));
            if entry >= deadline {
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
                break;
            }
            std::hint::spin_loop();
        }
        self.handle_completions(until)?;
        self.handle_epoll()
    }

    /// Handles completions; stops early when a send is due.
    fn handle_completions(&mut self, until: Offset) -> io::Result<()> {
        let clock = self.config.clock;
        for n in 0..MOST_COMPLETIONS {
            let now = clock.now();
            if n >= LEAST_EVENTS && now >= until {
                break;
            }
            self.refresh_pairing(clock.monotonic_at(now));
            let Some(side) = &mut self.receiver.ring else {
                break;
            };
            side.look(clock.monotonic_at(now), i64::MIN)?;
            let Some(completion) = side.ring.take(&mut self.receiver.buffer) else {
                break;
            };
            match completion.token {
                TIMER => self.on_timer(completion.more)?,
                EPOLL => self.on_epoll(completion.more)?,
                _ => self.on_completion(completion, now),
            }
        }
        Ok(())
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

    /// Connections that are up, or have room to write again.
    fn handle_epoll(&mut self) -> io::Result<()> {
        let receiver = &mut self.receiver;
        let Some(side) = receiver.ring.as_mut().filter(|side| side.epoll_has_news) else {
            return Ok(());
        };
        let mut ready = std::mem::take(&mut receiver.ready);
        let fetched = receiver.poll.wait(false, &mut ready);
        // The ring tells of changes only: epoll is asked until it has nothing more to say.
        side.epoll_has_news = !ready.is_empty();
        for event in &ready {
            let Some(index) = self.pool.index_of(event.token) else {
                continue;
            };
            if self.pool.get_mut(index).stage == Stage::Connecting {
                self.on_connected(index);
            } else {
                self.write(index);
            }
        }
        self.receiver.ready = ready;
        fetched.map(drop)
    }

    fn on_completion(&mut self, completion: Completion, seen: Offset) {
        let token = completion.token;
        let Some(index) = self.pool.index_of(token) else {
            return;
        };
        let floor = self.config.clock.at_monotonic(completion.not_before);
        match completion.what {
            What::Received {
                received,
                payload,
                full,
            } if received.len > 0 => {
                self.on_received(index, (received, payload, full), (floor, seen))
            }
            What::Received { .. } | What::Ready => {
                let last_at = self.pool.get_mut(index).last_at;
                let stamp = self.stamp(None, seen, floor, last_at);
                return self.on_end(index, stamp);
            }
            What::OutOfBuffers => self.health.buffers_out += 1,
            What::Cancelled => return,
            What::Failed(error) => return self.broken(index, &error.to_string()),
        }
        if !completion.more && self.pool.index_of(token) == Some(index) {
            self.pool.get_mut(index).behind = true;
            if let Err(error) = self.start_receiving(index) {
                self.broken(index, &error.to_string());
            }
        }
    }

    fn on_received(
        &mut self,
        index: usize,
        (received, payload, full): (Received, Range<usize>, bool),
        (floor, seen): (Offset, Offset),
    ) {
        let connection = self.pool.get_mut(index);
        let lower = if connection.behind {
            connection.read_floor
        } else {
            connection.read_floor.max(floor)
        };
        connection.behind &= full;
        let last_at = connection.last_at;
        let stamp = self.stamp(received.realtime_ns, seen, lower, last_at);
        let connection = self.pool.get_mut(index);
        connection.last_at = stamp.at;
        connection.read_floor = match stamp.source {
            StampSource::Kernel if !full => stamp.at,
            // A program's stamp is late: later bytes may be older.
            StampSource::Kernel | StampSource::Program => lower,
        };
        self.count_read(&received);
        let chunks = self.on_bytes(index, payload, stamp);
        self.burn(chunks);
    }
}
