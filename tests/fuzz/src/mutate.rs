//! Mutations that repeat: the same seed makes the same bytes on every machine.

/// A small generator (xorshift64*): good enough to choose places, and a line to write down.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        (number as usize).checked_rem(end).unwrap_or(0)
    }
}

/// What formats of text and lengths of formats of bytes turn on.
const TELLING: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b"-",
    b"0",
    b"1e",
    b"e5",
    b".",
    b"null",
    b"true",
    b"\n",
    b"\t",
    b"\x00",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xc3",
    b"\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"PAR1",
    b"\0asm",
];

/// `bytes` after a few changes: something overwritten, taken out, put in, doubled or cut off.
pub fn mutate(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len() + 1);
        let end = at + chance.below((bytes.len() - at).min(16) + 1);
        match chance.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.below(256) as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice);
            }
            4 if chance.below(8) == 0 => bytes.truncate(at),
            _ => {
                let telling = TELLING[chance.below(TELLING.len())];
                let end = if chance.below(2) == 0 { at } else { end };
                bytes.splice(at..end, telling.iter().copied());
            }
        }
    }
    bytes
}
