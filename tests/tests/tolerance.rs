//! What a tolerance lets pass is told beside what differs: in words, by group, and of known results
//! with more digits than the run has.

use anyhow::{Context as _, Result};
use retally_compare::model::{Comparison, Groups, Place};
use retally_compare::sink::NoSink;
use retally_report::Outline;
use retally_tests::comparison::{Made, comparison};
use retally_tests::{Project, payments};

/// A comment's text without its marks.
fn told(c: &Comparison) -> String {
    retally_report::markdown(&Outline::of(c)).replace(['*', '`', '\\'], "")
}

/// A comparison whose total of `net` differs by so much, of which so much was tolerated.
fn tolerated(difference: &str, tolerated: &str) -> Result<String> {
    let mut c = comparison(&Made::default(), &mut NoSink)?;
    c.groups = None;
    let mut totals = c.totals.iter_mut();
    let net = totals.find(|total| total.of == Place::View && total.field == "net");
    let net = net.context("no total of net")?;
    (net.difference, net.tolerated) = (difference.to_owned(), Some(tolerated.to_owned()));
    Ok(told(&c))
}

#[test]
fn the_sentence_about_a_total_says_how_much_of_it_was_tolerated() -> Result<()> {
    let some = tolerated("5.03", "-0.02")?;
    assert!(some.contains("net is higher by 5.03"), "{some}");
    assert!(some.contains(", of it -0.02 within the tolerance"), "{some}");
    let all = tolerated("0.03", "0.03")?;
    assert!(all.contains(", all of it within the tolerance"), "{all}");
    let none = tolerated("5.03", "0.00")?;
    assert!(none.contains("net is higher by 5.03") && !none.contains("of it "), "{none}");
    Ok(())
}

#[test]
fn that_no_total_differs_is_said_of_every_month_too() -> Result<()> {
    let mut c = comparison(&Made::default(), &mut NoSink)?;
    for total in &mut c.totals {
        (total.difference, total.moved) = ("0.00".to_owned(), Default::default());
    }
    c.fields.iter_mut().for_each(|field| field.differ = 0);
    let by = "month".to_owned();
    c.groups = Some(Groups { by, is_month: true, groups: Vec::new(), others: None });
    assert!(told(&c).contains("No total differs, nor in any month: "), "{}", told(&c));
    c.totals.clear();
    assert!(told(&c).contains("adds up, so there is no total by month."), "{}", told(&c));
    Ok(())
}

#[test]
fn known_amounts_with_more_digits_are_compared_under_a_tolerance() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(17, "a"))?;
    project.replay(&["--out", "run"])?;
    project.write("known.csv", "key,currency,net\na-000,EUR,10.004\na-001,EUR,10.0000000001\n")?;
    let exact = project.run(&["compare", "run", "--known", "known.csv"])?;
    assert_eq!(exact.code, 2, "{}", exact.stdout);
    assert!(exact.stderr.contains("with --tolerance net=NUMBER"), "{}", exact.stderr);
    let args = ["compare", "run", "--known", "known.csv", "--json", "--report-only"];
    let near = project.run(&[&args[..], &["--tolerance", "net=0.004"]].concat())?.ok()?;
    let net = near["fields"].as_array().context("fields")?;
    let net = net.iter().find(|field| field["name"] == "net").context("net")?;
    assert_eq!((&net["differ"], &net["tolerated"]["values"]), (&0.into(), &2.into()), "{net}");
    assert_eq!(net["tolerated"]["sum"], "0.0040000001");
    Ok(())
}

/// Whoever allows a cent for every value should see what the cents come to.
#[test]
fn what_is_the_same_within_a_tolerance_alone_is_called_so() -> Result<()> {
    let project = Project::new("orders")?;
    project.write("log/a.jsonl", payments(2, "a"))?;
    project.replay(&["--out", "run"])?;
    project.write("known.csv", "key,currency,net\na-000,EUR,10.004\na-001,EUR,10.003\n")?;
    let near = ["compare", "run", "--known", "known.csv", "--tolerance", "net=0.004"];
    let shown = |more: &[&str]| -> Result<(i32, String)> {
        let ran = project.run(&[&near[..], more].concat())?;
        let plain = ran.stdout.replace(['*', '`', '\\'], "");
        Ok((ran.code, plain.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    for more in [&[][..], &["--markdown", "-"]] {
        let (code, told) = shown(more)?;
        assert_eq!(code, 0, "{told}");
        for said in [
            "ame within the tolerance",
            "Nothing that was compared differs by more than a tolerance allows: orders@1.0.0 \
             agrees with known.csv for all 2 keys.",
            "Of 2 rows in known.csv 2 are right within the tolerance (100 %).",
            "net is right in 2 of 2 rows (100 %), 2 of them within the tolerance.",
            "2 values of net differ within the tolerance of 0.004: +0.007 in sum, 0.004 at most.",
        ] {
            assert!(told.contains(said), "{said}: {told}");
        }
    }
    let (_, json) = shown(&["--json"])?;
    assert!(json.contains("differs by more than a tolerance allows"), "{json}");
    project.write("known.csv", "key,currency,net\na-000,EUR,10.00\na-001,EUR,10.00\n")?;
    let (code, told) = shown(&[])?;
    assert!(code == 0 && told.starts_with("same: Nothing that was compared differs: "), "{told}");
    assert!(!told.contains("within the tolerance"), "{told}");
    Ok(())
}
