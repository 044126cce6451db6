"""What live work published, held against a replay of the same topic, by a client that is not ours.

Usage: published.py '{"brokers": ..., "run": DIR, "emits": {KIND: TOPIC}, "views": TOPIC,
"refused": TOPIC}'

Reads what is committed of every topic with confluent-kafka, and the run's files with pyarrow. Every
emit stands there exactly once and in the order of its key's events, the last view of every key is
the run's, and every refused event is there with its bytes. Prints what it counted as JSON;
exits with 1 and a sentence where something differs.
"""

import datetime
import decimal
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet as parquet
from confluent_kafka import Consumer, TopicPartition

OWN = ("partition", "offset", "seq", "time", "key", "event_id")


def text(value):
    """A value as it stands in JSON that nobody rounds."""
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        fraction = f".{value.microsecond:06}" if value.microsecond else ""
        return value.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
    if isinstance(value, bytes):
        return value.decode()
    return value


def client(brokers, group):
    return Consumer({
        "bootstrap.servers": brokers,
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
    })


def records(consumer, topic):
    """All committed records of a topic, partition by partition."""
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    own = []
    for number in partitions:
        first, _ = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)
        own.append(TopicPartition(topic, number, first))
    consumer.assign(own)
    found, left = [], set(partitions)
    while left:
        record = consumer.poll(60)
        assert record is not None, f"{topic}: nothing comes any more"
        if record.error():
            assert record.error().name() == "_PARTITION_EOF", record.error()
            left.discard(record.partition())
            continue
        found.append(record)
    consumer.unassign()
    return found


def headers(record):
    return {name: value.decode() for name, value in record.headers() or []}


def rows(path, own=()):
    """Rows of a table as dictionaries whose values are those of JSON."""
    table = parquet.read_table(path).to_pylist()
    return [{name: text(value) if name not in own else value for name, value in row.items()}
            for row in table]


def emits(consumer, run, kinds):
    counted = {}
    for kind, topic in kinds.items():
        found = records(consumer, topic)
        seen, order = Counter(), defaultdict(list)
        for record in found:
            head = headers(record)
            partition, offset = head["at"].rsplit(":", 1)
            key = record.key().decode()
            value = json.dumps(json.loads(record.value()), sort_keys=True)
            seen[(partition, int(offset), int(head["seq"]), key, head["id"], value)] += 1
            order[(record.partition(), key)].append((partition, int(offset), int(head["seq"])))
        expected = Counter()
        for part in sorted(Path(run, "emits", kind).glob("*.parquet")):
            for row in rows(part):
                value = {name: row[name] for name in row if name not in OWN}
                value = json.dumps(value, sort_keys=True)
                expected[(row["partition"], row["offset"], row["seq"], row["key"],
                          row["event_id"], value)] += 1
        for what, more in (("missing", expected - seen), ("too many", seen - expected)):
            assert not more, f"{sum(more.values())} emits {kind} are {what}: {next(iter(more))}"
        for key, places in order.items():
            assert places == sorted(places), f"emits of {key} are not in order: {places[:20]}"
        counted[kind] = len(found)
    return counted


def views(consumer, run, topic):
    last = {}
    for record in records(consumer, topic):
        value = record.value()
        partition, offset = headers(record)["at"].rsplit(":", 1)
        assert partition.isdigit() and int(offset) > 0, f"a view is of {partition}:{offset}"
        last[record.key().decode()] = None if value is None else json.loads(value)
    expected = defaultdict(list)
    for row in rows(Path(run, "view.parquet")):
        expected[row.pop("key")].append(row)
    for key in sorted(set(last) | set(expected)):
        assert (last.get(key) or []) == expected[key], (
            f"the view of {key} is {last.get(key)}, and should be {expected[key]}")
    return len(last)


def refused(consumer, run, topic):
    seen = Counter()
    for record in records(consumer, topic):
        head = headers(record)
        seen[(head["at"], head["what"], head["code"], record.value())] += 1
    expected = Counter()
    for row in parquet.read_table(Path(run, "refused.parquet")).to_pylist():
        at = f"{row['partition']}:{row['offset']}"
        expected[(at, row["what"], row["code"] or "", row["bytes"])] += 1
    for what, more in (("missing", expected - seen), ("too many", seen - expected)):
        assert not more, f"{sum(more.values())} refused events are {what}: {next(iter(more))}"
    return sum(seen.values())


def main():
    asked = json.loads(sys.argv[1])
    consumer = client(asked["brokers"], "somebody-else")
    told = {
        "emits": emits(consumer, asked["run"], asked["emits"]),
        "views": views(consumer, asked["run"], asked["views"]),
        "refused": refused(consumer, asked["run"], asked["refused"]),
    }
    consumer.close()
    print(json.dumps(told))


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(str(error))
