//! The users' thread: accepts connections, takes commands, drains.
//!
//! Invariant: a drain accepts what the kernel has accepted before, and leaves nothing open when it returns.

use crate::connection;
use crate::front::Front;
use crate::gate::Order;
use crate::settings::Upstream;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

/// Where accepting fails (no descriptors are left), it is tried again after this.
const PAUSE: Duration = Duration::from_millis(100);
/// A drain looks this often whether all has ended.
const LOOK: Duration = Duration::from_millis(2);

/// What a handle asks for.
pub(crate) enum Command {
    Replace {
        primary: Upstream,
        shadow: Option<Upstream>,
    },
    Drain {
        within: Duration,
        reply: oneshot::Sender<Drained>,
    },
}

/// What a drain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drained {
    /// Requests that were open, or came on open connections, and ended in order.
    pub ended: u64,
    /// Requests that were cut off because the time was over.
    pub cut: u64,
}

enum Next {
    Accepted(io::Result<TcpStream>),
    Asked(Option<Command>),
}

/// Serves until a drain has ended, or nobody can ask for one.
pub(crate) async fn run(
    front: Rc<Front>,
    listener: TcpListener,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let (drain, draining) = watch::channel(false);
    loop {
        match next(&listener, &mut commands).await {
            Next::Accepted(Ok(stream)) => begin(&front, stream, &draining),
            Next::Accepted(Err(_)) => tokio::time::sleep(PAUSE).await,
            Next::Asked(None) => {
                front.is_cutting.set(true);
                return;
            }
            Next::Asked(Some(Command::Replace { primary, shadow })) => {
                front.replace(primary);
                if let (Some(gate), Some(shadow)) = (&front.gate, shadow) {
                    gate.order(Order::Replace(shadow)).await;
                }
            }
            Next::Asked(Some(Command::Drain { within, reply })) => {
                while let Some(Ok(stream)) = waiting(&listener).await {
                    begin(&front, stream, &draining);
                }
                drop(listener);
                let _ = drain.send(true);
                let _ = reply.send(end(&front, within).await);
                return;
            }
        }
    }
}

async fn next(listener: &TcpListener, commands: &mut mpsc::UnboundedReceiver<Command>) -> Next {
    poll_fn(|cx| {
        if let Poll::Ready(command) = commands.poll_recv(cx) {
            return Poll::Ready(Next::Asked(command));
        }
        let accepted = listener.poll_accept(cx);
        accepted.map(|accepted| Next::Accepted(accepted.map(|(stream, _)| stream)))
    })
    .await
}

/// A connection that the kernel has accepted, without waiting for one.
async fn waiting(listener: &TcpListener) -> Option<io::Result<TcpStream>> {
    poll_fn(|cx| {
        Poll::Ready(match listener.poll_accept(cx) {
            Poll::Ready(accepted) => Some(accepted.map(|(stream, _)| stream)),
            Poll::Pending => None,
        })
    })
    .await
}

fn begin(front: &Rc<Front>, stream: TcpStream, draining: &watch::Receiver<bool>) {
    let counters = &front.observer.tally.counters;
    if front.connections.get() >= front.shared.limits.connections {
        counters.connections_refused.one();
        // A new socket has room for it. In TLS it would be noise, and the end says enough.
        if front.tls.is_none() {
            let _ = stream.try_write(FULL);
        }
        return;
    }
    counters.connections.one();
    let open = Open::new(front);
    let (front, draining) = (Rc::clone(front), draining.clone());
    tokio::task::spawn_local(async move {
        let _open = open;
        connection::serve(front, stream, draining).await;
    });
}

const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n";

/// A connection that is counted as open.
struct Open(Rc<Front>);

impl Open {
    fn new(front: &Rc<Front>) -> Self {
        front.connections.set(front.connections.get() + 1);
        front.observer.tally.counters.now_connections.one();
        Self(Rc::clone(front))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
        self.0.observer.tally.counters.now_connections.one_less();
    }
}

/// Waits for what is open, at most for so long.
async fn end(front: &Front, within: Duration) -> Drained {
    let clocks = &front.shared.clocks;
    let counters = &front.observer.tally.counters;
    let (open, before) = (counters.now_requests.get(), counters.requests.get());
    let due = clocks.now().plus(crate::clocks::ns(within));
    while front.connections.get() > 0 && clocks.now() < due {
        tokio::time::sleep(LOOK).await;
    }
    front.is_cutting.set(true);
    let cut = counters.now_requests.get();
    if let Some(gate) = &front.gate {
        gate.order(Order::Drain(due)).await;
    }
    let begun = open + counters.requests.get() - before;
    Drained {
        ended: begun.saturating_sub(cut),
        cut,
    }
}
