//! Connections that deliver stamped bytes: plain or over TLS, straight or through a proxy, from the network
//! or from a socket of the file system; received through epoll or io_uring.
//!
//! It knows no HTTP but a proxy's, no requests, and no rules about when to connect. Whoever uses it asks for
//! one event after the other ([`Transport::next`]) between two waits ([`Transport::wait`]), and may open,
//! close and write in between.
//!
//! Invariant: bytes come in order, each read with the stamp and the lower bound that [`receive`] and
//! [`ring`] promise; a link that broke tells so once, and is then closed by its user.

mod link;
mod problem;
mod receive;
mod ring;
mod ring_side;
mod route;
mod tunnel;

pub(crate) use link::{Link, Stage};
pub(crate) use problem::Problem;
pub use problem::TunnelError;
pub(crate) use route::EngineShare;
pub use route::{Address, Hop, Route, Sources, Tunnel};

use crate::response::ReadStamp;
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::run::{IoBackend, ThreadHealth};
use infermeter_sys::{socket, stamp};
use receive::Receiver;
use route::SourceTurn;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

/// Token of the timer, in epoll and in the ring; links have generations from 1.
const TIMER: u64 = u32::MAX as u64;
/// Time from the arrival of a segment to the thread's being runnable: interrupt and idle exit.
const WAKE_MARGIN_NS: i64 = 100_000;

/// Settings of a transport.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TransportConfig {
    pub(crate) clock: Clock,
    pub(crate) io: IoBackend,
    /// Kernel stamps work here (a [`infermeter_sys::stamp::Sentinel`] lives).
    pub(crate) kernel_stamps: bool,
    /// Have the kernel stamp when bytes leave.
    pub(crate) audit_send: bool,
    /// Most links at once.
    pub(crate) max_links: usize,
    /// Busy-poll for the last part of a wait, nanoseconds.
    pub(crate) spin: i64,
    /// Whose connections these are, of those of a run.
    pub(crate) share: EngineShare,
}

/// One link of a transport. Never that of another one that came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(u64);

impl LinkId {
    fn new(index: usize, generation: u32) -> Self {
        Self((u64::from(generation) << 32) | index as u64)
    }

    /// Its place in tables that are as long as the most links at once.
    pub(crate) fn index(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is up: requests may be sent.
    Up { link: LinkId, at: Offset },
    /// Bytes have come; [`Transport::take_delivered`] has them until the next event.
    Bytes {
        link: LinkId,
        delivery: Delivery,
        stamp: ReadStamp,
    },
    /// All that was to be sent has left.
    Sent { link: LinkId, at: Offset },
    /// Stamps of sends may have come ([`Transport::next_departure`]).
    Departures { link: LinkId },
    /// The peer has closed its side of a link that was up.
    End { link: LinkId, stamp: ReadStamp },
    /// It broke, and is to be closed.
    Broken { link: LinkId, problem: Problem },
}

/// Where bytes lie that have come.
#[derive(Debug)]
pub(crate) struct Delivery {
    range: Range<usize>,
    decrypted: bool,
}

/// When bytes left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departure {
    /// Number of the last of them.
    pub(crate) last_byte: u32,
    pub(crate) at: Offset,
}

/// The links of one thread.
pub(crate) struct Transport {
    config: TransportConfig,
    links: Vec<Option<Link>>,
    free: Vec<usize>,
    open: usize,
    next_generation: u32,
    /// Which source address is next, where there are several.
    next_source: SourceTurn,
    receiver: Receiver,
    /// What has happened beside the event that is being handed out.
    told: VecDeque<Event>,
    /// What of [`ThreadHealth`] is known here.
    health: ThreadHealth,
}

impl Transport {
    /// Must be made on the thread that runs it.
    pub(crate) fn new(config: TransportConfig) -> io::Result<Self> {
        Ok(Self {
            receiver: Receiver::new(config.io, config.max_links)?,
            next_source: SourceTurn::of(config.share),
            config,
            links: Vec::new(),
            free: Vec::new(),
            open: 0,
            next_generation: 1,
            told: VecDeque::new(),
            health: ThreadHealth::default(),
        })
    }

    pub(crate) fn now(&self) -> Offset {
        self.config.clock.now()
    }

    /// What it has counted so far.
    pub(crate) fn health(&self) -> &ThreadHealth {
        &self.health
    }

    /// Links in the table, of any stage.
    pub(crate) fn open_links(&self) -> usize {
        self.open
    }

    /// The link, if it is still there.
    pub(crate) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links[self.index_of(id)?].as_ref()
    }

    fn index_of(&self, id: LinkId) -> Option<usize> {
        let index = id.index();
        let link = self.links.get(index)?.as_ref()?;
        (LinkId::new(index, link.generation) == id).then_some(index)
    }

    fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        let index = self.index_of(id)?;
        self.links[index].as_mut()
    }

    /// Begins to connect at `now`.
    pub(crate) fn open(&mut self, route: &Route, now: Offset) -> io::Result<LinkId> {
        let fd = route.start_connect(&mut self.next_source)?;
        if self.config.kernel_stamps && route.address.is_stamped() {
            stamp::enable(fd.as_fd())?;
        }
        let generation = self.next_generation;
        let link = Link::new(fd, generation, route, now).map_err(io::Error::other)?;
        self.next_generation = generation.wrapping_add(1).max(1);
        self.health.connections_opened += 1;
        let index = self.free.last().copied().unwrap_or(self.links.len());
        let id = LinkId::new(index, generation);
        self.receiver.add(link.fd.as_fd(), id)?;
        match self.free.pop() {
            Some(index) => self.links[index] = Some(link),
            None => self.links.push(Some(link)),
        }
        self.open += 1;
        Ok(id)
    }

    /// Takes a link out; dropping it closes it.
    pub(crate) fn close(&mut self, id: LinkId) -> Option<Link> {
        let index = self.index_of(id)?;
        let link = self.links[index].take()?;
        self.free.push(index);
        self.open -= 1;
        self.receiver.forget(&link, id);
        Some(link)
    }

    /// Sends bytes, once the link is up where it is not. Tells when all have left, if that is now.
    pub(crate) fn send(&mut self, id: LinkId, bytes: Vec<u8>) -> Result<Option<Offset>, Problem> {
        let Some(link) = self.link_mut(id) else {
            return Ok(None);
        };
        link.put(bytes);
        match link.stage {
            Stage::Ready => self.flush(id),
            Stage::Connecting | Stage::Tunnelling | Stage::Handshaking => Ok(None),
        }
    }

    /// Writes what is left to write. Tells when all requests have left, if that is now.
    pub(crate) fn flush(&mut self, id: LinkId) -> Result<Option<Offset>, Problem> {
        let clock = self.config.clock;
        let Some(link) = self.link_mut(id) else {
            return Ok(None);
        };
        let before = link.bytes_out();
        let all = link.flush()?;
        let left = if all && link.note_left() {
            Some(clock.now())
        } else {
            None
        };
        let fresh = link.bytes_out().wrapping_sub(before);
        *self.health.bytes_sent.get_or_insert_default() += u64::from(fresh);
        self.want_write(id, !all);
        Ok(left)
    }

    fn want_write(&mut self, id: LinkId, wants: bool) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        if let Some(link) = &mut self.links[index]
            && link.wants_write != wants
        {
            link.wants_write = wants;
            self.receiver.want_write(link.fd.as_fd(), id, wants);
        }
    }

    /// Whether a link that should be silent has news: bytes, or its end.
    pub(crate) fn is_disturbed(&mut self, id: LinkId) -> bool {
        let Some(link) = self.link(id) else {
            return true;
        };
        socket::is_disturbed(link.fd.as_fd()) || self.receiver.holds(id)
    }

    /// The next stamp of a send, if one waits.
    pub(crate) fn next_departure(&mut self, id: LinkId) -> Option<Departure> {
        if !self.config.audit_send {
            return None;
        }
        let sent = stamp::take_sent(self.link(id)?.fd.as_fd())?;
        Some(Departure {
            last_byte: sent.last_byte,
            at: self.receiver.at_kernel(sent.realtime_ns, self.config.clock),
        })
    }

    /// Number of the last byte that the link has sent.
    pub(crate) fn last_byte(&self, id: LinkId) -> Option<u32> {
        Some(self.link(id)?.last_byte())
    }

    /// Waits until something has happened, `until` has come (busy at the end, where the settings say so), or
    /// `look`.
    pub(crate) fn wait(&mut self, until: Offset, look: Option<Offset>) -> io::Result<()> {
        match self.config.io {
            IoBackend::Epoll => self.wait_epoll(until, look),
            IoBackend::Uring => self.wait_ring(until, look),
        }
    }

    /// The next event of this round; none ends it. From `until` on a round is cut short, and what is left
    /// comes in the next.
    pub(crate) fn next(&mut self, until: Offset) -> io::Result<Option<Event>> {
        if let Some(event) = self.told.pop_front() {
            return Ok(Some(event));
        }
        match self.config.io {
            IoBackend::Epoll => self.next_epoll(until),
            IoBackend::Uring => self.next_ring(until),
        }
    }

    /// Lends the memory in which bytes were delivered, and where in it they are.
    pub(crate) fn take_delivered(&mut self, delivery: Delivery) -> Lent {
        let memory = std::mem::take(self.receiver.memory(delivery.decrypted));
        Lent { memory, delivery }
    }

    /// Takes it back. Has to happen before the next event is asked for.
    pub(crate) fn give_back(&mut self, lent: Lent) {
        *self.receiver.memory(lent.delivery.decrypted) = lent.memory;
    }

    /// Moves to another clock.
    pub(crate) fn start_clock(&mut self, clock: Clock) {
        let shift = self.config.clock.monotonic_origin_ns - clock.monotonic_origin_ns;
        for link in self.links.iter_mut().flatten() {
            link.shift(shift);
        }
        self.receiver.shift_floor(shift);
        self.config.clock = clock;
    }
}

/// Memory of a transport with bytes that have come.
pub(crate) struct Lent {
    memory: Vec<u8>,
    delivery: Delivery,
}

impl Lent {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.delivery.range.clone()]
    }
}

/// From socket to link that is up.
impl Transport {
    /// A socket that was connecting has news.
    fn on_connected(&mut self, id: LinkId) -> Option<Event> {
        match self.connected(id) {
            Ok(event) => event,
            Err(problem) => Some(Event::Broken { link: id, problem }),
        }
    }

    fn connected(&mut self, id: LinkId) -> Result<Option<Event>, Problem> {
        let now = self.now();
        let audit_send = self.config.audit_send;
        let Some(link) = self.link_mut(id) else {
            return Ok(None);
        };
        if let Some(error) = socket::take_error(link.fd.as_fd()) {
            return Err(error.into());
        }
        let own = |peer| socket::is_connected_to_itself(link.fd.as_fd(), &peer);
        if link.own_port.is_some_and(own) {
            return Err(Problem::OwnPort);
        }
        link.read_floor = now;
        if audit_send {
            // Where that fails the stamps are missing, which is a finding.
            let _ = stamp::enable_sends(link.fd.as_fd());
        }
        self.start_receiving(id)?;
        let Some(link) = self.link_mut(id) else {
            return Ok(None);
        };
        if link.asking.is_some() {
            link.stage = Stage::Tunnelling;
            return self.flush(id).map(|_| None);
        }
        self.way_is_open(id, now)
    }

    /// The server can be spoken to at `now`: TLS comes next, where there is any.
    fn way_is_open(&mut self, id: LinkId, now: Offset) -> Result<Option<Event>, Problem> {
        let Some(link) = self.link_mut(id) else {
            return Ok(None);
        };
        link.connected = Some(now);
        if link.tls.is_some() {
            link.stage = Stage::Handshaking;
            return self.flush(id).map(|_| None);
        }
        link.stage = Stage::Ready;
        self.up(id, now).map(Some)
    }

    /// The link is up at `at`: what waits for that leaves. Where nothing does, the last of a TLS handshake
    /// leaves with the first request. Sent at once, it would be answered with session tickets, and bytes on
    /// an idle link look like the end of it.
    fn up(&mut self, id: LinkId, at: Offset) -> Result<Event, Problem> {
        let waits = self.link(id).is_some_and(Link::has_requests);
        match waits {
            false => self.want_write(id, false),
            true => {
                if let Some(at) = self.flush(id)? {
                    self.told.push_back(Event::Sent { link: id, at });
                }
            }
        }
        Ok(Event::Up { link: id, at })
    }

    /// Bytes have come, and lie in the receive buffer: hands them on through what stands between the
    /// socket and the link's user.
    fn on_bytes(&mut self, id: LinkId, range: Range<usize>, stamp: ReadStamp) -> Option<Event> {
        let link = self.link_mut(id)?;
        if link.stage == Stage::Ready && link.tls.is_none() {
            let delivery = Delivery {
                range,
                decrypted: false,
            };
            return Some(Event::Bytes {
                link: id,
                delivery,
                stamp,
            });
        }
        let handed = match link.stage {
            Stage::Connecting => Ok(None),
            Stage::Tunnelling => self.on_tunnelled(id, range, stamp),
            Stage::Handshaking | Stage::Ready => {
                let buffer = std::mem::take(self.receiver.memory(false));
                let handed = self.on_encrypted(id, &buffer[range], stamp);
                *self.receiver.memory(false) = buffer;
                handed
            }
        };
        handed.unwrap_or_else(|problem| Some(Event::Broken { link: id, problem }))
    }

    /// A proxy answers.
    fn on_tunnelled(
        &mut self,
        id: LinkId,
        range: Range<usize>,
        stamp: ReadStamp,
    ) -> Result<Option<Event>, Problem> {
        let buffer = std::mem::take(self.receiver.memory(false));
        let answer = self
            .link_mut(id)
            .and_then(|link| link.asking.as_mut())
            .map(|asking| asking.read(&buffer[range]));
        *self.receiver.memory(false) = buffer;
        let Some(behind) = answer.transpose()?.flatten() else {
            return Ok(None);
        };
        if let Some(link) = self.link_mut(id) {
            link.asking = None;
        }
        let opened = self.way_is_open(id, stamp.seen)?;
        match behind.is_empty() {
            true => Ok(opened),
            // A server of TLS says nothing before it is spoken to: a proxy's noise is TLS's to refuse.
            false => self.on_encrypted(id, &behind, stamp),
        }
    }

    fn on_encrypted(
        &mut self,
        id: LinkId,
        bytes: &[u8],
        stamp: ReadStamp,
    ) -> Result<Option<Event>, Problem> {
        let mut plain = std::mem::take(self.receiver.memory(true));
        plain.clear();
        let decrypted = match self.link_mut(id) {
            Some(link) => link.decrypt(bytes, &mut plain),
            None => Ok(()),
        };
        let range = 0..plain.len();
        *self.receiver.memory(true) = plain;
        decrypted?;
        let Some(link) = self.link_mut(id) else {
            return Ok(None);
        };
        let was_up = link.stage == Stage::Ready;
        if !was_up && link.is_handshaking() {
            return self.flush(id).map(|_| None);
        }
        let delivered = (!range.is_empty()).then_some(Event::Bytes {
            link: id,
            delivery: Delivery {
                range,
                decrypted: true,
            },
            stamp,
        });
        if was_up {
            let wants_write = link.wants_tls_write();
            if wants_write && let Some(at) = self.flush(id)? {
                self.told.push_back(Event::Sent { link: id, at });
            }
            return Ok(delivered);
        }
        link.stage = Stage::Ready;
        link.tls_done = Some(stamp.seen);
        let up = self.up(id, stamp.seen)?;
        self.told.extend(delivered);
        Ok(Some(up))
    }
}
