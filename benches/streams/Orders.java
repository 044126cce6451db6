import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The calculation of plugins/orders as somebody would write it with Kafka Streams: state and ids in
 * RocksDB with changelogs, exactly once. It is let off lightly: amounts are cents in a long, state
 * is packed by hand, views are not published (whoever wants them reads the changelog), and no
 * digests are kept.
 *
 * Usage: Orders BROKERS SOURCE OUT APPLICATION FOLDER INTERVAL_MS end|running|forever
 */
public class Orders {
    @JsonIgnoreProperties(ignoreUnknown = true)
    public static class Order {
        public String event_id, type, ts, account_id, amount, currency;
    }

    static class Book {
        long gross, refunds, net, orders, largest;
        String last = "", tier = "bronze";
    }

    static class Rules implements Processor<byte[], byte[], String, byte[]> {
        private final ObjectMapper mapper = new ObjectMapper();
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> accounts, ids;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            accounts = context.getStateStore("accounts");
            ids = context.getStateStore("ids");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                apply(record);
            } catch (IOException malformed) {
                context.forward(new Record<>("", record.value(), record.timestamp()), "refused");
            }
        }

        private void apply(Record<byte[], byte[]> record) throws IOException {
            Order order = mapper.readValue(record.value(), Order.class);
            if (ids.putIfAbsent(order.event_id, new byte[0]) != null) {
                return;
            }
            long amount = cents(order.amount);
            TreeMap<String, Book> books = unpack(accounts.get(order.account_id));
            Book book = books.computeIfAbsent(order.currency, none -> new Book());
            if (order.type.equals("payment")) {
                book.gross += amount;
                book.net += amount;
                book.orders += 1;
                book.largest = Math.max(book.largest, amount);
            } else if (order.type.equals("refund") && amount > book.net) {
                String key = order.account_id;
                context.forward(new Record<>(key, record.value(), record.timestamp()), "refused");
                return;
            } else {
                book.refunds += amount;
                book.net -= amount;
            }
            book.last = order.ts;
            String before = book.tier;
            book.tier = book.gross >= 100_000 ? "gold" : book.gross >= 25_000 ? "silver" : "bronze";
            accounts.put(order.account_id, pack(books));
            emit(order, record, "balance", "\"net\":\"" + text(book.net) + "\",\"tier\":\"" + book.tier);
            if (!before.equals(book.tier)) {
                emit(order, record, "tier_changed", "\"from\":\"" + before + "\",\"to\":\"" + book.tier);
            }
        }

        private void emit(Order order, Record<byte[], byte[]> record, String kind, String rest) {
            String value = "{\"currency\":\"" + order.currency + "\"," + rest + "\"}";
            byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
            Record<String, byte[]> out = new Record<>(order.account_id, bytes, record.timestamp());
            out.headers().add("id", order.event_id.getBytes(StandardCharsets.UTF_8));
            context.forward(out, kind);
        }
    }

    static long cents(String text) {
        int point = text.indexOf('.');
        return Long.parseLong(text.substring(0, point)) * 100 + Long.parseLong(text.substring(point + 1));
    }

    static String text(long cents) {
        long whole = Math.abs(cents);
        String fraction = whole % 100 < 10 ? "0" + whole % 100 : "" + whole % 100;
        return (cents < 0 ? "-" : "") + whole / 100 + "." + fraction;
    }

    static TreeMap<String, Book> unpack(byte[] bytes) throws IOException {
        TreeMap<String, Book> books = new TreeMap<>();
        if (bytes == null) {
            return books;
        }
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
        while (in.available() > 0) {
            String currency = in.readUTF();
            Book book = new Book();
            book.gross = in.readLong();
            book.refunds = in.readLong();
            book.net = in.readLong();
            book.orders = in.readLong();
            book.largest = in.readLong();
            book.last = in.readUTF();
            book.tier = in.readUTF();
            books.put(currency, book);
        }
        return books;
    }

    static byte[] pack(TreeMap<String, Book> books) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(96);
        DataOutputStream out = new DataOutputStream(bytes);
        for (Map.Entry<String, Book> entry : books.entrySet()) {
            Book book = entry.getValue();
            out.writeUTF(entry.getKey());
            out.writeLong(book.gross);
            out.writeLong(book.refunds);
            out.writeLong(book.net);
            out.writeLong(book.orders);
            out.writeLong(book.largest);
            out.writeUTF(book.last);
            out.writeUTF(book.tier);
        }
        return bytes.toByteArray();
    }

    static Topology topology(String source, String out) {
        Topology topology = new Topology();
        var bytes = Serdes.ByteArray();
        var text = Serdes.String();
        topology.addSource("events", bytes.deserializer(), bytes.deserializer(), source);
        topology.addProcessor("rules", Rules::new, "events");
        for (String store : new String[] {"accounts", "ids"}) {
            var supplier = Stores.persistentKeyValueStore(store);
            var builder = Stores.keyValueStoreBuilder(supplier, text, bytes).withCachingEnabled();
            topology.addStateStore(builder, "rules");
        }
        for (String kind : new String[] {"balance", "tier_changed", "refused"}) {
            topology.addSink(kind, out + kind, text.serializer(), bytes.serializer(), "rules");
        }
        return topology;
    }

    /** Whether everything that the topic had is committed. */
    static boolean isDone(Admin admin, String app, Map<TopicPartition, Long> ends) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> committed =
            admin.listConsumerGroupOffsets(app).partitionsToOffsetAndMetadata().get();
        for (var end : ends.entrySet()) {
            OffsetAndMetadata own = committed.get(end.getKey());
            if (own == null || own.offset() < end.getValue()) {
                return false;
            }
        }
        return true;
    }

    static Map<TopicPartition, Long> ends(Admin admin, String source) throws Exception {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        var described = admin.describeTopics(java.util.List.of(source)).allTopicNames().get();
        described.get(source).partitions().forEach(
            own -> asked.put(new TopicPartition(source, own.partition()), OffsetSpec.latest()));
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(asked).all().get().forEach((own, told) -> ends.put(own, told.offset()));
        return ends;
    }

    public static void main(String[] args) throws Exception {
        long began = System.nanoTime();
        Properties properties = new Properties();
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, args[3]);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[5]);
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        properties.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(topology(args[1], args[2]), properties);
        CountDownLatch running = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                running.countDown();
            }
        });
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            var ends = ends(admin, args[1]);
            streams.start();
            running.await();
            double ready = (System.nanoTime() - began) / 1e9;
            while (args[6].equals("forever") || args[6].equals("end") && !isDone(admin, args[3], ends)) {
                Thread.sleep(100);
            }
            double seconds = (System.nanoTime() - began) / 1e9;
            streams.close();
            OperatingSystemMXBean system =
                (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            double cpu = system.getProcessCpuTime() / 1e9;
            System.out.println("{\"seconds\":" + seconds + ",\"cpu\":" + cpu + ",\"ready\":" + ready
                + ",\"megabytes\":" + megabytes() + "}");
        }
    }

    /** Peak of resident memory. */
    static double megabytes() throws IOException {
        for (String line : java.nio.file.Files.readAllLines(java.nio.file.Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024;
            }
        }
        return 0;
    }
}
