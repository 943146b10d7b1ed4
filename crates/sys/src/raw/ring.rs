//! An io_uring whose receives complete into buffers of its own. Submits, and copies bytes out; what
//! completions mean is decided in [`crate::uring`].
//!
//! Invariants: memory that the kernel may write to is mapped until the kernel has let go of it, or
//! for ever where that cannot be known; this module alone reads and writes it, and no reference to
//! it gets out. A ring stays on the thread that made it: receives run as that thread's task work,
//! never while code of this module runs.
#![expect(
    unsafe_code,
    reason = "io_uring submissions and its ring of provided buffers"
)]

use io_uring::types::{BufRingEntry, CancelBuilder, Fd, Timespec};
use io_uring::{IoUring, opcode, squeue};
use std::io;
use std::mem::{ManuallyDrop, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The one group of buffers of a ring.
const GROUP: u16 = 0;
/// Submissions that can be pending; each is handed in at once.
const SUBMISSIONS: u32 = 64;
/// Completions that the kernel can post before it has to keep some back.
const COMPLETIONS: u32 = 8192;
/// Start of the ring of buffers: its first entry; the buffers follow on the next page.
const PAGE: usize = 4096;
/// Longest wait for the kernel to let go of a ring's requests when the ring ends, seconds.
const CANCEL_SECONDS: u64 = 10;

/// A buffer that the kernel has filled and does not touch until it is offered again.
#[derive(Debug)]
pub(crate) struct Lent(u16);

/// One completion as the kernel posted it.
#[derive(Debug)]
pub(crate) struct Posted {
    /// `user_data` of the request.
    pub(crate) token: u64,
    /// Bytes, or a negated error number.
    pub(crate) result: i32,
    /// The buffer that was used.
    pub(crate) buffer: Option<Lent>,
    /// The request goes on.
    pub(crate) more: bool,
}

/// The ring, its buffers, and the message header that its receives refer to.
pub(crate) struct RawRing {
    ring: ManuallyDrop<IoUring>,
    buffers: ManuallyDrop<Buffers>,
    /// Length of the control space in each receive; the kernel reads it while it takes a request.
    header: Box<libc::msghdr>,
}

impl RawRing {
    /// A ring with `count` buffers (a power of two) of `size` bytes each.
    pub(crate) fn new(count: u16, size: usize, control: usize) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            .dontfork()
            .build(SUBMISSIONS)?;
        let buffers = Buffers::new(count, size)?;
        // SAFETY: the address is that of `count` entries, page-aligned, mapped until `drop` has
        // taken the ring apart. All entries are zero with a tail of 0: no buffer is offered yet.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(buffers.address(), count, GROUP, 0)?;
        }
        // SAFETY: an all-zero msghdr is valid: null pointers with zero lengths.
        let mut header: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        header.msg_controllen = control as _;
        let mut raw = Self {
            ring: ManuallyDrop::new(ring),
            buffers: ManuallyDrop::new(buffers),
            header,
        };
        for id in 0..count {
            raw.buffers.offer(id);
        }
        Ok(raw)
    }

    /// Starts to receive from `fd` until it ends, fails, or buffers run out.
    pub(crate) fn receive(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let header: *const libc::msghdr = &raw const *self.header;
        let entry = opcode::RecvMsgMulti::new(Fd(fd.as_raw_fd()), header, GROUP).build();
        self.submit(entry.user_data(token))
    }

    /// Posts a completion each time `fd` turns readable.
    pub(crate) fn watch(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let entry = opcode::PollAdd::new(Fd(fd.as_raw_fd()), libc::POLLIN as u32).multi(true);
        self.submit(entry.build().user_data(token))
    }

    /// Ends the request with this token; `own` is the token of the cancellation itself.
    pub(crate) fn cancel(&mut self, token: u64, own: u64) -> io::Result<()> {
        self.submit(opcode::AsyncCancel::new(token).build().user_data(own))
    }

    /// Hands in at once: a descriptor of a submission that waits could be closed meanwhile.
    fn submit(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: the descriptor is open during this call, in which the kernel takes its own
        // reference; the header lives as long as the ring; buffers come from the registered group.
        unsafe { self.ring.submission().push(&entry) }.map_err(io::Error::other)?;
        self.ring.submit().map(drop)
    }

    /// Waits until a completion has been posted or a signal came.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        match self.ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes what has been posted.
    pub(crate) fn take(&mut self, mut each: impl FnMut(Posted)) -> io::Result<()> {
        if self.ring.submission().cq_overflow() {
            // The kernel keeps completions back until it is asked for them.
            self.ring.submit()?;
        }
        for entry in self.ring.completion() {
            each(Posted {
                token: entry.user_data(),
                result: entry.result(),
                buffer: io_uring::cqueue::buffer_select(entry.flags()).map(Lent),
                more: io_uring::cqueue::more(entry.flags()),
            });
        }
        Ok(())
    }

    /// Copies the first bytes of a buffer that a completion of this ring named, and offers it
    /// again. Returns the number of bytes.
    pub(crate) fn take_buffer(&mut self, lent: Lent, len: usize, into: &mut [u8]) -> usize {
        let copied = self.buffers.copy(&lent, len, into);
        self.buffers.offer(lent.0);
        copied
    }
}

impl Drop for RawRing {
    fn drop(&mut self) {
        let patience = Timespec::new().sec(CANCEL_SECONDS);
        let cancelled = self
            .ring
            .submitter()
            .register_sync_cancel(Some(patience), CancelBuilder::any());
        let ended = match cancelled {
            Ok(()) => true,
            Err(error) => error.raw_os_error() == Some(libc::ENOENT),
        };
        // SAFETY: both are dropped here once and not used again. The ring goes first. Buffers go
        // only when the kernel has said that no request is left that could write to them.
        unsafe {
            ManuallyDrop::drop(&mut self.ring);
            if ended {
                ManuallyDrop::drop(&mut self.buffers);
            }
        }
    }
}

/// Memory that the kernel knows: the ring of offered buffers, and the buffers.
struct Buffers {
    memory: NonNull<u8>,
    mapped: usize,
    count: u16,
    size: usize,
    /// Start of the first buffer.
    first: usize,
    tail: u16,
}

impl Buffers {
    fn new(count: u16, size: usize) -> io::Result<Self> {
        if !count.is_power_of_two() || count > 1 << 15 || size == 0 || size > 1 << 20 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let first = (usize::from(count) * size_of::<BufRingEntry>()).next_multiple_of(PAGE);
        let mapped = first + usize::from(count) * size;
        // SAFETY: a fresh anonymous mapping; nothing else refers to it.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            memory,
            mapped,
            count,
            size,
            first,
            tail: 0,
        })
    }

    fn address(&self) -> u64 {
        self.memory.as_ptr() as u64
    }

    /// Start of a buffer. The id is reduced to the ones there are.
    fn buffer(&self, id: u16) -> *mut u8 {
        let at = self.first + usize::from(id & (self.count - 1)) * self.size;
        // SAFETY: `first + count * size` bytes are mapped, and the masked id is below `count`.
        unsafe { self.memory.as_ptr().add(at) }
    }

    /// Offers a buffer to the kernel.
    fn offer(&mut self, id: u16) {
        let id = id & (self.count - 1);
        let address = self.buffer(id) as u64;
        let slot = usize::from(self.tail & (self.count - 1));
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the slot is one of `count` entries at the start of the mapping, aligned as the
        // mapping is. The kernel reads an entry only once the tail is past it, and never writes
        // entries. The tail lies in a part of the first entry that the setters leave alone.
        unsafe {
            let ring = self.memory.as_ptr().cast::<BufRingEntry>();
            let entry = &mut *ring.add(slot);
            entry.set_addr(address);
            entry.set_len(self.size as u32);
            entry.set_bid(id);
            let tail = BufRingEntry::tail(ring).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }

    /// Copies the first `len` bytes of a buffer, as far as it and `into` reach.
    fn copy(&self, lent: &Lent, len: usize, into: &mut [u8]) -> usize {
        let len = len.min(self.size).min(into.len());
        // SAFETY: `len` bytes are mapped there and initialised (anonymous memory is zero). The
        // kernel lends a buffer and does not write to it until it is offered again. `into` is
        // other memory: no reference to the mapping gets out.
        unsafe { std::ptr::copy_nonoverlapping(self.buffer(lent.0), into.as_mut_ptr(), len) };
        len
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, unmapped once; no reference to it exists.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.mapped) };
    }
}
