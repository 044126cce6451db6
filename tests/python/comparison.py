"""Holds what `retally compare --json` says against what SQL says; see examples.py.

`db` has the tables `view_pairs` and so on (rows of both versions beside each other), `keys` (which are
alike at the end) and `first` (the first event in which each key's versions part); `found` the numbers.
"""

import decimal

from sql import row, rows


def check(db, found, by, said, expect):
    """Every number of the comparison that SQL has too."""
    view = found["tables"]["view"]
    expect(said["keys"], found["keys"], "keys")
    expect(said["rows"], view["sets"], "rows")
    fields(said["fields"], view["fields"], "view", expect)
    kinds = [name for name in found["tables"] if name != "view"]
    expect([kind["kind"] for kind in said["emits"]], kinds, "kinds of emits")
    for kind in said["emits"]:
        own = found["tables"][kind["kind"]]
        expect(kind["records"], own["sets"], f"records of {kind['kind']}")
        fields(kind["fields"], own["fields"], kind["kind"], expect)
    for total in said["totals"]:
        own = found["tables"][place(total)]["totals"][total["field"]]
        same_total(total, own, "total", expect)
    if said["groups"] is not None:
        groups(db, said["groups"], found["groups"], by, expect)
    divergences(db, said["divergences"], found["divergences"], expect)
    attribution(db, said["attribution"], expect)
    worst(db, said["worst"], by, expect)
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


def fields(said, found, table, expect):
    """How each field differs."""
    missing = set(found) - {field["name"] for field in said}
    expect(missing, set(), f"fields of {table} that are not compared")
    for field in said:
        what = f"{table} {field['name']}"
        if field["name"] not in found:
            expect(field["differ"], 0, f"{what}, which tells rows apart")
            continue
        own = found[field["name"]]
        expect((field["compared"], field["differ"]), (own["compared"], own["differ"]), what)
        numeric = own.get("numeric", {"values": 0})
        if numeric["values"]:
            told = field["numeric"]
            for count in ("values", "larger", "smaller"):
                expect(told[count], numeric[count], f"{what}: {count}")
            for value in ("sum", "smallest", "largest"):
                expect(told[value], str(numeric[value]), f"{what}: {value}")
            expect(told["mean"], mean(numeric), f"{what}: mean")
            bins = sum(each["values"] for each in told["histogram"])
            expect(bins, numeric["values"], f"{what}: values in bins")
        if own.get("transitions"):
            expect(field["transitions"]["list"], own["transitions"], f"{what}: transitions")


def mean(numeric):
    """The mean difference with six digits more than the field has."""
    digits = -decimal.Decimal(numeric["smallest"]).as_tuple().exponent
    return str(quotient(numeric["sum"], numeric["values"], digits + 6))


def quotient(n, d, digits):
    """A quotient, rounded half to even."""
    with decimal.localcontext(prec=80, rounding=decimal.ROUND_HALF_EVEN):
        return (decimal.Decimal(n) / d).quantize(decimal.Decimal(1).scaleb(-digits))


def groups(db, said, found, by, expect):
    """Totals and rows that differ, for each value of a field."""
    expect(said["by"], by, "what is grouped by")
    values = [own["value"] for own in found["view"]]
    told = [group["value"] for group in said["groups"]]
    expect([value for value in told if value not in values], [], "groups that are not there")
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
        for total in group["totals"]:
            (own,) = [own for own in found[place(total)] if own["value"] == group["value"]]
            sides = {side: own[f"{total['field']}_{side}"] for side in ("a", "b")}
            same_total(total, sides, f"total for {group['value']}", expect)


def divergences(db, said, found, expect):
    """The first events in which keys part, all together."""
    expect(said["not_in_files"], 0, "keys that part nobody knows where")
    for name in ("keys", "healed"):
        expect(said[name], found[name], f"keys that part: {name}")
    # The files of a run do not tell which input took an event.
    if any(each["input"] is not None for each in said["by_input"]):
        expect(said["by_input"], found["by_input"], "first diverging events by input")
    if not said["over_time"]:
        return
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
    times = [(each["from"].strftime("%Y-%m-%dT%H:%M:%SZ"), each["keys"]) for each in own]
    expect(told, times, "first diverging events over time")
    for bucket, each in zip(said["over_time"], own):
        told = {sum["field"]: sum["difference"] for sum in bucket["cumulative"]}
        sums = {name: str(each[name]) for name in summed}
        expect(told, sums, f"cumulative differences at {bucket['from']}")


def attribution(db, said, expect):
    """What the differing keys have in common."""
    keys = {"changed": "not equal", "others": "equal"}
    for name, which in keys.items():
        own = row(db, f"select count(*) as n from keys where {which}")["n"]
        expect(said[name], own, f"keys that are {which}")
    for finding in said["findings"]:
        if "field-is" in finding["condition"]:
            condition = finding["condition"]["field-is"]
            sides = has(db, condition["field"])
            holds = " or ".join(f"{side} = '{condition['value']}'" for side in sides)
            having = f"select distinct key from view_pairs where {holds}"
            known = {"changed_with": "not equal", "others_with": "equal"}
        elif "first-input" in finding["condition"]:
            having = f"select key from first where input = '{finding['condition']['first-input']['input']}'"
            known = {"changed_with": "true"}
        else:
            continue
        for name, which in known.items():
            own = row(db, f"select count(*) as n from keys join ({having}) using (key) where {which}")
            if finding[name] is not None:
                expect(finding[name], own["n"], f"{name}: keys that {finding['text']}")
        share = quotient(finding["changed_with"], finding["changed"], 4)
        expect(finding["share"], str(share), f"share of keys that {finding['text']}")


def has(db, field):
    """The columns of `view_pairs` that hold a field: one if it tells rows apart, else two."""
    names = {name for name, *_ in db.execute("describe view_pairs").fetchall()}
    return [field] if field in names else [f"{field}_a", f"{field}_b"]


def worst(db, said, by, expect):
    """The keys that are shown one by one: the right ones, with their values and first events."""
    expect(said["of"], row(db, "select count(*) as n from keys where not equal")["n"], "keys that differ")
    for ranking in said["rankings"]:
        field = ranking["field"]
        size = f'max(abs("{field}_b" - "{field}_a"))' if field else "max(0)"
        where = f'"{field}_a" <> "{field}_b"' if field else "alike <> 'equal'"
        own = rows(
            db,
            f"""
            select key from view_pairs where {where}
            group by key order by {size} desc, key limit {len(ranking["keys"])}
            """,
        )
        told = [said["keys"][number]["key"] for number in ranking["keys"]]
        expect(told, [each["key"] for each in own], f"keys that differ most in {field}")
    for key in said["keys"]:
        event = key["first"]["event"]
        where = f"from first where key = '{key['key']}'"
        own = row(db, f'select partition, "offset", id as event_id {where}')
        expect({name: event[name] for name in own}, own, f"first diverging event of {key['key']}")
        own = rows(db, f"from view_pairs where key = '{key['key']}' and alike <> 'equal' order by {by}")
        expect([line["row_key"] for line in key["rows"]], [[o[by]] for o in own], f"rows of {key['key']}")
        for line, each in zip(key["rows"], own):
            told = {value["field"]: (value["a"], value["b"]) for value in line["values"]}
            names = [name[:-2] for name in each if name.endswith("_a")]
            pairs = {name: (str(each[f"{name}_a"]), str(each[f"{name}_b"])) for name in names}
            differ = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
            expect(told, differ, f"values of {key['key']} {line['row_key']}")
