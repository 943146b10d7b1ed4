//! Whether io_uring does here what the client needs: found out by doing it.
//!
//! Invariant: a probe that succeeds has seen a multishot receive over TCP complete, with a kernel
//! stamp and the right bytes, without a system call of the receiving thread.

use super::{BUFFER_BYTES, Ring, What};
use crate::stamp;
use infermeter_core::clock::monotonic_ns;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

/// Time for everything: stamps are switched on asynchronously.
const PATIENCE_NS: i64 = 500_000_000;
/// Receives in a row that must be right.
const RECEIVES: u32 = 3;

/// Why io_uring is not used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No ring, or no ring of buffers.
    #[error("the kernel or its sandbox does not allow it ({0})")]
    Setup(io::Error),
    /// No connection over loopback.
    #[error("no connection over loopback to try it with ({0})")]
    Loopback(io::Error),
    /// Multishot receive does not work.
    #[error("a multishot receive failed: {0}")]
    Receive(String),
    /// Bytes came, stamps did not.
    #[error("its receives carry no kernel stamps")]
    Stamps,
    /// Nothing came.
    #[error("its receives do not complete while the thread is busy")]
    Late,
}

/// Receives over loopback through a ring of its own.
///
/// # Errors
/// With the reason why io_uring is of no use here.
pub fn probe() -> Result<(), ProbeError> {
    let mut ring = Ring::new(8).map_err(ProbeError::Setup)?;
    let (mut near, far) = pair().map_err(ProbeError::Loopback)?;
    stamp::enable(far.as_fd()).map_err(|_| ProbeError::Stamps)?;
    let failed = |error: io::Error| ProbeError::Receive(error.to_string());
    ring.receive(far.as_fd(), 1).map_err(failed)?;
    let deadline = monotonic_ns() + PATIENCE_NS;
    let mut right = 0;
    while right < RECEIVES {
        near.write_all(b"probe").map_err(ProbeError::Loopback)?;
        match next(&mut ring, deadline)? {
            true => right += 1,
            false if monotonic_ns() > deadline => return Err(ProbeError::Stamps),
            false => std::thread::sleep(std::time::Duration::from_micros(500)),
        }
    }
    Ok(())
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let far = TcpStream::connect(listener.local_addr()?)?;
    Ok((listener.accept()?.0, far))
}

/// The next completion, looked for in shared memory alone; whether it had a stamp.
fn next(ring: &mut Ring, deadline: i64) -> Result<bool, ProbeError> {
    let failed = |error: &dyn ToString| ProbeError::Receive(error.to_string());
    let mut memory = [0; BUFFER_BYTES];
    while ring.is_empty() {
        if monotonic_ns() > deadline {
            return Err(ProbeError::Late);
        }
        std::hint::spin_loop();
        ring.observe(0).map_err(|error| failed(&error))?;
    }
    let completion = ring.take(&mut memory);
    match completion.map(|c| (c.what, c.more)) {
        Some((
            What::Received {
                received, payload, ..
            },
            true,
        )) if &memory[payload.clone()] == b"probe" => Ok(received.realtime_ns.is_some()),
        Some((What::Failed(error), _)) => Err(failed(&error)),
        other => Err(failed(&format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Shutdown;

    /// Completions until `enough` says so.
    fn collect(ring: &mut Ring, mut enough: impl FnMut(&What, bool, &[u8]) -> bool) {
        let mut memory = [0; BUFFER_BYTES];
        loop {
            ring.wait().expect("a wait");
            ring.observe(0).expect("completions");
            while let Some(completion) = ring.take(&mut memory) {
                if enough(&completion.what, completion.more, &memory) {
                    return;
                }
            }
        }
    }

    #[test]
    fn bytes_and_the_end_come_through_few_buffers() {
        let Ok(mut ring) = Ring::new(2) else {
            return;
        };
        let (mut near, far) = pair().expect("loopback");
        ring.receive(far.as_fd(), 7).expect("a receive");
        let sent: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        let to_send = sent.clone();
        let writer = std::thread::spawn(move || {
            near.write_all(&to_send).expect("loopback");
            near.shutdown(Shutdown::Write).expect("loopback");
            near
        });
        let mut got = Vec::new();
        let mut starved = 0;
        let mut ended = false;
        while !ended {
            let mut again = false;
            collect(&mut ring, |what, more, memory| {
                match what {
                    What::Received { payload, .. } => {
                        got.extend_from_slice(&memory[payload.clone()])
                    }
                    What::OutOfBuffers => starved += 1,
                    other => panic!("{other:?}"),
                }
                ended = matches!(what, What::Received { received, .. } if received.len == 0);
                again = !more && !ended;
                again || ended
            });
            if again {
                ring.receive(far.as_fd(), 7).expect("a receive");
            }
        }
        drop(writer.join());
        assert_eq!(got, sent);
        assert!(starved > 0, "two buffers must have run out");
    }

    #[test]
    fn a_cancelled_receive_lets_go_of_the_socket() {
        let Ok(mut ring) = Ring::new(2) else {
            return;
        };
        let (near, far) = pair().expect("loopback");
        ring.receive(far.as_fd(), 7).expect("a receive");
        ring.cancel(7).expect("a cancellation");
        drop(far);
        collect(&mut ring, |what, more, _| {
            assert!(matches!(what, What::Cancelled) && !more);
            true
        });
        // The peer sees the end: nobody holds the socket any more.
        let mut byte = [0];
        let n = io::Read::read(&mut &near, &mut byte).expect("an orderly end");
        assert_eq!(n, 0);
    }

    #[test]
    fn a_ring_that_goes_with_receives_pending_takes_them_along() {
        let Ok(mut ring) = Ring::new(4) else {
            return;
        };
        let (mut near, far) = pair().expect("loopback");
        ring.receive(far.as_fd(), 7).expect("a receive");
        near.write_all(b"never taken").expect("loopback");
        drop(ring);
        near.write_all(b"nor this").expect("loopback");
        let mut memory = [0; 64];
        let n = io::Read::read(&mut &far, &mut memory).expect("bytes");
        assert_eq!(&memory[..n], b"nor this");
    }
}
