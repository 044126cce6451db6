//! How the blocks of a file are compressed. No block becomes larger than its bound, whatever it
//! says of itself, and what is damaged or goes on behind its end is noticed.

use super::error::AvroError;
use crate::limits::AVRO_BLOCK_MAX_BYTES;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::Read;

/// One of the codecs that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Deflate,
    Snappy,
    Zstandard,
}

const HINT: &str = "write it with the codec `deflate`, `snappy`, `zstandard` or `null`";

/// Python's own writer and older ones of fastavro cut the last byte off a zlib stream and leave
/// three of its checksum behind the deflate stream.
const BEHIND_DEFLATE_MAX_BYTES: usize = 4;

impl Codec {
    /// By its name in the header.
    pub(super) fn named(name: Option<&[u8]>) -> Result<Self, AvroError> {
        match name {
            None | Some(b"null") => Ok(Self::None),
            Some(b"deflate") => Ok(Self::Deflate),
            Some(b"snappy") => Ok(Self::Snappy),
            Some(b"zstandard") => Ok(Self::Zstandard),
            Some(other) => {
                let name = String::from_utf8_lossy(other);
                let name: String = name.chars().take(40).flat_map(char::escape_default).collect();
                let found = format!("has blocks compressed with `{name}`, which is not read");
                Err(AvroError::NotRead { found, hint: HINT })
            }
        }
    }

    /// Puts what `stored` holds into `out`, or says what is wrong with it.
    pub(super) fn unpack(self, stored: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), String> {
        out.clear();
        match self {
            Self::None => {
                std::mem::swap(stored, out);
                Ok(())
            }
            Self::Deflate => deflate(stored, out),
            Self::Snappy => snappy(stored, out),
            Self::Zstandard => zstandard(stored, out),
        }
    }
}

fn too_large() -> String {
    format!("it holds more than {} MiB: write smaller blocks", AVRO_BLOCK_MAX_BYTES >> 20)
}

fn damaged(codec: &str, why: &dyn std::fmt::Display) -> String {
    format!("its {codec} data is damaged ({why})")
}

fn deflate(stored: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut inflate = Decompress::new(false);
    loop {
        // Never more than what was read can have become at most.
        let room = stored.len().saturating_mul(4).clamp(4 << 10, 4 << 20);
        out.reserve(room);
        let taken = inflate.total_in() as usize;
        let before = out.len();
        let status = inflate
            .decompress_vec(&stored[taken..], out, FlushDecompress::None)
            .map_err(|error| damaged("deflate", &error))?;
        if out.len() > AVRO_BLOCK_MAX_BYTES {
            return Err(too_large());
        }
        let moved = inflate.total_in() as usize > taken || out.len() > before;
        match status {
            Status::StreamEnd => break,
            _ if !moved => return Err(damaged("deflate", &"it ends in the middle")),
            _ => {}
        }
    }
    match stored.len() - inflate.total_in() as usize {
        0..=BEHIND_DEFLATE_MAX_BYTES => Ok(()),
        more => Err(damaged("deflate", &format!("{more} bytes are behind its end"))),
    }
}

fn snappy(stored: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let Some((data, sum)) = stored.split_last_chunk::<4>() else {
        return Err(damaged("snappy", &"it is too short for its checksum"));
    };
    let length = snap::raw::decompress_len(data).map_err(|error| damaged("snappy", &error))?;
    if length > AVRO_BLOCK_MAX_BYTES {
        return Err(too_large());
    }
    out.resize(length, 0);
    let mut decoder = snap::raw::Decoder::new();
    let count = decoder.decompress(data, out).map_err(|error| damaged("snappy", &error))?;
    out.truncate(count);
    match crc32fast::hash(out) == u32::from_be_bytes(*sum) {
        true => Ok(()),
        false => Err(damaged("snappy", &"its checksum differs")),
    }
}

fn zstandard(stored: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let read = |out: &mut Vec<u8>| {
        let decoder = zstd::stream::read::Decoder::with_buffer(stored)?;
        decoder.take(AVRO_BLOCK_MAX_BYTES as u64 + 1).read_to_end(out)
    };
    read(out).map_err(|error| damaged("zstandard", &error))?;
    if out.len() > AVRO_BLOCK_MAX_BYTES {
        return Err(too_large());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(codec: Codec, bytes: &[u8]) -> Vec<u8> {
        match codec {
            Codec::None => bytes.to_vec(),
            Codec::Deflate => {
                let level = flate2::Compression::fast();
                let mut out = flate2::write::DeflateEncoder::new(Vec::new(), level);
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Codec::Snappy => {
                let mut out = snap::raw::Encoder::new().compress_vec(bytes).unwrap();
                out.extend(crc32fast::hash(bytes).to_be_bytes());
                out
            }
            Codec::Zstandard => zstd::encode_all(bytes, 1).unwrap(),
        }
    }

    const ALL: [Codec; 4] = [Codec::None, Codec::Deflate, Codec::Snappy, Codec::Zstandard];

    #[test]
    fn what_was_packed_comes_out_and_what_was_cut_never_does() {
        let bytes: Vec<u8> = (0..40_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for codec in ALL {
            for bytes in [&bytes[..], b"", b"x"] {
                let stored = packed(codec, bytes);
                let mut out = vec![9];
                codec.unpack(&mut stored.clone(), &mut out).unwrap();
                assert!(out == bytes, "{codec:?}");
                if codec == Codec::None {
                    continue;
                }
                for cut in (0..stored.len()).step_by(1 + stored.len() / 50) {
                    let got = codec.unpack(&mut stored[..cut].to_vec(), &mut out);
                    // Nothing at all is no frame of zstandard, which is as good as an empty one:
                    // the block's count of records tells.
                    let is_nothing = codec == Codec::Zstandard && cut == 0 && out.is_empty();
                    assert!(got.is_err() || is_nothing, "{codec:?} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; AVRO_BLOCK_MAX_BYTES + 1];
        for codec in [Codec::Deflate, Codec::Snappy, Codec::Zstandard] {
            let mut out = Vec::new();
            let said = codec.unpack(&mut packed(codec, &zeros), &mut out).unwrap_err();
            assert_eq!(said, "it holds more than 256 MiB: write smaller blocks", "{codec:?}");
        }
    }

    #[test]
    fn a_checksum_left_behind_deflate_is_passed_over_and_more_is_not() {
        let with = |more: usize| {
            let mut stored = packed(Codec::Deflate, b"text");
            stored.extend(vec![7; more]);
            let mut out = Vec::new();
            Codec::Deflate.unpack(&mut stored, &mut out).map(|()| out)
        };
        assert_eq!(with(3), Ok(b"text".to_vec()));
        assert!(with(5).unwrap_err().contains("5 bytes are behind its end"));
    }

    #[test]
    fn another_codec_is_named() {
        let said = Codec::named(Some(b"xz")).unwrap_err().to_string();
        let expected = "has blocks compressed with `xz`, which is not read; write it with the \
                        codec `deflate`, `snappy`, `zstandard` or `null`";
        assert_eq!(said, expected);
    }
}
