//! The messages by which ranks ask each other for the time.
//!
//! 64 bytes, the question as long as its answer, so that nobody gets more out of rank 0 than he sends. Numbers are big
//! endian: `IFMR`, version 1, kind (1 asks, 2 answers), two bytes of nothing; the launch's 128 random bits; rank and number
//! of the question, 32 bits each; when the question came and when the answer left, 64 bits each, nanoseconds since the
//! Unix epoch by the clock of rank 0; sixteen bytes of nothing. It reads no clock and opens no socket.

/// Length of a message, bytes.
pub(super) const BYTES: usize = 64;
const MAGIC: &[u8; 4] = b"IFMR";
const VERSION: u8 = 1;
const ASKS: u8 = 1;
const ANSWERS: u8 = 2;

/// Random bits of a launch: what does not carry them is not heard.
pub(crate) type Token = [u8; 16];

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    pub token: Token,
    /// Who asks.
    pub rank: u32,
    /// Which of its questions.
    pub number: u32,
    pub says: Says,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// What is the time?
    Question,
    /// It was this when the question came, and that when the answer left.
    Answer { received_ns: i64, sent_ns: i64 },
}

impl Message {
    /// As it is sent.
    pub(crate) fn bytes(&self) -> [u8; BYTES] {
        let (kind, received_ns, sent_ns) = match self.says {
            Says::Question => (ASKS, 0, 0),
            Says::Answer {
                received_ns,
                sent_ns,
            } => (ANSWERS, received_ns, sent_ns),
        };
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = VERSION;
        bytes[5] = kind;
        bytes[8..24].copy_from_slice(&self.token);
        bytes[24..28].copy_from_slice(&self.rank.to_be_bytes());
        bytes[28..32].copy_from_slice(&self.number.to_be_bytes());
        bytes[32..40].copy_from_slice(&received_ns.to_be_bytes());
        bytes[40..48].copy_from_slice(&sent_ns.to_be_bytes());
        bytes
    }

    /// Reads one; `None` for anything else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        if bytes[..4] != *MAGIC || bytes[4] != VERSION {
            return None;
        }
        let says = match bytes[5] {
            ASKS => Says::Question,
            ANSWERS => Says::Answer {
                received_ns: i64::from_be_bytes(part(bytes, 32)?),
                sent_ns: i64::from_be_bytes(part(bytes, 40)?),
            },
            _ => return None,
        };
        Some(Self {
            token: part(bytes, 8)?,
            rank: u32::from_be_bytes(part(bytes, 24)?),
            number: u32::from_be_bytes(part(bytes, 28)?),
            says,
        })
    }
}

fn part<const N: usize>(bytes: &[u8; BYTES], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_sent(
            token in any::<Token>(),
            rank in any::<u32>(),
            number in any::<u32>(),
            answer in any::<Option<(i64, i64)>>(),
        ) {
            let says = answer.map_or(Says::Question, |(received_ns, sent_ns)| Says::Answer {
                received_ns,
                sent_ns,
            });
            let message = Message { token, rank, number, says };
            prop_assert_eq!(Message::read(&message.bytes()), Some(message));
        }
    }

    #[test]
    fn other_datagrams_are_not_heard() {
        let message = Message {
            token: [7; 16],
            rank: 3,
            number: 5,
            says: Says::Question,
        };
        let bytes = message.bytes();
        assert_eq!(Message::read(&bytes[..63]), None);
        assert_eq!(Message::read(&[&bytes[..], &[0]].concat()), None);
        for at in [0, 3, 4, 5] {
            let mut other = bytes;
            other[at] = 99;
            assert_eq!(Message::read(&other), None, "{at}");
        }
    }
}
