#!/usr/bin/env python3
"""Computes what two versions of a reducer come to, and how they differ, in SQL, and holds it against
what Retally says, to the last digit.

    python3 tests/python/examples.py NAME LOG RUN_A RUN_B [COMPARISON...]

NAME is a file of tests/sql, which is written from the reducers' rules with nothing of Retally; LOG a
folder of JSON lines; RUN_A and RUN_B are run directories of the two versions over it; a COMPARISON is
what `retally compare --json` printed about the two (comparison.py). Prints the numbers that the
examples promise, as Markdown. Exits with 1 if anything differs. Needs DuckDB and pyarrow.
"""

import json
import sys
from pathlib import Path

import comparison
import duckdb
import pyarrow as pa
from sql import columns, row, rows

ROW_KEY = {"orders": "currency", "flights": "origin"}
KINDS = {"orders": ["balance", "tier_changed"], "flights": ["delay"]}
SUMMED = ("BIGINT", "DECIMAL")


# The log, and what SQL makes of it


def load(db, log):
    """The log as a table of lines: a partition is a file, an offset the number of a line."""
    partitions, offsets, lines = [], [], []
    for path in sorted(log.glob("*.jsonl")):
        for offset, line in enumerate(path.read_bytes().removesuffix(b"\n").split(b"\n")):
            partitions.append(path.stem)
            offsets.append(offset)
            try:
                lines.append(line.decode())
            except UnicodeDecodeError:
                lines.append(None)
    db.register("read", pa.table({"partition": partitions, "offset": offsets, "line": lines}))
    db.execute("create table lines as from read")


def view(db, by):
    """The view: each row as the last event that changed it left it."""
    db.execute(
        f"""
        create table view as
        select * exclude (partition, "offset")
        from history
        qualify row_number() over (
            partition by version, key, {by} order by partition desc, "offset" desc
        ) = 1
        """
    )


# Each run against SQL


def check_run(db, name, version, run, expect):
    """Results, emits, refused events and counts of a run."""
    manifest = json.loads((run / "manifest.json").read_text())
    same_rows(db, "view", version, run / "view.parquet", expect)
    for kind in KINDS[name]:
        same_rows(db, kind, version, run / "emits" / kind / "*.parquet", expect)
    same_rows(db, "refused", None, run / "refused.parquet", expect)
    refused = {
        what: row(db, f"select count(*) as n from refused where what = '{what}'")["n"]
        for what in ("malformed", "conflict", "rejected")
    }
    counts = row(db, "from counts")
    emits = sum(
        row(db, f"select count(*) as n from {kind} where version = '{version}'")["n"]
        for kind in KINDS[name]
    )
    counts |= {
        "malformed": refused["malformed"],
        "conflicts": refused["conflict"],
        "rejected": refused["rejected"],
        "applied": counts["events"] - sum(refused.values()) - counts["ignored"] - counts["duplicates"],
        "keys": row(db, f"select count(distinct key) as n from view where version = '{version}'")["n"],
        "emits": emits,
        "quarantined": 0,
        "filtered": 0,
        "violations": 0,
    }
    found = {name: manifest["counts"][name] for name in counts}
    expect(found, counts, f"counts of {version}")
    return manifest


def same_rows(db, table, version, files, expect):
    """Whether a table of a run holds exactly the rows that SQL has: as many, and none of SQL's is
    missing."""
    names = ", ".join(f'"{name}"' for name, _ in columns(db, table, ["version"]))
    where = f"where version = '{version}'" if version else ""
    ours = f"select {names} from {table} {where}"
    theirs = f"select {names} from read_parquet('{files}')"
    what = f"{table} of version {version}"
    count = "select count(*) as n from"
    expect(row(db, f"{count} ({theirs})"), row(db, f"{count} ({ours})"), f"rows of {what}")
    missing = rows(db, f"({ours}) except all ({theirs}) order by all limit 3")
    if missing:
        others = rows(db, f"({theirs}) except all ({ours}) order by all limit 3")
        expect(others, missing, what)


# The two versions side by side


def compare(db, name):
    """How the versions differ, in the words of `retally compare --json`."""
    by = ROW_KEY[name]
    tables = {"view": pairs(db, "view", ["key", by])}
    for kind in KINDS[name]:
        tables[kind] = pairs(db, kind, ["partition", "offset", "seq"], ["time", "key", "event_id"])
    db.execute(
        """
        create table keys as
        select key, bool_and(alike = 'only_a') as only_a, bool_and(alike = 'only_b') as only_b,
            bool_and(alike = 'equal') as equal
        from view_pairs group by key
        """
    )
    db.execute(
        """
        create table first as
        from parted
        qualify row_number() over (partition by key order by partition, "offset") = 1
        """
    )
    keys = row(
        db,
        """
        select count(*) filter (only_a) as only_a, count(*) filter (only_b) as only_b,
            count(*) filter (equal) as equal,
            count(*) filter (not only_a and not only_b and not equal) as different
        from keys
        """,
    )
    return {
        "keys": keys,
        "tables": tables,
        "divergences": divergences(db),
        "groups": {
            table: rows(db, groups_query(db, table, by))
            for table in tables
            if by in dict(columns(db, table, []))
        },
    }


def pairs(db, table, known_by, beside=()):
    """Pairs the rows of both versions, and counts: how many are alike, how each field differs."""
    fields = columns(db, table, ["version", *known_by, *beside])
    both = ", ".join(f'"{name}"' for name in known_by)
    values = ", ".join(f'a."{name}" as "{name}_a", b."{name}" as "{name}_b"' for name, _ in fields)
    same = " and ".join(f'a."{name}" is not distinct from b."{name}"' for name, _ in fields)
    db.execute(
        f"""
        create table {table}_pairs as
        select {both}, {values}, case
            when b.version is null then 'only_a'
            when a.version is null then 'only_b'
            when {same} then 'equal'
            else 'different'
        end as alike
        from (from {table} where version = 'a') as a
            full join (from {table} where version = 'b') as b using ({both})
        """
    )
    sets = ", ".join(
        f"count(*) filter (alike = '{word}') as {word}"
        for word in ("only_a", "only_b", "equal", "different")
    )
    found = {"sets": row(db, f"select {sets} from {table}_pairs"), "fields": {}, "totals": {}}
    for name, kind in fields:
        a, b = f'"{name}_a"', f'"{name}_b"'
        both = f"from {table}_pairs where alike in ('equal', 'different')"
        field = row(db, f"select count(*) as compared, count(*) filter ({a} <> {b}) as differ {both}")
        differ = f"{both} and {a} <> {b}"
        if kind.startswith(SUMMED):
            field["numeric"] = row(
                db,
                f"""
                select count(*) as values, count(*) filter ({b} > {a}) as larger,
                    count(*) filter ({b} < {a}) as smaller, coalesce(sum({b} - {a}), 0) as sum,
                    min({b} - {a}) as smallest, max({b} - {a}) as largest
                {differ}
                """,
            )
            found["totals"][name] = row(
                db,
                f"""
                select coalesce(sum({a}), 0) as a, coalesce(sum({b}), 0) as b,
                    coalesce(sum({b}), 0) - coalesce(sum({a}), 0) as difference
                from {table}_pairs
                """,
            )
        if kind == "VARCHAR":
            field["transitions"] = rows(
                db,
                f'select {a} as "from", {b} as "to", count(*) as values {differ} '
                "group by all order by values desc, 1, 2",
            )
        found["fields"][name] = field
    return found


def groups_query(db, table, by):
    """Totals of both versions for each value of a field."""
    skip = ["version", "offset", "seq"]
    summed = [name for name, kind in columns(db, table, skip) if kind.startswith(SUMMED)]
    sums = "".join(
        f", coalesce(sum({name}) filter (version = '{v}'), 0) as {name}_{v}"
        for name in summed
        for v in "ab"
    )
    return f"select {by} as value{sums} from {table} group by {by} order by {by}"


def divergences(db):
    """The first events in which keys part."""
    found = row(
        db,
        """
        select count(*) as keys, count(*) filter (equal) as healed
        from first join keys using (key)
        """,
    )
    found["by_input"] = rows(
        db, "select input, count(*) as keys from first group by input order by keys desc, input"
    )
    lost = row(db, "select count(*) as n from keys anti join first using (key) where not equal")
    assert lost["n"] == 0, "a key differs at the end and nowhere before"
    return found


# What the examples promise


def markdown(by, found, manifests):
    """The numbers to expect."""
    view = found["tables"]["view"]
    yield "| | only in A | only in B | equal | different |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    sets = [("keys", found["keys"]), ("view rows", view["sets"])]
    sets += [(f"emits `{k}`", t["sets"]) for k, t in found["tables"].items() if k != "view"]
    for name, counts in sets:
        yield f"| {name} | " + " | ".join(f"{n:,}" for n in counts.values()) + " |"
    yield ""
    yield "| field of the view | rows that differ | sum in A | sum in B | B - A | smallest | largest |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, field in view["fields"].items():
        if "numeric" in field:
            total, numeric = view["totals"][name], field["numeric"]
            ends = [numeric["smallest"], numeric["largest"]]
            shown = [f"{n:,}" if n is not None else "" for n in [*total.values(), *ends]]
        else:
            shown = [""] * 5
        yield f"| `{name}` | {field['differ']:,} | " + " | ".join(shown) + " |"
    if any(total["difference"] for total in view["totals"].values()):
        names = [name for name, total in view["totals"].items() if total["difference"]]
        yield ""
        yield f"| `{by}` | " + " | ".join(f"`{name}`, B - A" for name in names) + " |"
        yield "| --- |" + " ---: |" * len(names)
        for group in found["groups"]["view"]:
            sums = [group[f"{name}_b"] - group[f"{name}_a"] for name in names]
            yield f"| {group['value']} | " + " | ".join(f"{n:,}" for n in sums) + " |"
    for name, field in view["fields"].items():
        if field.get("transitions"):
            yield ""
            yield f"| `{name}` in A | in B | rows |"
            yield "| --- | --- | ---: |"
            for t in field["transitions"]:
                yield f"| {t['from']} | {t['to']} | {t['values']:,} |"
    parted = found["divergences"]
    yield ""
    yield "| keys whose versions part | |"
    yield "| --- | ---: |"
    for each in parted["by_input"]:
        yield f"| first with a `{each['input']}` event | {each['keys']:,} |"
    yield f"| all | {parted['keys']:,} |"
    yield f"| of these equal again at the end | {parted['healed']:,} |"
    yield ""
    yield "| | run digest |"
    yield "| --- | --- |"
    for version, manifest in zip("AB", manifests):
        reducer = manifest["reducer"]
        yield f"| {version}: {reducer['name']} {reducer['version']} | `{manifest['run_digest']}` |"


def main(name, log, *runs_and_comparisons):
    offences = []

    def expect(found, expected, what):
        if found != expected:
            offences.append(f"{what}:\n  Retally says {found!r}\n  SQL says     {expected!r}")

    runs, comparisons = runs_and_comparisons[:2], runs_and_comparisons[2:]
    db = duckdb.connect()
    db.execute("set TimeZone = 'UTC'")
    load(db, Path(log))
    db.execute((Path(__file__).parent.parent / "sql" / f"{name}.sql").read_text())
    view(db, ROW_KEY[name])
    manifests = [check_run(db, name, v, Path(run), expect) for v, run in zip("ab", runs)]
    found = compare(db, name)
    for path in comparisons:
        comparison.check(db, found, ROW_KEY[name], json.loads(Path(path).read_text()), expect)
    if offences:
        sys.exit("\n".join(offences))
    print("\n".join(markdown(ROW_KEY[name], found, manifests)))


if __name__ == "__main__":
    main(*sys.argv[1:])
