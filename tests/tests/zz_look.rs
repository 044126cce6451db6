//! temporary.
use retally_core::compare::sink::NoSink;
use retally_tests::comparison::{Made, comparison};
#[test]
fn look() {
    for (name, made) in [
        ("10", Made::default()),
        ("100000", Made { keys: 400_000, changed: 100_000, ..Made::default() }),
        ("same", Made { changed: 0, ..Made::default() }),
        ("noby", Made { keys: 62_000, changed: 1_204, by: None, ..Made::default() }),
    ] {
        let c = comparison(&made, &mut NoSink).unwrap();
        std::fs::write(format!("/tmp/reports_{name}.html"), retally_report::html(&c)).unwrap();
        std::fs::write(format!("/tmp/reports_{name}.md"), retally_report::markdown(&c)).unwrap();
        std::fs::write(format!("/tmp/reports_{name}.txt"), retally_report::terminal(&c)).unwrap();
    }
}
