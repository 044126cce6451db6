//! Reports of comparisons as their readers get them: the text of a small one, hostile contents,
//! bounds at a hundred thousand differing keys, and the command line that writes them.

use anyhow::{Context as _, Result};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use retally_compare::gate::{Entry, Gate};
use retally_compare::model::{Comparison, Condition, Group, How, Ranking, Read};
use retally_compare::sink::NoSink;
use retally_compare::{Declared, Options, Plan};
use retally_core::schema::{Field, Kind, ViewShape};
use retally_report::{Csv, Outline};
use retally_tests::comparison::{Made, comparison};
use retally_tests::{Project, payment, reducer};

/// A key that means something to every reader but a person.
const HOSTILE: &str = "=HYPERLINK(\"http://evil.example\")|`@all`</script><script>alert(1)</script>\
                       <img src=x onerror=alert(1)>'\u{202e}\u{1b}[2J\t&amp;-";

fn html(c: &Comparison) -> String {
    retally_report::html(&Outline::of(c))
}

fn markdown(c: &Comparison) -> String {
    retally_report::markdown(&Outline::of(c))
}

fn terminal(c: &Comparison) -> String {
    retally_report::terminal(&Outline::of(c), false)
}

fn small() -> Result<Comparison> {
    comparison(&Made::default(), &mut NoSink)
}

/// A field that differs in few keys, while another differs in others.
#[test]
fn keys_of_which_another_field_differs_are_shown_too() -> Result<()> {
    let mut c = small()?;
    let first = c.worst.rankings.first().context("no ranking")?.keys[0];
    let other = c.worst.keys.iter().rposition(|_| true).context("no key")? as u32;
    c.worst.rankings.truncate(1);
    c.worst.rankings[0].keys = vec![first];
    c.worst.rankings.push(Ranking { field: Some("orders".into()), keys: vec![first, other] });
    let [first, other] = [first, other].map(|key| c.worst.keys[key as usize].key.clone());
    let told = terminal(&c);
    assert_eq!(told.matches(&format!("key {first}\n")).count(), 1, "{told}");
    assert!(told.contains(&format!("key {other}\n")), "{told}");
    assert!(markdown(&c).contains(&format!("`{other}`")));
    Ok(())
}

/// Where every key changed, what a few of them had is no reason; what all had is told.
#[test]
fn what_few_of_all_keys_had_is_no_finding() -> Result<()> {
    let mut c = small()?;
    let mut finding = c.attribution.findings.first().context("no finding")?.clone();
    finding.condition = Condition::HadInput { input: "adjustment".into() };
    (finding.others, finding.others_with, finding.lift) = (Some(0), Some(0), None);
    (finding.changed, finding.changed_with) = (8, 1);
    c.attribution.findings = vec![finding.clone()];
    for text in [terminal(&c), markdown(&c), html(&c)] {
        assert!(!text.contains("of the changed keys had"), "{text}");
    }
    finding.changed_with = 8;
    c.attribution.findings = vec![finding];
    assert!(markdown(&c).contains("(there are no others)"));
    Ok(())
}

#[test]
fn a_report_with_a_page_does_not_lead_to_one() -> Result<()> {
    let c = small()?;
    let (with, without) = (retally_report::terminal(&Outline::of(&c), true), terminal(&c));
    let kept: Vec<&str> = without.lines().filter(|l| !l.contains("--html report.html")).collect();
    assert_ne!(with, without);
    assert_eq!(with.lines().collect::<Vec<_>>(), kept);
    Ok(())
}

fn hostile(keys: u64, changed: u64) -> Result<Comparison> {
    let made = Made { keys, changed, prefix: HOSTILE.to_owned(), ..Made::default() };
    comparison(&made, &mut NoSink)
}

#[test]
fn the_terminal_tells_the_verdict_first_and_the_next_command_last() -> Result<()> {
    insta::assert_snapshot!(terminal(&small()?), @"
    different: orders@1.1.0 gives other results than orders@1.0.0 for 10 of 40 keys
      (25 %).
      net is lower by 63.55 for GBP (lower for 6 keys by 86.17, higher for 1 key by
        22.62), by 32.15 for USD, by 21.68 for EUR (lower for 3 keys by 22.43,
        higher for 1 key by 0.75).
      orders is higher by 1 for EUR, by 1 for GBP, by 1 for USD.
      amount of emit fee is in orders@1.1.0 alone: 4.30 in total, of 10 values.
      14 values of share differ within the tolerance of 1e-6: +1.399999999593293e-6
        in sum, 1.0000000000287557e-7 at most.
      By event time the first difference begins at 2026-03-01 00:00, the last at
        2026-03-17 14:00.
      100 % of the changed keys begin to differ with an event of type refund.
      100 % of the changed keys begin to differ on or after 2026-03-01.
      100 % of the changed keys had, up to where they parted, an event of type
        refund (10 times as often as the rest).
    note: emit kind `fee` is in `orders@1.1.0` alone: it is not compared
    note: values of `share` within 1e-6 of each other count as equal

      keys    10 different, 30 equal
      rows    14 different, 40 equal
      states  10 different, 30 equal
      net     differs in 14 rows, sum -117.38, from -18.38 to +22.62
      orders  differs in 3 rows, sum +3, from +1 to +1
      emit balance: 10 of 40 records differ
      emit fee: 10 records, a kind of B alone
      events: 3 applied -> rejected refund-too-large
      rejected refund-too-large: 12 -> 15
      violation tier-is-off: 2 -> 0

      key acct-000000
        since event evt-00000000 at 0:1000, 2026-03-01T00:00:00Z
        orders@1.0.0  EUR  net 9.95  orders 0
        orders@1.1.0  EUR  net 10.70  orders 1
        orders@1.0.0  GBP  net 18,925.95  orders 9
        orders@1.1.0  GBP  net 18,948.57  orders 10

      key acct-000036
        since event evt-00000612 at 0:1612, 2026-03-01T05:12:28.836000Z
        orders@1.0.0  EUR  net 3,518.35
        orders@1.1.0  EUR  net 3,507.26
        orders@1.0.0  GBP  net 3,991.25
        orders@1.1.0  GBP  net 3,972.87

      key acct-000012
        since event evt-00000204 at 0:1204, 2026-03-01T00:00:00.012000Z
        orders@1.0.0  EUR  net 4,512.75
        orders@1.1.0  EUR  net 4,502.22
        orders@1.0.0  GBP  net 4,985.65
        orders@1.1.0  GBP  net 4,967.83
    hint: retally explain --job orders.toml acct-000000 --around 0:1000
    hint: retally compare --a v1.wasm --b v2.wasm --job orders.toml --html report.html
    ");
    Ok(())
}

#[test]
fn a_pull_request_is_told_in_markdown() -> Result<()> {
    insta::assert_snapshot!("pull_request", markdown(&small()?));
    Ok(())
}

/// A comparison under a gate that expects everything, or nothing.
fn gated(entries: &[&str]) -> Result<Comparison> {
    let mut found = small()?;
    let entries = entries.iter().map(|text| Entry::allow(text)).collect::<Result<_, _>>()?;
    let gate = Gate { entries, ..Gate::default() };
    let field = |(name, kind): (&str, Kind)| Field {
        name: name.to_owned(),
        paths: Vec::new(),
        kind,
        required: true,
    };
    let fields = [("net", Kind::Decimal { scale: 2 }), ("tier", Kind::Text)].map(field).into();
    let view = ViewShape { fields, row_key: Vec::new() };
    let view = Declared { view: &view, emits: &[] };
    // The view's own differences are heard one by one: here the tallies alone are judged.
    found.gate = Some(gate.begin(&Plan::new(view, view, &Options::default())?)?.finish(&found));
    Ok(found)
}

#[test]
fn what_is_expected_is_not_called_different() -> Result<()> {
    let expected = gated(&["*", "@rows", "@outcomes", "@violations", "@history"])?;
    let gate = expected.gate.as_ref().context("no gate")?;
    assert!(gate.holds && gate.unexpected == 0, "{gate:?}");
    let told = terminal(&expected);
    assert!(told.starts_with("as expected: orders@1.1.0 gives other results"), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[2], "The gate holds: 0 unexpected differences, 15 expected", "{told}");
    let comment = markdown(&expected);
    assert!(comment.starts_with("### ✅ As expected\n\n"), "{comment}");
    let (at, bullets) = (comment.find("**✅ The gate holds: "), comment.find("\n- `net` is"));
    assert!(at.is_some() && at < bullets, "{comment}");
    let page = html(&expected);
    assert!(page.contains("<section class=\"verdict expected\" id=\"verdict\">"));
    assert!(page.contains("<title>As expected: "));
    let broken = gated(&["tier"])?;
    assert!(terminal(&broken).starts_with("different: "));
    assert!(terminal(&broken).contains("\nThe gate is broken: 15 unexpected differences"));
    assert!(html(&broken).contains("<p class=\"gate broken\">The gate is broken: "));
    Ok(())
}

#[test]
fn lines_about_a_gate_are_lines_in_every_report() -> Result<()> {
    let found = gated(&["tier:acct-*", "net<=0.01"])?;
    let page = html(&found);
    let (_, box_) = page.split_once("id=\"gate\"").context("no gate")?;
    let (box_, _) = box_.split_once("</section>").context("no end")?;
    assert!(!box_.contains("\\n"), "{box_}");
    let lines: Vec<&str> = box_.lines().filter(|line| line.contains("  holds  ")).collect();
    assert_eq!(lines.len(), 2, "{box_}");
    assert!(markdown(&found).contains("```text\n"), "no line of the gate is spelt in entities");
    Ok(())
}

#[test]
fn a_comment_is_read_as_it_is_written() -> Result<()> {
    for found in [small()?, gated(&["tier:acct-*", "net<=0.01"])?] {
        let comment = markdown(&found);
        assert!(!comment.contains("&#"), "{comment}");
        assert!(comment.contains("| `orders@1.0.0` | `orders@1.1.0` |"), "{comment}");
    }
    Ok(())
}

#[test]
fn a_title_and_a_note_are_text_on_the_page_and_in_the_comment() -> Result<()> {
    let c = small()?;
    let note = format!(
        "# {HOSTILE}\n\nSee `FIN-1` and **all**:\n- one\n- {HOSTILE}\n\n```\n\
                        <b>x</b>\n</pre><!--\n"
    );
    let outline = Outline::of(&c).titled(&format!("FIN-1\n{HOSTILE}")).noted(&note);
    let page = retally_report::html(&outline);
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains("<b>x</b>"));
    let (_, own) = page.split_once("<section id=\"note\">").context("no note")?;
    assert!(own.contains("<code><bdi>FIN-1</bdi></code> and <b>all</b>:"), "{own}");
    assert!(own.contains("<li>one</li>") && own.contains("&#60;b&#62;x&#60;/b&#62;"), "{own}");
    assert!(page.contains("<title>FIN-1 ="), "{page}");
    let comment = retally_report::markdown(&outline);
    let outside: Vec<&str> = comment.split("```").step_by(2).collect();
    let outside = outside.concat().split('`').step_by(2).collect::<String>();
    assert!(!outside.contains("<img") && !outside.contains("<!--"), "{outside}");
    assert!(!outside.contains("@all") && !outside.contains("://evil"), "{outside}");
    assert!(comment.starts_with("### 🔶 Different: FIN-1"), "{comment}");
    assert!(comment.contains("`FIN-1` and **all**"), "{comment}");
    let long = Outline::of(&c).titled(&HOSTILE.repeat(900));
    let comment = retally_report::markdown(&long.noted(&"word ".repeat(90_000)));
    assert!(comment.chars().count() <= retally_report::markdown::MAX_CHARS);
    assert!(comment.contains("… and more, on the page"));
    assert!(comment.contains("| Total of |"), "what was compared is still told");
    Ok(())
}

#[test]
fn what_is_the_same_is_said_to_be() -> Result<()> {
    let run = comparison(&Made::default(), &mut NoSink)?;
    let mut same = comparison(&Made { changed: 0, ..Made::default() }, &mut NoSink)?;
    let told = terminal(&same);
    assert!(told.starts_with("different: orders@1.1.0 ends with the same results"), "{told}");
    assert!(told.contains("No total differs, nor in any currency: net and orders are"), "{told}");
    same.violations.clear();
    same.verdict = retally_compare::model::Verdict::Same;
    let told = terminal(&same);
    let expected = "same: Nothing that was compared differs: orders@1.1.0 gives the same \
                    results as\n  orders@1.0.0 for all 40 keys.\n";
    assert!(told.starts_with(expected), "{told}");
    let page = html(&same);
    assert!(page.contains("class=\"verdict same\"") && !page.contains("id=\"why\""), "{page}");
    assert!(html(&run).contains("class=\"verdict different\""));
    Ok(())
}

#[test]
fn the_same_money_is_told_once() -> Result<()> {
    let mut found = small()?;
    found.groups = None;
    let mut gross = found.totals[0].clone();
    gross.field = "gross".into();
    found.totals.insert(1, gross);
    let told = terminal(&found).replace("\n    ", " ");
    assert_eq!(told.matches("is lower by 117.38 over every currency: 149,354.32").count(), 1);
    assert!(told.contains("gross differs by the same."), "{told}");
    Ok(())
}

#[test]
fn what_is_read_twice_is_no_share_of_all() -> Result<()> {
    let mut found = small()?;
    found.how = How::Runs;
    found.read = Read { bytes_read: 1_500, bytes_total: 1_000, ..Read::default() };
    let told = terminal(&found);
    assert!(told.contains("read all 1,000 bytes, some of them twice, "), "{told}");
    let page = html(&found);
    assert!(page.contains("All 1,000 bytes were read, some of them twice"));
    assert!(!page.contains("150 %"));
    Ok(())
}

#[test]
fn keys_that_differ_on_the_way_alone_are_not_called_changed() -> Result<()> {
    let mut found = small()?;
    let first = &mut found.attribution.findings[0];
    (first.changed, first.changed_with) = (40, 30);
    let said = "75 %** of the keys that differ at some time begin to differ with an event of type \
                `refund`";
    let comment = markdown(&found);
    assert!(comment.contains(said), "{comment}");
    assert!(html(&found).contains("30 of 40 that differ at some time"));
    Ok(())
}

#[test]
fn a_share_that_is_held_against_nothing_is_no_reason() -> Result<()> {
    let mut found = small()?;
    for finding in &mut found.attribution.findings {
        finding.condition = Condition::FieldIs { field: "tier".into(), value: Some("gold".into()) };
        (finding.others, finding.others_with, finding.lift) = (None, None, None);
    }
    for told in [terminal(&found), markdown(&found)] {
        assert!(!told.contains("of the changed keys"), "{told}");
    }
    assert!(html(&found).contains("(of the rest this was not read)."), "in the list it says so");
    Ok(())
}

#[test]
fn lines_for_a_terminal_fit_it() -> Result<()> {
    for found in [small()?, comparison(&Made { changed: 20, ..Made::default() }, &mut NoSink)?] {
        for line in terminal(&found).lines().filter(|line| !line.starts_with("hint: ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
    Ok(())
}

#[test]
fn what_differs_is_not_behind_what_does_not() -> Result<()> {
    let mut found = small()?;
    let groups = found.groups.as_mut().context("no groups")?;
    let mut equal = groups.groups[0].clone();
    equal.totals.iter_mut().for_each(|total| total.difference = "0.00".into());
    let equal = |n: u64| Group { value: Some(format!("A{n:03}")), ..equal.clone() };
    groups.groups.splice(0..0, (0..300).map(equal));
    let mut total = found.totals[0].clone();
    total.difference = "0.00".into();
    found.totals.splice(0..0, std::iter::repeat_n(total, 300));
    let comment = markdown(&found);
    assert!(comment.contains("| `net` | `GBP` |"), "{comment}");
    assert!(comment.contains("**-117.38**"), "{comment}");
    assert!(comment.contains("Sums over every `currency`, which mean nothing if units differ"));
    Ok(())
}

#[test]
fn reports_are_the_same_bytes_when_repeated() -> Result<()> {
    let (one, two) = (small()?, small()?);
    assert_eq!(html(&one), html(&two));
    assert_eq!(markdown(&one), markdown(&two));
    assert_eq!(terminal(&one), terminal(&two));
    // And after a way through JSON.
    let read = Comparison::from_bytes(&one.to_bytes()?)?;
    assert_eq!(html(&read), html(&one));
    Ok(())
}

#[test]
fn hostile_keys_are_text_everywhere() -> Result<()> {
    let found = hostile(40, 10)?;
    let page = html(&found);
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(!page.contains("<img") && !page.contains('\u{202e}') && !page.contains('\u{1b}'));
    assert!(page.contains("&#60;img src=x onerror=alert(1)&#62;"));
    let comment = markdown(&found);
    assert!(!comment.contains('\u{202e}') && !comment.contains('\u{1b}'));
    // Between fences commands stand as they are; a fence is longer than what stands in it.
    let outside = comment.split("```").filter(|part| !part.starts_with("sh\n"));
    for part in outside {
        assert!(!part.contains("<img") && !part.contains("<script"), "{part}");
        assert!(!part.contains("@all") && !part.contains("://evil"), "{part}");
    }
    let shown = terminal(&found);
    assert!(!shown.contains(['\u{202e}', '\u{1b}', '\t']), "{shown:?}");
    let mut csv = Csv::new(Vec::new());
    let made = Made { prefix: HOSTILE.to_owned(), ..Made::default() };
    comparison(&made, &mut csv)?;
    let csv = String::from_utf8(csv.finish()?)?;
    let cells: Vec<&str> = csv.lines().skip(1).collect();
    assert!(cells.len() > 10);
    assert!(cells.iter().all(|line| line.starts_with("\"'=HYPERLINK(\"\"http")), "{csv}");
    Ok(())
}

#[test]
fn markdown_fits_a_comment_whatever_differs() -> Result<()> {
    for by in ["currency", "last"] {
        let made = Made {
            keys: 30_000,
            changed: 15_000,
            prefix: HOSTILE.repeat(20),
            by: Some(by.to_owned()),
            shown: 1_000,
        };
        let mut found = comparison(&made, &mut NoSink)?;
        // As many notes, fields and kinds as nobody has.
        found.notes = found.notes.iter().cycle().take(5_000).cloned().collect();
        found.fields = found.fields.iter().cycle().take(2_000).cloned().collect();
        found.emits = found.emits.iter().cycle().take(2_000).cloned().collect();
        found.repeat = vec![vec![HOSTILE.repeat(500)]; 10];
        found.a.label = HOSTILE.repeat(100);
        found.shows = vec![HOSTILE.repeat(100); 100];
        let comment = markdown(&found);
        let chars = comment.chars().count();
        assert!(chars <= retally_report::markdown::MAX_CHARS, "{chars} by {by}");
        assert!(comment.contains("more"), "what is left out is said");
        assert_eq!(comment.matches("<details>").count(), comment.matches("</details>").count());
        assert!(terminal(&found).len() < 2_000_000);
    }
    Ok(())
}

#[test]
fn a_page_of_a_hundred_thousand_keys_has_its_bounds() -> Result<()> {
    let made = Made { keys: 400_000, changed: 100_000, shown: 5_000, ..Made::default() };
    let page = html(&comparison(&made, &mut NoSink)?);
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<tbody data-ranks").count(), 1_000);
    assert!(page.contains("The 1,000 keys with the largest differences of 100,000 that differ."));
    Ok(())
}

/// Two runs of accounts with hostile names, of which some differ.
fn runs() -> Result<Project> {
    let project = Project::new("orders")?;
    let mut log = String::new();
    for n in 0..24 {
        // A reducer of orders takes any name; JSON escapes it.
        let name = serde_json::Value::from(format!("{HOSTILE}{:02}", n % 12)).to_string();
        let paid = payment(n, "NAME", if n < 12 { "200.00" } else { "150.00" });
        let line = if n < 12 { paid } else { paid.replace("\"payment\"", "\"refund\"") };
        log += &line.replace("\"NAME\"", &name);
    }
    project.write("log/0.jsonl", log)?;
    project.replay(&["--out", "a"])?;
    let v2 = reducer("orders-v2").display().to_string();
    project.replay(&["--out", "b", "--reducer", &v2])?;
    Ok(project)
}

#[test]
fn the_command_line_writes_every_report() -> Result<()> {
    let project = runs()?;
    let reports = ["r.md", "r.html", "r.csv", "r.parquet", "k.csv"];
    let flags = ["--markdown", "--html", "--csv", "--differences", "--csv-by-key"];
    let write = || -> Result<Vec<Vec<u8>>> {
        let mut args = vec!["compare", "a", "b"];
        flags.iter().zip(reports).for_each(|(flag, file)| args.extend([*flag, file]));
        let ran = project.run(&args)?;
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stdout.starts_with("different: "), "{}", ran.stdout);
        let read = |file: &&str| std::fs::read(project.path(file)).context(file.to_string());
        reports.iter().map(read).collect()
    };
    let first = write()?;
    assert_eq!(first, write()?, "the same bytes when repeated");
    let rows = String::from_utf8(first[2].clone())?.lines().count() as i64 - 1;
    let table = SerializedFileReader::new(std::fs::File::open(project.path("r.parquet"))?)?;
    assert_eq!(table.metadata().file_metadata().num_rows(), rows);
    assert!(rows >= 12, "{rows}");
    let by_key = String::from_utf8(first[4].clone())?;
    assert!(by_key.starts_with("key,row_key,row,side,currency baseline,"), "{by_key}");
    let keys = |text: &[u8]| -> Result<std::collections::BTreeSet<String>> {
        let lines = String::from_utf8(text.to_vec())?;
        let key = |line: &str| line.split("\",").next().unwrap_or_default().to_owned();
        Ok(lines.lines().skip(1).map(key).collect())
    };
    assert_eq!(keys(&first[4])?, keys(&first[2])?, "the same keys, each with its rows");
    for entry in std::fs::read_dir(project.path(""))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with('.') && !name.ends_with(".partial"), "{name} is left over");
    }
    let own = project.run(&["compare", "a", "b", "--csv", "-"])?;
    assert_eq!(own.stdout.as_bytes(), first[2], "stdout holds the one report alone");
    let both = project.run(&["compare", "a", "b", "--json", "--html", "-"])?;
    assert_eq!(both.code, 2, "{}", both.stderr);
    let lost = project.run(&["compare", "a", "b", "--html", "no/such/folder.html"])?;
    assert_eq!(lost.code, 2, "{}", lost.stderr);
    assert!(lost.stderr.contains("no/such/folder.html"), "{}", lost.stderr);
    project.write("note.md", "Agreed in *FIN-1*.\n")?;
    let noted = ["compare", "a", "b", "--title", "Fees", "--note", "note.md"];
    let page = project.run(&[&noted[..], &["--html", "-"]].concat())?.stdout;
    assert!(page.contains("<title>Fees, Different: ") && page.contains("Agreed in <b>FIN-1</b>."));
    let nowhere = project.run(&noted)?;
    assert_eq!(nowhere.code, 2, "{}", nowhere.stdout);
    assert!(nowhere.stderr.contains("--title is for a page or a comment"), "{}", nowhere.stderr);
    let missing = project.run(&["compare", "a", "b", "--note", "no.md", "--html", "-"])?;
    assert_eq!((missing.code, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.contains("cannot read the note no.md"), "{}", missing.stderr);
    assert!(!std::fs::exists(project.path("no"))?, "a folder that was misspelt is not made");
    Ok(())
}
