#!/usr/bin/env python3
"""Recomputes every digest and control total of a run directory from its files alone.

Written from docs/digest.md, with pyarrow and hashlib and nothing of Retally:

    python3 tests/python/recheck.py RUN

Prints one line a digest, one for the control totals of each table, and one for each file. Exits with 1 if one differs, with 2 if the directory is no run.
"""

import hashlib
import json
import struct
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

LEAF_EVENTS = 1024
LEAF_KEYS = 4096
PLAIN = {"duplicate": 4, "conflict": 5, "ignored": 7, "quarantined": 8}
KINDS = {
    "boolean": 1,
    "integer": 2,
    "decimal": 3,
    "float": 4,
    "timestamp": 5,
    "date": 6,
    "text": 7,
    "bytes": 8,
    "json": 9,
}


def sha(data):
    return hashlib.sha256(data).digest()


# Canonical bytes


def u32(n):
    return struct.pack("<I", n)


def number(n):
    return struct.pack("<Q", n)


def i64(n):
    return struct.pack("<q", n)


def blob(data):
    return u32(len(data)) + data


def text(string):
    return blob(string.encode())


def listed(items):
    return number(len(items)) + b"".join(items)


def option(data):
    return b"\0" if data is None else b"\1" + data


class Field:
    """A declared field: its name, kind and scale."""

    def __init__(self, note):
        kind, _, scale = note["kind"].partition("(")
        self.name = note["name"]
        self.kind = kind
        self.scale = int(scale.rstrip(")")) if scale else 0

    def shape(self):
        return text(self.name) + bytes([KINDS[self.kind], self.scale])

    def value(self, value):
        """A value as `plain` or `parse` gives it."""
        if value is None:
            return b"\0"
        tag = bytes([KINDS[self.kind]])
        if self.kind == "boolean":
            return tag + bytes([value])
        if self.kind == "decimal":
            return tag + bytes([self.scale]) + i64(value)
        if self.kind == "float":
            bits = b"\0\0\0\0\0\0\xf8\x7f" if value != value else struct.pack("<d", value)
            return tag + bits
        if self.kind == "date":
            return tag + struct.pack("<i", value)
        if self.kind in ("integer", "timestamp"):
            return tag + i64(value)
        return tag + (blob(value) if self.kind == "bytes" else text(value))

    def plain(self, column):
        """A column of a table as plain numbers, texts and bytes."""
        if self.kind == "timestamp":
            column = column.cast("int64")
        elif self.kind == "date":
            column = column.cast("int32")
        values = column.to_pylist()
        if self.kind == "decimal":
            values = [None if v is None else units(v, self.scale) for v in values]
        return values

    def parse(self, words):
        """A param as the manifest writes it."""
        if words is None:
            return None
        if self.kind == "boolean":
            return words == "true"
        if self.kind == "integer":
            return int(words)
        if self.kind == "decimal":
            from decimal import Decimal

            return units(Decimal(words), self.scale)
        if self.kind == "float":
            return float(words)
        if self.kind in ("timestamp", "date"):
            return moment(words, self.kind)
        if self.kind == "bytes":
            import base64

            return base64.b64decode(words)
        return words


def units(decimal, scale):
    """Exact: a context would round."""
    sign, digits, exponent = decimal.as_tuple()
    whole = int("".join(map(str, digits))) * 10 ** (exponent + scale)
    return -whole if sign else whole


def moment(words, kind):
    from datetime import datetime, timedelta, timezone

    start = datetime(1970, 1, 1, tzinfo=timezone.utc)
    when = datetime.fromisoformat(words.replace("Z", "+00:00"))
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    since = when - start
    return since.days if kind == "date" else since // timedelta(microseconds=1)


def shape(fields):
    return listed([field.shape() for field in fields])


# Trees


def leaf_hash(data):
    return sha(b"\0" + data)


class Tree:
    """RFC 9162, with the edge that a history may have left."""

    def __init__(self, count=0, edge=b""):
        self.edge = []
        sizes = [1 << bit for bit in reversed(range(64)) if count >> bit & 1]
        assert len(sizes) * 32 == len(edge), "an edge that does not fit its count"
        for place, size in enumerate(sizes):
            self.edge.append((size, edge[32 * place : 32 * place + 32]))

    def push(self, digest):
        size = 1
        while self.edge and self.edge[-1][0] == size:
            digest = sha(b"\1" + self.edge.pop()[1] + digest)
            size *= 2
        self.edge.append((size, digest))

    def root(self):
        if not self.edge:
            return sha(b"")
        digest = self.edge[-1][1]
        for _, left in reversed(self.edge[:-1]):
            digest = sha(b"\1" + left + digest)
        return digest


class Outcomes:
    """The tree of one partition."""

    def __init__(self, events=0, edge=b"", records=b""):
        self.events = events
        self.tree = Tree(events // LEAF_EVENTS, edge)
        self.open = [records] if records else []

    def add(self, record):
        self.open.append(record)
        self.events += 1
        if self.events % LEAF_EVENTS == 0:
            self.close()

    def close(self):
        if self.open:
            self.tree.push(leaf_hash(b"".join(self.open)))
            self.open = []

    def root(self):
        self.close()
        return self.tree.root()


class Keys:
    """A tree over keys, and its leaves as (first row, rows, keys, hash)."""

    def __init__(self):
        self.tree = Tree()
        self.leaves = []
        self.open = []
        self.keys = self.rows = self.first = 0
        self.last = None

    def add(self, key, row, rows):
        assert self.last is None or self.last < key, f"{key} is out of order"
        self.last = key
        self.open.append(sha(row))
        self.keys += 1
        self.rows += rows
        if sha(b"retally leaf" + key)[0] == 0 or len(self.open) == LEAF_KEYS:
            self.close()

    def close(self):
        if self.open:
            digest = leaf_hash(b"".join(self.open))
            self.tree.push(digest)
            count = self.rows - self.first
            self.leaves.append((self.first, count, len(self.open), digest))
            self.first = self.rows
            self.open = []

    def digest(self, label, head=b""):
        self.close()
        return sha(text(label) + head + number(self.keys) + self.tree.root())


# Control totals


class Total:
    """Rows of a table, and values and sum of each of its integers and decimals."""

    def __init__(self, fields):
        self.rows = 0
        self.places = [at for at, f in enumerate(fields) if f.kind in ("integer", "decimal")]
        self.fields = fields
        self.values = [0] * len(fields)
        self.sums = [0] * len(fields)

    def add(self, rows):
        self.rows += len(rows)
        for at in self.places:
            values = [row[at] for row in rows if row[at] is not None]
            self.values[at] += len(values)
            self.sums[at] += sum(values)

    def written(self):
        """As the manifest writes it."""
        fields = {}
        for at in self.places:
            total = digits(self.sums[at], self.fields[at].scale)
            fields[self.fields[at].name] = {"values": self.values[at], "sum": total}
        return {"rows": self.rows, "fields": fields}


def digits(units, scale):
    """A whole number of units with its point."""
    sign, text = ("-" if units < 0 else ""), str(abs(units)).rjust(scale + 1, "0")
    return f"{sign}{text[:-scale]}.{text[-scale:]}" if scale else sign + text


# The files of a run


def batches(path):
    return pq.ParquetFile(path, page_checksum_verification=True).iter_batches(batch_size=16384)


def rows(path, names):
    for batch in batches(path):
        yield from zip(*(batch.column(name).to_pylist() for name in names))


def own(batch, fields, first):
    """The values of a reducer's own columns, row by row."""
    columns = [field.plain(batch.column(first + at)) for at, field in enumerate(fields)]
    return [[column[row] for column in columns] for row in range(batch.num_rows)]


class Emits:
    """The emits of one kind, taken event by event."""

    def __init__(self, run, number_of_kind, name, fields):
        files = sorted((run / "emits" / name).glob("*.parquet"))
        assert files, f"emits/{name} has no file"
        self.total = Total(fields)
        self.records = self.read(files, number_of_kind, fields, self.total)
        self.next = next(self.records, None)

    @staticmethod
    def read(files, number_of_kind, fields, total):
        head = bytes([0x10, number_of_kind])
        for path in files:
            for batch in batches(path):
                partitions = batch.column("partition").to_pylist()
                offsets = batch.column("offset").to_pylist()
                found = own(batch, fields, 6)
                total.add(found)
                for place, values in enumerate(found):
                    record = b"".join(f.value(v) for f, v in zip(fields, values))
                    yield (partitions[place], offsets[place]), head + record

    def take(self, position):
        taken = []
        while self.next is not None and self.next[0] == position:
            taken.append(self.next[1])
            self.next = next(self.records, None)
        return b"".join(taken)


class Positions:
    """Where the events with a record lie, as runs of consecutive offsets of each partition."""

    def __init__(self):
        self.runs = {}

    def add(self, partition, offset, events):
        runs = self.runs.setdefault(partition, [])
        if runs and runs[-1][0] + runs[-1][1] == offset:
            runs[-1][1] += events
        else:
            runs.append([offset, events])

    def digest(self):
        taken = sorted(self.runs.items(), key=lambda item: item[0].encode())
        hashed = [
            text(name) + sha(b"".join(number(first) + number(events) for first, events in runs))
            for name, runs in taken
        ]
        return sha(text("retally positions v1") + listed(hashed))


def outcomes(run, control, kinds):
    partitions, positions = {}, Positions()
    if control["history"]:
        columns = ["partition", "events", "edge", "open"]
        for name, events, edge, records in rows(run / "history.parquet", columns):
            partitions[name] = Outcomes(events, edge, records)
    emits = [Emits(run, n, name, fields) for n, (name, fields) in enumerate(kinds)]
    columns = ["partition", "offset", "events", "what", "code"]
    for partition, offset, events, what, code in rows(run / "outcomes.parquet", columns):
        tree = partitions.setdefault(partition, Outcomes())
        positions.add(partition, offset, events)
        for at in range(offset, offset + events):
            if what == "applied":
                record = b"\1" + b"".join(kind.take((partition, at)) for kind in emits)
            elif what == "rejected":
                record = b"\2" + text(code)
            elif what == "trapped":
                record = b"\3" + text("trap")
            elif what == "malformed":
                record = b"\6" + text(code)
            else:
                record = bytes([PLAIN[what]])
            tree.add(record)
    left = [kind.next[0] for kind in emits if kind.next is not None]
    assert not left, f"emits of events that were not applied: {left}"
    taken = sorted(partitions.items(), key=lambda item: item[0].encode())
    taken = [(name, tree.events, tree.root()) for name, tree in taken if tree.events]
    digest = sha(
        text("retally outcomes v1")
        + listed([text(name) + shape(fields) for name, fields in kinds])
        + listed([text(name) + number(events) + root for name, events, root in taken])
    )
    totals = {name: kind.total.written() for (name, _), kind in zip(kinds, emits)}
    return digest, positions.digest(), [(name, events) for name, events, _ in taken], totals


def grouped(pairs):
    """(key, thing) pairs as (key, list of things)."""
    last, things = None, []
    for key, thing in pairs:
        if key != last and last is not None:
            yield last, things
            things = []
        last = key
        things.append(thing)
    if last is not None:
        yield last, things


def views(run, fields):
    total = Total(fields)

    def pairs():
        for batch in batches(run / "view.parquet"):
            values = own(batch, fields, 1)
            total.add(values)
            for key, row in zip(batch.column("key").to_pylist(), values):
                yield key, b"".join(f.value(v) for f, v in zip(fields, row))

    tree = Keys()
    for key, things in grouped(pairs()):
        row = b"\2" + text(key) + u32(len(things)) + b"".join(things)
        tree.add(key.encode(), row, len(things))
    return tree.digest("retally views v1", shape(fields)), tree.leaves, total.written()


def states(run):
    tree = Keys()
    for key, state, applied in rows(run / "states.parquet", ["key", "state", "applied"]):
        tree.add(key.encode(), b"\3" + text(key) + number(applied) + blob(state), 1)
    return tree.digest("retally states v1"), tree.leaves


def violations(run):
    tree = Keys()
    for key, codes in grouped(rows(run / "violations.parquet", ["key", "code"])):
        row = b"\4" + text(key) + u32(len(codes)) + b"".join(map(text, codes))
        tree.add(key.encode(), row, len(codes))
    return tree.digest("retally violations v1"), tree.leaves


def job_digest(settings):
    params = [Field(param) for param in settings["params"]]
    values = [f.value(f.parse(p["value"])) for f, p in zip(params, settings["params"])]
    keys, sample = settings["keys"], settings.get("sample")
    if sample is not None:
        subset = b"\2" + number(int(Decimal(sample.removesuffix("%")) * 10_000))
    else:
        subset = option(None if keys is None else listed([text(key) for key in keys]))
    limit = settings["range"].get("limit")

    def positions(entries):
        return listed([text(e["partition"]) + number(e["offset"]) for e in entries])

    return sha(
        text("retally job v1")
        + b"".join(text(settings[k]) for k in ("order", "window", "on_conflict", "on_trap"))
        + shape(params)
        + b"".join(values)
        + subset
        + positions(settings["range"].get("from", []))
        + positions(settings["range"].get("to", []))
        + option(None if limit is None else number(limit))
        + positions(settings["ledger"])
        + (text("empty state") if settings["range"].get("empty_state") else b"")
        + sorted_by(settings.get("sort"))
        + untrusted(settings.get("untrusted"))
    )


def sorted_by(sort):
    if sort is None:
        return b""
    within = sort.get("within")
    by = listed([text(term) for term in sort["by"]])
    return text("sort") + by + option(None if within is None else text(within))


def untrusted(allowance):
    if allowance is None:
        return b""
    bounds = ("emits", "rows", "text_bytes", "detail_bytes", "state_bytes")
    return text("untrusted") + b"".join(number(allowance[bound]) for bound in bounds)


def input_digest(described):
    partitions = []
    for taken in described["partitions"]:
        ends = b""
        if taken["first"] is not None:
            ends = number(taken["first"]) + number(taken["last"])
        partitions.append(text(taken["partition"]) + number(taken["events"]) + ends)
    objects = []
    for stored in described["objects"]:
        xxh3, sha256 = stored["xxh3_128"], stored.get("sha256")
        objects.append(
            text(stored["path"])
            + number(stored["size_bytes"])
            + option(None if xxh3 is None else blob(bytes.fromhex(xxh3)))
            + option(None if sha256 is None else bytes.fromhex(sha256))
        )
    return sha(text("retally input v1") + listed(partitions) + listed(objects))


def shapes_digest(control):
    def fields(notes):
        required = bytes(note["required"] for note in notes)
        return shape([Field(note) for note in notes]) + required

    names = [note["name"] for note in control["view"]]
    return sha(
        text("retally shapes v1")
        + listed([text(kind["name"]) + fields(kind["fields"]) for kind in control["emits"]])
        + fields(control["view"])
        + listed([number(names.index(name)) for name in control["row_key"]])
    )


COUNTS = (
    "events applied ignored malformed duplicates conflicts rejected quarantined filtered "
    "violations keys emits"
).split()


def seal(manifest, whole, positions, shapes, job, described):
    reducer, came_from = manifest["reducer"], manifest.get("from_snapshot")
    history = None
    if came_from is not None:
        places = [text(e["partition"]) + number(e["offset"]) for e in came_from["next"]]
        counts = [number(manifest["since_start"][name]) for name in COUNTS]
        accepted = [
            text(e["object"]) + text(e["partition"]) + number(e["next"]) + text(e["what"])
            for e in came_from.get("accepted", [])
        ]
        migrated = [
            text(e["reducer"])
            + bytes.fromhex(e["sha256"])
            + b"".join(number(e[name]) for name in ("state_version", "events", "checked_keys"))
            for e in came_from.get("migrated", [])
        ]
        history = bytes.fromhex(came_from["sha256"]) + listed(places) + b"".join(counts)
        history += listed(accepted) + listed(migrated)
        holes = [
            text(e["partition"]) + number(e["from"]) + number(e["to"])
            for e in came_from.get("holes", [])
        ]
        broke = [text(what) for what in came_from.get("broke", [])]
        if holes or broke:
            history += listed(holes) + listed(broke)
        if came_from.get("empty_state"):
            history += text("empty state")
    replayed = manifest.get("range", {}).get("replayed")
    before = b""
    if replayed is not None:
        counts = [number(manifest["since_start"][name]) for name in COUNTS]
        before = text("replayed") + number(replayed) + b"".join(counts)
    return sha(
        text("retally seal v2")
        + whole
        + positions
        + bytes.fromhex(reducer["sha256"])
        + b"".join(text(reducer[name]) for name in ("name", "version", "contract"))
        + number(reducer["state_version"])
        + text(reducer["layout"])
        + shapes
        + job
        + described
        + option(history)
        + before
    )


def files(run, manifest):
    """What the manifest lists, and what lies there; and the manifest's digest of itself."""
    data = (run / "manifest.json").read_bytes()
    head, _, tail = data.rpartition(b',\n  "manifest_digest": "')
    listed_files = {file["path"]: (file["bytes"], file["sha256"]) for file in manifest["files"]}
    varying = {"manifest.json", "audit.jsonl", "manifest.json.sig"}
    found = {}
    for path in run.rglob("*"):
        name = path.relative_to(run).as_posix()
        if path.is_file() and name not in varying:
            content = path.read_bytes()
            found[name] = (len(content), sha(content).hex())
    end = b'"\n}\n'
    assert tail.endswith(end), "manifest.json does not end with its digest"
    result = {"manifest digest": (tail.removesuffix(end).decode(), sha(head).hex())}
    for name in sorted(listed_files.keys() | found.keys()):
        result[f"file {name}"] = tuple(str(each.get(name)) for each in (listed_files, found))
    return result


def recheck(run, manifest):
    """Pairs of what the manifest records and what the files give, by name."""
    control = manifest["control"]
    kinds = [(e["name"], [Field(f) for f in e["fields"]]) for e in control["emits"]]
    outcome, positions, taken, emit_totals = outcomes(run, control, kinds)
    view, view_leaves, view_total = views(run, [Field(f) for f in control["view"]])
    state, state_leaves = states(run)
    violation, violation_leaves = violations(run)
    whole = sha(
        text("retally run v1")
        + outcome
        + view
        + state
        + violation
        + listed([text(name) + number(events) for name, events in taken])
    )
    job = job_digest(manifest["job"]["settings"])
    described = input_digest(manifest["input"])
    shapes = shapes_digest(control)
    kept = {}
    columns = ["tree", "first_row", "rows", "keys", "hash"]
    for tree, first, count, keys, digest in rows(run / "leaves.parquet", columns):
        kept.setdefault(tree, []).append((first, count, keys, digest))
    leaves = {"views": view_leaves, "states": state_leaves, "violations": violation_leaves}
    recorded = manifest["digests"]
    result = {
        "outcomes": (recorded["outcomes"], outcome.hex()),
        "views": (recorded["views"], view.hex()),
        "states": (recorded["states"], state.hex()),
        "violations": (recorded["violations"], violation.hex()),
        "run digest": (manifest["run_digest"], whole.hex()),
        "job digest": (manifest["job"]["digest"], job.hex()),
        "input description": (manifest["input_digest"], described.hex()),
        "positions": (manifest["positions"], positions.hex()),
        "shapes": (manifest["shapes"], shapes.hex()),
        "seal": (
            manifest["seal"],
            seal(manifest, whole, positions, shapes, job, described).hex(),
        ),
    }
    for tree, found in leaves.items():
        both = [sha(repr(each).encode()).hex() for each in (kept.get(tree, []), found)]
        result[f"leaves of the {tree}"] = tuple(both)
    totals = manifest["totals"]
    result["totals of the view"] = (listing(totals["view"]), listing(view_total))
    for name in sorted(totals["emits"].keys() | emit_totals.keys()):
        pair = (totals["emits"].get(name), emit_totals.get(name))
        result[f"totals of emit {name}"] = tuple(map(listing, pair))
    result.update(files(run, manifest))
    return result


def listing(total):
    return json.dumps(total, sort_keys=True)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    run = Path(sys.argv[1])
    path = run / "manifest.json"
    if not path.exists():
        print(f"{run} is half-written or no run directory", file=sys.stderr)
        return 2
    manifest = json.loads(path.read_text())
    if manifest["format"] != 1:
        print(f"{path} has format {manifest['format']}, this script reads 1", file=sys.stderr)
        return 2
    try:
        result = recheck(run, manifest)
    except (AssertionError, KeyError) as error:
        print(f"different: {error}")
        return 1
    for name, (recorded, found) in result.items():
        print(f"{'equal    ' if recorded == found else 'different'}  {found}  {name}")
    return 0 if all(a == b for a, b in result.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
