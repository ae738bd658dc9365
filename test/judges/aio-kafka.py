"""A judge: aiokafka, which speaks old versions of the protocol and hard-codes some of them."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import ProducerFenced
from aiokafka.structs import OffsetAndMetadata
from judge import bootstrap, equal, judge, own, patience
from judge import check as register


def check(name):
    """A check that is a coroutine, with an end of its own."""

    def wrapped(function):
        register(name)(lambda: asyncio.run(asyncio.wait_for(function(), 2 * patience)))
        return function

    return wrapped


async def until(condition, what):
    deadline = time.monotonic() + patience
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what()}")


async def make(what, partitions=1, configs=None):
    topic = own(what)
    async with admin() as client:
        await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs or {})])
    # Apache Kafka opens partitions one by one after this; what finds its own closed is late, or lost with acks=0.
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as client:
        await client.end_offsets([TopicPartition(topic, p) for p in range(partitions)])
    return topic


class admin:
    """The admin client for the length of a block."""

    async def __aenter__(self):
        self.client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await self.client.start()
        return self.client

    async def __aexit__(self, *_):
        await self.client.close()


async def send(topic, records, **config):
    """Produces records, each a dict of what send() takes; but for acks=all they may not be readable at once."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, **{"acks": "all", **config}) as client:
        futures = [await client.send(topic, **record) for record in records]
        await asyncio.gather(*futures)


async def everything(topic, partitions=1, **config):
    held = [TopicPartition(topic, p) for p in range(partitions)]
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, **config)
    await client.start()
    client.assign(held)
    await client.seek_to_beginning()
    ends = await client.end_offsets(held)
    found = []

    async def poll():
        for records in (await client.getmany(timeout_ms=200)).values():
            found.extend(records)
        return all([await client.position(p) >= ends[p] for p in held])

    await until(poll, lambda: f"the end of {topic}; {len(found)} records came")
    await client.stop()
    return found


async def committed(topic, count, partitions=1):
    """The values of so many committed records; Apache Kafka ends a transaction a moment after it has said so."""
    found = []

    async def read():
        found[:] = values(await everything(topic, partitions, isolation_level="read_committed"))
        return len(found) >= count

    await until(read, lambda: f"{count} committed records; read are {found}")
    return found


def values(records):
    return [record.value for record in records]


for acks in (0, 1, "all"):

    @check(f"produce/acks={acks}")
    async def _(acks=acks):
        topic = await make(f"acks-{acks}")
        sent = [b"%d" % i for i in range(20)]
        await send(topic, [{"value": value} for value in sent], acks=acks)

        async def arrived():
            return len(await everything(topic)) == len(sent)

        await until(arrived, lambda: "all records readable")
        equal(values(await everything(topic)), sent, "what was read")


@check("produce/keys, headers, null and empty values, timestamps")
async def _():
    topic = await make("shapes")
    now = int(time.time() * 1000) - 5000
    shapes = [
        {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("a", b"2"), ("b", b"")], "timestamp_ms": now},
        {"key": b"k", "value": None, "timestamp_ms": now + 1},
        {"key": None, "value": b"", "timestamp_ms": now + 2},
        {"key": b"", "value": bytes(range(256)), "timestamp_ms": now + 3},
    ]
    await send(topic, shapes)
    for record, shape in zip(await everything(topic), shapes, strict=True):
        equal(record.key, shape["key"], "the key")
        equal(record.value, shape["value"], "the value")
        equal(list(record.headers), shape.get("headers", []), "the headers")
        equal(record.timestamp, shape["timestamp_ms"], "the timestamp")


for codec in ("gzip", "snappy", "lz4", "zstd"):

    @check(f"compression/{codec}")
    async def _(codec=codec):
        topic = await make(codec, 2)
        sent = [{"key": b"%d" % (i % 7), "value": b"record %d " % i * 20} for i in range(1000)]
        await send(topic, sent, compression_type=codec)
        equal(sorted(values(await everything(topic, 2))), sorted(r["value"] for r in sent), "what was read")


async def member(group, topic, **config):
    client = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=250,
        **config,
    )
    client.subscribe([topic])
    await client.start()
    return client


def held(client):
    return sorted(p.partition for p in client.assignment())


async def settled(members, count):
    async def share():
        for client in members:
            await client.getmany(timeout_ms=50)
        return sorted(p for c in members for p in held(c)) == list(range(count)) and all(map(held, members))

    await until(share, lambda: f"a settled group; held are {[held(client) for client in members]}")


for name, assignor in (
    ("range", RangePartitionAssignor),
    ("roundrobin", RoundRobinPartitionAssignor),
    ("sticky", StickyPartitionAssignor),
):

    @check(f"groups/{name}, a second member comes, the first leaves")
    async def _(name=name, assignor=assignor):
        topic, group = await make(name, 4), own(name)
        first = await member(group, topic, partition_assignment_strategy=[assignor])
        await settled([first], 4)
        # It waits in start() until the first has joined again, which it does in the background.
        second = await member(group, topic, partition_assignment_strategy=[assignor])
        await settled([first, second], 4)
        await first.stop()
        await settled([second], 4)
        await second.stop()


@check("groups/offsets committed are where the next member goes on")
async def _():
    topic, group = await make("resume", 2), own("resume")
    await send(topic, [{"value": b"%d" % i, "partition": i % 2} for i in range(10)])
    zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
    first = await member(group, topic)
    await settled([first], 2)
    await first.commit({zero: OffsetAndMetadata(3, "note"), one: 5})
    equal((await first.committed(zero), await first.committed(one)), (3, 5), "what is committed")
    await first.stop()
    second, found = await member(group, topic), []

    async def poll():
        for records in (await second.getmany(timeout_ms=200)).values():
            found.extend(records)
        return len(found) == 2

    await until(poll, lambda: f"the two records after those committed; {len(found)} came")
    equal(values(found), [b"6", b"8"], "what the second member read")
    await second.stop()


@check("admin/topics, created, described, grown, deleted")
async def _():
    topic = await make("described", 2, {"retention.ms": "3600000"})
    async with admin() as client:
        (described,) = await client.describe_topics([topic])
        equal(sorted(p["partition"] for p in described["partitions"]), [0, 1], "the partitions")
        (configs,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        found = {entry[0]: entry[1] for entry in configs.resources[0][4]}
        equal(found["retention.ms"], "3600000", "retention.ms")
        await client.create_partitions({topic: NewPartitions(3)})

        async def grown():
            return len((await client.describe_topics([topic]))[0]["partitions"]) == 3

        await until(grown, lambda: "three partitions")
        await client.delete_topics([topic])

        async def gone():
            return topic not in await client.list_topics()

        await until(gone, lambda: "the topic is listed no more")


@check("admin/records are deleted up to an offset")
async def _():
    topic = await make("cut")
    await send(topic, [{"value": b"%d" % i} for i in range(10)])
    async with admin() as client:
        await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(4)})
    equal(values(await everything(topic)), [b"%d" % i for i in range(4, 10)], "what was read")


@check("admin/groups, listed, described, their offsets")
async def _():
    topic, group = await make("grouped", 2), own("grouped")
    zero = TopicPartition(topic, 0)
    one = await member(group, topic, client_id="judged")
    await settled([one], 2)
    await one.commit({zero: 7})
    async with admin() as client:
        listed = [entry[0] for entry in await client.list_consumer_groups()]
        equal(group in listed, True, "the group is listed")
        (described,) = await client.describe_consumer_groups([group])
        equal(described.groups[0][2], "Stable", "the state")
        await one.stop()
        offsets = await client.list_consumer_group_offsets(group)
        equal(offsets[zero].offset, 7, "the offset")


@check("idempotence/two thousand records, none lost, none twice, in order")
async def _():
    topic = await make("idempotent", 2)
    sent = [{"value": b"%d" % i, "partition": i % 2} for i in range(2000)]
    await send(topic, sent, enable_idempotence=True, max_batch_size=500)
    found = await everything(topic, 2)
    for partition in range(2):
        got = [int(r.value) for r in found if r.partition == partition]
        equal(got, list(range(partition, 2000, 2)), f"partition {partition}")


async def transactional(what):
    client = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=own(what))
    await client.start()
    return client


@check("transactions/committed ones are read, aborted ones are not")
async def _():
    topic = await make("atomic", 2)
    client = await transactional("atomic")
    for number, end in enumerate(["commit", "abort", "commit", "abort"]):
        await client.begin_transaction()
        for partition in range(2):
            await client.send_and_wait(topic, b"%s %d" % (end.encode(), number), partition=partition)
        await (client.commit_transaction() if end == "commit" else client.abort_transaction())
    await client.stop()
    equal(sorted(await committed(topic, 4, 2)), [b"commit 0", b"commit 0", b"commit 2", b"commit 2"], "read committed")
    equal(len(await everything(topic, 2)), 8, "records read uncommitted")


@check("transactions/offsets go with them")
async def _():
    source, target, group = await make("from"), await make("to"), own("mover")
    zero = TopicPartition(source, 0)
    client = await transactional("mover")
    reader = await member(group, source)
    await settled([reader], 1)
    for end, offset in (("abort", 4), ("commit", 5)):
        await client.begin_transaction()
        await client.send_and_wait(target, b"moved")
        await client.send_offsets_to_transaction({zero: offset}, group)
        await (client.commit_transaction() if end == "commit" else client.abort_transaction())
        if end == "abort":
            equal(await reader.committed(zero), None, "the aborted offset")

    async def moved_on():
        return await reader.committed(zero) == 5

    await until(moved_on, lambda: "the committed offset")
    await client.stop()
    await reader.stop()
    equal(await committed(target, 1), [b"moved"], "what was moved")


@check("transactions/a zombie is fenced")
async def _():
    topic = await make("fenced")
    zombie = await transactional("fenced")
    await zombie.begin_transaction()
    await zombie.send_and_wait(topic, b"of the zombie")
    heir = await transactional("fenced")
    try:
        await zombie.send_and_wait(topic, b"too late")
        await zombie.commit_transaction()
    except ProducerFenced:
        pass
    else:
        raise AssertionError("the zombie has committed")
    await heir.begin_transaction()
    await heir.send_and_wait(topic, b"of the heir")
    await heir.commit_transaction()
    await heir.stop()
    equal(await committed(topic, 1), [b"of the heir"], "what was read")


@check("times/offsets for times; earliest and latest")
async def _():
    topic = await make("timed")
    start = int(time.time() * 1000) - 100_000
    await send(topic, [{"value": b"x", "timestamp_ms": start + 1000 * i} for i in range(5)])
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as client:

        async def at(timestamp):
            found = (await client.offsets_for_times({partition: timestamp}))[partition]
            return found and found.offset

        equal([await at(start), await at(start + 1500), await at(start + 9000)], [0, 2, None], "offsets")
        ends = (await client.beginning_offsets([partition])) | {"end": (await client.end_offsets([partition]))[partition]}
        equal(list(ends.values()), [0, 5], "the first offset and the end offset")


judge()
