import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/**
 * A namenode at a port and a datanode, whose blocks lie in a folder, until standard input ends.
 * The file "ready" appears there when both are.
 */
public class Dfs {
    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[1]);
        Configuration how = new HdfsConfiguration();
        how.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.resolve("dfs").toString());
        how.setInt("dfs.replication", 1);
        // A folder of some hundred files has more pages than one.
        how.setInt("dfs.ls.limit", 100);
        how.setBoolean("dfs.namenode.datanode.registration.ip-hostname-check", false);
        for (String what : new String[] {"address", "http.address", "ipc.address"}) {
            how.set("dfs.datanode." + what, "127.0.0.1:0");
        }
        MiniDFSCluster cluster = new MiniDFSCluster.Builder(how)
            .nameNodePort(Integer.parseInt(args[0])).numDataNodes(1).format(true)
            .checkDataNodeAddrConfig(true).build();
        cluster.waitActive();
        Files.createFile(folder.resolve("ready"));
        while (System.in.read() >= 0) { }
        cluster.shutdown(false);
        System.exit(0);
    }
}
