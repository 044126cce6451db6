#!/usr/bin/env python3
"""Puts records into a topic as Confluent's own serializer writes them, and the same records into
files of the layout of Confluent's sink.

    avro_topic.py BROKERS TOPIC REGISTRY PARTITIONS FOLDER < records

Each line of standard input is a record: its partition, its schema, its value. A value that is null
is a deletion. Schemas are registered under the topic's name. Prints the ids of schemas, one a line.
The files, of 50 records at most and of one schema each, lie in FOLDER, named as an archive's are.
"""

import json
import sys

import fastavro
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, topic, registry, partitions, folder = sys.argv[1:]
client = SchemaRegistryClient({"url": registry})
producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5})
context = SerializationContext(topic, MessageField.VALUE)
serializers, ids = {}, []
parts = {number: [] for number in range(int(partitions))}
for line in sys.stdin:
    partition, schema, value = json.loads(line)
    text = json.dumps(schema)
    if text not in serializers:
        serializers[text] = AvroSerializer(client, text)
    bytes_of = serializers[text](value, context) if value is not None else None
    if bytes_of is not None:
        own = int.from_bytes(bytes_of[1:5], "big")
        if own not in ids:
            ids.append(own)
    producer.produce(topic, value=bytes_of, key=b"k", partition=partition)
    producer.poll(0)
    parts[partition].append((schema, value))
if producer.flush(30):
    sys.exit("not all records were taken")

for number, records in parts.items():
    first = 0
    while first < len(records):
        schema = records[first][0]
        end = first
        while end < len(records) and end < first + 50 and records[end][0] == schema and records[end][1] is not None:
            end += 1
        own = [value for _, value in records[first:end]]
        if own:
            with open(f"{folder}/{topic}+{number}+{first:010}.avro", "wb") as out:
                fastavro.writer(out, fastavro.parse_schema(schema), own)
        first = max(end, first + 1)
print("\n".join(str(own) for own in ids))
