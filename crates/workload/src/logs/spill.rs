//! Calls sorted by their instants, with little memory: chunks are sorted and written to files without a name,
//! then merged.
//!
//! It knows no format and writes no row. Invariant: calls come out in order of their instants, those of one
//! instant in the order in which they went in, each as it was.

use super::left_out::Place;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of packed calls that are sorted in memory.
const CHUNK: usize = 64 << 20;
/// Bytes read at once of each chunk while merging.
const BUFFER: usize = 256 << 10;
/// No number.
const NONE: u32 = u32::MAX;

/// A call without names: what is kept of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packed {
    pub at_ns: i64,
    pub duration_ns: Option<i64>,
    pub session: Option<u32>,
    pub input_tokens: Option<u32>,
    pub output_tokens: Option<u32>,
    pub cached_tokens: Option<u32>,
    pub class: Option<u32>,
    pub place: Place,
    pub blocks: Vec<u64>,
    /// What it says, as JSON of a row's member; empty where texts are not kept.
    pub said: Vec<u8>,
}

impl Packed {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.duration_ns.unwrap_or(-1).to_le_bytes());
        for number in [
            self.session,
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            self.class,
            Some(self.place.file),
            Some(self.blocks.len() as u32),
            Some(self.said.len() as u32),
        ] {
            out.extend_from_slice(&number.unwrap_or(NONE).to_le_bytes());
        }
        out.extend_from_slice(&self.place.line.to_le_bytes());
        for block in &self.blocks {
            out.extend_from_slice(&block.to_le_bytes());
        }
        out.extend_from_slice(&self.said);
    }

    fn read(at_ns: i64, input: &mut impl Read) -> io::Result<Self> {
        let duration = i64::from_le_bytes(bytes(input)?);
        let mut number = || {
            let number = u32::from_le_bytes(bytes(input)?);
            Ok::<_, io::Error>((number != NONE).then_some(number))
        };
        let (session, input_tokens, output_tokens) = (number()?, number()?, number()?);
        let (cached_tokens, class, file) = (number()?, number()?, number()?.unwrap_or(NONE));
        let (blocks, said) = (number()?.unwrap_or(0), number()?.unwrap_or(0));
        let line = u64::from_le_bytes(bytes(input)?);
        let mut packed = Self {
            at_ns,
            duration_ns: (duration >= 0).then_some(duration),
            session,
            input_tokens,
            output_tokens,
            cached_tokens,
            class,
            place: Place { file, line },
            blocks: Vec::with_capacity(blocks as usize),
            said: vec![0; said as usize],
        };
        for _ in 0..blocks {
            packed.blocks.push(u64::from_le_bytes(bytes(input)?));
        }
        input.read_exact(&mut packed.said)?;
        Ok(packed)
    }
}

fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Where a call stands in `packed`.
#[derive(Debug, Clone, Copy)]
struct Kept {
    at_ns: i64,
    start: usize,
    end: usize,
}

/// Takes calls in any order.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    /// Bytes of a chunk; a parameter for tests.
    chunk: usize,
    packed: Vec<u8>,
    index: Vec<Kept>,
    chunks: Vec<File>,
}

impl Spill {
    /// Chunks go into files of `folder` that have no name.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            chunk: CHUNK,
            packed: Vec::new(),
            index: Vec::new(),
            chunks: Vec::new(),
        }
    }

    pub fn add(&mut self, call: &Packed) -> io::Result<()> {
        let start = self.packed.len();
        call.write(&mut self.packed);
        self.index.push(Kept {
            at_ns: call.at_ns,
            start,
            end: self.packed.len(),
        });
        if self.packed.len() >= self.chunk {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        // A stable sort: calls of one instant stay in order.
        self.index.sort_by_key(|kept| kept.at_ns);
        let number = self.chunks.len();
        let path = self.folder.join(format!(
            ".infermeter-import-{}-{number}",
            std::process::id()
        ));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        // Nothing is left behind, however the process ends.
        std::fs::remove_file(&path)?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        for kept in &self.index {
            out.write_all(&kept.at_ns.to_le_bytes())?;
            out.write_all(&self.packed[kept.start..kept.end])?;
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.chunks.push(file);
        self.index.clear();
        self.packed.clear();
        Ok(())
    }

    /// Hands all calls to `take`, in order of their instants.
    pub fn merge<E: From<io::Error>>(
        mut self,
        mut take: impl FnMut(Packed) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.chunks.is_empty() {
            self.index.sort_by_key(|kept| kept.at_ns);
            for kept in &self.index {
                let mut call = &self.packed[kept.start..kept.end];
                take(Packed::read(kept.at_ns, &mut call)?)?;
            }
            return Ok(());
        }
        self.spill()?;
        (self.packed, self.index) = (Vec::new(), Vec::new());
        let open = |file| BufReader::with_capacity(BUFFER, file);
        let mut chunks: Vec<_> = self.chunks.into_iter().map(open).collect();
        let mut next = BinaryHeap::new();
        let mut held: Vec<Option<Packed>> = Vec::new();
        for (number, chunk) in chunks.iter_mut().enumerate() {
            let call = following(chunk)?;
            next.extend(call.as_ref().map(|call| Reverse((call.at_ns, number))));
            held.push(call);
        }
        while let Some(Reverse((_, number))) = next.pop() {
            let following = following(&mut chunks[number])?;
            next.extend(following.as_ref().map(|call| Reverse((call.at_ns, number))));
            if let Some(call) = std::mem::replace(&mut held[number], following) {
                take(call)?;
            }
        }
        Ok(())
    }
}

/// The next call of a chunk; `None` at its end.
fn following(chunk: &mut impl Read) -> io::Result<Option<Packed>> {
    let mut at = [0; 8];
    match chunk.read_exact(&mut at) {
        Ok(()) => Packed::read(i64::from_le_bytes(at), chunk).map(Some),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn sorted(chunk: usize, calls: &[Packed]) -> Vec<Packed> {
        let mut spill = Spill::new(&std::env::temp_dir());
        spill.chunk = chunk;
        for call in calls {
            spill.add(call).expect("added");
        }
        let mut out = Vec::new();
        let merged = spill.merge(|call| {
            out.push(call);
            Ok::<_, io::Error>(())
        });
        merged.expect("merged");
        out
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(instants in vec(0_i64..20, 0..200)) {
            let call = |(number, at): (usize, &i64)| Packed {
                at_ns: *at,
                duration_ns: (number % 3 > 0).then_some(number as i64),
                session: (number % 2 > 0).then_some(number as u32),
                place: Place { file: 1, line: number as u64 },
                blocks: vec![7; number % 4],
                said: vec![b'x'; number % 5],
                ..Packed::default()
            };
            let calls: Vec<Packed> = instants.iter().enumerate().map(call).collect();
            let mut expect = calls.clone();
            expect.sort_by_key(|call| call.at_ns);
            prop_assert_eq!(&sorted(usize::MAX, &calls), &expect);
            // Every chunk holds a few calls.
            let chunks: Vec<Packed> = sorted(300, &calls);
            prop_assert_eq!(&chunks, &expect);
        }
    }
}
