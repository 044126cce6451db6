#!/usr/bin/env python3
"""Holds rows of Parquet files, as Retally tells them, against what pyarrow reads.

    python3 tests/python/parquet_rows.py ROWS FILE.parquet...

For each file, ROWS has a file of its name with one JSON object a row, as docs/decode.md says a row is judged. Exits
with 1 and names the first row of each file that differs.
"""

import base64
import json
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(1970, 1, 1, tzinfo=timezone.utc)


def same(kind, expected, told):
    """Whether `told` is the JSON of `expected`, a value of the type `kind`."""
    if expected is None:
        return told is None
    if pa.types.is_struct(kind):
        names = {field.name for field in kind if expected[field.name] is not None}
        fields = (same(f.type, expected[f.name], told.get(f.name)) for f in kind)
        return set(told) == names and all(fields)
    if pa.types.is_map(kind):
        values = {key_text(key): value for key, value in expected}
        pairs = (same(kind.item_type, value, told.get(key)) for key, value in values.items())
        return set(told) == set(values) and all(pairs)
    if pa.types.is_list(kind):
        pairs = zip(expected, told)
        return len(expected) == len(told) and all(same(kind.value_type, *pair) for pair in pairs)
    if pa.types.is_floating(kind):
        return same_float(float(expected), told)
    if pa.types.is_timestamp(kind):
        text = moment(kind.unit, expected)
        return text is None or told == text
    if pa.types.is_decimal(kind):
        return Decimal(told) == expected
    if isinstance(expected, date):
        return told == expected.isoformat()
    if isinstance(expected, bytes):
        return told == base64.b64encode(expected).decode()
    return type(told) is type(expected) and told == expected


def key_text(key):
    return key if isinstance(key, str) else json.dumps(key)


def same_float(expected, told):
    """What JSON cannot say is a string."""
    if isinstance(told, str):
        value = float(told)
        return value == expected or value != value and expected != expected
    return float(told) == expected


def moment(unit, number):
    """RFC 3339, with as many digits as there are; none for years that Python's calendar does not have."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds, rest = divmod(number, per_second)
    nanoseconds = rest * 10**9 // per_second
    try:
        text = (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        return None
    if nanoseconds % 1000:
        return f"{text}.{nanoseconds:09}Z"
    return f"{text}.{nanoseconds // 1000:06}Z" if nanoseconds else f"{text}Z"


def numbers(kind):
    """The type with numbers in place of times: not every time of a file is one of Python's."""
    if pa.types.is_timestamp(kind):
        return pa.int64()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(numbers(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(numbers(kind.value_type)))
    return kind


def check(rows, path):
    table = pq.read_table(path, page_checksum_verification=True, coerce_int96_timestamp_unit="us")
    kinds = [field.type for field in table.schema]
    columns = [column.cast(numbers(kind)).to_pylist() for kind, column in zip(kinds, table.columns)]
    told = [json.loads(line, parse_float=Decimal) for line in rows.read_text().splitlines()]
    if len(told) != table.num_rows:
        return f"{len(told)} rows, but pyarrow reads {table.num_rows}"
    for number, row in enumerate(told):
        expected = dict(zip(table.schema.names, (column[number] for column in columns)))
        if not same(pa.struct(list(table.schema)), expected, row):
            return f"row {number}: told {row}\nbut pyarrow reads {expected}"
    return None


def main():
    failed = False
    for path in map(Path, sys.argv[2:]):
        problem = check(Path(sys.argv[1]) / path.name, path)
        if problem:
            print(f"{path.name}: {problem}", file=sys.stderr)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
