//! The only unsafe code of the workspace: three system calls that no safe wrapper offers.
//! Each function is safe to call with any arguments its types allow.
#![expect(
    unsafe_code,
    reason = "recvmsg with SCM_TIMESTAMPING, SO_TIMESTAMPING, sigaction"
)]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Turns kernel receive stamps (software, `CLOCK_REALTIME`) on for a socket.
pub(crate) fn enable_rx_stamps(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags: libc::c_uint = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    // SAFETY: the option value points to a live c_uint of the given size.
    let rc = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPING,
            (&raw const flags).cast(),
            size_of::<libc::c_uint>() as libc::socklen_t,
        )
    };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Space for the control messages of one receive; the kernel wants it aligned like `cmsghdr`.
#[repr(C, align(8))]
struct Control([u8; 256]);

/// Receives into `buffer`; returns the length and the kernel's receive stamp in nanoseconds of
/// `CLOCK_REALTIME`, where there is one.
pub(crate) fn recv_stamped(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<i64>)> {
    let mut control = MaybeUninit::<Control>::uninit();
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: an all-zero msghdr is valid: null pointers with zero lengths.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    // SAFETY: header points to one iovec over `buffer`, and to control space, all alive here.
    let n = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((n as usize, stamp_of(&header)))
}

/// The software stamp among the control messages that the kernel has written.
fn stamp_of(header: &libc::msghdr) -> Option<i64> {
    // SAFETY: the kernel has filled header.msg_control up to msg_controllen with well-formed
    // control messages; the CMSG macros walk within that range, and SCM_TIMESTAMPING carries three
    // timespecs (read unaligned).
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::SOL_SOCKET
                && (*message).cmsg_type == libc::SCM_TIMESTAMPING
            {
                let stamp: libc::timespec = libc::CMSG_DATA(message)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                let ns = stamp.tv_sec * 1_000_000_000 + stamp.tv_nsec;
                return (ns != 0).then_some(ns);
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

/// Installs `handler` for `signal` (with `SA_RESTART`). The handler must be async-signal-safe:
/// ours only add to an atomic counter.
pub(crate) fn install_handler(signal: i32, handler: extern "C" fn(i32)) -> io::Result<()> {
    // SAFETY: an all-zero sigaction is valid; the handler is a plain function that lives for ever.
    let rc = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut())
    };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
