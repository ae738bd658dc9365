"""A judge: Confluent's client for Python, which is librdkafka."""

import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from judge import answered, bootstrap, check, comes_to, equal, judge, own, patience, until

admin = AdminClient({"bootstrap.servers": bootstrap})


def done(futures):
    """The results of an admin call, by what each was about; throws the first failure."""
    return {key: future.result(patience) for key, future in futures.items()}


def make(what, partitions=1, config=None):
    topic = own(what)
    done(admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})]))
    # What a node of Apache Kafka answers may be a moment behind what was done.
    until(lambda: topic in admin.list_topics(timeout=patience).topics, "the new topic is listed")
    ends = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(partitions)}
    answered(topic, lambda: done(admin.list_offsets(ends)), KafkaException)
    return topic


def refused(code, call):
    try:
        call()
    except KafkaException as error:
        equal(error.args[0].name(), code, "the error")
        return
    raise AssertionError(f"it was done, not refused with {code}")


def producer(**config):
    return Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, **{k.replace("_", "."): v for k, v in config.items()}})


def send(client, topic, records):
    """Produces records, each a dict of what produce() takes; throws the first delivery error."""
    errors = []

    def delivered(error, _message):
        if error:
            errors.append(error)

    for record in records:
        client.produce(topic, on_delivery=delivered, **record)
        client.poll(0)
    equal(client.flush(patience), 0, "what flush left in the queue")
    if errors:
        raise KafkaException(errors[0])


def everything(topic, partitions=1, **config):
    """All records of a topic, up to the end of each partition."""
    client = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": own("reader"),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            **{k.replace("_", "."): v for k, v in config.items()},
        }
    )
    client.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found, ended = [], set()

    def poll():
        message = client.poll(1)
        if message is None:
            return False
        if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        elif message.error():
            raise KafkaException(message.error())
        else:
            found.append(message)
        return len(ended) == partitions

    until(poll, lambda: f"the end of {topic}; {len(found)} records came")
    client.close()
    return found


def values(messages):
    return [message.value() for message in messages]


for acks in ("0", "1", "all"):

    @check(f"produce/acks={acks}")
    def _(acks=acks):
        topic = make(f"acks-{acks}")
        sent = [b"%d" % i for i in range(20)]
        send(producer(acks=acks), topic, [{"value": value} for value in sent])
        # With acks=0 nobody said that they have arrived.
        until(lambda: len(everything(topic)) == len(sent), "all records readable")
        equal(values(everything(topic)), sent, "what was read")


@check("produce/keys, headers, null and empty values, timestamps")
def _():
    topic = make("shapes")
    now = int(time.time() * 1000) - 5000
    shapes = [
        {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("a", None), ("b", b"")], "timestamp": now},
        {"key": b"k", "value": None, "timestamp": now + 1},
        {"key": None, "value": b"", "timestamp": now + 2},
        {"key": b"", "value": bytes(range(256)), "timestamp": now + 3},
    ]
    send(producer(), topic, shapes)
    for message, shape in zip(everything(topic), shapes, strict=True):
        equal(message.key(), shape["key"], "the key")
        equal(message.value(), shape["value"], "the value")
        equal(message.headers() or [], shape.get("headers", []), "the headers")
        equal(message.timestamp()[1], shape["timestamp"], "the timestamp")


@check("produce/a record near 1 MB; a larger one is refused")
def _():
    topic = make("large")
    large = b"x" * 990_000
    send(producer(), topic, [{"value": large}])
    equal(values(everything(topic)), [large], "what was read")
    greedy = producer(message_max_bytes=5_000_000)
    refused("MSG_SIZE_TOO_LARGE", lambda: send(greedy, topic, [{"value": b"x" * 2_000_000}]))


for codec in ("gzip", "snappy", "lz4", "zstd"):

    @check(f"compression/{codec}")
    def _(codec=codec):
        topic = make(codec, 2)
        sent = [{"key": b"%d" % (i % 7), "value": b"record %d " % i * 20} for i in range(1000)]
        send(producer(compression_codec=codec), topic, sent)
        found = everything(topic, 2)
        equal(sorted(values(found)), sorted(record["value"] for record in sent), "what was read")


class Member:
    """A member of a group, and what it holds and has read."""

    def __init__(self, group, topic, **config):
        self.held, self.read, self.revoked = set(), [], 0
        self.client = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 250,
                **{k.replace("_", "."): v for k, v in config.items()},
            }
        )
        cooperative = config.get("partition_assignment_strategy") == "cooperative-sticky"

        def assigned(_client, partitions):
            self.held = self.held if cooperative else set()
            self.held = self.held | {p.partition for p in partitions}

        def lost(_client, partitions):
            self.revoked += len(partitions)
            self.held = self.held - {p.partition for p in partitions}

        self.client.subscribe([topic], on_assign=assigned, on_revoke=lost)

    def poll(self):
        message = self.client.poll(0.05)
        if message and not message.error():
            self.read.append(message)

    def leave(self):
        self.client.close()


def settled(members, count):
    """All members hold something, and between them each partition once."""

    def share():
        for member in members:
            member.poll()
        all_held = [p for member in members for p in member.held]
        return sorted(all_held) == list(range(count)) and all(member.held for member in members)

    until(share, lambda: f"a settled group; held are {[sorted(member.held) for member in members]}")


for assignor in ("range", "roundrobin", "cooperative-sticky"):

    @check(f"groups/{assignor}, a second member comes, the first leaves")
    def _(assignor=assignor):
        topic, group = make(assignor, 4), own(assignor)
        strategy = {"partition_assignment_strategy": assignor}
        first = Member(group, topic, **strategy)
        settled([first], 4)
        before = first.revoked
        second = Member(group, topic, **strategy)
        settled([first, second], 4)
        if assignor == "cooperative-sticky":
            equal(first.revoked - before, 2, "the partitions that the first member gave up")
        first.leave()
        settled([second], 4)
        second.leave()


@check("groups/offsets committed are where the next member goes on")
def _():
    topic, group = make("resume", 2), own("resume")
    send(producer(), topic, [{"value": b"%d" % i, "partition": i % 2} for i in range(10)])
    first = Member(group, topic)
    until(lambda: first.poll() or len(first.read) >= 10, "ten records")
    first.client.commit(offsets=[TopicPartition(topic, 0, 3), TopicPartition(topic, 1, 5)], asynchronous=False)
    committed = first.client.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], patience)
    equal([c.offset for c in committed], [3, 5], "what is committed")
    first.leave()
    second = Member(group, topic)
    until(lambda: second.poll() or len(second.read) == 2, "the two records after those committed")
    equal(values(second.read), [b"6", b"8"], "what the second member read")
    second.leave()


@check("groups/a static member comes back to its partitions without a rebalance")
def _():
    topic, group = make("static", 4), own("static")
    one = Member(group, topic, group_instance_id="one")
    two = Member(group, topic, group_instance_id="two")
    settled([one, two], 4)
    held, revoked = two.held, one.revoked
    two.leave()
    again = Member(group, topic, group_instance_id="two")
    settled([one, again], 4)
    equal((again.held, one.revoked), (held, revoked), "what is held, and what the other gave up")
    one.leave()
    again.leave()


@check("groups/a member that is killed is missed after its session")
def _():
    topic, group = make("session", 2), own("session")
    quick = {"session_timeout_ms": 6000, "group_instance_id": "quiet"}
    # Closing a static member sends no LeaveGroup: to the broker it is as if it had died.
    silent, other = Member(group, topic, **quick), Member(group, topic)
    settled([silent, other], 2)
    silent.leave()
    settled([other], 2)
    other.leave()


@check("admin/create, list and describe topics")
def _():
    topic = make("described", 3)
    described = done(admin.describe_topics(TopicCollection([topic])))[topic]
    equal([(p.id, len(p.replicas), len(p.isr)) for p in described.partitions], [(0, 1, 1), (1, 1, 1), (2, 1, 1)])
    listed = admin.list_topics(timeout=patience).topics
    equal(len(listed[topic].partitions), 3, "partitions listed")
    refused("TOPIC_ALREADY_EXISTS", lambda: done(admin.create_topics([NewTopic(topic, 1, 1)])))
    refused("INVALID_REPLICATION_FACTOR", lambda: done(admin.create_topics([NewTopic(own("three"), 1, 3)])))
    refused("TOPIC_EXCEPTION", lambda: done(admin.create_topics([NewTopic("not/a/name", 1, 1)])))


@check("admin/configs, created, altered one by one, described")
def _():
    topic = make("configured", 1, {"retention.ms": "3600000"})

    def resource(**entries):
        changes = [
            ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for name, value in entries.items()
        ]
        return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=changes)

    def described():
        return next(iter(done(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)])).values()))

    until(lambda: described()["retention.ms"].value == "3600000", "retention.ms=3600000")
    done(admin.incremental_alter_configs([resource(cleanup_policy="compact")]))
    until(lambda: described()["cleanup.policy"].value == "compact", "cleanup.policy=compact")
    after = described()
    equal((after["retention.ms"].value, after["cleanup.policy"].value), ("3600000", "compact"), "the configs")
    equal(after["segment.bytes"].is_default, True, "segment.bytes is a default")
    refused("INVALID_CONFIG", lambda: done(admin.incremental_alter_configs([resource(retention_ms="soon")])))


@check("admin/partitions are added; fewer are refused")
def _():
    topic = make("grown")
    done(admin.create_partitions([NewPartitions(topic, 4)]))
    described = done(admin.describe_topics(TopicCollection([topic])))[topic]
    equal(len(described.partitions), 4, "partitions")
    refused("INVALID_PARTITIONS", lambda: done(admin.create_partitions([NewPartitions(topic, 2)])))


@check("admin/records are deleted up to an offset")
def _():
    topic = make("cut")
    send(producer(), topic, [{"value": b"%d" % i} for i in range(10)])
    deleted = done(admin.delete_records([TopicPartition(topic, 0, 4)]))
    equal(next(iter(deleted.values())).low_watermark, 4, "the low watermark")
    found = everything(topic, auto_offset_reset="earliest")
    equal(values(found), [b"%d" % i for i in range(4, 10)], "what was read")
    refused("OFFSET_OUT_OF_RANGE", lambda: done(admin.delete_records([TopicPartition(topic, 0, 99)])))


@check("admin/groups, listed, described, offsets altered, deleted")
def _():
    topic, group = make("grouped", 2), own("grouped")
    member = Member(group, topic, client_id="judged")
    settled([member], 2)
    member.client.commit(offsets=[TopicPartition(topic, 0, 7, metadata="note")], asynchronous=False)
    listed = admin.list_consumer_groups().result(patience)
    equal([g.state.name for g in listed.valid if g.group_id == group], ["STABLE"], "the group listed")
    described = done(admin.describe_consumer_groups([group]))[group]
    equal([m.client_id for m in described.members], ["judged"], "the members")
    equal(len(described.members[0].assignment.topic_partitions), 2, "the partitions of the member")
    refused("NON_EMPTY_GROUP", lambda: done(admin.delete_consumer_groups([group])))
    member.leave()
    offsets = done(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[group]
    equal([(o.partition, o.offset) for o in offsets.topic_partitions], [(0, 7)], "the offsets")
    moved = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 2), TopicPartition(topic, 1, 1)])
    done(admin.alter_consumer_group_offsets([moved]))
    offsets = done(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[group]
    equal(sorted((o.partition, o.offset) for o in offsets.topic_partitions), [(0, 2), (1, 1)], "the offsets")
    done(admin.delete_consumer_groups([group]))
    refused("GROUP_ID_NOT_FOUND", lambda: done(admin.delete_consumer_groups([group])))


@check("admin/the cluster is described")
def _():
    cluster = admin.describe_cluster().result(patience)
    equal((len(cluster.nodes), cluster.controller.id), (1, cluster.nodes[0].id), "nodes and controller")
    equal(f"{cluster.nodes[0].host}:{cluster.nodes[0].port}", bootstrap, "the advertised address")


@check("admin/topics are deleted")
def _():
    topic = make("gone")
    send(producer(), topic, [{"value": b"x"}])
    done(admin.delete_topics([topic]))
    until(lambda: topic not in admin.list_topics(timeout=patience).topics, "the topic is listed no more")
    refused("UNKNOWN_TOPIC_OR_PART", lambda: done(admin.delete_topics([topic])))


@check("idempotence/ten thousand records, none lost, none twice, in order")
def _():
    topic = make("idempotent", 2)
    client = producer(enable_idempotence=True, batch_num_messages=50)
    send(client, topic, [{"value": b"%d" % i, "partition": i % 2} for i in range(10_000)])
    found = everything(topic, 2)
    for partition in range(2):
        got = [int(m.value()) for m in found if m.partition() == partition]
        equal(got, list(range(partition, 10_000, 2)), f"partition {partition}")


def transactional(what, **config):
    client = producer(transactional_id=own(what), **config)
    client.init_transactions(patience)
    return client


@check("transactions/committed ones are read, aborted ones are not")
def _():
    topic = make("atomic", 2)
    client = transactional("atomic")
    for number, end in enumerate(["commit", "abort", "commit", "abort"]):
        client.begin_transaction()
        send(client, topic, [{"value": b"%s %d" % (end.encode(), number), "partition": p} for p in range(2)])
        if end == "commit":
            client.commit_transaction(patience)
        else:
            client.abort_transaction(patience)
    expected = [b"commit 0", b"commit 0", b"commit 2", b"commit 2"]
    comes_to(lambda: sorted(values(everything(topic, 2, isolation_level="read_committed"))), expected, "read committed")
    equal(len(everything(topic, 2, isolation_level="read_uncommitted")), 8, "records read uncommitted")


@check("transactions/an open one holds back readers of committed records")
def _():
    topic = make("held")
    client = transactional("held")
    client.begin_transaction()
    send(client, topic, [{"value": b"open"}])
    send(producer(), topic, [{"value": b"after"}])
    equal(values(everything(topic, isolation_level="read_committed")), [], "read before the commit")
    client.commit_transaction(patience)
    comes_to(lambda: values(everything(topic, isolation_level="read_committed")), [b"open", b"after"], "read after the commit")


@check("transactions/offsets go with them")
def _():
    source, target, group = make("from"), make("to"), own("mover")
    send(producer(), source, [{"value": b"%d" % i} for i in range(5)])
    member = Member(group, source)
    until(lambda: member.poll() or len(member.read) >= 5, "five records")
    client = transactional("mover")

    def committed():
        return member.client.committed([TopicPartition(source, 0)], patience)[0].offset

    for end, offset in ((client.abort_transaction, 4), (client.commit_transaction, 5)):
        client.begin_transaction()
        send(client, target, [{"value": b"moved"}])
        position = [TopicPartition(source, 0, offset)]
        client.send_offsets_to_transaction(position, member.client.consumer_group_metadata(), patience)
        end(patience)
        if offset == 4:
            equal(committed() < 0, True, "the aborted offset is not there")
    until(lambda: committed() == 5, "the committed offset")
    comes_to(lambda: values(everything(target, isolation_level="read_committed")), [b"moved"], "what was moved")
    member.leave()


@check("transactions/a zombie is fenced")
def _():
    topic = make("fenced")
    zombie = transactional("fenced")
    zombie.begin_transaction()
    send(zombie, topic, [{"value": b"of the zombie"}])
    heir = transactional("fenced")
    try:
        send(zombie, topic, [{"value": b"too late"}])
        zombie.commit_transaction(patience)
        raise AssertionError("the zombie has committed")
    except KafkaException as error:
        if error.args[0].name() not in ("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"):
            raise
    heir.begin_transaction()
    send(heir, topic, [{"value": b"of the heir"}])
    heir.commit_transaction(patience)
    comes_to(lambda: values(everything(topic, isolation_level="read_committed")), [b"of the heir"], "what was read")


@check("times/offsets for times")
def _():
    topic = make("timed")
    start = int(time.time() * 1000) - 100_000
    send(producer(), topic, [{"value": b"%d" % i, "timestamp": start + 1000 * i} for i in range(10)])
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": own("clock")})

    def at(timestamp):
        return client.offsets_for_times([TopicPartition(topic, 0, timestamp)], patience)[0].offset

    equal([at(start), at(start + 2500), at(start + 9000)], [0, 3, 9], "offsets")
    equal(at(start + 9001), -1, "the offset past the last record")
    equal(client.get_watermark_offsets(TopicPartition(topic, 0), patience), (0, 10), "the watermarks")
    client.close()


@check("times/earliest, latest and of the largest timestamp")
def _():
    topic = make("specs")
    start = int(time.time() * 1000) - 100_000
    for offset in (1, 3, 2):
        send(producer(), topic, [{"value": b"x", "timestamp": start + offset}])
    specs = [OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.max_timestamp()]
    found = [
        next(iter(done(admin.list_offsets({TopicPartition(topic, 0): spec}, isolation_level=level)).values())).offset
        for spec, level in zip(specs, [IsolationLevel.READ_UNCOMMITTED] * 3, strict=True)
    ]
    equal(found, [0, 3, 1], "offsets")


judge()
