"""Puts orders into the topic `orders` of a Kafka, as a shop would: two partitions, an account in one of them.

Usage: fill.py BROKERS FIRST LAST. With the first order come the topics: `orders`, and those of [publish] in
retally.toml and of the second worker in README.md."""

import json
import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

brokers, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
KINDS = ("balance", "tier_changed", "refused")


def event(number):
    partition, offset = number % 2, number // 2
    account = partition + 2 * (offset * 7 % 40)
    second = 9 * 3600 + number
    kind = "refund" if offset % 9 == 8 else "payment"
    return partition, {
        "event_id": f"order-{number:06}",
        "type": kind,
        "ts": f"2026-03-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
        "account_id": f"acct-{account:03}",
        "amount": f"{10 + offset % 37}.{offset % 100:02}" if kind == "payment" else "35.00",
        "currency": "EUR",
    }


if first == 0:
    topics = [NewTopic("orders", 2, 1)]
    for job in ("shop", "shop-2"):
        topics += [NewTopic(f"{job}-{kind}", 2, 1) for kind in KINDS]
        topics.append(NewTopic(f"{job}-views", 2, 1, config={"cleanup.policy": "compact"}))
    admin = AdminClient({"bootstrap.servers": brokers})
    for made in admin.create_topics(topics).values():
        made.result()


def delivered(error, _):
    if error is not None:
        sys.exit(f"not put: {error}")


producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "enable.idempotence": True})
for number in range(first, last):
    partition, order = event(number)
    producer.produce("orders", json.dumps(order), key=order["account_id"], partition=partition, on_delivery=delivered)
producer.flush()
print(f"{last - first} orders put")
