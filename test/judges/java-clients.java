// A judge: Apache Kafka's own Java clients. Run from its source: java -cp … java-clients.java HOST:PORT

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.*;
import org.apache.kafka.common.serialization.*;

class Judge {
  static String bootstrap;
  static final String run = Long.toHexString(new Random().nextLong());
  static final long patience = 30;
  static boolean failed = false;
  static Admin admin;

  interface Body {
    void run() throws Throwable;
  }

  interface Condition {
    boolean holds() throws Exception;
  }

  static void check(String name, Body body) {
    System.out.println("# " + name);
    try {
      body.run();
      System.out.println("ok " + name);
    } catch (Throwable error) {
      failed = true;
      System.out.println("not ok " + name + ": " + error.toString().replaceAll("\\s+", " "));
      error.printStackTrace();
    }
    System.out.flush();
  }

  static String own(String what) {
    return "judge-" + run + "-" + what;
  }

  static void equal(Object actual, Object expected, String what) {
    if (!Objects.equals(actual, expected)) throw new AssertionError(what + " is " + shown(actual) + ", not " + shown(expected));
  }

  static String shown(Object value) {
    String text = String.valueOf(value);
    return text.length() < 400 ? text : text.substring(0, 400) + "…";
  }

  static void until(Condition condition, Supplier<String> what) throws Exception {
    long deadline = System.nanoTime() + patience * 1_000_000_000L;
    while (!condition.holds())
      if (System.nanoTime() > deadline) throw new AssertionError("not within " + patience + " s: " + what.get());
  }

  static <T> T done(KafkaFuture<T> future) throws Exception {
    return future.get(patience, TimeUnit.SECONDS);
  }

  static void refused(Class<? extends Throwable> kind, Body body) throws Throwable {
    try {
      body.run();
    } catch (Throwable error) {
      Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
      if (kind.isInstance(cause)) return;
      throw cause;
    }
    throw new AssertionError("it was done, not refused with " + kind.getSimpleName());
  }

  static String make(String what, int partitions, String... configs) throws Exception {
    String topic = own(what);
    Map<String, String> settings = new HashMap<>();
    for (int i = 0; i < configs.length; i += 2) settings.put(configs[i], configs[i + 1]);
    done(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(settings))).all());
    // Apache Kafka opens partitions one by one after this; a batch that finds its own closed is late, or lost with acks=0.
    var ends = partitions(topic, partitions).stream().collect(Collectors.toMap(p -> p, p -> OffsetSpec.latest()));
    until(() -> answered(admin.listOffsets(ends).all()), () -> "an answer of each partition of " + topic);
    return topic;
  }

  static boolean answered(KafkaFuture<?> future) throws Exception {
    try {
      done(future);
      return true;
    } catch (ExecutionException error) {
      if (error.getCause() instanceof UnknownTopicOrPartitionException) return false;
      throw error;
    }
  }

  static Map<String, Object> config(Object... pairs) {
    Map<String, Object> all = new HashMap<>();
    all.put("bootstrap.servers", bootstrap);
    for (int i = 0; i < pairs.length; i += 2) all.put((String) pairs[i], pairs[i + 1]);
    return all;
  }

  static KafkaProducer<byte[], byte[]> producer(Object... pairs) {
    return new KafkaProducer<>(config(pairs), new ByteArraySerializer(), new ByteArraySerializer());
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }

  static void send(KafkaProducer<byte[], byte[]> client, Stream<ProducerRecord<byte[], byte[]>> records) throws Exception {
    List<Future<RecordMetadata>> sent = records.map(client::send).toList();
    for (Future<RecordMetadata> one : sent) one.get(patience, TimeUnit.SECONDS);
  }

  static ProducerRecord<byte[], byte[]> record(String topic, Integer partition, String value) {
    return new ProducerRecord<>(topic, partition, null, bytes(value));
  }

  static List<TopicPartition> partitions(String topic, int count) {
    return IntStream.range(0, count).mapToObj(p -> new TopicPartition(topic, p)).toList();
  }

  /** All records of a topic, up to where each partition ends for this reader. */
  static List<ConsumerRecord<byte[], byte[]>> everything(String topic, int count, Object... pairs) throws Exception {
    List<TopicPartition> held = partitions(topic, count);
    List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
    try (var client = new KafkaConsumer<>(config(pairs), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      client.assign(held);
      client.seekToBeginning(held);
      Map<TopicPartition, Long> ends = client.endOffsets(held);
      until(
          () -> {
            client.poll(Duration.ofMillis(200)).forEach(found::add);
            return held.stream().allMatch(p -> client.position(p) >= ends.get(p));
          },
          () -> "the end of " + topic + "; " + found.size() + " records came");
    }
    return found;
  }

  static List<String> values(List<ConsumerRecord<byte[], byte[]>> records) {
    return records.stream().map(r -> text(r.value())).toList();
  }

  /** Values of so many committed records; Apache Kafka ends a transaction a moment after it has said so. */
  static List<String> committed(String topic, int count, int partitions) throws Exception {
    var found = new ArrayList<String>();
    until(
        () -> {
          found.clear();
          found.addAll(values(everything(topic, partitions, "isolation.level", "read_committed")));
          return found.size() >= count;
        },
        () -> count + " committed records; read are " + found);
    return found;
  }

  static List<String> numbers(int count) {
    return IntStream.range(0, count).mapToObj(Integer::toString).toList();
  }

  static void produce() {
    for (String acks : List.of("0", "1", "all"))
      check("produce/acks=" + acks, () -> {
        String topic = make("acks-" + acks, 1);
        try (var client = producer("acks", acks, "enable.idempotence", false)) {
          send(client, numbers(20).stream().map(v -> record(topic, null, v)));
        }
        until(() -> everything(topic, 1).size() == 20, () -> "all records readable");
        equal(values(everything(topic, 1)), numbers(20), "what was read");
      });
    check("produce/keys, headers, null and empty values, timestamps", () -> {
      String topic = make("shapes", 1);
      long now = System.currentTimeMillis() - 5000;
      var headers = new RecordHeaders().add("a", bytes("1")).add("a", null).add("b", new byte[0]);
      var shapes = List.of(
          new ProducerRecord<>(topic, 0, now, bytes("k"), bytes("v"), headers),
          new ProducerRecord<byte[], byte[]>(topic, 0, now + 1, bytes("k"), null),
          new ProducerRecord<byte[], byte[]>(topic, 0, now + 2, null, new byte[0]));
      try (var client = producer()) {
        send(client, shapes.stream());
      }
      var found = everything(topic, 1);
      equal(found.size(), 3, "the number of records");
      for (int i = 0; i < 3; i++) {
        equal(text(found.get(i).key()), text(shapes.get(i).key()), "the key");
        equal(text(found.get(i).value()), text(shapes.get(i).value()), "the value");
        equal(found.get(i).timestamp(), shapes.get(i).timestamp(), "the timestamp");
        equal(List.of(found.get(i).headers().toArray()), List.of(shapes.get(i).headers().toArray()), "the headers");
      }
    });
    check("produce/a record near 1 MB; a larger one is refused", () -> {
      String topic = make("large", 1);
      try (var client = producer("max.request.size", 5_000_000)) {
        send(client, Stream.of(record(topic, 0, "x".repeat(1_000_000))));
        refused(RecordTooLargeException.class, () -> send(client, Stream.of(record(topic, 0, "x".repeat(2_000_000)))));
      }
      equal(everything(topic, 1).size(), 1, "the number of records");
    });
    for (String codec : List.of("gzip", "snappy", "lz4", "zstd"))
      check("compression/" + codec, () -> {
        String topic = make(codec, 2);
        var sent = IntStream.range(0, 1000).mapToObj(i -> ("record " + i + " ").repeat(20)).toList();
        try (var client = producer("compression.type", codec, "linger.ms", 5)) {
          send(client, IntStream.range(0, 1000).mapToObj(i -> record(topic, i % 2, sent.get(i))));
        }
        equal(values(everything(topic, 2)).stream().sorted().toList(), sent.stream().sorted().toList(), "what was read");
      });
  }

  /** A member of a group on a thread of its own, as the Java consumer wants it: what it holds, what it has given up. */
  static class Member implements ConsumerRebalanceListener, AutoCloseable {
    final KafkaConsumer<byte[], byte[]> client;
    final Set<Integer> held = ConcurrentHashMap.newKeySet();
    final List<String> read = new CopyOnWriteArrayList<>();
    volatile int revoked = 0;
    volatile boolean open = true;
    final Thread thread;

    Member(String group, String topic, Object... pairs) {
      var all = config(pairs);
      all.putAll(Map.of("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false));
      if (!"consumer".equals(all.get("group.protocol"))) all.putAll(Map.of("session.timeout.ms", 10_000, "heartbeat.interval.ms", 250));
      client = new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
      client.subscribe(List.of(topic), this);
      thread = new Thread(() -> {
        while (open) for (var record : client.poll(Duration.ofMillis(50))) read.add(text(record.value()));
        client.close();
      });
      thread.start();
    }

    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      revoked += partitions.size();
      for (var p : partitions) held.remove(p.partition());
    }

    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      for (var p : partitions) held.add(p.partition());
    }

    public void close() throws Exception {
      open = false;
      thread.join(patience * 1000);
      if (thread.isAlive()) throw new AssertionError("a member did not leave within " + patience + " s");
    }
  }

  static void settled(int count, Member... members) throws Exception {
    until(
        () -> {
          Thread.sleep(20);
          var all = Arrays.stream(members).flatMap(m -> m.held.stream()).sorted().toList();
          boolean each = Arrays.stream(members).noneMatch(m -> m.held.isEmpty());
          return each && all.equals(IntStream.range(0, count).boxed().toList());
        },
        () -> "a settled group; held are " + Arrays.stream(members).map(m -> m.held.toString()).toList());
  }

  static void groups() {
    var assignors = Map.of("range", RangeAssignor.class, "roundrobin", RoundRobinAssignor.class, "sticky", StickyAssignor.class, "cooperative-sticky", CooperativeStickyAssignor.class);
    for (String name : new TreeSet<>(assignors.keySet()))
      check("groups/" + name + ", a second member comes, the first leaves", () -> {
        String topic = make(name, 4), group = own(name), strategy = assignors.get(name).getName();
        Member first = new Member(group, topic, "partition.assignment.strategy", strategy);
        settled(4, first);
        int before = first.revoked;
        Member second = new Member(group, topic, "partition.assignment.strategy", strategy);
        settled(4, first, second);
        if (name.startsWith("cooperative")) equal(first.revoked - before, 2, "the partitions that the first member gave up");
        first.close();
        settled(4, second);
        second.close();
      });
    check("groups/offsets committed are where the next member goes on", () -> {
      String topic = make("resume", 2), group = own("resume");
      try (var client = producer()) {
        send(client, IntStream.range(0, 10).mapToObj(i -> record(topic, i % 2, "" + i)));
      }
      var zero = new TopicPartition(topic, 0);
      var one = new TopicPartition(topic, 1);
      try (var first = new KafkaConsumer<>(config("group.id", group, "enable.auto.commit", false), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
        first.assign(List.of(zero, one));
        first.commitSync(Map.of(zero, new OffsetAndMetadata(3, "note"), one, new OffsetAndMetadata(5)));
        equal(first.committed(Set.of(zero)).get(zero), new OffsetAndMetadata(3, "note"), "what is committed");
      }
      try (Member second = new Member(group, topic)) {
        until(() -> second.read.size() == 2, () -> "the two records after those committed; came " + second.read);
        equal(second.read, List.of("6", "8"), "what the second member read");
      }
    });
    check("groups/a static member comes back to its partitions without a rebalance", () -> {
      String topic = make("static", 4), group = own("static");
      try (Member one = new Member(group, topic, "group.instance.id", "one")) {
        Member two = new Member(group, topic, "group.instance.id", "two");
        settled(4, one, two);
        var held = Set.copyOf(two.held);
        int revoked = one.revoked;
        two.close();
        try (Member again = new Member(group, topic, "group.instance.id", "two")) {
          settled(4, one, again);
          equal(Set.copyOf(again.held), held, "what it holds");
          equal(one.revoked, revoked, "what the other gave up");
        }
      }
    });
  }

  static void administration() {
    check("admin/create, list and describe topics, by name and by id", () -> {
      String topic = make("described", 3);
      var described = done(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
      equal(described.partitions().stream().map(p -> p.isr().size()).toList(), List.of(1, 1, 1), "the partitions");
      equal(done(admin.listTopics().names()).contains(topic), true, "the topic is listed");
      var byId = done(admin.describeTopics(TopicCollection.ofTopicIds(List.of(described.topicId()))).allTopicIds());
      equal(byId.get(described.topicId()).name(), topic, "the topic by its id");
      refused(TopicExistsException.class, () -> make("described", 1));
      refused(InvalidReplicationFactorException.class, () -> done(admin.createTopics(List.of(new NewTopic(own("x"), 1, (short) 3))).all()));
      refused(InvalidTopicException.class, () -> done(admin.createTopics(List.of(new NewTopic("not/a/name", 1, (short) 1))).all()));
      done(admin.createTopics(List.of(new NewTopic(own("dry"), 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all());
      equal(done(admin.listTopics().names()).contains(own("dry")), false, "a topic only validated is listed");
    });
    check("admin/configs, created, altered one by one, described", () -> {
      String topic = make("configured", 1, "retention.ms", "3600000");
      var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      var compact = new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.SET);
      done(admin.incrementalAlterConfigs(Map.of(resource, List.of(compact))).all());
      until(() -> done(admin.describeConfigs(List.of(resource)).all()).get(resource).get("cleanup.policy").value().equals("compact"), () -> "cleanup.policy=compact");
      var found = done(admin.describeConfigs(List.of(resource)).all()).get(resource);
      equal(found.get("retention.ms").value(), "3600000", "retention.ms");
      equal(found.get("cleanup.policy").value(), "compact", "cleanup.policy");
      equal(found.get("cleanup.policy").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "the source of cleanup.policy");
      equal(found.get("segment.bytes").isDefault(), true, "segment.bytes is a default");
      var wrong = new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET);
      refused(InvalidConfigurationException.class, () -> done(admin.incrementalAlterConfigs(Map.of(resource, List.of(wrong))).all()));
      var broker = new ConfigResource(ConfigResource.Type.BROKER, "" + done(admin.describeCluster().nodes()).iterator().next().id());
      equal(done(admin.describeConfigs(List.of(broker)).all()).get(broker).get("auto.create.topics.enable") != null, true, "the broker says auto.create.topics.enable");
    });
    check("admin/partitions are added; fewer are refused", () -> {
      String topic = make("grown", 1);
      done(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all());
      until(() -> done(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic).partitions().size() == 4, () -> "four partitions");
      refused(InvalidPartitionsException.class, () -> done(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all()));
    });
    check("admin/records are deleted up to an offset", () -> {
      String topic = make("cut", 1);
      try (var client = producer()) {
        send(client, numbers(10).stream().map(v -> record(topic, 0, v)));
      }
      var zero = new TopicPartition(topic, 0);
      var deleted = done(admin.deleteRecords(Map.of(zero, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(zero));
      equal(deleted.lowWatermark(), 4L, "the low watermark");
      equal(values(everything(topic, 1)), numbers(10).subList(4, 10), "what was read");
      refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> done(admin.deleteRecords(Map.of(zero, RecordsToDelete.beforeOffset(99))).all()));
    });
    check("admin/groups, listed, described, offsets altered, members removed, deleted", () -> {
      String topic = make("grouped", 2), group = own("grouped");
      var zero = new TopicPartition(topic, 0);
      Member member = new Member(group, topic, "client.id", "judged");
      settled(2, member);
      var listed = done(admin.listGroups(ListGroupsOptions.forConsumerGroups()).all()).stream().filter(g -> g.groupId().equals(group)).toList();
      equal(listed.stream().map(g -> g.groupState().get()).toList(), List.of(GroupState.STABLE), "the group listed");
      var described = done(admin.describeConsumerGroups(List.of(group)).all()).get(group);
      equal(described.members().stream().map(MemberDescription::clientId).toList(), List.of("judged"), "the members");
      equal(described.members().iterator().next().assignment().topicPartitions(), Set.copyOf(partitions(topic, 2)), "its partitions");
      refused(GroupNotEmptyException.class, () -> done(admin.deleteConsumerGroups(List.of(group)).all()));
      member.close();
      done(admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(2))).all());
      equal(done(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(zero).offset(), 2L, "the offset");
      done(admin.deleteConsumerGroupOffsets(group, Set.of(zero)).all());
      equal(done(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(zero), null, "the deleted offset");
      done(admin.deleteConsumerGroups(List.of(group)).all());
      refused(GroupIdNotFoundException.class, () -> done(admin.deleteConsumerGroups(List.of(group)).all()));
    });
    check("admin/the cluster and its log folders are described", () -> {
      String topic = make("sized", 2);
      var cluster = admin.describeCluster();
      var nodes = done(cluster.nodes());
      equal(nodes.size(), 1, "the nodes");
      var node = nodes.iterator().next();
      equal(node.host() + ":" + node.port(), bootstrap, "the advertised address");
      equal(done(cluster.controller()).id(), node.id(), "the controller");
      until(
          () -> {
            var folders = done(admin.describeLogDirs(List.of(node.id())).allDescriptions()).get(node.id());
            var held = folders.values().stream().flatMap(f -> f.replicaInfos().keySet().stream());
            return held.filter(p -> p.topic().equals(topic)).count() == 2;
          },
          () -> "both partitions in the log folders");
    });
    check("admin/topics are deleted", () -> {
      String topic = make("gone", 1);
      done(admin.deleteTopics(List.of(topic)).all());
      until(() -> !done(admin.listTopics().names()).contains(topic), () -> "the topic is listed no more");
      refused(UnknownTopicOrPartitionException.class, () -> done(admin.deleteTopics(List.of(topic)).all()));
    });
  }

  static KafkaProducer<byte[], byte[]> transactional(String what) {
    var client = producer("transactional.id", own(what));
    client.initTransactions();
    return client;
  }

  static void transactions() {
    check("idempotence/ten thousand records, none lost, none twice, in order", () -> {
      String topic = make("idempotent", 2);
      try (var client = producer("enable.idempotence", true, "batch.size", 500)) {
        send(client, IntStream.range(0, 10_000).mapToObj(i -> record(topic, i % 2, "" + i)));
      }
      var found = everything(topic, 2);
      for (int p = 0; p < 2; p++) {
        int partition = p;
        var got = found.stream().filter(r -> r.partition() == partition).map(r -> text(r.value())).toList();
        equal(got, IntStream.range(0, 10_000).filter(i -> i % 2 == partition).mapToObj(Integer::toString).toList(), "partition " + p);
      }
    });
    check("transactions/committed ones are read, aborted ones are not", () -> {
      String topic = make("atomic", 2);
      try (var client = transactional("atomic")) {
        for (String end : List.of("commit 0", "abort 1", "commit 2", "abort 3")) {
          client.beginTransaction();
          send(client, Stream.of(record(topic, 0, end), record(topic, 1, end)));
          if (end.startsWith("commit")) client.commitTransaction();
          else client.abortTransaction();
        }
      }
      var committed = committed(topic, 4, 2).stream().sorted().toList();
      equal(committed, List.of("commit 0", "commit 0", "commit 2", "commit 2"), "read committed");
      equal(everything(topic, 2).size(), 8, "records read uncommitted");
    });
    check("transactions/offsets go with them", () -> {
      String source = make("from", 1), target = make("to", 1), group = own("mover");
      var zero = new TopicPartition(source, 0);
      try (var client = transactional("mover");
          var reader = new KafkaConsumer<>(config("group.id", group, "auto.offset.reset", "earliest"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
        reader.subscribe(List.of(source));
        until(() -> { reader.poll(Duration.ofMillis(100)); return !reader.assignment().isEmpty(); }, () -> "an assignment");
        for (long offset : List.of(4L, 5L)) {
          client.beginTransaction();
          send(client, Stream.of(record(target, 0, "moved " + offset)));
          client.sendOffsetsToTransaction(Map.of(zero, new OffsetAndMetadata(offset)), reader.groupMetadata());
          if (offset == 4) {
            client.abortTransaction();
            equal(reader.committed(Set.of(zero)).get(zero), null, "the aborted offset");
          } else client.commitTransaction();
        }
        equal(reader.committed(Set.of(zero)).get(zero).offset(), 5L, "the committed offset");
      }
      equal(committed(target, 1, 1), List.of("moved 5"), "what was moved");
    });
    check("transactions/listed and described while open", () -> {
      String topic = make("watched", 1);
      var zero = new TopicPartition(topic, 0);
      try (var client = transactional("watched")) {
        client.beginTransaction();
        send(client, Stream.of(record(topic, 0, "open")));
        var listed = done(admin.listTransactions().all()).stream().filter(t -> t.transactionalId().equals(own("watched"))).toList();
        equal(listed.stream().map(TransactionListing::state).toList(), List.of(TransactionState.ONGOING), "the state listed");
        var described = done(admin.describeTransactions(List.of(own("watched"))).all()).get(own("watched"));
        equal(described.topicPartitions(), Set.of(zero), "its partitions");
        var active = done(admin.describeProducers(List.of(zero)).all()).get(zero).activeProducers();
        equal(active.stream().map(p -> p.currentTransactionStartOffset().getAsLong()).toList(), List.of(0L), "its first offset");
        client.commitTransaction();
      }
    });
    check("transactions/a zombie is fenced", () -> {
      String topic = make("fenced", 1);
      var zombie = transactional("fenced");
      zombie.beginTransaction();
      send(zombie, Stream.of(record(topic, 0, "of the zombie")));
      try (var heir = transactional("fenced")) {
        refused(InvalidProducerEpochException.class, () -> send(zombie, Stream.of(record(topic, 0, "too late"))));
        // Told of an old epoch, a producer may abort; only then it learns that another has taken its place.
        refused(ProducerFencedException.class, zombie::abortTransaction);
        heir.beginTransaction();
        send(heir, Stream.of(record(topic, 0, "of the heir")));
        heir.commitTransaction();
      }
      zombie.close(Duration.ZERO);
      equal(committed(topic, 1, 1), List.of("of the heir"), "what was read");
    });
  }

  static void times() {
    check("times/offsets for times; earliest, latest and of the largest timestamp", () -> {
      String topic = make("timed", 1);
      var zero = new TopicPartition(topic, 0);
      long start = System.currentTimeMillis() - 100_000;
      try (var client = producer()) {
        for (int i : List.of(0, 1, 2, 4, 3)) send(client, Stream.of(new ProducerRecord<>(topic, 0, start + 1000 * i, null, bytes("x"))));
      }
      Map<OffsetSpec, Long> expected = new LinkedHashMap<>();
      expected.put(OffsetSpec.forTimestamp(start), 0L);
      expected.put(OffsetSpec.forTimestamp(start + 1500), 2L);
      expected.put(OffsetSpec.forTimestamp(start + 9000), -1L);
      expected.put(OffsetSpec.earliest(), 0L);
      expected.put(OffsetSpec.latest(), 5L);
      expected.put(OffsetSpec.maxTimestamp(), 3L);
      for (var one : expected.entrySet())
        equal(done(admin.listOffsets(Map.of(zero, one.getKey())).all()).get(zero).offset(), one.getValue(), one.getKey().getClass().getSimpleName());
    });
  }

  public static void main(String[] args) throws Exception {
    bootstrap = args[0];
    admin = Admin.create(config());
    produce();
    groups();
    administration();
    transactions();
    times();
    admin.close(Duration.ofSeconds(1));
    System.exit(failed ? 1 : 0);
  }
}
