//! Imprints of views, by which a comparison tells that two views are the same without carrying
//! their rows out of the sandbox.

use crate::schema::Value;

/// A hash of view rows, as the WIT defines it: equal rows have equal imprints, and others have
/// others but for a chance of one in 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imprint([u64; 2]);

impl Default for Imprint {
    /// That of no rows.
    fn default() -> Self {
        Self([0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344])
    }
}

impl Imprint {
    /// Takes the next field of a row.
    pub fn put(&mut self, value: Option<Value<'_>>, required: bool) {
        if !required {
            self.word(u64::from(value.is_some()));
        }
        match value {
            None => {}
            Some(Value::Boolean(v)) => self.word(u64::from(v)),
            Some(Value::Date(v)) => self.word(i64::from(v) as u64),
            Some(Value::Float(v)) => self.word(v.to_bits()),
            Some(Value::Integer(v) | Value::Decimal(v) | Value::Timestamp(v)) => {
                self.word(v as u64)
            }
            Some(Value::Text(v) | Value::Bytes(v) | Value::Json(v)) => {
                self.word(v.len() as u64);
                for chunk in v.chunks(8) {
                    let mut bytes = [0; 8];
                    bytes[..chunk.len()].copy_from_slice(chunk);
                    self.word(u64::from_le_bytes(bytes));
                }
            }
        }
    }

    /// Its two words.
    pub fn words(&self) -> [u64; 2] {
        self.0
    }

    fn word(&mut self, word: u64) {
        let [a, b] = self.0;
        let mixed = (a ^ word).rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = [b, mixed.wrapping_add(b)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's integers, from the WIT alone.
    #[test]
    fn it_is_the_hash_that_the_wit_defines() {
        let mut imprint = Imprint::default();
        imprint.put(Some(Value::Integer(-7)), true);
        imprint.put(Some(Value::Text(b"nine byte")), false);
        imprint.put(None, false);
        imprint.put(Some(Value::Date(-1)), true);
        assert_eq!(imprint.words(), [0xb0e0_83a5_cd87_efb7, 0x5629_358b_b023_1e55]);
    }
}
