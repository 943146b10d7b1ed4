//! What holds for every sequence of bytes from users: the properties that the fuzz target and tests check.
//!
//! Invariant: a property that is broken panics, whatever the bytes.

use crate::screen::{Most, Refusal, Screen};
use crate::seen::Stamp;
use infermeter_core::clock::Offset;
use infermeter_core::record::StampSource;

const STAMP: Stamp = Stamp {
    at: Offset(1),
    seen: Offset(1),
    lower: Offset(1),
    source: StampSource::Program,
};

/// Small, so that short inputs reach them.
const MOST: Most = Most {
    head_bytes: 512,
    headers: 8,
    body_bytes: 1000,
};

/// Requests, however they are cut into reads, come out the same or are refused alike; what comes out stands in the input.
pub fn screen(input: &[u8]) {
    let whole = read(std::iter::once(input));
    let single = read(input.chunks(1));
    let sevens = read(input.chunks(7));
    for cut in [&single, &sevens] {
        assert_eq!(whole.is_ok(), cut.is_ok(), "{whole:?} {cut:?}");
    }
    let Ok(whole) = whole else {
        return;
    };
    assert_eq!(Ok(&whole), single.as_ref());
    assert_eq!(Ok(&whole), sevens.as_ref());
    // Empty lines between requests are left out: nothing else is, and nothing is moved.
    let mut rest = input.iter();
    for byte in &whole {
        assert!(rest.any(|of_input| of_input == byte), "a byte of its own");
    }
}

fn read<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, Refusal> {
    let (mut screen, mut out) = (Screen::new(MOST), Vec::new());
    for bytes in reads {
        screen.take(bytes, STAMP, &mut out)?;
        while screen.next_arrival().is_some() {}
    }
    Ok(out)
}
