//! Totals by the values of a field and by month: what is said of them is true of every group, and
//! of two runs it is said by which event a month is found.

use anyhow::{Context as _, Result};
use retally_compare::model::{Comparison, Group, Groups, How, Place, Total};
use retally_compare::sink::NoSink;
use retally_report::Outline;
use retally_tests::comparison::{Made, comparison};

fn html(c: &Comparison) -> String {
    retally_report::html(&Outline::of(c))
}

/// A comment's text without its marks.
fn comment(c: &Comparison) -> String {
    retally_report::markdown(&Outline::of(c)).replace(['*', '`', '\\'], "")
}

/// What a terminal shows, without its breaks.
fn terminal(c: &Comparison) -> String {
    let told = retally_report::terminal(&Outline::of(c), false);
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn by(field: &str) -> Result<Comparison> {
    comparison(&Made { by: Some(field.to_owned()), ..Made::default() }, &mut NoSink)
}

#[test]
fn months_stand_in_their_order_and_say_what_they_are() -> Result<()> {
    let found = by("month")?;
    for text in [comment(&found), html(&found)] {
        let months = text.find("Months are those of event time").context("no word on it")?;
        assert!(text[months..].contains("2026-03"), "{text}");
    }
    Ok(())
}

/// The files of runs tell of outcomes and emits alone: the view of a key may have parted before.
#[test]
fn the_first_events_of_two_runs_are_called_what_they_are() -> Result<()> {
    let mut found = by("month")?;
    let of_runs = ["outcome or emits differ", "outcomes or emits", "may have parted"];
    let reports = |c: &Comparison| [terminal(c), comment(c), html(c)];
    for text in reports(&found) {
        // What a word means is told of both.
        let text = text.replace("of two runs the first whose outcome or emits differ", "");
        assert!(!of_runs.iter().any(|words| text.contains(words)), "{text}");
    }
    found.how = How::Runs;
    let [terminal, comment, page] = reports(&found);
    for text in [
        "in 2026-03, by the first event whose outcome or emits differ.",
        "By event time the first key begins to differ in outcomes or emits at 2026-03-01 00:00",
        "14:00; results may have parted before.",
        "outcome or emits differ since event evt-00000000 at 0:1000",
        "of the changed keys begin to differ in outcomes or emits on or after 2026-03-01",
    ] {
        assert!(terminal.contains(text), "{text}: {terminal}");
    }
    for text in [
        "counts in the month of the first event whose outcome or emits differ: the files of runs",
        "First event with another outcome or other emits",
        "of the changed keys begin to differ in outcomes or emits on or after 2026-03-01",
    ] {
        assert!(comment.contains(text), "{text}: {comment}");
    }
    for text in [
        "Outcome or emits differ since (UTC)",
        "The first event whose outcome or emits differ (the result may have parted before): ",
        "Keys whose outcomes or emits begin to differ, per ",
        "is counted at the first of its events whose outcome or emits differ",
    ] {
        assert!(page.contains(text), "{text}");
    }
    for text in [terminal, comment, page] {
        let names = ["since event", "First diverging event", "Begins to differ (UTC)"];
        let text = text.replace("outcome or emits differ since event", "");
        assert!(!names.iter().any(|words| text.contains(words)), "{text}");
    }
    Ok(())
}

/// Totals of the view and of emits that come to the same in sum; by month to what is given.
fn alike(view: [&str; 2], emits: [&str; 2]) -> Result<Comparison> {
    let mut c = by("month")?;
    let total = |of: Place, difference: &str| -> Result<Total> {
        let own = c.totals.iter().find(|total| total.of == of && total.field == "net");
        let mut own = own.context("no total of net")?.clone();
        (own.difference, own.moved) = (difference.to_owned(), Default::default());
        Ok(own)
    };
    let both = |view, emits| -> Result<Vec<Total>> {
        Ok(vec![total(Place::View, view)?, total(Place::Emit("balance".to_owned()), emits)?])
    };
    let group =
        |value: &str, totals| Group { value: Some(value.to_owned()), rows_a: 0, rows_b: 0, totals };
    let all = both("13.00", "13.00")?;
    let groups = vec![
        group("2026-01", both(view[0], emits[0])?),
        group("2026-03", both(view[1], emits[1])?),
    ];
    c.groups = Some(Groups { by: "month".to_owned(), is_month: true, groups, others: None });
    c.totals = all;
    Ok(c)
}

#[test]
fn what_differs_by_the_same_does_so_in_every_month() -> Result<()> {
    let net = "net is higher by 10.00 in 2026-03, by 3.00 in 2026-01.";
    let same = alike(["3.00", "10.00"], ["3.00", "10.00"])?;
    let other = alike(["3.00", "10.00"], ["8.00", "5.00"])?;
    for told in [terminal, comment] {
        let said = format!("{net} net of emit balance differs by the same in each month.");
        assert!(told(&same).contains(&said), "{}", told(&same));
        let told = told(&other);
        let own = "net of emit balance is higher by 8.00 in 2026-01, by 5.00 in 2026-03.";
        assert!(told.contains(net) && told.contains(own), "{told}");
        assert!(!told.contains("by the same"), "{told}");
    }
    Ok(())
}

#[test]
fn what_stands_below_sums_is_what_is_said_to_stand_there() -> Result<()> {
    let sums = "Sums over every currency, which mean nothing if units differ: ";
    let of = |c: &Comparison, further: &str| {
        let told = comment(c);
        assert!(told.contains(&format!("{sums}{further}")), "{told}");
    };
    of(&by("currency")?, "by currency those that differ stand below.");
    of(&by("month")?, "--by currency tells them apart.");
    of(&by("tier")?, "--by currency tells them apart.");
    let mut none = by("currency")?;
    let groups = none.groups.as_mut().context("no groups")?;
    for total in groups.groups.iter_mut().flat_map(|group| &mut group.totals) {
        total.difference = "0.00".to_owned();
    }
    of(&none, "by currency none differs.");
    Ok(())
}

#[test]
fn an_empty_value_is_to_be_seen() -> Result<()> {
    let mut c = by("currency")?;
    let groups = c.groups.as_mut().context("no groups")?;
    groups.groups.iter_mut().for_each(|group| group.value = Some(String::new()));
    let told = terminal(&c);
    assert!(told.contains("net is lower by 63.55 for (empty) (lower for 6 keys"), "{told}");
    Ok(())
}
