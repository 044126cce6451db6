//! The page of a comparison in a real browser, at ten and at a hundred thousand differing keys: it
//! says nothing on the console, asks for nothing, sorts and searches by its address, and runs
//! nothing that a key holds.

use anyhow::{Context as _, Result};
use retally_compare::model::{Comparison, KeyDifference, ValueDifference};
use retally_compare::sink::NoSink;
use retally_report::Outline;
use retally_tests::browser::{Shown, show};
use retally_tests::comparison::{Made, comparison};
use std::path::PathBuf;
use tempfile::TempDir;

fn html(c: &Comparison) -> String {
    retally_report::html(&Outline::of(c))
}

fn write(folder: &TempDir, text: &str) -> Result<PathBuf> {
    let path = folder.path().join("page.html");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// The keys of the table in the order in which they stand, and whether each is in sight.
fn keys(shown: &Shown) -> Result<Vec<(String, bool)>> {
    let bodies = shown.dom.split("<tbody data-ranks=").skip(1);
    bodies
        .map(|body| {
            let (tag, rest) = body.split_once('>').context("no tag")?;
            let (_, key) = rest.split_once("<bdi>").context("no key")?;
            let (key, _) = key.split_once("</bdi>").context("no end")?;
            Ok((key.to_owned(), !tag.contains("hidden")))
        })
        .collect()
}

/// The difference in net that counts: the largest of a key's rows, in cents.
fn net(key: &KeyDifference) -> Option<i128> {
    let cents = |text: &str| text.replace('.', "").parse::<i128>().ok();
    let own = key.rows.iter().flat_map(|row| &row.values).filter(|value| value.field == "net");
    let delta = |v: &ValueDifference| match (&v.a, &v.b) {
        (a, b) if a.is_some() || b.is_some() => {
            let side = |text: &Option<String>| text.as_deref().map_or(Some(0), cents);
            Some(side(b)? - side(a)?)
        }
        _ => None,
    };
    let all: Vec<i128> = own.filter_map(delta).collect();
    // Of two as large the first counts.
    all.iter().rev().copied().max_by_key(|cents| cents.abs())
}

/// Keys by their difference in net, those without one last.
fn sorted(found: &Comparison, by: impl Fn(i128) -> i128) -> Vec<String> {
    let mut all: Vec<_> = found
        .worst
        .keys
        .iter()
        .map(|key| {
            let rank = net(key).map(&by);
            (rank.is_none(), rank, key.key.clone())
        })
        .collect();
    all.sort();
    all.into_iter().map(|(.., key)| key).collect()
}

fn at(all: u64, changed: u64) -> Result<()> {
    let found = comparison(&Made { keys: all, changed, ..Made::default() }, &mut NoSink)?;
    let folder = tempfile::tempdir()?;
    let page = write(&folder, &html(&found))?;
    let order = |fragment: &str| -> Result<Vec<String>> {
        let shown = show(&page, fragment)?;
        assert!(shown.console.is_empty(), "{:?}", shown.console);
        Ok(keys_of(keys(&shown)?))
    };
    let plain = show(&page, "")?;
    assert!(plain.console.is_empty(), "{:?}", plain.console);
    let shown = keys(&plain)?;
    let in_sight = shown.iter().filter(|(_, in_sight)| *in_sight).count();
    assert_eq!(in_sight, shown.len().min(25), "the rest is for those who ask for it");
    assert_eq!(keys_of(shown), sorted(&found, |cents| -cents.abs()));
    assert_eq!(order("#sort=net:up")?, sorted(&found, |cents| cents));
    let mut down = sorted(&found, |cents| -cents);
    // Of two that are the same, the way down turns the keys around too.
    let without = found.worst.keys.iter().filter(|key| net(key).is_none()).count();
    let with = down.len() - without;
    let mut up = sorted(&found, |cents| cents);
    up[..with].reverse();
    down[..with].clone_from_slice(&up[..with]);
    assert_eq!(order("#sort=net:down")?, down);
    let mut names: Vec<String> = found.worst.keys.iter().map(|key| key.key.clone()).collect();
    names.sort();
    assert_eq!(order("#sort=@key")?, names);
    let wanted = &names[names.len() / 2];
    let searched = show(&page, &format!("#search={wanted}&sort=net:up"))?;
    assert!(searched.console.is_empty(), "{:?}", searched.console);
    let matches = keys(&searched)?.into_iter().filter(|(_, in_sight)| *in_sight);
    assert_eq!(keys_of(matches.collect()), std::slice::from_ref(wanted));
    assert!(searched.dom.contains(&format!("1 of {} keys match", names.len())));
    // A number is found as people type it, whatever minus and commas the page has.
    let worst = found.worst.keys.iter().flat_map(|key| &key.rows).flat_map(|row| &row.values);
    let is_large = |text: &&str| text.len() > 6 && text.contains('.');
    let large = worst.clone().filter(|v| v.field == "net").filter_map(|v| v.a.as_deref());
    let large = large.filter(is_large).max_by_key(|text| text.len()).context("none is large")?;
    let lower = worst.filter_map(|v| v.difference.as_deref()).find(|text| text.starts_with('-'));
    for number in std::iter::once(large).chain(lower) {
        let found = keys(&show(&page, &format!("#search={number}"))?)?;
        assert!(found.iter().any(|(_, in_sight)| *in_sight), "{number}");
    }
    let none = show(&page, "#search=nobody")?;
    assert!(keys(&none)?.iter().all(|(_, in_sight)| !in_sight));
    Ok(())
}

fn keys_of(keys: Vec<(String, bool)>) -> Vec<String> {
    keys.into_iter().map(|(key, _)| key).collect()
}

#[test]
fn ten_keys() -> Result<()> {
    at(40, 10)
}

#[test]
fn a_hundred_thousand_keys() -> Result<()> {
    at(400_000, 100_000)
}

#[test]
fn nothing_that_a_key_holds_runs_or_is_asked_for() -> Result<()> {
    let prefix = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\
                  <style>body{background:url(http://evil.example)}</style>";
    let made = Made { prefix: prefix.to_owned(), ..Made::default() };
    let text = html(&comparison(&made, &mut NoSink)?);
    let folder = tempfile::tempdir()?;
    let shown = show(&write(&folder, &text)?, "#search=owned")?;
    assert!(shown.console.is_empty(), "{:?}", shown.console);
    assert!(!shown.dom.contains("<img") && shown.dom.matches("<script").count() == 1);
    assert!(shown.dom.contains("<title>Different: "));
    assert!(keys(&shown)?.iter().all(|(_, in_sight)| *in_sight), "they are found all the same");
    // What would be asked for, or would run, the browser refuses, and this test would hear of it.
    for foreign in ["<img src=\"http://127.0.0.1:9/x\">", "<script>document.title = 'x'</script>"] {
        let text = text.replace("</main>", &format!("{foreign}</main>"));
        let shown = show(&write(&folder, &text)?, "")?;
        let told = shown.console.join("\n");
        assert!(told.contains("Content Security Policy"), "{foreign}: {told}");
        assert!(shown.dom.contains("<title>Different: "));
    }
    Ok(())
}
