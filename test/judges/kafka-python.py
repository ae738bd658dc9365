"""A judge: kafka-python, a client of its own, without librdkafka."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from judge import answered, bootstrap, check, comes_to, equal, judge, own, until
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource, OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.structs import OffsetAndMetadata

admin = KafkaAdminClient(bootstrap_servers=bootstrap)


def make(what, partitions=1, configs=None):
    topic = own(what)
    spec = {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}
    admin.create_topics({topic: spec}, wait_for_metadata=True)
    ends = {TopicPartition(topic, p): OffsetSpec.LATEST for p in range(partitions)}
    answered(topic, lambda: admin.list_partition_offsets(ends), errors.KafkaError)
    return topic


def refused(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"it was done, not refused with {kind}")


def producer(**config):
    return KafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, **config)


def send(client, topic, records):
    """Produces records, each a dict of what send() takes, and waits until each is acknowledged."""
    futures = [client.send(topic, **record) for record in records]
    client.flush()
    return [future.get(30) for future in futures]


def everything(topic, partitions=1, **config):
    """All records of a topic, up to where each partition ended when this began."""
    held = [TopicPartition(topic, p) for p in range(partitions)]
    client = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", **config)
    client.assign(held)
    client.seek_to_beginning()
    ends = client.end_offsets(held)
    found = []

    def poll():
        for records in client.poll(200).values():
            found.extend(records)
        return all(client.position(p) >= ends[p] for p in held)

    until(poll, lambda: f"the end of {topic}; {len(found)} records came")
    client.close()
    return found


def values(records):
    return [record.value for record in records]


for acks in (0, 1, "all"):

    @check(f"produce/acks={acks}")
    def _(acks=acks):
        topic = make(f"acks-{acks}")
        sent = [b"%d" % i for i in range(20)]
        client = producer(acks=acks, enable_idempotence=False)
        send(client, topic, [{"value": value} for value in sent])
        until(lambda: len(everything(topic)) == len(sent), "all records readable")
        equal(values(everything(topic)), sent, "what was read")
        client.close()


@check("produce/keys, headers, null and empty values, timestamps")
def _():
    topic = make("shapes")
    now = int(time.time() * 1000) - 5000
    shapes = [
        {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("a", b"2"), ("b", b"")], "timestamp_ms": now},
        {"key": b"k", "value": None, "timestamp_ms": now + 1},
        {"key": None, "value": b"", "timestamp_ms": now + 2},
        {"key": b"", "value": bytes(range(256)), "timestamp_ms": now + 3},
    ]
    client = producer()
    send(client, topic, shapes)
    client.close()
    for record, shape in zip(everything(topic), shapes, strict=True):
        equal(record.key, shape["key"], "the key")
        equal(record.value, shape["value"], "the value")
        equal(list(record.headers), shape.get("headers", []), "the headers")
        equal(record.timestamp, shape["timestamp_ms"], "the timestamp")


for codec in ("gzip", "snappy", "lz4", "zstd"):

    @check(f"compression/{codec}")
    def _(codec=codec):
        topic = make(codec, 2)
        sent = [{"key": b"%d" % (i % 7), "value": b"record %d " % i * 20} for i in range(1000)]
        client = producer(compression_type=codec)
        send(client, topic, sent)
        client.close()
        equal(sorted(values(everything(topic, 2))), sorted(r["value"] for r in sent), "what was read")


class Member(ConsumerRebalanceListener):
    """A member of a group, and what it has read and given up."""

    def __init__(self, group, topic, **config):
        self.read, self.revoked = [], 0
        self.client = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=250,
            **config,
        )
        # One that joins before it knows the topic joins again once it does, and this client may be stuck in that.
        self.client.partitions_for_topic(topic)
        self.client.subscribe([topic], listener=self)

    def on_partitions_revoked(self, revoked):
        self.revoked += len(revoked)

    def on_partitions_assigned(self, assigned):
        pass

    @property
    def held(self):
        return sorted(p.partition for p in self.client.assignment())

    def poll(self):
        # This client may be stuck for good in a join during which a poll came to its end: it is given the time.
        for records in self.client.poll(500).values():
            self.read.extend(records)

    def leave(self):
        self.client.close()


at_once = ThreadPoolExecutor(2)


def settled(members, count):
    """Members poll at the same time, as in programs of their own: in turns they may rejoin without an end."""

    def share():
        list(at_once.map(Member.poll, members))
        held = sorted(p for member in members for p in member.held)
        return held == list(range(count)) and all(member.held for member in members)

    until(share, lambda: f"a settled group; held are {[member.held for member in members]}")


def at_rest(members, count):
    """Settled, and still so after some polls: a member that has more to say joins once more."""
    settled(members, count)
    last, calm = None, 0

    def same():
        nonlocal last, calm
        list(at_once.map(Member.poll, members))
        now = [(member.held, member.revoked) for member in members]
        last, calm = now, calm + 1 if now == last else 0
        return calm == 4

    until(same, lambda: f"a group at rest; held are {[member.held for member in members]}")


for name, assignor in (
    ("range", RangePartitionAssignor),
    ("roundrobin", RoundRobinPartitionAssignor),
    ("sticky", StickyPartitionAssignor),
    ("cooperative-sticky", CooperativeStickyAssignor),
):

    @check(f"groups/{name}, a second member comes, the first leaves")
    def _(name=name, assignor=assignor):
        topic, group = make(name, 4), own(name)
        first = Member(group, topic, partition_assignment_strategy=[assignor])
        settled([first], 4)
        before = first.revoked
        second = Member(group, topic, partition_assignment_strategy=[assignor])
        settled([first, second], 4)
        if name == "cooperative-sticky":
            equal(first.revoked - before, 2, "the partitions that the first member gave up")
        first.leave()
        settled([second], 4)
        second.leave()


@check("groups/offsets committed are where the next member goes on")
def _():
    topic, group = make("resume", 2), own("resume")
    client = producer()
    send(client, topic, [{"value": b"%d" % i, "partition": i % 2} for i in range(10)])
    client.close()
    first = Member(group, topic)
    until(lambda: first.poll() or len(first.read) >= 10, "ten records")
    zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
    first.client.commit({zero: OffsetAndMetadata(3, "note"), one: OffsetAndMetadata(5)})
    equal((first.client.committed(zero), first.client.committed(one)), (3, 5), "what is committed")
    equal(first.client.committed(zero, metadata=True).metadata, "note", "the metadata")
    first.leave()
    second = Member(group, topic)
    until(lambda: second.poll() or len(second.read) == 2, "the two records after those committed")
    equal(values(second.read), [b"6", b"8"], "what the second member read")
    second.leave()


@check("groups/a static member comes back to its partitions without a rebalance")
def _():
    topic, group = make("static", 4), own("static")
    one, two = Member(group, topic, group_instance_id="one"), Member(group, topic, group_instance_id="two")
    at_rest([one, two], 4)
    held, revoked = two.held, one.revoked
    two.leave()
    again = Member(group, topic, group_instance_id="two")
    settled([one, again], 4)
    equal((again.held, one.revoked), (held, revoked), "what is held, and what the other gave up")
    one.leave()
    again.leave()


@check("admin/create, list and describe topics")
def _():
    topic = make("described", 3)
    (described,) = admin.describe_topics([topic])
    shape = sorted((p["partition_index"], len(p["isr_nodes"])) for p in described["partitions"])
    equal(shape, [(0, 1), (1, 1), (2, 1)], "the partitions")
    equal(topic in admin.list_topics(), True, "the topic is listed")
    one = {"num_partitions": 1, "replication_factor": 1}
    refused(errors.TopicAlreadyExistsError, lambda: admin.create_topics({topic: one}))
    refused(errors.InvalidReplicationFactorError, lambda: admin.create_topics({own("x"): {**one, "replication_factor": 3}}))
    refused(errors.InvalidTopicError, lambda: admin.create_topics({"not/a/name": one}))
    (by_id,) = admin.describe_topics([uuid.UUID(str(described["topic_id"]))])
    equal(by_id["name"], topic, "the topic by its id")


@check("admin/configs, created, altered one by one, described, reset")
def _():
    topic = make("configured", 1, {"retention.ms": "3600000"})

    def modified():
        described = admin.describe_configs([ConfigResource("topic", topic)])
        return {name: entry["value"] for name, entry in described["topic"][topic].items()}

    until(lambda: modified().get("retention.ms") == "3600000", "retention.ms=3600000")
    admin.alter_configs([ConfigResource("topic", topic, {"cleanup.policy": "compact"})])
    until(lambda: "cleanup.policy" in modified(), "cleanup.policy is modified")
    both = modified()
    equal((both["retention.ms"], both["cleanup.policy"]), ("3600000", "compact"), "the configs")
    admin.reset_configs([ConfigResource("topic", topic, {"retention.ms": None})])
    until(lambda: "retention.ms" not in modified(), "retention.ms is as by default")


@check("admin/partitions are added; fewer are refused")
def _():
    topic = make("grown")
    admin.create_partitions({topic: 4})
    until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 4, "four partitions")
    refused(errors.InvalidPartitionsError, lambda: admin.create_partitions({topic: 2}))


@check("admin/records are deleted up to an offset")
def _():
    topic = make("cut")
    client = producer()
    send(client, topic, [{"value": b"%d" % i} for i in range(10)])
    client.close()
    partition = TopicPartition(topic, 0)
    deleted = admin.delete_records({partition: 4})
    equal(deleted[partition]["low_watermark"], 4, "the low watermark")
    equal(values(everything(topic)), [b"%d" % i for i in range(4, 10)], "what was read")


@check("admin/groups, listed, described, offsets altered, deleted")
def _():
    topic, group = make("grouped", 2), own("grouped")
    member = Member(group, topic, client_id="judged")
    settled([member], 2)
    zero = TopicPartition(topic, 0)
    member.client.commit({zero: OffsetAndMetadata(7, "note")})
    listed = {g["group_id"]: g["group_state"] for g in admin.list_groups()}
    equal(listed.get(group), "Stable", "the group listed")
    described = admin.describe_groups([group])[group]
    equal([m["client_id"] for m in described["members"]], ["judged"], "the members")
    equal(described["protocol_data"], "range", "the assignor")
    equal(admin.delete_groups([group])[group], "NonEmptyGroupError", "the answer to deleting it with a member")
    member.leave()
    equal(admin.list_group_offsets(group)[group][zero].offset, 7, "the offset")
    altered = admin.alter_group_offsets(group, {zero: OffsetAndMetadata(2, "")})
    equal(altered[zero], errors.NoError, "the answer to altering")
    equal(admin.list_group_offsets(group)[group][zero].offset, 2, "the offset")
    removed = admin.delete_group_offsets(group, [zero])
    equal(removed[zero], errors.NoError, "the answer to deleting an offset")
    equal(zero in admin.list_group_offsets(group)[group], False, "the deleted offset is there")
    equal(admin.delete_groups([group])[group], "OK", "the answer to deleting the group")


@check("admin/the cluster and its log folders are described")
def _():
    topic = make("sized", 2)
    cluster = admin.describe_cluster()
    (broker,) = cluster["brokers"]
    equal(f"{broker['host']}:{broker['port']}", bootstrap, "the advertised address")

    def found():
        (on_broker,) = admin.describe_log_dirs([topic])
        topics = [t for folder in on_broker["log_dirs"] for t in folder["topics"]]
        return sorted(p["partition_index"] for t in topics for p in t["partitions"])

    until(lambda: found() == [0, 1], "both partitions in the log folders")


@check("admin/topics are deleted")
def _():
    topic = make("gone")
    admin.delete_topics([topic])
    until(lambda: topic not in admin.list_topics(), "the topic is listed no more")
    refused(errors.UnknownTopicOrPartitionError, lambda: admin.delete_topics([topic]))


@check("idempotence/two thousand records, none lost, none twice, in order")
def _():
    topic = make("idempotent", 2)
    client = producer(enable_idempotence=True, batch_size=500)
    send(client, topic, [{"value": b"%d" % i, "partition": i % 2} for i in range(2000)])
    client.close()
    found = everything(topic, 2)
    for partition in range(2):
        got = [int(r.value) for r in found if r.partition == partition]
        equal(got, list(range(partition, 2000, 2)), f"partition {partition}")


def transactional(what):
    client = producer(transactional_id=own(what))
    client.init_transactions()
    return client


@check("transactions/committed ones are read, aborted ones are not")
def _():
    topic = make("atomic", 2)
    client = transactional("atomic")
    for number, end in enumerate(["commit", "abort", "commit", "abort"]):
        client.begin_transaction()
        send(client, topic, [{"value": b"%s %d" % (end.encode(), number), "partition": p} for p in range(2)])
        if end == "commit":
            client.commit_transaction()
        else:
            client.abort_transaction()
    client.close()
    expected = [b"commit 0", b"commit 0", b"commit 2", b"commit 2"]
    comes_to(lambda: sorted(values(everything(topic, 2, isolation_level="read_committed"))), expected, "read committed")
    equal(len(everything(topic, 2)), 8, "records read uncommitted")


@check("transactions/offsets go with them")
def _():
    source, target, group = make("from"), make("to"), own("mover")
    plain = producer()
    send(plain, source, [{"value": b"%d" % i} for i in range(5)])
    plain.close()
    member = Member(group, source)
    until(lambda: member.poll() or len(member.read) >= 5, "five records")
    client = transactional("mover")
    zero = TopicPartition(source, 0)
    for end, offset in ((client.abort_transaction, 4), (client.commit_transaction, 5)):
        client.begin_transaction()
        send(client, target, [{"value": b"moved"}])
        client.send_offsets_to_transaction({zero: OffsetAndMetadata(offset)}, member.client.group_metadata())
        end()
        if offset == 4:
            equal(member.client.committed(zero), None, "the aborted offset")
    until(lambda: member.client.committed(zero) == 5, "the committed offset")
    client.close()
    comes_to(lambda: values(everything(target, isolation_level="read_committed")), [b"moved"], "what was moved")
    member.leave()


@check("transactions/listed and described while open")
def _():
    topic = make("watched")
    client = transactional("watched")
    client.begin_transaction()
    send(client, topic, [{"value": b"open"}])
    name = client.config["transactional_id"]
    listed = {t.transactional_id: t for some in admin.list_transactions().values() for t in some}
    equal(str(listed[name].state.value), "Ongoing", "the state listed")
    described = admin.describe_transactions([name])[name]
    equal(described.topic_partitions, {TopicPartition(topic, 0)}, "its partitions")
    active = admin.describe_producers([TopicPartition(topic, 0)])[TopicPartition(topic, 0)].active_producers
    found = [(p.producer_id, p.current_transaction_start_offset) for p in active]
    equal(found, [(described.producer_id, 0)], "the producers of the partition")
    client.commit_transaction()
    client.close()


@check("transactions/a zombie is fenced")
def _():
    topic = make("fenced")
    zombie = transactional("fenced")
    zombie.begin_transaction()
    send(zombie, topic, [{"value": b"of the zombie"}])
    heir = transactional("fenced")

    def late():
        send(zombie, topic, [{"value": b"too late"}])
        zombie.commit_transaction()

    refused((errors.ProducerFencedError, errors.InvalidProducerEpochError), late)
    heir.begin_transaction()
    send(heir, topic, [{"value": b"of the heir"}])
    heir.commit_transaction()
    heir.close()
    comes_to(lambda: values(everything(topic, isolation_level="read_committed")), [b"of the heir"], "what was read")


@check("times/offsets for times; earliest, latest and of the largest timestamp")
def _():
    topic = make("timed")
    start = int(time.time() * 1000) - 100_000
    client = producer()
    for offset in (0, 1, 2, 4, 3):
        send(client, topic, [{"value": b"x", "timestamp_ms": start + 1000 * offset}])
    client.close()
    partition = TopicPartition(topic, 0)
    reader = KafkaConsumer(bootstrap_servers=bootstrap)

    def at(timestamp):
        found = reader.offsets_for_times({partition: timestamp})[partition]
        return found and found.offset

    equal([at(start), at(start + 1500), at(start + 9000)], [0, 2, None], "offsets")
    equal(reader.beginning_offsets([partition])[partition], 0, "the first offset")
    equal(reader.end_offsets([partition])[partition], 5, "the end offset")
    reader.close()
    largest = admin.list_partition_offsets({partition: OffsetSpec.MAX_TIMESTAMP})[partition]
    equal((largest.offset, largest.timestamp), (3, start + 4000), "the largest timestamp")


judge()
