//! Control traffic: one request at a time, blocking, before the clock starts (model list, feature
//! probes). Goes the same ways as the load, and uses the same decoders. Its instants are the program's own,
//! good for comparing one exchange with another and for nothing else.

mod wire;

use crate::http::{Head, HttpError, HttpEvent, ResponseDecoder, fields};
use crate::limits::{BODY_END_NS, Limits};
use crate::tls::{Trust, tls_for};
use crate::transport::{Address, Hop, Route, TunnelError};
use infermeter_core::clock::monotonic_ns;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;
use wire::{News, Wire};

/// Where control requests go.
#[derive(Debug, Clone)]
pub struct Channel {
    /// The way to the server.
    pub route: Route,
    /// Time to connect, and as much for each step until requests can be sent.
    pub connect_timeout: Duration,
    /// Time for a whole exchange after that.
    pub timeout: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct ControlAnswer {
    /// Status and header facts.
    pub head: Head,
    /// All header fields, names in lower case, values inert.
    pub fields: Vec<(String, String)>,
    /// The body, framing removed.
    pub body: Vec<u8>,
    /// When the request was written, monotonic nanoseconds by the program's clock.
    pub sent_ns: i64,
    /// What became of the connection behind it.
    pub behind: Behind,
    /// After each read: when, by the same clock, and how much of the body had come.
    pub reads: Vec<(i64, usize)>,
}

/// What becomes of a connection behind an answer that promises to keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// Nobody looked, or nothing was promised.
    Unknown,
    /// It stayed open while it was watched.
    Kept,
    /// The server closed it.
    Closed,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The name has no address.
    #[error("host `{host}` cannot be resolved: {source}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// No address accepts a connection.
    #[error("no connection to {address}: {source}")]
    Connect {
        /// The last address tried.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// A proxy gives no way to the server.
    #[error("{source}")]
    Proxy {
        /// The proxy's address.
        address: Address,
        /// Why.
        source: TunnelError,
    },
    /// TLS failed.
    #[error("TLS with {address} failed: {source}")]
    Tls {
        /// The address.
        address: Address,
        /// Why.
        source: rustls::Error,
    },
    /// The peer broke the TLS handshake off, or never took part in it.
    #[error("no TLS handshake with {address}: {source}")]
    Handshake {
        /// The address.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The exchange broke off or took too long.
    #[error("no answer from {address}: {source}")]
    Exchange {
        /// The address.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The answer is not HTTP.
    #[error("{address} does not answer in HTTP: {source}")]
    Http {
        /// The address.
        address: Address,
        /// Why.
        source: HttpError,
    },
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateDoubt {
    /// It carries another name.
    OtherName,
    /// It is not valid at this time.
    NotNow,
    /// Nobody trusted vouches for it.
    Untrusted,
}

impl ControlError {
    /// What is wrong with the certificate, where that is the reason.
    pub fn certificate(&self) -> Option<CertificateDoubt> {
        use rustls::CertificateError as Doubt;
        let Self::Tls {
            source: rustls::Error::InvalidCertificate(doubt),
            ..
        } = self
        else {
            return None;
        };
        Some(match doubt {
            Doubt::NotValidForName | Doubt::NotValidForNameContext { .. } => {
                CertificateDoubt::OtherName
            }
            Doubt::Expired
            | Doubt::ExpiredContext { .. }
            | Doubt::NotValidYet
            | Doubt::NotValidYetContext { .. } => CertificateDoubt::NotNow,
            _ => CertificateDoubt::Untrusted,
        })
    }
}

/// Body bytes kept of a control answer.
const BODY_LIMIT: u64 = 64 << 20;

/// Longest time to find out what a port speaks that did not answer as it should.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// HTTP in clear.
    Http,
    /// TLS.
    Tls,
}

/// The addresses of a name.
#[derive(Debug)]
pub struct Reached {
    /// Those that accept a connection, at least one; of one family.
    pub addresses: Vec<SocketAddr>,
    /// Those of the same family that do not, and why.
    pub refused: Vec<(SocketAddr, String)>,
    /// How long the name took to resolve, nanoseconds; absent of an address, which needs no resolver.
    pub resolve_ns: Option<i64>,
}

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 64;

/// The addresses of `host` that accept a connection, of the family of the first that does.
///
/// # Errors
/// When the name has no address, or none accepts.
pub fn reach(host: &str, port: u16, timeout: Duration) -> Result<Reached, ControlError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let unresolved = |source| ControlError::Resolve {
        host: bare.to_owned(),
        source,
    };
    let mut found = Vec::new();
    let begun = monotonic_ns();
    let resolved = (bare, port).to_socket_addrs().map_err(unresolved)?;
    let took_ns = monotonic_ns() - begun;
    for address in resolved {
        if !found.contains(&address) && found.len() < MAX_ADDRESSES {
            found.push(address);
        }
    }
    let mut reached = Reached {
        addresses: Vec::new(),
        refused: Vec::new(),
        resolve_ns: bare.parse::<IpAddr>().is_err().then_some(took_ns),
    };
    let mut last = None;
    for address in found {
        let family = reached.addresses.first().map(SocketAddr::is_ipv4);
        if family.is_some_and(|ipv4| ipv4 != address.is_ipv4()) {
            continue;
        }
        match try_address(&address.into(), timeout) {
            Ok(()) => reached.addresses.push(address),
            Err(error) => {
                reached.refused.push((address, error.to_string()));
                last = Some(error);
            }
        }
    }
    let Some(ipv4) = reached.addresses.first().map(SocketAddr::is_ipv4) else {
        return Err(last.unwrap_or_else(|| unresolved(io::Error::other("no address"))));
    };
    let same_family = |(address, _): &(SocketAddr, String)| address.is_ipv4() == ipv4;
    reached.refused.retain(same_family);
    Ok(reached)
}

/// Whether an address accepts a connection.
///
/// # Errors
/// When it does not.
pub fn try_address(address: &Address, timeout: Duration) -> Result<(), ControlError> {
    let channel = Channel {
        route: Route::to(address.clone(), None),
        connect_timeout: timeout,
        timeout,
    };
    Wire::connect(&channel).map(drop)
}

/// How long a connection took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Until the socket was connected, nanoseconds.
    pub connect_ns: i64,
    /// From there until requests could be sent, through a proxy and TLS where they are on the way,
    /// nanoseconds; else what went wrong.
    pub raised_ns: Result<i64, String>,
}

/// What ends a stream of the dialects, whatever becomes of its body.
const END_MARK: &[u8] = b"[DONE]";

impl Channel {
    /// Opens connections, and sends no request.
    ///
    /// # Errors
    /// When the address accepts none.
    pub fn open(&self) -> Result<Opened, ControlError> {
        // TLS begins in the step that finds the socket connected: a connection in clear is timed for itself.
        let begun = monotonic_ns();
        try_address(&self.route.address, self.connect_timeout)?;
        let connected = monotonic_ns();
        let raised = Wire::connect(self).and_then(|mut wire| wire.rise(self.connect_timeout));
        let whole_ns = monotonic_ns() - connected;
        let connect_ns = connected - begun;
        Ok(Opened {
            connect_ns,
            raised_ns: raised
                .map(|()| (whole_ns - connect_ns).max(0))
                .map_err(|error| error.to_string()),
        })
    }

    /// Sends `request` on a connection of its own and waits for the whole answer.
    ///
    /// # Errors
    /// When there is no answer in HTTP; any status is an answer.
    pub fn exchange(&self, request: &[u8]) -> Result<ControlAnswer, ControlError> {
        self.exchange_watched(request, Duration::ZERO)
    }

    /// The same; the connection is watched for some time behind the answer where that promises to keep
    /// it.
    ///
    /// # Errors
    /// As above.
    pub fn exchange_watched(
        &self,
        request: &[u8],
        watch: Duration,
    ) -> Result<ControlAnswer, ControlError> {
        let mut wire = Wire::connect(self)?;
        let deadline = monotonic_ns() + self.timeout.as_nanos() as i64;
        wire.rise(self.connect_timeout)?;
        let sent_ns = monotonic_ns();
        wire.send(request)?;
        let whole = self.read_answer(&mut wire, deadline)?;
        // A server is no proxy: only the one before it can ask for a proxy's credentials.
        if whole.answer.head.status == 407 && self.route.hop == Hop::Forward {
            return Err(ControlError::Proxy {
                address: wire.address(),
                source: TunnelError::Credentials,
            });
        }
        let left = Duration::from_nanos((whole.until - monotonic_ns()).max(0) as u64);
        let watch = watch.min(left);
        let behind = match whole.keeps && !watch.is_zero() {
            true => wire.behind(watch),
            false => Behind::Unknown,
        };
        Ok(ControlAnswer {
            sent_ns,
            behind,
            ..whole.answer
        })
    }

    /// Whether the port speaks the other of HTTP in clear and TLS than it is spoken to in. No
    /// credentials are sent.
    pub fn speaks_otherwise(&self, host: &str) -> Option<Speech> {
        let timeout = LOOK_TIMEOUT.min(self.connect_timeout);
        let otherwise = Self {
            route: Route {
                tls: match &self.route.tls {
                    Some(_) => None,
                    None => Some(tls_for(host, Trust::Anyone).ok()?),
                },
                ..self.route.clone()
            },
            connect_timeout: timeout,
            timeout,
        };
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answered = otherwise.exchange(request.as_bytes());
        match (&self.route.tls, answered) {
            // Whatever comes after a handshake, and a TLS alert, is proof; in clear only HTTP is.
            (
                None,
                Ok(_)
                | Err(
                    ControlError::Exchange { .. }
                    | ControlError::Http { .. }
                    | ControlError::Tls {
                        source: rustls::Error::AlertReceived(_),
                        ..
                    },
                ),
            ) => Some(Speech::Tls),
            (Some(_), Ok(_)) => Some(Speech::Http),
            _ => None,
        }
    }

    /// Reads an answer that is to be whole by `deadline`.
    fn read_answer(&self, wire: &mut Wire, deadline: i64) -> Result<Whole, ControlError> {
        let mut decoder = ResponseDecoder::new(&Limits {
            body_bytes: BODY_LIMIT,
            ..Limits::DEFAULT
        });
        let (mut head, mut body, mut reads) = (Vec::new(), Vec::new(), Vec::new());
        let mut until = deadline;
        loop {
            let news = wire.next(until)?;
            let bytes = match &news {
                News::Bytes(bytes) => bytes.as_slice(),
                News::End => &[],
                // Behind its end mark the answer lacks nothing.
                News::Nothing if until < deadline => &[],
                News::Nothing => return Err(wire.broken(timed_out(self.timeout))),
            };
            if decoder.head().status == 0 {
                head.extend_from_slice(bytes);
            }
            let ended = match feed(&mut decoder, bytes, &mut body) {
                Ok(ended) => ended,
                Err(_) if until < deadline => true,
                Err(source) => {
                    let address = wire.address();
                    return Err(ControlError::Http { address, source });
                }
            };
            let now = monotonic_ns();
            reads.push((now, body.len()));
            if until == deadline && body.trim_ascii_end().ends_with(END_MARK) {
                until = deadline.min(now + BODY_END_NS);
            }
            if ended {
                let answer = ControlAnswer {
                    behind: Behind::Unknown,
                    head: decoder.head().clone(),
                    fields: fields(&head),
                    body,
                    sent_ns: 0,
                    reads,
                };
                let keeps = decoder.keep_alive();
                return Ok(Whole {
                    answer,
                    keeps,
                    until,
                });
            }
        }
    }
}

/// An answer that is whole.
struct Whole {
    answer: ControlAnswer,
    /// It promises to keep the connection.
    keeps: bool,
    /// There is time until then, monotonic.
    until: i64,
}

fn timed_out(after: Duration) -> io::Error {
    let seconds = after.as_secs_f64();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("timed out after {seconds:.1} s"),
    )
}

/// Feeds one read (empty: the end of the stream); true when the answer is whole.
fn feed(
    decoder: &mut ResponseDecoder,
    mut bytes: &[u8],
    body: &mut Vec<u8>,
) -> Result<bool, HttpError> {
    if bytes.is_empty() {
        return decoder.eof().map(|()| true);
    }
    while let Some(event) = decoder.next(&mut bytes)? {
        match event {
            HttpEvent::Head => {}
            HttpEvent::Body(part) => body.extend_from_slice(part),
            HttpEvent::End => return Ok(true),
        }
    }
    Ok(false)
}
