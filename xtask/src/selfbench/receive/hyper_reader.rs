//! A reader as it is usually built: hyper's client on tokio's single-threaded runtime, a task per
//! connection and one per answer. Body frames go through infermeter's own decoder behind a made-up
//! response head, with the program's clock as their stamp, so that the two readers differ in IO and
//! HTTP alone.

use super::Reader;
use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::response::{Expect, ReadStamp, ResponseReader};
use infermeter_core::clock::{Offset, monotonic_ns};
use infermeter_core::record::StampSource;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// What the tasks tell the one that waits.
#[derive(Debug, Default)]
struct Count {
    recorded: AtomicUsize,
    wanted: AtomicUsize,
    ended: AtomicUsize,
    enough: Notify,
}

impl Count {
    fn add(&self, events: usize) {
        let recorded = self.recorded.fetch_add(events, Ordering::Relaxed) + events;
        if recorded >= self.wanted.load(Ordering::Relaxed) {
            self.enough.notify_one();
        }
    }
}

/// A runtime whose answers have begun.
pub(super) struct HyperReader {
    runtime: Runtime,
    count: Arc<Count>,
}

impl HyperReader {
    /// Opens `sockets` connections and sends a request on each; returns when all heads are in.
    pub(super) fn connect(address: SocketAddr, sockets: usize, chunks: usize) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let count = Arc::new(Count::default());
        runtime
            .block_on(async {
                // All connections before the first answer: the sender accepts all of them first.
                let mut connections = Vec::new();
                for _ in 0..sockets {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    connections.push(http1::handshake(TokioIo::new(stream)).await?);
                }
                let mut answers = Vec::new();
                for (mut sender, connection) in connections {
                    tokio::spawn(connection);
                    let request = Request::post("/v1/chat/completions")
                        .header("host", "loopback")
                        .body(Empty::<Bytes>::new())?;
                    answers.push(tokio::spawn(async move {
                        // The sender lives as long as the answer: its end would close the connection.
                        let answer = sender.send_request(request).await;
                        answer.map(|answer| (answer, sender))
                    }));
                }
                for answer in answers {
                    let (answer, sender) = answer.await??;
                    let count = Arc::clone(&count);
                    tokio::spawn(async move {
                        let _sender = sender;
                        read(answer.into_body(), chunks, &count).await;
                        count.ended.fetch_add(1, Ordering::Relaxed);
                        count.enough.notify_one();
                    });
                }
                anyhow::Ok(())
            })
            .context("hyper's connections")?;
        Ok(Self { runtime, count })
    }
}

impl Reader for HyperReader {
    fn drain(&mut self, events: usize) -> Result<()> {
        let wanted = self.count.wanted.fetch_add(events, Ordering::Relaxed) + events;
        self.runtime.block_on(async {
            while self.count.recorded.load(Ordering::Relaxed) < wanted {
                self.count.enough.notified().await;
                ensure!(
                    self.count.ended.load(Ordering::Relaxed) == 0,
                    "an answer ended early"
                );
            }
            Ok(())
        })
    }
}

/// Reads one answer to its end.
async fn read(mut body: Incoming, chunks: usize, count: &Count) {
    let mut reader = ResponseReader::new(Expect {
        dialect: Dialect::default(),
        streaming: true,
        keep_texts: KeepTexts::UntilSettled,
        output_tokens: chunks,
        numbers: infermeter_client::response::Numbers::NONE,
    });
    reader.read(HEAD, stamp());
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            let before = reader.chunks_so_far();
            reader.read(data, stamp());
            count.add(reader.chunks_so_far() - before);
        }
    }
}

fn stamp() -> ReadStamp {
    let now = Offset(monotonic_ns());
    ReadStamp {
        at: now,
        seen: now,
        lower: now,
        source: StampSource::Program,
    }
}
