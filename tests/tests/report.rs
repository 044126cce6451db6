//! temporary
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
        let begin = std::time::Instant::now();
        let c = comparison(&made, &mut NoSink).unwrap();
        let made = begin.elapsed();
        std::fs::write(format!("/tmp/reports_{name}.json"), c.to_bytes().unwrap()).unwrap();
        let begin = std::time::Instant::now();
        let page = retally_report::html(&c);
        println!("{name} {made:?} html {:?} {}", begin.elapsed(), page.len());
        std::fs::write(format!("/tmp/reports_{name}.html"), page).unwrap();
        std::fs::write(format!("/tmp/reports_{name}.md"), retally_report::markdown(&c)).unwrap();
        std::fs::write(format!("/tmp/reports_{name}.txt"), retally_report::terminal(&c)).unwrap();
    }
}
