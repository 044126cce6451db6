/**
 * A Kafka broker with the settings of a file, until standard input ends. Its folder is formatted
 * first, unless it was before.
 */
public class Broker {
    public static void main(String[] args) throws Exception {
        String[] format = {"format", "-g", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", args[0]};
        if (kafka.tools.StorageTool.execute(format, System.err) != 0) {
            System.exit(1);
        }
        Thread end = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException gone) {
                // As good as the end.
            }
            Runtime.getRuntime().halt(0);
        });
        end.setDaemon(true);
        end.start();
        kafka.Kafka.main(new String[] {args[0]});
    }
}
