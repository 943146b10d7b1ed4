//! Starting a proxy, and the handle on it.
//!
//! Invariant: when a handle is gone, so are its threads, sockets and senders.

use crate::accept::{self, Command, Drained};
use crate::breaker::Breaker;
use crate::clocks::Clocks;
use crate::counts::{Counts, Tally};
use crate::front::{Front, Primary};
use crate::gate::Gate;
use crate::headers::{ForShadow, Kept};
use crate::observer::Observer;
use crate::seen::Seen;
use crate::settings::{Reach, Settings, ShadowSettings, Upstream};
use crate::shadow;
use crate::socket::Scratch;
use crate::target::Aim;
use crate::upstream::{Opening, Shared};
use infermeter_core::text::inert;
use infermeter_sys::affinity;
use infermeter_sys::stamp::Sentinel;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// Orders for the shadow's thread beyond the requests that may be in flight there.
const FURTHER_ORDERS: usize = 16;

/// Why a proxy cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Others could reach it.
    #[error("{0} is not a loopback address: whoever reaches it could use the upstream")]
    NotLoopback(SocketAddr),
    /// It cannot listen.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be made, or cannot have its core.
    #[error("the proxy's thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// A header cannot be set on the shadow's requests.
    #[error(
        "`{0}` cannot be set on the shadow's requests: not a header, or one that only the proxy sets"
    )]
    ShadowHeader(String),
    /// An upstream cannot stand in a request.
    #[error("`{0}` cannot stand in a request")]
    Upstream(String),
    /// A file of TLS cannot be used.
    #[error("{}: {problem}", .path.display())]
    TlsFile {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Certificate and key do not belong together, or are of no kind that TLS knows.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// The proxy.
#[derive(Debug)]
pub struct Proxy;

/// A proxy that serves. Dropped, it cuts everything off; [`Handle::drain`] is the orderly end.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    tally: Arc<Tally>,
    commands: Option<mpsc::UnboundedSender<Command>>,
    threads: Vec<JoinHandle<()>>,
    _sentinel: Option<Sentinel>,
}

impl Proxy {
    /// Starts a proxy that gives what it saw to `observer`, as long as that has room.
    ///
    /// # Errors
    /// When it cannot listen, or its settings contradict each other.
    pub fn start(settings: Settings, observer: SyncSender<Seen>) -> Result<Handle, ProxyError> {
        let listener = listen(&settings)?;
        let address = listener.local_addr()?;
        // Up before the first packet, so that every one is stamped.
        let sentinel = Sentinel::start();
        let tally = Arc::new(Tally::default());
        let observer = Observer {
            sender: observer,
            tally: Arc::clone(&tally),
        };
        let mut threads = Vec::new();
        let mut gate = None;
        if let Some(shadow) = &settings.shadow {
            let (thread, made) = start_shadow(shadow, &settings, &observer)?;
            threads.push(thread);
            gate = Some(made);
        }
        let (commands, asked) = mpsc::unbounded_channel();
        let aim = aim(settings.primary.clone())?;
        let core = settings.cores.first().copied();
        threads.push(thread("proxy", core, move || {
            users(settings, aim, gate, observer, listener, asked)
        })?);
        Ok(Handle {
            address,
            tally,
            commands: Some(commands),
            threads,
            _sentinel: sentinel,
        })
    }
}

fn listen(settings: &Settings) -> Result<TcpListener, ProxyError> {
    let address = settings.listen;
    if settings.reach == Reach::Loopback && !address.ip().is_loopback() {
        return Err(ProxyError::NotLoopback(address));
    }
    let cannot = |source| ProxyError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(cannot)?;
    // Said again, it makes the queue longer.
    rustix::net::listen(&listener, BACKLOG).map_err(|error| cannot(error.into()))?;
    listener.set_nonblocking(true).map_err(cannot)?;
    Ok(listener)
}

fn aim(upstream: Upstream) -> Result<Aim, ProxyError> {
    let name = inert(&format!("{}{}", upstream.host, upstream.base), 200);
    Aim::new(upstream).ok_or(ProxyError::Upstream(name))
}

/// Starts the shadow's thread; what lets requests to it.
fn start_shadow(
    shadow: &ShadowSettings,
    settings: &Settings,
    observer: &Observer,
) -> Result<(JoinHandle<()>, Gate), ProxyError> {
    let headers = ForShadow::new(shadow.keys, &shadow.headers).map_err(ProxyError::ShadowHeader)?;
    let (orders, ordered) = mpsc::channel(shadow.max_in_flight + FURTHER_ORDERS);
    let breaker = Arc::new(Breaker::new(shadow.breaker, &observer.tally));
    let gate = Gate::new(
        shadow,
        headers,
        orders,
        &breaker,
        &observer.tally,
        settings.clock.now(),
    );
    let setup = shadow::Setup {
        aim: aim(shadow.upstream.clone())?,
        model: shadow.model.clone(),
        orders: ordered,
        breaker,
        clock: settings.clock,
        limits: settings.limits.clone(),
        keep_headers: settings.keep_headers.clone(),
        observer: observer.clone(),
    };
    let core = settings.cores.last().copied();
    let thread = thread("shadow", core, move || shadow::run(setup))?;
    Ok((thread, gate))
}

/// The users' thread.
async fn users(
    settings: Settings,
    aim: Aim,
    gate: Option<Gate>,
    observer: Observer,
    listener: TcpListener,
    asked: mpsc::UnboundedReceiver<Command>,
) {
    // It was set up for this before the thread was made.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let shared = Shared {
        clocks: Rc::new(Clocks::new(settings.clock)),
        scratch: Scratch::new(),
        limits: Rc::new(settings.limits),
    };
    let tally = Arc::clone(&observer.tally);
    let opening = Opening::new(move || tally.counters.primary_connections.one());
    let front = Rc::new(Front {
        primary: RefCell::new(Primary::new(aim, &shared, &opening)),
        shared,
        tls: settings.tls,
        half_closed: settings.half_closed,
        observer,
        kept: Rc::new(Kept::new(&settings.keep_headers)),
        gate: gate.map(Rc::new),
        opening,
        next: Cell::new(0),
        is_cutting: Rc::default(),
        connections: Cell::new(0),
    });
    accept::run(front, listener, asked).await;
}

/// Runs what `make` makes on a thread of its own, on one core where one is given.
fn thread<F>(
    name: &str,
    core: Option<usize>,
    make: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, ProxyError>
where
    F: Future<Output = ()>,
{
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let runtime = core
                .map_or(Ok(()), |core| affinity::restrict_to(&[core]))
                .and_then(|()| runtime());
            match runtime {
                Ok(runtime) => {
                    let _ = ready.send(Ok(()));
                    // Tasks that are left end with the set.
                    LocalSet::new().block_on(&runtime, make());
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        })?;
    match is_ready.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(io::Error::other("it ended at once").into()),
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
}

impl Handle {
    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// What tells the same, also when the handle has gone.
    pub fn counter(&self) -> impl Fn() -> Counts + Send + 'static + use<> {
        let tally = Arc::clone(&self.tally);
        move || tally.counts()
    }

    /// Sends requests that begin from now on to other upstreams; open ones end where they are. Without a shadow the
    /// present one stays.
    ///
    /// # Errors
    /// When one of them cannot stand in a request.
    pub fn replace(&self, primary: Upstream, shadow: Option<Upstream>) -> Result<(), ProxyError> {
        aim(primary.clone())?;
        if let Some(shadow) = &shadow {
            aim(shadow.clone())?;
        }
        if let Some(commands) = &self.commands {
            let _ = commands.send(Command::Replace { primary, shadow });
        }
        Ok(())
    }

    /// Ends in order: accepts nothing new, gives what is open so much time, cuts off what is left. When it returns, all
    /// that was seen has been given to the observer, whose channel is closed.
    pub fn drain(mut self, within: Duration) -> Drained {
        let (reply, replied) = oneshot::channel();
        let command = Command::Drain { within, reply };
        match &self.commands {
            // Where the thread has ended already, the reply's other end is gone, too.
            Some(commands) => drop(commands.send(command)),
            None => drop(command),
        }
        let drained = replied.blocking_recv().unwrap_or_default();
        self.end();
        drained
    }

    fn end(&mut self) {
        self.commands = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}
