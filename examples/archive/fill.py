"""Fills the folder of a bucket with what a sink of Kafka Connect left of the topic `orders`: two partitions, a file
for every quarter of an hour. One file is missing, and one was written twice. `--all` writes the missing one as well."""

import json
import pathlib
import sys

bucket, *flags = sys.argv[1:]
START = 9 * 3600
EVENTS, FILE = 1_200, 100


def event(partition, offset):
    account = partition + 2 * (offset * 7 % 40)
    second = START + offset * 9 + partition
    kind = "refund" if offset % 9 == 8 else "payment"
    return {
        "event_id": f"{partition}-{offset}",
        "type": kind,
        "ts": f"2026-03-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
        "account_id": f"acct-{account:03}",
        "amount": f"{10 + offset % 37}.{offset % 100:02}" if kind == "payment" else "5.00",
        "currency": "EUR",
        "order_id": f"order-{partition}-{offset}",
    }


def write(partition, first, folder=None):
    hour = (START + first * 9) // 3600
    folder = folder or f"year=2026/month=03/day=01/hour={hour:02}"
    path = pathlib.Path(bucket, "topics/orders", folder, f"orders+{partition}+{first:010}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    events = (event(partition, offset) for offset in range(first, first + FILE))
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


for partition in range(2):
    for first in range(0, EVENTS, FILE):
        if (partition, first) != (1, 700) or "--all" in flags:
            write(partition, first)
# The sink was restarted, and wrote a file again where the clock had gone on.
write(0, 300, "year=2026/month=03/day=01/hour=12")
