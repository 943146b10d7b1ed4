//! Control messages as bytes: what the kernel puts beside a receive.
//!
//! Knows the messages that carry stamps and skips the rest. Invariant: any bytes are accepted;
//! what is cut off or malformed is as good as absent.

/// Bytes of a `cmsghdr` before its data: length (of header and data), level, type.
const HEADER: usize = size_of::<usize>() + 8;
/// Messages start at multiples of this.
const ALIGN: usize = size_of::<usize>();
/// `SO_EE_ORIGIN_TIMESTAMPING` of linux/errqueue.h.
const ORIGIN_TIMESTAMPING: u8 = 4;
/// `SCM_TSTAMP_SND`: the stamp of handing the bytes to the device.
const TSTAMP_SND: u32 = 0;

/// One control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Message<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
}

/// The messages in `bytes`, up to the first that is malformed.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = usize::from_ne_bytes(*bytes.first_chunk()?);
        let level = i32_at(bytes, size_of::<usize>())?;
        let kind = i32_at(bytes, size_of::<usize>() + 4)?;
        let data = bytes.get(HEADER..len)?;
        bytes = len
            .checked_next_multiple_of(ALIGN)
            .and_then(|next| bytes.get(next..))
            .unwrap_or(&[]);
        Some(Message { level, kind, data })
    })
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(i32::from_ne_bytes(*field))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*field))
}

fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(i64::from_ne_bytes(*field))
}

/// The software stamp, nanoseconds of `CLOCK_REALTIME`; 0 stands for none.
pub(crate) fn stamp(control: &[u8]) -> Option<i64> {
    let data = messages(control)
        .find(|m| m.level == libc::SOL_SOCKET && m.kind == libc::SCM_TIMESTAMPING)?
        .data;
    let (seconds, nanoseconds) = (i64_at(data, 0)?, i64_at(data, 8)?);
    let ns = seconds
        .checked_mul(1_000_000_000)?
        .checked_add(nanoseconds)?;
    (ns != 0).then_some(ns)
}

/// Of a message from the error queue about a stamped send: the number of the send's last byte.
pub(crate) fn sent_byte(control: &[u8]) -> Option<u32> {
    let is_error = |m: &Message<'_>| {
        (m.level == libc::SOL_IP && m.kind == libc::IP_RECVERR)
            || (m.level == libc::SOL_IPV6 && m.kind == libc::IPV6_RECVERR)
    };
    // struct sock_extended_err: errno u32; origin, type, code, pad u8; info u32; data u32.
    let error = messages(control).find(is_error)?.data;
    let (origin, info) = (*error.get(4)?, u32_at(error, 8)?);
    (origin == ORIGIN_TIMESTAMPING && info == TSTAMP_SND)
        .then(|| u32_at(error, 12))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        bytes
    }

    fn timespec(seconds: i64, ns: i64) -> Vec<u8> {
        [seconds.to_ne_bytes(), ns.to_ne_bytes(), [0; 8], [0; 8]].concat()
    }

    #[test]
    fn a_stamp_is_found_behind_other_messages() {
        let other = message(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[1, 2, 3]);
        let ours = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPING, &timespec(3, 7));
        assert_eq!(
            stamp(&[other.clone(), ours.clone()].concat()),
            Some(3_000_000_007)
        );
        assert_eq!(stamp(&other), None);
        let zero = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPING, &timespec(0, 0));
        assert_eq!(stamp(&zero), None);
        for cut in 0..HEADER + 16 {
            assert_eq!(stamp(&ours[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn malformed_lengths_end_the_walk() {
        for len in [0, 1, HEADER - 1, 1 << 40, usize::MAX] {
            let mut bytes = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPING, &timespec(1, 1));
            bytes[..8].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(stamp(&bytes), None, "{len}");
        }
    }

    #[test]
    fn a_send_is_told_by_its_last_byte() {
        let error = |origin: u8, info: u32| {
            let mut data = 42_u32.to_ne_bytes().to_vec();
            data.extend([origin, 0, 0, 0]);
            data.extend(info.to_ne_bytes());
            data.extend(99_u32.to_ne_bytes());
            message(libc::SOL_IP, libc::IP_RECVERR, &data)
        };
        assert_eq!(sent_byte(&error(ORIGIN_TIMESTAMPING, TSTAMP_SND)), Some(99));
        assert_eq!(sent_byte(&error(ORIGIN_TIMESTAMPING, 2)), None);
        assert_eq!(sent_byte(&error(2, TSTAMP_SND)), None);
    }
}
