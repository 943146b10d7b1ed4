//! The floor: epoll and stamped receives into one buffer, the bytes thrown away. What a reader
//! costs above it is its own doing; the rest is the kernel's.

use super::Reader;
use super::sender::EVENT_BYTES;
use anyhow::{Result, ensure};
use infermeter_sys::poll::{Interest, Poll, Ready};
use infermeter_sys::stamp;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;

/// As large as the engine's.
const BUFFER: usize = 256 * 1024;

/// Sockets, and nothing that understands what comes out of them.
pub(super) struct BareReader {
    poll: Poll,
    ready: Vec<Ready>,
    streams: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl BareReader {
    /// Opens `sockets` connections and sends a request on each; returns when all heads are in.
    pub(super) fn connect(
        address: SocketAddr,
        sockets: usize,
        kernel_stamps: bool,
    ) -> Result<Self> {
        let mut reader = Self {
            poll: Poll::new()?,
            ready: Vec::new(),
            streams: Vec::new(),
            buffer: vec![0; BUFFER],
        };
        for token in 0..sockets as u64 {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            if kernel_stamps {
                stamp::enable(stream.as_fd())?;
            }
            reader.poll.add(&stream, token, Interest::Read)?;
            reader.streams.push(stream);
        }
        for stream in &mut reader.streams {
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
        }
        reader.take(sockets * super::sender::HEAD.len())?;
        Ok(reader)
    }

    /// Takes bytes until so many have come.
    fn take(&mut self, mut bytes: usize) -> Result<()> {
        while bytes > 0 {
            self.poll.wait(true, &mut self.ready)?;
            for ready in &self.ready {
                let stream = &self.streams[ready.token as usize];
                let received = stamp::receive(stream.as_fd(), &mut self.buffer)?;
                ensure!(
                    received.len > 0 && received.len <= bytes,
                    "not what was sent"
                );
                bytes -= received.len;
            }
        }
        Ok(())
    }
}

impl Reader for BareReader {
    fn drain(&mut self, events: usize) -> Result<()> {
        // A chunk's size line has two digits, and two line ends go with it.
        self.take(events * (EVENT_BYTES + 6))
    }
}
