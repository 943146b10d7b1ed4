//! System calls that no safe wrapper offers: `recvmsg` with control messages, `SO_TIMESTAMPING`,
//! `IP_BIND_ADDRESS_NO_PORT`, `sigaction`, `sched_setscheduler`, `dup2`, `adjtimex`. Does not parse what they
//! return.
//!
//! Invariant: each function is safe to call with any arguments its types allow.
#![expect(
    unsafe_code,
    reason = "recvmsg, options of sockets, sigaction, SCHED_IDLE, dup2, adjtimex"
)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets `SO_TIMESTAMPING` of a socket to these flags.
pub(crate) fn set_stamping(fd: BorrowedFd<'_>, flags: libc::c_uint) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, flags)
}

/// Has `bind` to port 0 choose no port: that is left to `connect`. It holds for IPv6 as well.
pub(crate) fn set_bind_without_port(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

fn set_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_uint,
) -> io::Result<()> {
    // SAFETY: the option value points to a live c_uint of the given size.
    let rc = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_uint>() as libc::socklen_t,
        )
    };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Puts the calling thread under `SCHED_IDLE`.
pub(crate) fn run_when_idle() -> io::Result<()> {
    // SAFETY: an all-zero sched_param is valid: priority 0, the only one that the policy has.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    // The system call itself: musl's function of this name only says that it is not implemented.
    // SAFETY: param is alive here, and begins with the number that the kernel reads; 0 is the calling thread.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_IDLE,
            &raw const param,
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
pub(crate) struct Control(pub(crate) [u8; 256]);

/// Receives into `buffer` without blocking; returns the length and the control messages.
pub(crate) fn receive<'a>(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    control: &'a mut Control,
    flags: libc::c_int,
) -> io::Result<(usize, &'a [u8])> {
    let mut iov = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: an all-zero msghdr is valid: null pointers with zero lengths.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut iov;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    let flags = flags | libc::MSG_DONTWAIT;
    // SAFETY: header points to one iovec over `buffer`, and to control space, all alive here.
    let n = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    let filled = (header.msg_controllen as usize).min(control.0.len());
    Ok((n as usize, &control.0[..filled]))
}

/// Makes descriptor 0 another name of `fd`.
pub(crate) fn replace_stdin(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: fd is open here; descriptor 0 is used through the standard library's handle alone,
    // which holds no state of the file that it replaces but what was read of it.
    let rc = unsafe { libc::dup2(fd.as_raw_fd(), libc::STDIN_FILENO) };
    if rc >= 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whoever started this process has it ignore `signal`.
pub(crate) fn is_ignored(signal: i32) -> io::Result<bool> {
    // SAFETY: an all-zero sigaction is valid; the kernel fills it in, it is alive here.
    let (rc, action) = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let rc = libc::sigaction(signal, std::ptr::null(), &raw mut action);
        (rc, action)
    };
    if rc == 0 {
        Ok(action.sa_sigaction == libc::SIG_IGN)
    } else {
        Err(io::Error::last_os_error())
    }
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

/// What the kernel knows of how its clock is kept; changes nothing.
pub(crate) fn clock_discipline() -> io::Result<libc::timex> {
    // SAFETY: an all-zero timex is valid, and its `modes` of 0 ask for nothing to be set; it is alive here.
    let (rc, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        let rc = libc::adjtimex(&raw mut timex);
        (rc, timex)
    };
    if rc >= 0 {
        Ok(timex)
    } else {
        Err(io::Error::last_os_error())
    }
}
