//! Readiness of many descriptors: level-triggered epoll.

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, or the end.
    Read,
    /// Room to write (and bytes to read).
    ReadWrite,
    /// Room to write alone.
    Write,
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        match self {
            Self::Read => epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
            Self::ReadWrite => {
                epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::OUT
            }
            Self::Write => epoll::EventFlags::OUT,
        }
    }
}

/// One ready descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The token it was added with.
    pub token: u64,
    /// Reading will not block (bytes, end or error).
    pub readable: bool,
    /// Writing will not block, or the connection failed.
    pub writable: bool,
    /// An error is reported: the connection failed, or the error queue holds something.
    pub error: bool,
}

/// An epoll instance with its event buffer.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poll")
            .field("epoll", &self.epoll)
            .finish_non_exhaustive()
    }
}

/// Most events fetched by one wait.
pub(crate) const MAX_EVENTS: usize = 1024;

impl AsFd for Poll {
    /// Readable when a watched descriptor is ready.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Poll {
    /// A new instance.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(MAX_EVENTS),
        })
    }

    /// Watches a descriptor.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            fd,
            epoll::EventData::new_u64(token),
            interest.flags(),
        )?)
    }

    /// Changes what is waited for.
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            &self.epoll,
            fd,
            epoll::EventData::new_u64(token),
            interest.flags(),
        )?)
    }

    /// Stops watching. Closing a descriptor does the same.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Fetches ready descriptors: without waiting, or waiting until there is one. A signal ends
    /// the wait with no events. Returns whether the buffer was too small for all.
    pub fn wait(&mut self, block: bool, ready: &mut Vec<Ready>) -> io::Result<bool> {
        ready.clear();
        self.events.clear();
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let timeout = if block { None } else { Some(&zero) };
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &self.events {
            let flags = event.flags;
            let broken = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
            ready.push(Ready {
                token: event.data.u64(),
                readable: broken
                    || flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP),
                writable: broken || flags.contains(epoll::EventFlags::OUT),
                error: flags.contains(epoll::EventFlags::ERR),
            });
        }
        Ok(self.events.len() == MAX_EVENTS)
    }
}
