//! Pages with checksums: what the disk or the way to it changes is found by every reader of Parquet
//! that looks, ours among them. The crate that writes our files makes none, so they are put into
//! the pages' headers here, on the way from the encoder to the file.
//!
//! ```text
//! page header, Thrift's compact protocol:
//!   0x15 type | 0x15 size uncompressed | 0x15 size compressed | 0x.c one of the other headers
//!                                           here: 0x15 CRC-32 ^
//! ```

use bytes::Bytes;
use parquet::column::page_store::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};

/// Field of 32 bits, next in number.
const NEXT_I32: u8 = 0x15;

/// Fields in front of the checksum, all of 32 bits.
const BEFORE: usize = 3;

const VARINT_MAX_BYTES: usize = 5;

/// What a checksum adds to a page: its number is written as long as the longest, so that offsets
/// depend on no value.
const ADDED_BYTES: usize = 1 + VARINT_MAX_BYTES;

/// Makes stores that put checksums into headers.
#[derive(Debug)]
pub(super) struct CheckedPages;

impl PageStoreFactory for CheckedPages {
    fn create(&self, _: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        Ok(Box::new(Store::default()))
    }
}

/// The pages of a column of the open row group: headers and contents by turns.
#[derive(Default)]
struct Store {
    blobs: Vec<Bytes>,
    held: usize,
}

impl PageStore for Store {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        if self.blobs.len() % 2 == 1
            && let Some(header) = self.blobs.last_mut()
        {
            *header = with_checksum(header, &value)?;
            self.held += ADDED_BYTES;
        }
        self.held += value.len();
        self.blobs.push(value);
        Ok(PageKey::new(self.blobs.len() as u64 - 1))
    }

    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        let blob = self.blobs.get_mut(key.get() as usize).map(std::mem::take);
        let blob = blob.ok_or_else(|| unlike("has no such page"))?;
        self.held -= blob.len();
        Ok(blob)
    }

    fn memory_size(&self) -> usize {
        self.held
    }
}

/// A page's header with the checksum of its content.
fn with_checksum(header: &[u8], content: &[u8]) -> Result<Bytes> {
    let mut at = 0;
    for _ in 0..BEFORE {
        let varint = header.get(at + 1..).unwrap_or_default();
        let last = varint.iter().take(VARINT_MAX_BYTES).position(|byte| byte & 0x80 == 0);
        match (header.get(at), last) {
            (Some(&NEXT_I32), Some(last)) => at += 1 + last + 1,
            _ => return Err(unlike("begins otherwise")),
        }
    }
    // Behind the checksum the next field is one nearer.
    let next = match header.get(at) {
        Some(next) if next >> 4 >= 2 => next - 0x10,
        _ => return Err(unlike("has a checksum")),
    };
    let mut bytes = Vec::with_capacity(header.len() + ADDED_BYTES);
    bytes.extend_from_slice(&header[..at]);
    bytes.push(NEXT_I32);
    bytes.extend(varint(zigzag(crc32fast::hash(content) as i32)));
    bytes.push(next);
    bytes.extend_from_slice(&header[at + 1..]);
    Ok(bytes.into())
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// Seven bits a byte, the lowest first; all but the last byte say that more follow.
fn varint(value: u32) -> [u8; VARINT_MAX_BYTES] {
    let byte = |number: usize| {
        let more = if number + 1 < VARINT_MAX_BYTES { 0x80 } else { 0 };
        (value >> (7 * number)) as u8 & 0x7f | more
    };
    std::array::from_fn(byte)
}

/// What a column came to, with the checksums in its sizes and offsets.
pub(super) fn with_checksums(close: &mut ColumnCloseResult) -> Result<()> {
    if close.metadata.dictionary_page_offset().is_some() {
        return Err(unlike("has a dictionary, whose length is fixed"));
    }
    let Some(index) = &mut close.offset_index else { return Err(unlike("has no offsets")) };
    let added = (index.page_locations.len() * ADDED_BYTES) as i64;
    for (number, page) in (0..).zip(&mut index.page_locations) {
        page.offset += number * ADDED_BYTES as i64;
        page.compressed_page_size += ADDED_BYTES as i32;
    }
    close.bytes_written += added as u64;
    let metadata = close.metadata.clone();
    let (stored, whole) = (metadata.compressed_size(), metadata.uncompressed_size());
    let sized = metadata
        .into_builder()
        .set_total_compressed_size(stored + added)
        .set_total_uncompressed_size(whole + added);
    close.metadata = sized.build()?;
    Ok(())
}

fn unlike(what: &str) -> ParquetError {
    ParquetError::General(format!("a page to be written {what}"))
}

#[cfg(test)]
mod tests {
    use super::super::writer::plain;
    use super::super::{NewRows, TableWriter, number, optional, text};
    use super::*;
    use arrow_array::RecordBatch;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use std::path::Path;

    fn table(rows: u64, codec: Compression) -> Vec<u8> {
        let properties = WriterProperties::builder()
            .set_compression(codec)
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(700))
            .set_data_page_row_count_limit(100)
            .set_write_batch_size(50)
            .build();
        let columns = vec![text("key"), number("n"), optional(text("code"))];
        let mut writer =
            TableWriter::new(Vec::new(), Path::new("t"), columns, plain(properties)).unwrap();
        for first in (0..rows).step_by(450) {
            let own = first..rows.min(first + 450);
            let codes = own.clone().map(|n| (n % 3 > 0).then(|| format!("c{}", n % 5)));
            let rows = NewRows::default()
                .texts("key", own.clone().map(|n| format!("{n:06}")))
                .some_texts("code", codes)
                .numbers("n", own.map(|n| n * n).collect());
            writer.write(rows).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<RecordBatch>> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
        let batches = reader.with_batch_size(1 << 20).build()?;
        batches.collect::<std::result::Result<_, _>>().map_err(ParquetError::from)
    }

    #[test]
    fn every_page_has_a_checksum_where_the_offsets_say() {
        for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            let bytes = table(2_000, codec);
            let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).unwrap();
            let groups = reader.metadata().row_groups();
            assert_eq!(
                groups.iter().map(|group| group.num_rows()).collect::<Vec<_>>(),
                [700, 700, 600]
            );
            let mut pages = 0;
            for column in groups.iter().flat_map(|group| group.columns()) {
                let (mut at, length) = column.byte_range();
                let end = at + length;
                while at < end {
                    let page = &bytes[at as usize..];
                    let (header, stored) = header(page);
                    let content = &page[header..header + stored];
                    let plain = without_checksum(&page[..header]);
                    assert_eq!(with_checksum(&plain, content).unwrap(), &page[..header]);
                    at += (header + stored) as u64;
                    pages += 1;
                }
                assert_eq!(at, end);
            }
            assert!(pages > 50, "{pages}");
        }
    }

    /// Length of a header, and of the content behind it.
    fn header(page: &[u8]) -> (usize, usize) {
        let mut at = 0;
        let mut sizes = Vec::new();
        for _ in 0..BEFORE {
            assert_eq!(page[at], NEXT_I32);
            let length = page[at + 1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
            let value = page[at + 1..at + 1 + length].iter().rev();
            sizes.push(value.fold(0_usize, |sum, byte| sum << 7 | usize::from(byte & 0x7f)) / 2);
            at += 1 + length;
        }
        assert_eq!(page[at], NEXT_I32, "the checksum");
        at += ADDED_BYTES;
        // One struct of numbers follows: its fields end in 0, and so does the header.
        let end = page[at..].windows(2).position(|two| two == [0, 0]).unwrap();
        (at + end + 2, sizes[2])
    }

    fn without_checksum(header: &[u8]) -> Vec<u8> {
        let mut at = 0;
        for _ in 0..BEFORE {
            at += 2 + header[at + 1..].iter().position(|byte| byte & 0x80 == 0).unwrap();
        }
        let behind = &header[at + ADDED_BYTES..];
        [&header[..at], &[behind[0] + 0x10], &behind[1..]].concat()
    }

    #[test]
    fn no_bit_of_a_page_can_change_unnoticed() {
        let whole = table(120, Compression::UNCOMPRESSED);
        let expected = read(whole.clone()).unwrap();
        let reader = SerializedFileReader::new(Bytes::from(whole.clone())).unwrap();
        let columns = reader.metadata().row_group(0).columns();
        let end = columns.iter().map(|column| column.byte_range()).map(|(at, length)| at + length);
        for at in 4..end.max().unwrap() as usize {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            // Some bits of a header mean nothing.
            let read = super::super::guarded(|| read(damaged));
            assert!(read.is_err() || read.is_ok_and(|read| read == expected), "byte {at}");
        }
    }

    #[test]
    fn numbers_are_written_at_full_length() {
        assert_eq!(varint(zigzag(0)), [0x80, 0x80, 0x80, 0x80, 0]);
        assert_eq!(varint(zigzag(-1)), [0x81, 0x80, 0x80, 0x80, 0]);
        assert_eq!(varint(zigzag(i32::MIN)), [0xff, 0xff, 0xff, 0xff, 0x0f]);
    }
}
