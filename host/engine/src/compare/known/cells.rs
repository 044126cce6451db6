//! A cell of a Parquet file of known results as the text that it is read as. What its type cannot
//! hold exactly is refused: no known value is taken for another one.

use super::file::Want;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, downcast_integer_array};
use arrow_schema::{DataType, TimeUnit};
use retally_core::schema::{Kind, Value, display};

/// Decimal digits of which a float tells every number from its neighbours.
const DOUBLE_DIGITS: i32 = 15;
const SINGLE_DIGITS: i32 = 6;

/// The text of a cell; none if it is missing. Times without a zone are UTC.
pub(super) fn text(array: &dyn Array, row: usize, want: Want) -> Result<Option<String>, String> {
    let of = array.data_type();
    // An array of nothing but nulls has no list of them.
    if want == Want::Nothing || array.is_null(row) || *of == DataType::Null {
        return Ok(None);
    }
    let no_key = of.is_floating() || of.is_temporal() || of.is_decimal();
    if want == Want::Key && (no_key || *of == DataType::Boolean) {
        return Err(format!("is of type {of}; a key is a text or a whole number"));
    }
    value(array, row, want).map(Some)
}

fn value(array: &dyn Array, row: usize, want: Want) -> Result<String, String> {
    Ok(downcast_integer_array! {
        array => array.value(row).to_string(),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            float(value.into(), value.to_string(), SINGLE_DIGITS, want)?
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            float(value, value.to_string(), DOUBLE_DIGITS, want)?
        }
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().value_as_string(row),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row), want)?,
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value(row), want)?,
        DataType::Date32 => {
            display(Value::Date(array.as_primitive::<Date32Type>().value(row)), Kind::Date)
        }
        DataType::Timestamp(unit, _) => time(array, row, *unit)?,
        of => return Err(format!("is of type {of}, which is not read")),
    })
}

/// A float as the decimal that it was made of, where that is certain.
fn float(value: f64, text: String, digits: i32, want: Want) -> Result<String, String> {
    let Want::Of(Kind::Decimal { scale }) = want else {
        return Ok(display(Value::Float(value), Kind::Float));
    };
    let most = 10f64.powi(digits - i32::from(scale));
    if value.is_finite() && value.abs() >= most {
        let why = format!(
            "is {text} as a float, which does not hold so large a number to the last of {scale} \
             digits; write decimals or texts"
        );
        return Err(why);
    }
    Ok(text)
}

/// Bytes of a field of bytes, or a text that the file does not call one.
fn bytes(value: &[u8], want: Want) -> Result<String, String> {
    if want == Want::Of(Kind::Bytes) {
        return Ok(display(Value::Bytes(value), Kind::Bytes));
    }
    let text = std::str::from_utf8(value);
    text.map(str::to_owned).map_err(|_| "holds bytes that are no UTF-8".to_owned())
}

fn time(array: &dyn Array, row: usize, unit: TimeUnit) -> Result<String, String> {
    let wrong = |value: i64, why: &str| format!("is {value} {unit} since 1970, {why}");
    let times = |value: i64, by: i64| {
        value.checked_mul(by).ok_or_else(|| wrong(value, "which is no time of an event"))
    };
    let micros = match unit {
        TimeUnit::Second => {
            times(array.as_primitive::<TimestampSecondType>().value(row), 1_000_000)?
        }
        TimeUnit::Millisecond => {
            times(array.as_primitive::<TimestampMillisecondType>().value(row), 1_000)?
        }
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => {
            let value = array.as_primitive::<TimestampNanosecondType>().value(row);
            if value % 1_000 != 0 {
                return Err(wrong(value, "and times are compared to the microsecond"));
            }
            value / 1_000
        }
    };
    Ok(display(Value::Timestamp(micros), Kind::Timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        BinaryArray, Decimal256Array, Float32Array, Float64Array, Int32Array, NullArray,
        TimestampNanosecondArray,
    };

    const MONEY: Want = Want::Of(Kind::Decimal { scale: 2 });
    const TEXT: Want = Want::Of(Kind::Text);

    fn told(array: &dyn Array, want: Want) -> Result<Option<String>, String> {
        text(array, 0, want)
    }

    #[test]
    fn a_float_is_a_decimal_only_where_it_can_be_no_other() {
        let double = |value| told(&Float64Array::from(vec![value]), MONEY);
        assert_eq!(double(0.1).unwrap().as_deref(), Some("0.1"));
        assert_eq!(double(-9_999_999_999_999.99).unwrap().as_deref(), Some("-9999999999999.99"));
        // 90071992547409.93 is this float too.
        assert!(double(90_071_992_547_409.92).unwrap_err().contains("to the last of 2 digits"));
        let single = |value| told(&Float32Array::from(vec![value]), MONEY);
        assert_eq!(single(1198.76).unwrap().as_deref(), Some("1198.76"));
        assert!(single(16_777_216.0).unwrap_err().contains("write decimals or texts"));
    }

    #[test]
    fn bytes_are_text_where_a_text_is_wanted() {
        let array = BinaryArray::from_vec(vec![b"EUR"]);
        assert_eq!(told(&array, TEXT).unwrap().as_deref(), Some("EUR"));
        assert_eq!(told(&array, Want::Of(Kind::Bytes)).unwrap().as_deref(), Some("RVVS"));
        let torn = BinaryArray::from_vec(vec![b"\xff"]);
        assert_eq!(told(&torn, Want::Key).unwrap_err(), "holds bytes that are no UTF-8");
    }

    #[test]
    fn a_time_is_one_of_whole_microseconds() {
        let time = |value| {
            let want = Want::Of(Kind::Timestamp);
            told(&TimestampNanosecondArray::from(vec![value]), want)
        };
        assert_eq!(time(1_000_001_000).unwrap().as_deref(), Some("1970-01-01T00:00:01.000001Z"));
        assert!(time(1_000_001_001).unwrap_err().contains("to the microsecond"));
    }

    #[test]
    fn a_key_is_a_text_or_a_whole_number() {
        assert_eq!(told(&Int32Array::from(vec![7]), Want::Key).unwrap().as_deref(), Some("7"));
        let float = told(&Float64Array::from(vec![7.0]), Want::Key).unwrap_err();
        assert_eq!(float, "is of type Float64; a key is a text or a whole number");
    }

    #[test]
    fn wide_decimals_and_columns_of_nothing_are_read() {
        let wide = Decimal256Array::from(vec![Some(arrow_buffer::i256::from_i128(1_050))]);
        let wide = wide.with_precision_and_scale(40, 2).unwrap();
        assert_eq!(told(&wide, MONEY).unwrap().as_deref(), Some("10.50"));
        assert_eq!(told(&NullArray::new(1), MONEY), Ok(None));
    }
}
