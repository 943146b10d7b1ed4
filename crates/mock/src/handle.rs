//! A simulator on a thread of this process, for tests.

use crate::config::Config;
use crate::server::{ServeError, serve};
use crate::stats::Stats;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct MockHandle {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Stats, ServeError>>>,
}

/// Starts a simulator on its own thread and waits until it accepts connections.
pub fn spawn_in_thread(config: Config) -> Result<MockHandle, ServeError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (ready, address) = channel();
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new()
        .name("mock".to_owned())
        .spawn(move || {
            let on_ready = |address| {
                // Nobody waits any more only if the starter is gone.
                let _ = ready.send(address);
            };
            serve(&config, on_ready, || stopped.load(Ordering::Relaxed))
        })?;
    match address.recv() {
        Ok(address) => Ok(MockHandle {
            address,
            stop,
            thread: Some(thread),
        }),
        Err(_) => Err(join(thread)
            .err()
            .unwrap_or_else(|| std::io::Error::other("the simulator ended at once").into())),
    }
}

fn join(thread: JoinHandle<Result<Stats, ServeError>>) -> Result<Stats, ServeError> {
    thread
        .join()
        .unwrap_or_else(|_| Err(std::io::Error::other("the simulator's thread panicked").into()))
}

impl MockHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://HOST:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it (within 25 ms), cuts what is in flight, and waits until its truth log is complete.
    pub fn stop(mut self) -> Result<Stats, ServeError> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => join(thread),
            None => Ok(Stats::default()),
        }
    }
}

impl Drop for MockHandle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its result was not asked for.
            let _ = join(thread);
        }
    }
}
