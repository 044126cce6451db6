#!/usr/bin/env python3
"""Writes Avro files with fastavro, and beside each what its records are as JSON.

    python3 tests/python/avro_files.py FOLDER

For each NAME.avro there is NAME.jsonl: one object a record, as docs/decode.md says that a record is judged. It is made
of the values that were given to fastavro, never of what was written.
"""

import base64
import json
import struct
import sys
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import fastavro

CODECS = ["null", "deflate", "snappy", "zstandard"]
ID = uuid.UUID("0f8fad5b-d9cd-469f-a165-70867728950e")
MOMENT = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=timezone.utc)


def logical(plain, name, **more):
    return {"type": plain, "logicalType": name, **more}


def fixed(name, size, **more):
    return {"type": "fixed", "name": name, "size": size, **more}


INNER = {
    "type": "record",
    "name": "Inner",
    "fields": [
        {"name": "a", "type": ["null", "int"]},
        {"name": "b", "type": {"type": "array", "items": ["null", "string"]}},
    ],
}

# Name, type, a value as fastavro takes it, and the same as JSON.
FIELDS = [
    ("flag", "boolean", True, True),
    ("int", "int", -(2**31), -(2**31)),
    ("long", "long", 2**63 - 1, 2**63 - 1),
    ("float", "float", 0.25, 0.25),
    ("double", "double", 0.1, 0.1),
    ("text", "string", "grün \U0001f600", "grün \U0001f600"),
    ("bytes", "bytes", b"\x00\xff", base64.b64encode(b"\x00\xff").decode()),
    ("fixed", fixed("Three", 3), b"abc", base64.b64encode(b"abc").decode()),
    ("word", {"type": "enum", "name": "Word", "symbols": ["A", "B"]}, "B", "B"),
    ("map", {"type": "map", "values": "long"}, {"k": 1, "l": -2}, {"k": 1, "l": -2}),
    ("inner", INNER, {"a": None, "b": ["x", None]}, {"b": ["x", None]}),
    ("again", ["null", "Inner"], {"a": 7, "b": []}, {"a": 7, "b": []}),
    ("nothing", ["null", "string"], None, None),
    ("other", ["string", "null"], "there", "there"),
    ("either", ["null", "int", "string"], "seven", "seven"),
    ("number", ["int", "long", "null"], 2**40, 2**40),
    ("amount", logical("bytes", "decimal", precision=12, scale=2), Decimal("-1234.56"), Decimal("-1234.56")),
    ("price", fixed("Price", 6, logicalType="decimal", precision=12, scale=4), Decimal("0.0001"), Decimal("0.0001")),
    ("huge", logical("bytes", "decimal", precision=50, scale=3), Decimal("9" * 40 + ".125"), Decimal("9" * 40 + ".125")),
    ("day", logical("int", "date"), date(1969, 12, 31), "1969-12-31"),
    ("clock_ms", logical("int", "time-millis"), time(0, 0, 1, 5000), 1005),
    ("clock_us", logical("long", "time-micros"), time(0, 0, 1, 5), 1000005),
    ("at_ms", logical("long", "timestamp-millis"), MOMENT.replace(microsecond=123000), "2024-02-29T12:30:15.123000Z"),
    ("at_us", logical("long", "timestamp-micros"), MOMENT, "2024-02-29T12:30:15.123456Z"),
    ("here_ms", logical("long", "local-timestamp-millis"), datetime(2024, 1, 1), "2024-01-01T00:00:00Z"),
    ("here_us", logical("long", "local-timestamp-micros"), datetime(1960, 1, 1), "1960-01-01T00:00:00Z"),
    ("uuid", logical("string", "uuid"), ID, str(ID)),
    ("raw_uuid", fixed("Uuid", 16, logicalType="uuid"), ID.bytes, str(ID)),
    ("span", fixed("Span", 12, logicalType="duration"), struct.pack("<III", 1, 2, 3004), "P1M2DT3.004S"),
]


def shown(value):
    """Without what is null in a record; decimals as their digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{shown(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(shown, value)) + "]"
    return format(value, "f") if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def write(folder, name, schema, records, told, codec, sync_interval):
    with open(folder / f"{name}.avro", "wb") as out:
        fastavro.writer(out, fastavro.parse_schema(schema), records, codec=codec, sync_interval=sync_interval)
    (folder / f"{name}.jsonl").write_text("".join(shown(record) + "\n" for record in told), encoding="utf-8")


def record(fields, name="all.types.Event"):
    return {"type": "record", "name": name, "fields": [{"name": f[0], "type": f[1]} for f in fields]}


def main():
    folder = Path(sys.argv[1])
    given = {name: value for name, _, value, _ in FIELDS}
    told = {name: value for name, _, _, value in FIELDS}
    for codec in CODECS:
        write(folder, f"all-{codec}", record(FIELDS), [given] * 50, [told] * 50, codec, 4000)
        many = [{"n": n, "t": f"text {n % 100}"} for n in range(30_000)]
        plain = record([("n", "long"), ("t", "string")], "Many")
        write(folder, f"many-{codec}", plain, many, many, codec, 16_000)
    write(folder, "none", record([("n", "long")]), [], [], "null", 16_000)


if __name__ == "__main__":
    main()
