//! Numbers of variable length: LEB128 for unsigned, zigzag for signed, and run-length columns.
//!
//! Reads never panic and never allocate more than their input can pay for: malformed input is
//! [`Malformed`].

/// The bytes are not what the format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Appends `value`, seven bits a byte, least significant first.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed value: small magnitudes of either sign are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a column as (value, run length) pairs. The number of values is not written.
pub(crate) fn put_runs(out: &mut Vec<u8>, values: impl Iterator<Item = u64>) {
    let mut run: Option<(u64, u64)> = None;
    for value in values {
        match &mut run {
            Some((current, length)) if *current == value => *length += 1,
            _ => {
                put_run(out, run.replace((value, 1)));
            }
        }
    }
    put_run(out, run);
}

fn put_run(out: &mut Vec<u8>, run: Option<(u64, u64)>) {
    if let Some((value, length)) = run {
        put(out, value);
        put(out, length);
    }
}

/// Reads from a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        let z = self.unsigned()?;
        Ok((z >> 1) as i64 ^ -((z & 1) as i64))
    }

    /// An unsigned number that must fit the narrower type asked for.
    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.unsigned()?).map_err(|_| Malformed)
    }

    /// A count of things that each take at least `least_bytes` of what is left.
    pub(crate) fn count(&mut self, least_bytes: usize) -> Result<usize, Malformed> {
        let n: usize = self.narrow()?;
        match n.checked_mul(least_bytes) {
            Some(needed) if needed <= self.remaining() => Ok(n),
            _ => Err(Malformed),
        }
    }

    /// A length and that many bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.count(1)?;
        let (taken, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(taken)
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| Malformed)
    }

    /// A run-length column of `count` values, given to `each` with its index.
    pub(crate) fn runs(
        &mut self,
        count: usize,
        mut each: impl FnMut(usize, u64) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut done = 0;
        while done < count {
            let value = self.unsigned()?;
            let length: usize = self.narrow()?;
            if length == 0 || length > count - done {
                return Err(Malformed);
            }
            for i in done..done + length {
                each(i, value)?;
            }
            done += length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn numbers_round_trip(unsigned in any::<u64>(), signed in any::<i64>()) {
            let mut out = Vec::new();
            put(&mut out, unsigned);
            put_signed(&mut out, signed);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.unsigned(), Ok(unsigned));
            prop_assert_eq!(cursor.signed(), Ok(signed));
            prop_assert_eq!(cursor.remaining(), 0);
        }

        #[test]
        fn runs_round_trip(values in proptest::collection::vec(0u64..3, 0..50)) {
            let mut out = Vec::new();
            put_runs(&mut out, values.iter().copied());
            let mut back = Vec::new();
            let read = Cursor::new(&out).runs(values.len(), |_, v| {
                back.push(v);
                Ok(())
            });
            prop_assert_eq!(read, Ok(()));
            prop_assert_eq!(back, values);
        }
    }

    #[test]
    fn extremes_and_nonsense() {
        for value in [i64::MIN, -1, 0, 1, i64::MAX] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Cursor::new(&out).signed(), Ok(value));
        }
        assert_eq!(Cursor::new(&[0xff; 10]).unsigned(), Err(Malformed));
        assert_eq!(Cursor::new(&[0x80]).unsigned(), Err(Malformed));
        let length_past_the_end = [5, 1, 2];
        assert_eq!(Cursor::new(&length_past_the_end).bytes(), Err(Malformed));
        let endless_run = [1, 0];
        assert_eq!(
            Cursor::new(&endless_run).runs(3, |_, _| Ok(())),
            Err(Malformed)
        );
    }
}
