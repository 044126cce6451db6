//! Names of folders and files: what a layout takes of them, and what is no layout.

use super::*;
use retally_core::schema::civil_from_days;

fn fit(layout: &str, path: &str) -> Option<Fit> {
    Layout::parse(layout).unwrap().fit(path)
}

/// What a layout makes of a path: topic, partition and offset.
fn place(layout: &str, path: &str) -> Option<(String, u32, u64)> {
    let fit = fit(layout, path)?;
    let (partition, offset) = fit.place?;
    Some((fit.topic.unwrap_or_default(), partition, offset))
}

#[test]
fn names_of_the_sinks_of_kafka_are_read() {
    const AIVEN: &str = "{topic}-{partition}-{offset}";
    for (layout, path, expected) in [
        // Confluent's: topics/TOPIC/partition=0/TOPIC+0+0000000000.json, or folders of time.
        ("connect", "topics/orders/partition=0/orders+0+0000000000.json", ("orders", 0, 0)),
        ("connect", "orders/year=2026/month=01/orders+11+0000000042.json.gz", ("orders", 11, 42)),
        ("connect", "my.topic-v2+3+0000000007.snappy.parquet", ("my.topic-v2", 3, 7)),
        ("connect", "a+0+18446744073709551615.avro", ("a", 0, u64::MAX)),
        // Aiven's, whose topics may have what stands between.
        (AIVEN, "orders-0-0000000000.gz", ("orders", 0, 0)),
        (AIVEN, "x/orders-2024-1-0000000012", ("orders-2024", 1, 12)),
        ("{topic}/partition={partition}/{offset}", "t/partition=5/007.json", ("t", 5, 7)),
        ("part-{partition}/{offset}", "part-0001/3.json", ("", 1, 3)),
    ] {
        let expected = Some((expected.0.to_owned(), expected.1, expected.2));
        assert_eq!(place(layout, path), expected, "{layout} on {path}");
    }
    for (layout, path) in [
        ("connect", "orders+0.json"),
        ("connect", "orders+0+x.json"),
        ("connect", "orders+0+1-2.json"),
        ("connect", "orders+0+99999999999999999999.json"),
        ("connect", "ord ers+0+1.json"),
        (AIVEN, "orders-0.gz"),
        ("{topic}/partition={partition}/{offset}", "partition=5/007.json"),
    ] {
        assert_eq!(fit(layout, path), None, "{layout} on {path}");
    }
}

/// The span of time that a path says, in words.
fn time(layout: &str, path: &str) -> Option<String> {
    let told = |at: Micros| {
        let (year, month, day) = civil_from_days(at.div_euclid(DAY_MICROS));
        format!("{year}-{month:02}-{day:02}T{:02}", at.rem_euclid(DAY_MICROS) / HOUR_MICROS)
    };
    fit(layout, path)?.time.map(|span| format!("{} {}", told(span.start), told(span.end)))
}

#[test]
fn dates_are_spans_of_time() {
    for (layout, path, expected) in [
        ("dt={date}/", "dt=2024-02-29/a", "2024-02-29T00 2024-03-01T00"),
        ("{date}", "x/20241231/y/a", "2024-12-31T00 2025-01-01T00"),
        ("year={}/month={}/day={}", "year=2024/month=1/day=31/a", "2024-01-31T00 2024-02-01T00"),
        ("y{year}/m{month}", "y2023/m12/a", "2023-12-01T00 2024-01-01T00"),
        ("year={}", "p/year=2023/month=05/a", "2023-01-01T00 2024-01-01T00"),
        ("dt={date}/hour={}", "dt=2024-01-01/hour=23/a", "2024-01-01T23 2024-01-02T00"),
        ("{year}-{month}-{day}-{hour}", "2024-01-01-00/a", "2024-01-01T00 2024-01-01T01"),
        ("{date}/connect", "", ""),
    ] {
        if !path.is_empty() {
            assert_eq!(time(layout, path).as_deref(), Some(expected), "{layout} on {path}");
        }
    }
    // The deepest place where all of them fit, one right below the other.
    assert_eq!(time("{date}", "2023-01-01/2024-01-01/a").unwrap(), "2024-01-01T00 2024-01-02T00");
    assert_eq!(fit("year={}/month={}", "year=2024/x/month=01/a"), None);
    // No value is none, and no reason to leave a file out.
    let none = fit("dt={date}", "dt=__HIVE_DEFAULT_PARTITION__/a").unwrap();
    assert_eq!(
        (none.time.clone(), none.value("dt=__HIVE_DEFAULT_PARTITION__/a", "dt")),
        (None, Some(None))
    );
    for path in ["dt=2023-02-29/a", "dt=2024-13-01/a", "dt=2024-1-1/a", "dt=/a", "dt=2024-01-00/a"]
    {
        assert_eq!(fit("dt={date}", path), None, "{path}");
    }
    assert_eq!(fit("{date}/{hour}", "2024-01-01/24/a"), None);
}

#[test]
fn values_are_those_in_braces_and_of_folders_with_a_name() {
    let path = "region=eu%2Fwest/eu/n=1/n=2/%zz=%C3/a.json";
    let fit = fit("{zone}/n={}", path).unwrap();
    let value = |name: &str| fit.value(path, name);
    assert_eq!(value("region"), Some(Some("eu/west".to_owned())));
    assert_eq!(value("zone"), Some(Some("n=1".to_owned())), "the deepest place");
    assert_eq!(value("n"), Some(Some("2".to_owned())));
    assert_eq!(value("%zz"), Some(Some("%C3".to_owned())), "no UTF-8, so as it stands");
    assert_eq!(value("a.json"), None);
    let plain = Fit::default();
    assert_eq!(plain.value("n=1/n=2/a=3", "n"), Some(Some("2".to_owned())));
    assert_eq!(plain.value("n=1/a=3", "a"), None, "the file's own name is no folder");
}

#[test]
fn what_is_no_layout_is_said() {
    for (layout, message) in [
        ("", "it has a part without a name: two slashes in a row, or one in front"),
        ("/dt={date}", "it has a part without a name: two slashes in a row, or one in front"),
        ("dt", "it has no place in braces, such as dt={date}; \"connect\" is one"),
        ("{offset}/x", "{offset} belongs into the name of the file, which is the last part"),
        ("{topic}+{offset}", "{partition} and {offset} go together"),
        ("p={partition}", "{partition} and {offset} go together"),
        ("{a}{b}", "nothing tells where one ends and the next begins in `{a}{b}`"),
        ("x{}", "`{}` in `x{}` needs a name: {region}"),
        ("{date", "`{` without `}` in `{date`"),
        ("date}", "`}` without `{` in `date}`"),
        ("{a b}", "\"a b\" is no name: letters, digits, `_`, `-` and `.` are"),
        ("n={}/{n}", "{n} stands in it twice"),
        ("month={}", "{month} is a time only beside {year}"),
        ("year={}/day={}", "{day} is a time only beside {year} and {month}"),
        ("hour={}", "{hour} is a time only beside {date}, or {year}, {month} and {day}"),
        ("dt={date}/year={}", "{date} and {year} both say the day"),
    ] {
        assert_eq!(Layout::parse(layout).unwrap_err(), message, "{layout}");
    }
    assert_eq!(Layout::parse("connect").unwrap().as_written(), "connect");
}

#[test]
fn a_span_of_time_needs_its_folders_and_one_on_either_side() {
    let day = |day: i64| Some(day * DAY_MICROS..(day + 1) * DAY_MICROS);
    let hours = |from: i64, to: i64| from * HOUR_MICROS..to * HOUR_MICROS;
    let times = [day(3), day(1), None, day(4), day(7), day(3), day(9)];
    let which = |span: Range<Micros>| -> Vec<usize> {
        let all = within(&times, &span);
        all.iter().enumerate().filter(|(_, can)| **can).map(|(number, _)| number).collect()
    };
    assert_eq!(which(hours(72, 96)), [0, 1, 2, 3, 5], "day 3: the one before is day 1");
    assert_eq!(which(hours(95, 97)), [0, 1, 2, 3, 4, 5], "the last hour of day 3, the first of 4");
    assert_eq!(which(hours(120, 130)), [2, 3, 4], "day 5 has no folder: days 4 and 7");
    assert_eq!(which(hours(0, 1)), [1, 2], "before all");
    assert_eq!(which(hours(999, 9999)), [2, 6], "behind all");
    assert_eq!(which(hours(i64::MIN / HOUR_MICROS, i64::MAX / HOUR_MICROS)), [0, 1, 2, 3, 4, 5, 6]);
}
