//! How HDFS is reached, as Hadoop's own tools have it.

use retally_engine::store::hdfs::Hdfs;
use std::path::{Path, PathBuf};

/// By what `set`, the environment, says.
pub(super) fn hdfs(set: &dyn Fn(&str) -> Option<String>) -> Hdfs {
    let of_home = || Some(Path::new(&set("HADOOP_HOME")?).join("etc/hadoop"));
    Hdfs {
        settings: set("HADOOP_CONF_DIR").map(PathBuf::from).or_else(of_home),
        user: set("HADOOP_PROXY_USER"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hadoops_tools_know_is_taken_in_their_order() {
        let by = |set: &[(&str, &str)]| {
            let all: Vec<_> =
                set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            hdfs(&|name| all.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()))
        };
        let none = by(&[]);
        assert_eq!((none.settings, none.user), (None, None));
        let home = ("HADOOP_HOME", "/opt/hadoop");
        assert_eq!(by(&[home]).settings, Some("/opt/hadoop/etc/hadoop".into()));
        assert_eq!(by(&[home, ("HADOOP_CONF_DIR", "/c")]).settings, Some("/c".into()));
        assert_eq!(by(&[("HADOOP_PROXY_USER", "p")]).user.as_deref(), Some("p"));
    }
}
