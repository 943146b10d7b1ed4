//! Control traffic: one request at a time, blocking, before the clock starts (model list, feature
//! probes). Uses the same decoders as the load. Its instants are the program's own, good for comparing
//! one exchange with another and for nothing else.

use crate::http::{Head, HttpError, HttpEvent, ResponseDecoder, fields};
use crate::limits::{BODY_END_NS, Limits};
use crate::tls::{Tls, Trust, tls_for};
use infermeter_core::clock::monotonic_ns;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Where control requests go.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Address that answered a connect.
    pub address: SocketAddr,
    /// TLS, for https.
    pub tls: Option<Tls>,
    /// Time to connect.
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
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// TLS failed.
    #[error("TLS with {address} failed: {source}")]
    Tls {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: rustls::Error,
    },
    /// The peer broke the TLS handshake off, or never took part in it.
    #[error("no TLS handshake with {address}: {source}")]
    Handshake {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The exchange broke off or took too long.
    #[error("no answer from {address}: {source}")]
    Exchange {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The answer is not HTTP.
    #[error("{address} does not answer in HTTP: {source}")]
    Http {
        /// The address.
        address: SocketAddr,
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

/// The first address of `host` that accepts a connection.
///
/// # Errors
/// When the name has no address, or none accepts.
pub fn reach(host: &str, port: u16, timeout: Duration) -> Result<SocketAddr, ControlError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let unresolved = |source| ControlError::Resolve {
        host: bare.to_owned(),
        source,
    };
    let mut addresses = (bare, port)
        .to_socket_addrs()
        .map_err(unresolved)?
        .peekable();
    if addresses.peek().is_none() {
        return Err(unresolved(io::Error::other("no address")));
    }
    let mut last = None;
    for address in addresses {
        match connect(&address, timeout) {
            Ok(_) => return Ok(address),
            Err(source) => last = Some(ControlError::Connect { address, source }),
        }
    }
    Err(last.unwrap_or_else(|| unresolved(io::Error::other("no address"))))
}

/// A connection to somebody else: on a port of the range for outgoing connections where nobody listens,
/// the system can connect a socket to itself.
fn connect(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, timeout)?;
    if stream.local_addr()? == *address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// What ends a stream of the dialects, whatever becomes of its body.
const END_MARK: &[u8] = b"[DONE]";

impl Channel {
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
        let address = self.address;
        let stream = connect(&address, self.connect_timeout)
            .map_err(|source| ControlError::Connect { address, source })?;
        let broken = |source| ControlError::Exchange { address, source };
        stream.set_nodelay(true).map_err(broken)?;
        stream
            .set_write_timeout(Some(self.timeout))
            .map_err(broken)?;
        let deadline = monotonic_ns() + self.timeout.as_nanos() as i64;
        match &self.tls {
            None => self.converse(Plain(stream), request, (deadline, watch)),
            Some(tls) => {
                let mut session = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone())
                    .map_err(|source| ControlError::Tls { address, source })?;
                self.shake_hands(&mut session, &stream)?;
                let stream = Secure(StreamOwned::new(session, stream));
                self.converse(stream, request, (deadline, watch))
            }
        }
    }

    /// Whether the port speaks the other of HTTP in clear and TLS than it is spoken to in. No
    /// credentials are sent.
    pub fn speaks_otherwise(&self, host: &str) -> Option<Speech> {
        let timeout = LOOK_TIMEOUT.min(self.connect_timeout);
        let otherwise = Self {
            tls: match &self.tls {
                Some(_) => None,
                None => Some(tls_for(host, Trust::Anyone).ok()?),
            },
            connect_timeout: timeout,
            timeout,
            ..self.clone()
        };
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answered = otherwise.exchange(request.as_bytes());
        match (&self.tls, answered) {
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

    /// TLS within the time to connect: a port that does not speak it may never answer.
    fn shake_hands(
        &self,
        session: &mut ClientConnection,
        mut stream: &TcpStream,
    ) -> Result<(), ControlError> {
        let address = self.address;
        let failed = |source: io::Error| match source.downcast::<rustls::Error>() {
            Ok(source) => ControlError::Tls { address, source },
            Err(source) => ControlError::Handshake { address, source },
        };
        let deadline = monotonic_ns() + self.connect_timeout.as_nanos() as i64;
        while session.is_handshaking() {
            let left = deadline - monotonic_ns();
            if left <= 0 {
                return Err(failed(timed_out(self.connect_timeout)));
            }
            stream
                .set_read_timeout(Some(Duration::from_nanos(left as u64)))
                .map_err(failed)?;
            session
                .complete_io(&mut stream)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::WouldBlock => failed(timed_out(self.connect_timeout)),
                    _ => failed(error),
                })?;
        }
        Ok(())
    }

    fn converse(
        &self,
        mut stream: impl Timed,
        request: &[u8],
        (deadline, watch): (i64, Duration),
    ) -> Result<ControlAnswer, ControlError> {
        let address = self.address;
        let broken = |source| ControlError::Exchange { address, source };
        let (sent_ns, mut reads) = (monotonic_ns(), Vec::new());
        stream
            .write_all(request)
            .and_then(|()| stream.flush())
            .map_err(broken)?;
        let mut decoder = ResponseDecoder::new(&Limits {
            body_bytes: BODY_LIMIT,
            ..Limits::DEFAULT
        });
        let mut body = Vec::new();
        let mut head = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        let late = || broken(timed_out(self.timeout));
        let mut until = deadline;
        loop {
            let n = match read_until(&mut stream, &mut buffer, until).map_err(broken)? {
                Some(n) => n,
                // Behind its end mark the answer lacks nothing.
                None if until < deadline => 0,
                None => return Err(late()),
            };
            if decoder.head().status == 0 {
                head.extend_from_slice(&buffer[..n]);
            }
            let ended = feed(&mut decoder, &buffer[..n], &mut body)
                .or_else(|source| {
                    if until < deadline {
                        Ok(true)
                    } else {
                        Err(source)
                    }
                })
                .map_err(|source| ControlError::Http { address, source })?;
            let now = monotonic_ns();
            reads.push((now, body.len()));
            if until == deadline && body.trim_ascii_end().ends_with(END_MARK) {
                until = deadline.min(now + BODY_END_NS);
            }
            if ended {
                let watch = watch.min(Duration::from_nanos((until - now).max(0) as u64));
                return Ok(ControlAnswer {
                    behind: match decoder.keep_alive() && !watch.is_zero() {
                        true => behind(&mut stream, watch),
                        false => Behind::Unknown,
                    },
                    head: decoder.head().clone(),
                    fields: fields(&head),
                    body,
                    sent_ns,
                    reads,
                });
            }
        }
    }
}

/// Reads what comes; `None` where nothing does until then, 0 at the end.
fn read_until(stream: &mut impl Timed, buffer: &mut [u8], until: i64) -> io::Result<Option<usize>> {
    loop {
        let left = until - monotonic_ns();
        if left <= 0 {
            return Ok(None);
        }
        stream.limit(Duration::from_nanos(left as u64))?;
        return match stream.read(buffer) {
            Ok(n) => Ok(Some(n)),
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(Some(0)),
                io::ErrorKind::Interrupted => continue,
                io::ErrorKind::WouldBlock => Ok(None),
                _ => Err(error),
            },
        };
    }
}

fn timed_out(after: Duration) -> io::Error {
    let seconds = after.as_secs_f64();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("timed out after {seconds:.1} s"),
    )
}

/// Whether the connection stays open for a while.
fn behind(stream: &mut impl Timed, watch: Duration) -> Behind {
    let limited = stream.limit(watch);
    match limited.and_then(|()| stream.read(&mut [0])) {
        Ok(0) => Behind::Closed,
        Ok(_) => Behind::Unknown,
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Behind::Kept,
            _ => Behind::Closed,
        },
    }
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

/// A blocking stream whose reads can be bounded in time.
trait Timed: Read + Write {
    fn limit(&self, left: Duration) -> io::Result<()>;
}

struct Plain(TcpStream);
struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Timed for Plain {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(left))
    }
}

impl Timed for Secure {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.0.sock.set_read_timeout(Some(left))
    }
}

macro_rules! delegate_io {
    ($t:ty) => {
        impl Read for $t {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(buffer)
            }
        }

        impl Write for $t {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(bytes)
            }

            fn flush(&mut self) -> io::Result<()> {
                self.0.flush()
            }
        }
    };
}

delegate_io!(Plain);
delegate_io!(Secure);
