//! A simulator on a thread of this process, for tests.

use crate::config::Config;
use crate::server::{Place, ServeError, serve};
use crate::stats::Stats;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

/// A running simulator. Dropping it stops it.
#[derive(Debug)]
pub struct MockHandle {
    place: Place,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Stats, ServeError>>>,
}

/// Starts a simulator on its own thread and waits until it accepts connections.
pub fn spawn_in_thread(config: Config) -> Result<MockHandle, ServeError> {
    let stop = Arc::new(AtomicBool::new(false));
    let (ready, place) = channel();
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new()
        .name("mock".to_owned())
        .spawn(move || {
            let on_ready = |place: &Place| {
                // Nobody waits any more only if the starter is gone.
                let _ = ready.send(place.clone());
            };
            serve(&config, on_ready, || stopped.load(Ordering::Relaxed))
        })?;
    match place.recv() {
        Ok(place) => Ok(MockHandle {
            place,
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
    /// The address it listens on.
    ///
    /// # Panics
    /// Where it listens on a socket of the file system.
    pub fn address(&self) -> SocketAddr {
        match &self.place {
            Place::Tcp(address) => *address,
            Place::Unix(path) => panic!("{} is not an address", path.display()),
        }
    }

    /// `http://HOST:PORT`, or `unix:/SOCKET`.
    pub fn base_url(&self) -> String {
        match &self.place {
            Place::Tcp(address) => format!("http://{address}"),
            place @ Place::Unix(_) => place.to_string(),
        }
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
