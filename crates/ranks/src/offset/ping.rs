//! The offset by questions and answers: rank 0 answers what the time is, the others ask.
//!
//! Four stamps as in NTP: question sent and answer received by the own clock, question received and answer sent by that of
//! rank 0. Of many exchanges the quickest counts, because what an offset can be wrong by is half of what it took. It is
//! UDP, so that nothing waits in a connection. Invariant: only what carries the launch's token is heard or answered, and
//! nothing is kept of who asked.

use super::message::{BYTES, Message, Says, Token};
use infermeter_core::clock::{monotonic_ns, realtime_ns};
use infermeter_core::run::{ClockOffset, OffsetSource};
use rustix::time::{ClockId, clock_getres};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Exchanges with rank 0: enough that one of them meets no queue.
const EXCHANGES: u32 = 64;
/// Exchanges that may fail before it is given up.
const MOST_LOST: u32 = 5;
/// How long an answer is waited for: longer than a message takes around the world.
const WAIT: Duration = Duration::from_millis(400);
/// How often one who answers looks whether he still has to, where nothing wakes him.
const LOOK: Duration = Duration::from_secs(10);
/// How long it does nothing after it heard nothing.
const PAUSE: Duration = Duration::from_millis(10);
/// Addresses that are nobody's (RFC 5737 and RFC 3849), and the way to them is that to everybody.
const FAR_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);
const FAR_V6: SocketAddr = SocketAddr::new(
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    9,
);

/// What four clocks showed at one question and its answer, nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exchange {
    /// The own clock when the question left.
    asked_ns: i64,
    /// The other one when it came.
    received_ns: i64,
    /// The other one when the answer left.
    sent_ns: i64,
    /// The own clock when it came.
    answered_ns: i64,
}

impl Exchange {
    /// How long both ways took together (RFC 5905, section 8: `(T4 - T1) - (T3 - T2)`); `None` where a clock was set
    /// meanwhile.
    fn delay_ns(&self) -> Option<i64> {
        let own = self.answered_ns.checked_sub(self.asked_ns)?;
        let other = self
            .sent_ns
            .checked_sub(self.received_ns)
            .filter(|ns| *ns >= 0)?;
        own.checked_sub(other).filter(|ns| *ns >= 0)
    }

    /// The own clock minus the other one (RFC 5905, section 8: `((T2 - T1) + (T3 - T4)) / 2` is the other one minus the own)
    /// and what it can be wrong by: each way took something between nothing and all of the delay.
    fn offset(&self, resolution_ns: i64) -> Option<ClockOffset> {
        let there = i128::from(self.received_ns) - i128::from(self.asked_ns);
        let back = i128::from(self.sent_ns) - i128::from(self.answered_ns);
        Some(ClockOffset {
            offset_ns: i64::try_from(-(there + back) / 2).ok()?,
            // The last nanosecond is lost in the half of an odd number.
            bound_ns: (self.delay_ns()? / 2 + 1).saturating_add(resolution_ns),
            by: OffsetSource::Ping,
        })
    }
}

/// Answers what the time is, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Answerer {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Answerer {
    /// Begins to answer whoever knows the token.
    ///
    /// # Errors
    /// When the address is not one of this host, or taken; when it stands for all of them and none leads to other hosts.
    pub(crate) fn start(at: SocketAddr, token: Token) -> io::Result<Self> {
        let socket = UdpSocket::bind(at)?;
        socket.set_read_timeout(Some(LOOK))?;
        let over = Arc::new(AtomicBool::new(false));
        let answerer = Self {
            address: reached_at(socket.local_addr()?)?,
            over: Arc::clone(&over),
        };
        thread::Builder::new()
            .name("clock".to_owned())
            .spawn(move || answer(&socket, &token, &over))?;
        Ok(answerer)
    }

    /// Where others ask it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let own = self.address;
        // It wakes the thread; where it does not come through, the thread looks by itself.
        let _ = local_socket(own).and_then(|socket| socket.send_to(&[], own));
    }
}

/// Where others reach a socket: one that stands for all addresses of this host at the one that its messages to far networks
/// come from. (Its name would have to be looked up by each of them.)
fn reached_at(address: SocketAddr) -> io::Result<SocketAddr> {
    let own = match address {
        _ if !address.ip().is_unspecified() => return Ok(address),
        SocketAddr::V4(_) => own_address(FAR_V4),
        // Such a socket hears both families.
        SocketAddr::V6(_) => own_address(FAR_V6).or_else(|_| own_address(FAR_V4)),
    };
    let own = own.map_err(|cause| {
        let why = format!("no way leads from this host to others ({cause})");
        io::Error::new(cause.kind(), why)
    });
    Ok(SocketAddr::new(own?, address.port()))
}

/// The address that messages to `far` come from. Nothing is sent.
fn own_address(far: SocketAddr) -> io::Result<IpAddr> {
    let socket = local_socket(far)?;
    socket.connect(far)?;
    Ok(socket.local_addr()?.ip())
}

fn answer(socket: &UdpSocket, token: &Token, over: &AtomicBool) {
    // One byte more, so that what is too long is seen to be.
    let mut buffer = [0; BYTES + 1];
    while !over.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            // Nobody asked, or the network is gone: it may come back.
            thread::sleep(PAUSE);
            continue;
        };
        let received_ns = realtime_ns();
        let asked = Message::read(&buffer[..length]);
        let Some(asked) =
            asked.filter(|asked| asked.token == *token && asked.says == Says::Question)
        else {
            continue;
        };
        let answer = Message {
            says: Says::Answer {
                received_ns,
                sent_ns: realtime_ns(),
            },
            ..asked
        };
        // Who hears nothing asks again.
        let _ = socket.send_to(&answer.bytes(), from);
    }
}

/// Asks the one who answers at an address many times. `None` when he does not.
pub(crate) fn ask(at: SocketAddr, token: &Token, rank: u32) -> Option<ClockOffset> {
    let socket = local_socket(at).ok()?;
    socket.connect(at).ok()?;
    socket.set_read_timeout(Some(WAIT)).ok()?;
    let (mut quickest, mut lost) = (None, 0);
    for number in 0..EXCHANGES {
        let question = Message {
            token: *token,
            rank,
            number,
            says: Says::Question,
        };
        match exchange(&socket, &question) {
            Some(seen) => quickest = quicker(quickest, seen),
            None => lost += 1,
        }
        if lost > MOST_LOST {
            break;
        }
    }
    quickest?.offset(resolution_ns())
}

/// Whichever took less.
fn quicker(one: Option<Exchange>, other: Exchange) -> Option<Exchange> {
    let delay = |exchange: &Exchange| exchange.delay_ns().unwrap_or(i64::MAX);
    let others = other.delay_ns()?;
    match one {
        Some(one) if delay(&one) <= others => Some(one),
        _ => Some(other),
    }
}

/// One question and its answer; `None` where none came.
fn exchange(socket: &UdpSocket, question: &Message) -> Option<Exchange> {
    let until = monotonic_ns() + i64::try_from(WAIT.as_nanos()).ok()?;
    let mut buffer = [0; BYTES + 1];
    let asked_ns = realtime_ns();
    socket.send(&question.bytes()).ok()?;
    loop {
        let length = socket.recv(&mut buffer).ok()?;
        let answered_ns = realtime_ns();
        let heard = Message::read(&buffer[..length]);
        // Answers to earlier questions may come late; anything else is not for us.
        if let Some(Message {
            token,
            rank,
            number,
            says: Says::Answer {
                received_ns,
                sent_ns,
            },
        }) = heard
            && (token, rank, number) == (question.token, question.rank, question.number)
        {
            return Some(Exchange {
                asked_ns,
                received_ns,
                sent_ns,
                answered_ns,
            });
        }
        if monotonic_ns() > until {
            return None;
        }
    }
}

/// A socket of the same family as an address.
fn local_socket(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    UdpSocket::bind((any, 0))
}

/// How fine both clocks are, together: both kernels are taken to be as fine as this one.
fn resolution_ns() -> i64 {
    let one = clock_getres(ClockId::Realtime);
    2 * (one
        .tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(one.tv_nsec))
    .clamp(1, 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: Token = [9; 16];
    const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    proptest! {
        /// Whatever the way there and the way back took, the true offset is within the bound.
        #[test]
        fn the_true_offset_is_within_the_bound(
            offset_ns in -1_000_000_000_000_i64..1_000_000_000_000,
            there in 0_i64..1_000_000_000,
            inside in 0_i64..1_000_000,
            back in 0_i64..1_000_000_000,
        ) {
            let asked_ns = 1_700_000_000_000_000_000;
            let received_ns = asked_ns + there - offset_ns;
            let exchange = Exchange {
                asked_ns,
                received_ns,
                sent_ns: received_ns + inside,
                answered_ns: asked_ns + there + inside + back,
            };
            prop_assert_eq!(exchange.delay_ns(), Some(there + back));
            let seen = exchange.offset(2).expect("an offset");
            prop_assert!((seen.offset_ns - offset_ns).abs() <= seen.bound_ns);
            prop_assert!(seen.bound_ns <= (there + back) / 2 + 3);
        }

        #[test]
        fn whatever_an_answer_says_nothing_overflows(stamps in any::<[i64; 4]>()) {
            let [asked_ns, received_ns, sent_ns, answered_ns] = stamps;
            let exchange = Exchange { asked_ns, received_ns, sent_ns, answered_ns };
            if let Some(seen) = exchange.offset(2) {
                prop_assert!(seen.bound_ns >= 0);
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_meanwhile_says_nothing() {
        let exchange = |received_ns: i64, sent_ns: i64, answered_ns: i64| Exchange {
            asked_ns: 0,
            received_ns,
            sent_ns,
            answered_ns,
        };
        assert_eq!(exchange(5, 4, 100).offset(0), None);
        assert_eq!(exchange(5, 50, 10).offset(0), None);
        let good = exchange(5, 6, 11);
        assert_eq!(quicker(Some(good), exchange(5, 50, 10)), None);
        assert_eq!(quicker(Some(good), exchange(5, 6, 12)), Some(good));
        assert_eq!(quicker(None, good), Some(good));
    }

    #[test]
    fn an_address_that_stands_for_all_is_known_by_the_one_that_leads_out() {
        let check = |address: &str| {
            let address: SocketAddr = address.parse().expect("an address");
            (address, reached_at(address))
        };
        for address in ["10.0.0.7:9", "[::1]:9"] {
            let (address, reached) = check(address);
            assert_eq!(reached.ok(), Some(address));
        }
        for address in ["0.0.0.0:9", "[::]:9"] {
            // Where tests run there may be no network.
            match check(address).1 {
                Ok(reached) => assert!(
                    reached.port() == 9 && !reached.ip().is_unspecified(),
                    "{reached}"
                ),
                Err(error) => assert!(error.to_string().contains("no way leads"), "{error}"),
            }
        }
    }

    #[test]
    fn a_clock_beside_itself_is_within_the_bound() {
        let answerer = Answerer::start(LOOPBACK, TOKEN).expect("a port");
        let seen = ask(answerer.address(), &TOKEN, 3).expect("answers");
        assert!(seen.offset_ns.abs() <= seen.bound_ns, "{seen:?}");
        assert_eq!(seen.by, OffsetSource::Ping);
    }

    #[test]
    fn who_does_not_know_the_token_is_not_answered() {
        let answerer = Answerer::start(LOOPBACK, TOKEN).expect("a port");
        let socket = local_socket(answerer.address()).expect("a socket");
        socket.connect(answerer.address()).expect("an address");
        let question = |token: Token| Message {
            token,
            rank: 1,
            number: 2,
            says: Says::Question,
        };
        socket.send(&question([8; 16]).bytes()).expect("sent");
        socket.send(b"hello").expect("sent");
        socket.send(&question(TOKEN).bytes()).expect("sent");
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("set");
        let mut buffer = [0; 100];
        let length = socket.recv(&mut buffer).expect("one answer");
        // The first that comes back is that to the third.
        let heard = Message::read(&buffer[..length]).expect("an answer");
        assert_eq!((heard.token, heard.number), (TOKEN, 2));
    }
}
