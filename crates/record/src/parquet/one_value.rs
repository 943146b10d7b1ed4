//! A column of lists whose elements are all the same, encoded as a whole: a dictionary of one value, and a run of
//! references to it for as many elements as there are.
//!
//! To put it together element by element, as any other column, would take longer than the instants beside it: one value
//! is what most columns of kinds and tokens hold. Invariant: whoever reads it finds what the library would have
//! written.

use super::levels::ListLevels;
use super::pages::{Pages, Shared, WholeColumn};
use crate::varint;
use ::parquet::basic::{Compression, Encoding};
use ::parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use ::parquet::column::writer::ColumnCloseResult;
use ::parquet::data_type::ByteArray;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use ::parquet::file::statistics::Statistics;
use ::parquet::schema::types::ColumnDescPtr;
use bytes::Bytes;

/// The value of every element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OneValue {
    /// A number.
    Number(i64),
    /// A name.
    Text(&'static str),
}

impl OneValue {
    /// As a dictionary has it.
    fn plain(self) -> Vec<u8> {
        match self {
            Self::Number(number) => number.to_le_bytes().to_vec(),
            Self::Text(text) => {
                let mut bytes = (text.len() as u32).to_le_bytes().to_vec();
                bytes.extend_from_slice(text.as_bytes());
                bytes
            }
        }
    }

    fn statistics(self, nulls: u64) -> Statistics {
        let nulls = Some(nulls);
        match self {
            Self::Number(n) => Statistics::int64(Some(n), Some(n), None, nulls, false),
            Self::Text(text) => {
                let text = ByteArray::from(text);
                Statistics::byte_array(Some(text.clone()), Some(text), None, nulls, false)
            }
        }
    }
}

/// The column of a row group.
pub(super) fn column(
    descriptor: ColumnDescPtr,
    value: &OneValue,
    levels: &ListLevels,
) -> Result<WholeColumn> {
    let shared = Shared::default();
    let mut pages = Pages::to(shared.clone());
    let dictionary = pages.write_page(dictionary_page(*value))?;
    let data = pages.write_page(data_page(levels, descriptor.max_def_level())?)?;
    pages.close()?;
    let sum = |of: fn(&PageWriteSpec) -> usize| (of(&dictionary) + of(&data)) as i64;
    let rows = levels.lengths().len() as u64;
    let metadata = ColumnChunkMetaData::builder(descriptor)
        .set_compression(Compression::UNCOMPRESSED)
        .set_encodings(vec![
            Encoding::PLAIN,
            Encoding::RLE,
            Encoding::RLE_DICTIONARY,
        ])
        .set_total_compressed_size(sum(|page| page.compressed_size))
        .set_total_uncompressed_size(sum(|page| page.uncompressed_size))
        .set_num_values(levels.entries() as i64)
        .set_dictionary_page_offset(Some(dictionary.offset as i64))
        .set_data_page_offset(data.offset as i64)
        .set_statistics(value.statistics(levels.empty()))
        .build()?;
    let place = PageLocation {
        offset: data.offset as i64,
        compressed_page_size: data.compressed_size as i32,
        first_row_index: 0,
    };
    Ok(WholeColumn {
        pages: Bytes::from(shared.take()),
        closed: ColumnCloseResult {
            bytes_written: dictionary.bytes_written + data.bytes_written,
            rows_written: rows,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(OffsetIndexMetaData {
                page_locations: vec![place],
                unencoded_byte_array_data_bytes: None,
            }),
        },
    })
}

fn dictionary_page(value: OneValue) -> CompressedPage {
    let bytes = value.plain();
    let size = bytes.len();
    let page = Page::DictionaryPage {
        buf: Bytes::from(bytes),
        num_values: 1,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    CompressedPage::new(page, size)
}

fn data_page(levels: &ListLevels, defined: i16) -> Result<CompressedPage> {
    let mut bytes = Vec::new();
    with_length(&mut bytes, repetition(levels));
    with_length(&mut bytes, definition(levels, defined));
    // References of one bit, all of them 0.
    bytes.push(1);
    let elements = levels.entries() as u64 - levels.empty();
    let mut references = Runs::of_bits(1);
    references.add(0, elements);
    bytes.extend(references.end());
    let too_many = |_| ParquetError::General("a row group of too many elements".to_owned());
    let num_values = u32::try_from(levels.entries()).map_err(too_many)?;
    let size = bytes.len();
    let page = Page::DataPage {
        buf: Bytes::from(bytes),
        num_values,
        encoding: Encoding::RLE_DICTIONARY,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    Ok(CompressedPage::new(page, size))
}

/// Levels stand behind their length in bytes.
fn with_length(bytes: &mut Vec<u8>, levels: Vec<u8>) {
    bytes.extend_from_slice(&(levels.len() as u32).to_le_bytes());
    bytes.extend(levels);
}

fn repetition(levels: &ListLevels) -> Vec<u8> {
    let mut runs = Runs::of_bits(1);
    for length in levels.lengths() {
        runs.add(0, 1);
        runs.add(1, length.saturating_sub(1) as u64);
    }
    runs.end()
}

fn definition(levels: &ListLevels, defined: i16) -> Vec<u8> {
    let bits = i16::BITS - defined.leading_zeros();
    let mut runs = Runs::of_bits(bits);
    for length in levels.lengths() {
        match length {
            0 => runs.add(0, 1),
            _ => runs.add(defined as u8, *length as u64),
        }
    }
    runs.end()
}

/// Small values in runs, as the format's hybrid encoding has them: how often, and the value in as many bytes as its
/// bits need (here one).
struct Runs {
    bytes: Vec<u8>,
    value: u8,
    count: u64,
}

impl Runs {
    fn of_bits(bits: u32) -> Self {
        debug_assert!((1..=8).contains(&bits), "{bits} bits are not one byte");
        Self {
            bytes: Vec::new(),
            value: 0,
            count: 0,
        }
    }

    fn add(&mut self, value: u8, count: u64) {
        if count > 0 && value != self.value {
            self.flush();
            self.value = value;
        }
        self.count += count;
    }

    fn flush(&mut self) {
        if self.count > 0 {
            // The lowest bit says that it is a run.
            varint::put(&mut self.bytes, self.count << 1);
            self.bytes.push(self.value);
        }
        self.count = 0;
    }

    fn end(mut self) -> Vec<u8> {
        self.flush();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_and_empty_ones_left_out() {
        let mut runs = Runs::of_bits(1);
        runs.add(0, 1);
        runs.add(1, 0);
        runs.add(0, 2);
        runs.add(1, 300);
        // 3 zeros; 300 ones, whose count takes two bytes.
        assert_eq!(runs.end(), [6, 0, 0b1101_1000, 0b100, 1]);
    }

    #[test]
    fn a_name_stands_behind_its_length() {
        assert_eq!(OneValue::Text("ab").plain(), [2, 0, 0, 0, b'a', b'b']);
        assert_eq!(OneValue::Number(-1).plain(), [0xff; 8]);
    }
}
