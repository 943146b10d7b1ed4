//! The chunks of some rows, a column at a time, and put together record by record where somebody wants records.
//!
//! Does not decide which columns are read. Invariant: all lanes that were read have the same ends.

use super::cells::Cells;
use crate::schema::Lane;
use ::parquet::data_type::{ByteArrayType, Int64Type};
use ::parquet::file::statistics::Statistics;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Chunk, ChunkKind, RequestRecord};
use std::ops::Range;

/// What is wrong with a lane: the row and the problem.
pub(super) type Wrong = (usize, &'static str);

pub(super) const NOT_ALLOWED: &str = "a value that the format does not have";
pub(super) const IS_NULL: &str = "null, where a value is required";
const UNEQUAL: &str = "its length differs from that of the other chunk columns";

/// The chunks of some rows.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Where each row's chunks end.
    ends: Vec<usize>,
    scratch: Vec<usize>,
    at: Vec<i64>,
    /// Empty where not read: the instant stands in.
    seen: Vec<i64>,
    lower: Vec<i64>,
    tokens: Filled<u32>,
    read: Filled<u32>,
    kind: Filled<ChunkKind>,
}

/// One value per chunk, or the same for all of a row group.
struct Filled<T> {
    all: Option<T>,
    each: Vec<T>,
}

/// The values of some chunks.
pub(super) enum Values<'a, T> {
    /// So often the same.
    Alike(T, usize),
    /// Each its own.
    Each(&'a [T]),
}

impl<T> Default for Filled<T> {
    fn default() -> Self {
        Self {
            all: None,
            each: Vec::new(),
        }
    }
}

impl<T: Copy> Filled<T> {
    fn get(&self, place: usize) -> T {
        self.all.unwrap_or_else(|| self.each[place])
    }

    /// Those of some places.
    fn values(&self, places: Range<usize>) -> Values<'_, T> {
        match self.all {
            Some(value) => Values::Alike(value, places.len()),
            None => Values::Each(&self.each[places]),
        }
    }

    /// Room for one value per chunk.
    fn each(&mut self) -> &mut Vec<T> {
        self.all = None;
        self.each.clear();
        &mut self.each
    }
}

impl Lanes {
    /// Takes the one value of a whole row group from its statistics; false where they do not say.
    pub(super) fn take_constant(&mut self, lane: Lane, constant: &Statistics) -> bool {
        match (lane, constant) {
            (Lane::Tokens, Statistics::Int64(s)) => {
                let tokens = s.min_opt().and_then(|v| known_tokens(*v));
                tokens.is_some_and(|n| {
                    self.tokens.all = Some(n);
                    true
                })
            }
            (Lane::Kind, Statistics::ByteArray(s)) => {
                let kind = s.min_opt().and_then(|v| kind_of(v.data()));
                kind.is_some_and(|kind| {
                    self.kind.all = Some(kind);
                    true
                })
            }
            _ => false,
        }
    }

    /// Forgets what a row group before had in a lane that is not read.
    pub(super) fn clear(&mut self) {
        self.seen.clear();
        self.lower.clear();
        self.tokens.all = Some(Chunk::TOKENS_UNKNOWN);
        self.read.all = Some(0);
        self.kind.all = Some(ChunkKind::Text);
    }

    /// Takes a column of numbers. The instants come first.
    pub(super) fn take_numbers(
        &mut self,
        lane: Lane,
        cells: &mut Cells<Int64Type>,
    ) -> Result<(), Wrong> {
        match lane {
            Lane::At => {
                let ends = cells.ends(&mut self.ends);
                ends.map_err(|row| (row, IS_NULL))?;
            }
            _ => self.check_ends(|ends| cells.ends(ends))?,
        }
        if lane != Lane::Tokens
            && let Some(place) = cells.first_null()
        {
            return Err((self.row_of(place), IS_NULL));
        }
        match lane {
            Lane::At => std::mem::swap(&mut self.at, &mut cells.values),
            Lane::Seen => std::mem::swap(&mut self.seen, &mut cells.values),
            Lane::Lower => std::mem::swap(&mut self.lower, &mut cells.values),
            Lane::Tokens => return self.take_tokens(cells),
            Lane::Read => {
                let reads = self.read.each();
                for value in &cells.values {
                    match u32::try_from(*value) {
                        Ok(read) => reads.push(read),
                        Err(_) => {
                            let place = reads.len();
                            return Err((self.row_of(place), NOT_ALLOWED));
                        }
                    }
                }
            }
            Lane::Kind => return Err((0, NOT_ALLOWED)),
        }
        Ok(())
    }

    fn take_tokens(&mut self, cells: &Cells<Int64Type>) -> Result<(), Wrong> {
        let tokens = self.tokens.each();
        let taken = cells.for_each(|place, value| {
            let known = match value {
                None => Some(Chunk::TOKENS_UNKNOWN),
                Some(value) => known_tokens(*value),
            };
            tokens.push(known.ok_or(place)?);
            Ok(())
        });
        taken.map_err(|place: usize| (self.row_of(place), NOT_ALLOWED))
    }

    /// Takes the column of kinds.
    pub(super) fn take_kinds(&mut self, cells: &Cells<ByteArrayType>) -> Result<(), Wrong> {
        self.check_ends(|ends| cells.ends(ends))?;
        let kinds = self.kind.each();
        let taken = cells.for_each(|place, value| {
            let value = value.ok_or((place, IS_NULL))?;
            kinds.push(kind_of(value.data()).ok_or((place, NOT_ALLOWED))?);
            Ok(())
        });
        taken.map_err(|(place, problem): Wrong| (self.row_of(place), problem))
    }

    /// The lists of a further column must end as those of the instants.
    fn check_ends(
        &mut self,
        ends: impl FnOnce(&mut Vec<usize>) -> Result<(), usize>,
    ) -> Result<(), Wrong> {
        ends(&mut self.scratch).map_err(|row| (row, IS_NULL))?;
        let mut pairs = self.ends.iter().zip(&self.scratch);
        let unequal = pairs.position(|(a, b)| a != b);
        unequal.map_or(Ok(()), |row| Err((row, UNEQUAL)))
    }

    fn row_of(&self, place: usize) -> usize {
        self.ends.partition_point(|end| *end <= place)
    }

    /// Empties them to go on behind `other`: what that one knows of the whole row group is not read again.
    pub(super) fn continue_as(&mut self, other: &Self) {
        self.clear();
        self.tokens.all = other.tokens.all;
        self.read.all = other.read.all;
        self.kind.all = other.kind.all;
    }

    /// Where the chunks of a row are.
    pub(super) fn places(&self, row: usize) -> Range<usize> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        start..self.ends[row]
    }

    /// Instants.
    pub(super) fn at(&self, places: Range<usize>) -> &[i64] {
        &self.at[places]
    }

    /// When the program had them.
    pub(super) fn seen(&self, places: Range<usize>) -> &[i64] {
        match self.seen.is_empty() {
            true => self.at(places),
            false => &self.seen[places],
        }
    }

    /// Lower bounds of the instants.
    pub(super) fn lower(&self, places: Range<usize>) -> &[i64] {
        match self.lower.is_empty() {
            true => self.at(places),
            false => &self.lower[places],
        }
    }

    /// Tokens.
    pub(super) fn tokens(&self, places: Range<usize>) -> Values<'_, u32> {
        self.tokens.values(places)
    }

    /// The reads that completed them.
    pub(super) fn reads(&self, places: Range<usize>) -> Values<'_, u32> {
        self.read.values(places)
    }

    /// What they carry.
    pub(super) fn kinds(&self, places: Range<usize>) -> Values<'_, ChunkKind> {
        self.kind.values(places)
    }

    /// Gives a record the chunks of its row.
    pub(super) fn fill(&self, row: usize, record: &mut RequestRecord) {
        record.chunks.clear();
        let places = self.places(row);
        let at = self.at(places.clone());
        let (seen, lower) = (self.seen(places.clone()), self.lower(places.clone()));
        let instants = at.iter().zip(seen).zip(lower).zip(places);
        record
            .chunks
            .extend(instants.map(|(((at, seen), lower), place)| Chunk {
                at: Offset(*at),
                seen: Offset(*seen),
                lower: Offset(*lower),
                tokens: self.tokens.get(place),
                read: self.read.get(place),
                kind: self.kind.get(place),
            }));
    }
}

fn known_tokens(value: i64) -> Option<u32> {
    let tokens = u32::try_from(value).ok()?;
    (tokens != Chunk::TOKENS_UNKNOWN).then_some(tokens)
}

fn kind_of(name: &[u8]) -> Option<ChunkKind> {
    let mut all = (0..).map_while(ChunkKind::from_u8);
    all.find(|kind| kind.as_str().as_bytes() == name)
}
