/**
 * A registry of schemas on a port of this machine, until standard input ends.
 */
public class Registry {
    public static void main(String[] args) throws Exception {
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
        System.setProperty("quarkus.http.host", "127.0.0.1");
        System.setProperty("quarkus.http.port", args[0]);
        Class<?> server = Class.forName("io.quarkus.runner.GeneratedMain");
        server.getMethod("main", String[].class).invoke(null, (Object) new String[0]);
    }
}
