"""Holds what `retally compare --json` says against what SQL says; see examples.py.

`db` has the tables `view_pairs` and so on (rows of both versions beside each other), `keys` (which are
alike at the end), `first` (the first event in which each key's versions part), and what tests/sql
makes; `found` the numbers.
"""

import datetime
import decimal

from sql import columns, row, rows

# Keys that a ranking shows, at most.
SHOWN = 100


def check(db, found, by, said, expect):
    """Every number of the comparison that SQL has too."""
    view = found["tables"]["view"]
    in_one_pass = said["how"] == "one-pass"
    expect(said["verdict"], "different", "verdict")
    expect(said["keys"], found["keys"], "keys")
    expect(said["rows"], view["sets"], "rows")
    if said["states"] is not None:
        # The views of these reducers tell all that their states hold.
        expect(said["states"], found["keys"], "states")
    fields(db, said["fields"], view["fields"], "view", expect)
    kinds = [name for name in found["tables"] if name != "view"]
    expect([kind["kind"] for kind in said["emits"]], kinds, "kinds of emits")
    for kind in said["emits"]:
        own = found["tables"][kind["kind"]]
        expect(kind["records"], own["sets"], f"records of {kind['kind']}")
        fields(db, kind["fields"], own["fields"], kind["kind"], expect)
    totals = [(table, field) for table, own in found["tables"].items() for field in own["totals"]]
    expect([(place(each), each["field"]) for each in said["totals"]], totals, "fields with totals")
    for total in said["totals"]:
        own = found["tables"][place(total)]["totals"][total["field"]]
        same_total(total, own, "total", expect)
    groups(db, said["groups"], found, by, in_one_pass, expect)
    divergences(db, said["divergences"], found["divergences"], in_one_pass, expect)
    attribution(db, said["attribution"], in_one_pass, expect)
    worst(db, said["worst"], kinds, by, in_one_pass, expect)
    expect(said["outcomes"] or [], [], "changes of outcomes")


def place(total):
    """The table in which a total's field stands."""
    return "view" if total["of"] == "view" else total["of"]["emit"]


def same_total(said, own, what, expect):
    """Both sides, where they are told, and the difference, which always is."""
    what = f"{what} of {place(said)} {said['field']}"
    for side in ("a", "b"):
        if said[side] is not None:
            expect(said[side], str(own[side]), f"{what}, {side}")
    expect(said["difference"], str(own["b"] - own["a"]), f"{what}, difference")
    expect(said["tolerated"], None, f"{what}, tolerated")


def fields(db, said, found, table, expect):
    """How each field differs."""
    missing = set(found) - {field["name"] for field in said}
    expect(missing, set(), f"fields of {table} that are not compared")
    for field in said:
        what = f"{table} {field['name']}"
        if field["name"] not in found:
            expect(field["differ"], 0, f"{what}, which tells rows apart")
            continue
        own = found[field["name"]]
        told = tuple(field[name] for name in ("compared", "differ", "missing_a", "missing_b"))
        expect(told, (own["compared"], own["differ"], 0, 0), what)
        numeric = own.get("numeric", {"values": 0})
        if numeric["values"]:
            told = field["numeric"]
            for count in ("values", "larger", "smaller"):
                expect(told[count], numeric[count], f"{what}: {count}")
            for value in ("sum", "smallest", "largest"):
                expect(told[value], str(numeric[value]), f"{what}: {value}")
            expect(told["mean"], mean(numeric), f"{what}: mean")
            histogram(db, told["histogram"], table, field["name"], what, expect)
        if own.get("transitions"):
            told = {"list": own["transitions"], "others": 0}
            expect(field["transitions"], told, f"{what}: transitions")


def histogram(db, said, table, field, what, expect):
    """Whether bins hold the differences between their ends, and all of them."""
    delta = f'"{field}_b" - "{field}_a"'
    where = f"from {table}_pairs where alike = 'different' and {delta} <> 0"
    for each in said:
        ends = decimal.Decimal(each["from"]), decimal.Decimal(each["to"])
        within = [f"{delta} > {ends[0]}", f"{delta} <= {ends[1]}"]
        if ends[0] > 0:
            within = [f"{delta} >= {ends[0]}", f"{delta} < {ends[1]}"]
        own = row(db, f"select count(*) as n {where} and {' and '.join(within)}")["n"]
        expect(each["values"], own, f"{what}: differences from {each['from']} to {each['to']}")
    all = row(db, f"select count(*) as n {where}")["n"]
    expect(sum(each["values"] for each in said), all, f"{what}: differences in bins")


def mean(numeric):
    """The mean difference with six digits more than the field has."""
    digits = -decimal.Decimal(numeric["smallest"]).as_tuple().exponent
    return str(quotient(numeric["sum"], numeric["values"], digits + 6))


def quotient(n, d, digits):
    """A quotient, rounded half to even."""
    with decimal.localcontext(prec=80, rounding=decimal.ROUND_HALF_EVEN):
        return (decimal.Decimal(n) / d).quantize(decimal.Decimal(1).scaleb(-digits))


def groups(db, said, found, by, in_one_pass, expect):
    """Totals and rows that differ, for each value of a field."""
    expect((said["by"], said["others"]), (by, None), "what is grouped by")
    values = [own["value"] for own in found["groups"]["view"]]
    # Of two runs no group need be read in which nothing differs.
    differ = f"select distinct {by} as value from view_pairs where alike <> 'equal' order by value"
    needed = values if in_one_pass else [each["value"] for each in rows(db, differ)]
    told = [group["value"] for group in said["groups"]]
    expect([value for value in told if value in needed], needed, "groups")
    expect([value for value in told if value not in values], [], "groups that are not there")
    fields = [
        (table, field) for table in found["groups"] for field in found["tables"][table]["totals"]
    ]
    for group in said["groups"]:
        where = f"from view_pairs where {by} = '{group['value']}'"
        counted = row(
            db,
            f"""
            select count(*) filter (alike in ('different', 'only_a')) as rows_a,
                count(*) filter (alike in ('different', 'only_b')) as rows_b
            {where}
            """,
        )
        expect({name: group[name] for name in counted}, counted, f"rows of {group['value']}")
        told = [(place(total), total["field"]) for total in group["totals"]]
        expect(told, fields, f"fields with totals for {group['value']}")
        for total in group["totals"]:
            (own,) = [own for own in found["groups"][place(total)] if own["value"] == group["value"]]
            sides = {side: own[f"{total['field']}_{side}"] for side in ("a", "b")}
            same_total(total, sides, f"total for {group['value']}", expect)


def divergences(db, said, found, in_one_pass, expect):
    """The first events in which keys part, all together."""
    expect(said["not_in_files"], 0, "keys that part nobody knows where")
    for name in ("keys", "healed"):
        expect(said[name], found[name], f"keys that part: {name}")
    expect(said["found"], found["keys"], "keys of which the first diverging event is known")
    # The files of a run do not tell which input took an event.
    by_input = found["by_input"] if in_one_pass else [{"input": None, "keys": found["keys"]}]
    expect(said["by_input"], by_input, "first diverging events by input")
    summed = [each["field"] for each in said["over_time"][0]["cumulative"]]
    deltas = ", ".join(f'sum("{name}_b") - sum("{name}_a") as "{name}"' for name in summed)
    sums = "".join(f', sum(sum("{name}")) over (order by "from") as "{name}"' for name in summed)
    own = rows(
        db,
        f"""
        with deltas as (select key, {deltas} from view_pairs group by key)
        select date_trunc('{said["step"]}', time) as "from", count(*) as keys {sums}
        from first join deltas using (key)
        group by "from" order by "from"
        """,
    )
    told = [(bucket["from"], bucket["keys"]) for bucket in said["over_time"]]
    times = [(text(each["from"]), each["keys"]) for each in own]
    expect(told, times, "first diverging events over time")
    for bucket, each in zip(said["over_time"], own):
        told = {sum["field"]: sum["difference"] for sum in bucket["cumulative"]}
        sums = {name: str(each[name]) for name in summed}
        expect(told, sums, f"cumulative differences at {bucket['from']}")


def attribution(db, said, in_one_pass, expect):
    """What the differing keys have in common."""
    keys = {"changed": "not equal", "others": "equal"}
    for name, which in keys.items():
        own = row(db, f"select count(*) as n from keys where {which}")["n"]
        expect(said[name], own, f"keys that are {which}")
    if in_one_pass:
        expect(said["not_looked"], [], "what was not looked at")
    expect(len(said["findings"]) > 0, True, "whether anything was found")
    for finding in said["findings"]:
        ((condition, of),) = finding["condition"].items()
        known = {"changed_with": "not equal", "others_with": "equal"}
        if condition == "field-is":
            having = field_is(db, of["field"], of["value"])
        elif condition == "had-input":
            # What came after the first diverging event explains nothing.
            having = f"""
                select distinct key from reached left join first using (key)
                where reached.input = '{of["input"]}' and (first.key is null or
                    (reached.partition, reached."offset") <= (first.partition, first."offset"))
                """
        elif condition == "had-outcome":
            having = had_outcome(of["outcome"], in_one_pass)
        elif condition == "first-input":
            having = f"select key from first where input = '{of['input']}'"
            known = {"changed_with": "true"}
        else:
            expect(condition, None, "a condition that SQL does not know")
            continue
        told = f"keys with {finding['condition']}"
        for name, which in known.items():
            own = row(db, f"select count(*) as n from keys join ({having}) using (key) where {which}")
            if finding[name] is not None:
                expect(finding[name], own["n"], f"{name}: {told}")
        first = condition == "first-input"
        of = row(db, "select count(*) as n from first")["n"] if first else said["changed"]
        expect(finding["changed"], of, f"changed: {told}")
        expect(finding["share"], str(quotient(finding["changed_with"], of, 4)), f"share: {told}")
        lift = None
        if finding["others_with"] is not None:
            expect(finding["others"], said["others"], f"others: {told}")
            rest = finding["others_with"] * of
            lift = str(quotient(finding["changed_with"] * said["others"], rest, 2)) if rest else None
        expect(finding["lift"], lift, f"lift: {told}")
        if in_one_pass and not first:
            expect(finding["others_with"] is not None, True, f"whether the others are known: {told}")


def had_outcome(outcome, in_one_pass):
    """Keys with an event that a reducer did not apply, up to the first diverging one. One pass knows
    outcomes without their codes."""
    where = f"what = '{outcome['what']}'"
    if not in_one_pass:
        where += f" and code = '{outcome['code']}'" if "code" in outcome else " and code is null"
    return f"""
        select distinct key from unapplied left join first using (key)
        where {where} and (first.key is null or
            (unapplied.partition, unapplied."offset") <= (first.partition, first."offset"))
        """


def field_is(db, field, value):
    """Keys with a row of this value on both sides, or on the one that has rows of the key at all."""
    names = {name for name, *_ in db.execute("describe view_pairs").fetchall()}
    a, b = (field, field) if field in names else (f"{field}_a", f"{field}_b")
    on = {"a": "alike <> 'only_b'", "b": "alike <> 'only_a'"}
    holds = " and ".join(
        f"coalesce(bool_or({column} = '{value}') filter ({on[side]}), true)"
        for side, column in (("a", a), ("b", b))
    )
    return f"select key from view_pairs group by key having {holds}"


def worst(db, said, kinds, by, in_one_pass, expect):
    """The keys that are shown one by one: the right ones, with their values and first events."""
    differ = row(db, "select count(*) as n from keys where not equal")["n"]
    expect(said["of"], differ, "keys that differ")
    for ranking in said["rankings"]:
        field = ranking["field"]
        size = f'max(abs("{field}_b" - "{field}_a"))' if field else "max(0)"
        where = f'"{field}_a" <> "{field}_b"' if field else "alike <> 'equal'"
        own = rows(
            db,
            f"""
            select key from view_pairs where {where}
            group by key order by {size} desc, key limit {SHOWN}
            """,
        )
        told = [said["keys"][number]["key"] for number in ranking["keys"]]
        expect(told, [each["key"] for each in own], f"keys that differ most in {field}")
    for key in said["keys"]:
        values(db, key, by, expect)
        first(db, key["key"], key["first"]["event"], kinds, by, in_one_pass, expect)


def values(db, key, by, expect):
    """The rows of a key that differ, and in what."""
    what = f"rows of {key['key']}"
    own = rows(db, f"from view_pairs where key = $1 and alike <> 'equal' order by {by}", key["key"])
    expect([line["row_key"] for line in key["rows"]], [[o[by]] for o in own], what)
    expect((key["presence"], key["more_rows"]), ("both", 0), what)
    for line, each in zip(key["rows"], own):
        names = [name[:-2] for name in each if name.endswith("_a")]
        differ = []
        for name in names:
            a, b = each[f"{name}_a"], each[f"{name}_b"]
            number = None if isinstance(a, (str, datetime.datetime)) else text(b - a)
            if a != b:
                differ.append({"field": name, "a": text(a), "b": text(b), "difference": number})
        expect(line["values"], differ, f"values of {key['key']} {line['row_key']}")


def first(db, key, said, kinds, by, in_one_pass, expect):
    """The first diverging event of a key: which one it is, and what each version said to it."""
    event = row(db, 'select partition, "offset", time, id as event_id, input from first where key = $1', key)
    own = event | {"time": text(event["time"]), "outcome_a": {"what": "applied"}}
    own |= {"outcome_b": own["outcome_a"]}
    if not in_one_pass:
        # Neither is in the files of a run.
        own["input"] = None
        expect((said["view_a"], said["view_b"]), (None, None), f"views of {key} at its first event")
    told = {name: said[name] for name in own}
    expect(told, own, f"first diverging event of {key}")
    at = [event["partition"], event["offset"]]
    for version in "ab":
        emits = []
        for kind in kinds:
            skip = ["version", "partition", "offset", "seq", "time", "key", "event_id"]
            names = ", ".join(f'"{name}"' for name, _ in columns(db, kind, skip))
            where = 'where version = $1 and partition = $2 and "offset" = $3 order by seq'
            own = rows(db, f"select {names} from {kind} {where}", version, *at)
            emits += [{"kind": kind} | told_row(each) for each in own]
        expect(said[f"emits_{version}"], emits, f"emits of {key} at its first event, {version}")
        if in_one_pass:
            names = ", ".join(f'"{name}"' for name, _ in columns(db, "view", ["version", "key"]))
            own = rows(
                db,
                f"""
                select {names} from history
                where key = $1 and version = $2 and (partition, "offset") <= ($3, $4)
                qualify row_number() over (
                    partition by {by} order by partition desc, "offset" desc
                ) = 1
                order by {by}
                """,
                *[key, version, *at],
            )
            view = [told_row(each) for each in own]
            expect(said[f"view_{version}"], view, f"view of {key} at its first event, {version}")


def told_row(own):
    """A row as a comparison tells it."""
    return {"values": [{"field": name, "value": text(value)} for name, value in own.items()]}


def text(value):
    """A value as a comparison tells it."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    return str(value)
