//! The sending side: a thread that answers every connection with the head of an event stream and
//! then writes events when told to.
//!
//! Not timed. Invariant: [`Sender::fill`] returns when every byte is in the sockets.

use anyhow::{Context, Result, anyhow};
use infermeter_sys::{affinity, socket};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Length of one server-sent event.
pub(super) const EVENT_BYTES: usize = 255;

/// What every answer begins with.
pub(super) const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// What one socket gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Writes.
    pub(super) writes: usize,
    /// Events in each.
    pub(super) events_per_write: usize,
}

impl Load {
    /// Events in one socket.
    pub(super) fn events(self) -> usize {
        self.writes * self.events_per_write
    }
}

/// A thread that fills sockets.
#[derive(Debug)]
pub(super) struct Sender {
    address: SocketAddr,
    orders: SyncSender<Load>,
    done: Receiver<Result<()>>,
}

impl Sender {
    /// Listens on loopback for `sockets` connections, on `core`.
    pub(super) fn start(sockets: usize, core: usize) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("loopback")?;
        socket::set_backlog(&listener, 4096)?;
        let address = listener.local_addr()?;
        let (orders, taken) = sync_channel(1);
        let (report, done) = sync_channel(1);
        let fill = move || {
            // Without a core of its own it only disturbs more.
            let _ = affinity::restrict_to(&[core]);
            let streams = accept(&listener, sockets);
            let _ = serve(streams, &taken, &report);
        };
        thread::Builder::new()
            .name("sender".to_owned())
            .spawn(fill)?;
        Ok(Self {
            address,
            orders,
            done,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes this into every socket.
    pub(super) fn fill(&self, load: Load) -> Result<()> {
        self.orders
            .send(load)
            .map_err(|_| anyhow!("the sender is gone"))?;
        self.done.recv().context("the sender is gone")?
    }
}

fn accept(listener: &TcpListener, sockets: usize) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for _ in 0..sockets {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut bytes = [0; 1024];
            let n = stream.read(&mut bytes)?;
            anyhow::ensure!(n > 0, "a reader closed its connection");
            request.extend_from_slice(&bytes[..n]);
        }
        stream.write_all(HEAD)?;
    }
    Ok(streams)
}

/// Fills until the other side hangs up.
fn serve(
    streams: Result<Vec<TcpStream>>,
    orders: &Receiver<Load>,
    done: &SyncSender<Result<()>>,
) -> Result<()> {
    let mut streams = match streams {
        Ok(streams) => streams,
        Err(error) => return Ok(done.send(Err(error))?),
    };
    let mut number = 0;
    while let Ok(load) = orders.recv() {
        let mut written = Ok(());
        for _ in 0..load.writes {
            let bytes: Vec<u8> = (number..number + load.events_per_write)
                .flat_map(chunk)
                .collect();
            number += load.events_per_write;
            for stream in &mut streams {
                written = written.and(stream.write_all(&bytes).context("a full socket"));
            }
        }
        done.send(written)?;
    }
    Ok(())
}

/// Event `number` in vLLM's shape, as one chunk of the transfer coding.
fn chunk(number: usize) -> Vec<u8> {
    let before = "data: {\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\
        \"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"meta-llama/Llama-3.1-8B\",\
        \"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
    let after = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
    let text = format!(
        " {:0width$}",
        number % 10_000,
        width = EVENT_BYTES - before.len() - after.len() - 1
    );
    format!("{EVENT_BYTES:x}\r\n{before}{text}{after}\r\n").into_bytes()
}
