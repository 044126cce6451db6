//! Reports of comparisons as their readers get them: the text of a small one, hostile contents, bounds
//! at a hundred thousand differing keys, and the command line that writes them.

use anyhow::{Context as _, Result};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use retally_core::compare::model::Comparison;
use retally_core::compare::sink::NoSink;
use retally_report::{Csv, html, markdown, terminal};
use retally_tests::comparison::{Made, comparison};
use retally_tests::{Project, payment, reducer};

/// A key that means something to every reader but a person.
const HOSTILE: &str = "=HYPERLINK(\"http://evil.example\")|`@all`</script><script>alert(1)</script>\
                       <img src=x onerror=alert(1)>'\u{202e}\u{1b}[2J\t&amp;-";

fn small() -> Result<Comparison> {
    comparison(&Made::default(), &mut NoSink)
}

fn hostile(keys: u64, changed: u64) -> Result<Comparison> {
    let made = Made { keys, changed, prefix: HOSTILE.to_owned(), ..Made::default() };
    comparison(&made, &mut NoSink)
}

#[test]
fn the_terminal_tells_the_verdict_first_and_the_next_command_last() -> Result<()> {
    insta::assert_snapshot!(terminal(&small()?), @"
    different: orders@1.1.0 gives other results than orders@1.0.0 for 10 of 40 keys (25 %).
      net is lower by 63.55 for GBP, by 32.15 for USD, by 21.68 for EUR.
      By event time the first difference begins at 2026-03-01 00:00, the last at 2026-03-17 14:00.
      100 % of the changed keys begin to differ with a refund event.
      100 % of the changed keys begin to differ on or after 2026-03-01.
      100 % of the changed keys had a refund event (10 times as often as the rest).
    note: emit kind `fee` is in orders@1.1.0 alone: it is not compared
    note: values of `share` within 1e-6 of each other count as equal

      keys    10 different, 30 equal
      rows    14 different, 40 equal
      states  10 different, 30 equal
      net     differs in 14 rows, sum -117.38, from -18.38 to +22.62
      orders  differs in 3 rows, sum +3, from +1 to +1
      emit balance: 10 of 40 records differ
      events: 3 applied -> rejected refund-too-large
      rejected refund-too-large: 12 -> 15
      violation tier-is-off: 2 -> 0

      key acct-000000, event evt-00000000 (partition 0, offset 1000, 2026-03-01T00:00:00Z)
        orders@1.0.0  EUR  net 9.95  orders 0
        orders@1.1.0  EUR  net 10.70  orders 1
        orders@1.0.0  GBP  net 18925.95  orders 9
        orders@1.1.0  GBP  net 18948.57  orders 10

      key acct-000036, event evt-00000612 (partition 0, offset 1612, 2026-03-01T05:12:28.836000Z)
        orders@1.0.0  EUR  net 3518.35
        orders@1.1.0  EUR  net 3507.26
        orders@1.0.0  GBP  net 3991.25
        orders@1.1.0  GBP  net 3972.87

      key acct-000012, event evt-00000204 (partition 0, offset 1204, 2026-03-01T00:00:00.012000Z)
        orders@1.0.0  EUR  net 4512.75
        orders@1.1.0  EUR  net 4502.22
        orders@1.0.0  GBP  net 4985.65
        orders@1.1.0  GBP  net 4967.83
    hint: retally explain --job orders.toml acct-000000 --around 0:1000
    hint: retally compare --a v1.wasm --b v2.wasm --job orders.toml
    ");
    Ok(())
}

#[test]
fn a_pull_request_is_told_in_markdown() -> Result<()> {
    insta::assert_snapshot!(markdown(&small()?), @"
    ### 🔶 Different

    `orders@1.1.0` gives other results than `orders@1.0.0` for **10** of **40** keys (25 %).

    - `net` is lower by **63.55** for `GBP`, by **32.15** for `USD`, by **21.68** for `EUR`.
    - By event time the first difference begins at **2026-03-01 00:00**, the last at **2026-03-17 14:00**.
    - **100 %** of the changed keys begin to differ with a `refund` event.
    - **100 %** of the changed keys begin to differ on or after **2026-03-01**.
    - **100 %** of the changed keys had a `refund` event (**10** times as often as the rest).
    - **30 %** of the changed keys had an event that was `rejected refund-too-large` (and none of the rest).
    - **40 %** of the changed keys have `currency` = `EUR` (**1.2** times as often as the rest).
    - **20 %** of the changed keys have `tier` = `silver` (**1.2** times as often as the rest).

    > [!NOTE]
    > - emit kind `fee` is in orders&#64;1.1.0 alone: it is not compared
    > - values of `share` within 1e-6 of each other count as equal

    | total | orders&#64;1.0.0 | orders&#64;1.1.0 | difference | tolerated |
    | --- | ---: | ---: | ---: | ---: |
    | `net` | 149,471.70 | 149,354.32 | **-117.38** |  |
    | `orders` | 1,033 | 1,036 | **+3** |  |
    | `net` of emit balance | 93,080.00 | 92,984.30 | **-95.70** |  |

    <details><summary>Totals by group</summary>

    | `currency` | total | orders&#64;1.0.0 | orders&#64;1.1.0 | difference | tolerated |
    | --- | --- | ---: | ---: | ---: | ---: |
    | `EUR` | `net` | 36,328.00 | 36,306.32 | **-21.68** |  |
    | `EUR` | `orders` | 247 | 248 | **+1** |  |
    | `EUR` | `net` | 36,328.00 | 36,306.32 | **-21.68** |  |
    | `GBP` | `net` | 87,120.35 | 87,056.80 | **-63.55** |  |
    | `GBP` | `orders` | 526 | 527 | **+1** |  |
    | `GBP` | `net` | 30,728.65 | 30,686.78 | **-41.87** |  |
    | `USD` | `net` | 26,023.35 | 25,991.20 | **-32.15** |  |
    | `USD` | `orders` | 260 | 261 | **+1** |  |
    | `USD` | `net` | 26,023.35 | 25,991.20 | **-32.15** |  |

    </details>

    <details><summary>Fields</summary>

    | field | kind | differs in | of rows | sum | mean | smallest | largest | within tolerance |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | `net` | decimal(2) | 14 (25.93 %) | 54 | -117.38 | -8.38428571 | -18.38 | +22.62 |  |
    | `orders` | integer | 3 (5.56 %) | 54 | +3 | +1 | +1 | +1 |  |
    | `share` | float | 0 (0 %) | 54 |  |  |  |  | 14 |

    </details>

    <details><summary>Emits</summary>

    | emit kind | different | only A | only B | doubled | equal | fields that differ |
    | --- | ---: | ---: | ---: | ---: | ---: | --- |
    | `balance` | 10 | 0 | 0 | 0 | 30 | `net` 10 |

    </details>

    <details><summary>Outcomes, refusals and violations</summary>

    | was | is | events |
    | --- | --- | ---: |
    | `applied` | `rejected refund-too-large` | 3 |

    | what | orders&#64;1.0.0 | orders&#64;1.1.0 |
    | --- | ---: | ---: |
    | `conflict` | 3 | 3 |
    | `rejected refund-too-large` | 12 | 15 |
    | `violation tier-is-off` | 2 | 0 |

    </details>

    <details><summary>Keys that differ most</summary>

    By the size of the difference in `net`.

    | key | row | field | orders&#64;1.0.0 | orders&#64;1.1.0 | difference | first diverging event |
    | --- | --- | --- | ---: | ---: | ---: | --- |
    | `acct-000000` | `EUR` | `net` | `9.95` | `10.70` | +0.75 | `0:1000` 2026-03-01T00:00:00Z |
    | `acct-000000` | `EUR` | `orders` | `0` | `1` | +1 | `0:1000` 2026-03-01T00:00:00Z |
    | `acct-000000` | `GBP` | `net` | `18925.95` | `18948.57` | +22.62 | `0:1000` 2026-03-01T00:00:00Z |
    | `acct-000000` | `GBP` | `orders` | `9` | `10` | +1 | `0:1000` 2026-03-01T00:00:00Z |
    | `acct-000036` | `EUR` | `net` | `3518.35` | `3507.26` | -11.09 | `0:1612` 2026-03-01T05:12:28.836000Z |
    | `acct-000036` | `GBP` | `net` | `3991.25` | `3972.87` | -18.38 | `0:1612` 2026-03-01T05:12:28.836000Z |
    | `acct-000012` | `EUR` | `net` | `4512.75` | `4502.22` | -10.53 | `0:1204` 2026-03-01T00:00:00.012000Z |
    | `acct-000012` | `GBP` | `net` | `4985.65` | `4967.83` | -17.82 | `0:1204` 2026-03-01T00:00:00.012000Z |
    | `acct-000028` | `GBP` | `net` | `2183.15` | `2165.58` | -17.57 | `0:1476` 2026-03-17T14:02:24.028000Z |
    | `acct-000004` | `GBP` | `net` | `3177.55` | `3160.54` | -17.01 | `0:1068` 2026-03-15T03:15:50.404000Z |
    | `acct-000032` | `USD` | `net` | `350.75` | `336.42` | -14.33 | `0:1544` 2026-03-06T03:30:14.432000Z |
    | `acct-000008` | `USD` | `net` | `1345.15` | `1331.38` | -13.77 | `0:1136` 2026-03-04T19:30:43.208000Z |
    | `acct-000024` | `EUR` | `net` | `4015.55` | `4014.74` | -0.81 | `0:1408` 2026-03-01T02:13:55.224000Z |
    | `acct-000024` | `GBP` | `net` | `4488.45` | `4480.35` | -8.10 | `0:1408` 2026-03-01T02:13:55.224000Z |
    | `acct-000016` | `GBP` | `net` | `2680.35` | `2673.06` | -7.29 | `0:1272` 2026-03-16T08:16:48.016000Z |
    | `acct-000020` | `USD` | `net` | `847.95` | `843.90` | -4.05 | `0:1340` 2026-03-05T11:08:09.620000Z |
    | `acct-000020` | `USD` | `orders` | `20` | `21` | +1 | `0:1340` 2026-03-05T11:08:09.620000Z |
    ```sh
    retally explain --job orders.toml acct-000000 --around 0:1000
    ```


    </details>

    <details><summary>What this shows, and what it does not</summary>

    It shows

    - both versions saw the same events in the same order, in one pass
    - each side is what a replay of that version alone gives: same digests
    - every difference comes from the two versions: there is no noise

    It leaves open

    - which of the two is right: that is for people to say


    </details>

    <details><summary>What was compared, and how to repeat it</summary>

    | side | what | is |
    | --- | --- | --- |
    | A | label | `orders@1.0.0` |
    | A | reducer's SHA-256 | `1010101010101010101010101010101010101010101010101010101010101010` |
    | A | seal | `1111111111111111111111111111111111111111111111111111111111111111` |
    | A | run digest | `1212121212121212121212121212121212121212121212121212121212121212` |
    | A | job digest | `0707070707070707070707070707070707070707070707070707070707070707` |
    | A | input digest | `0808080808080808080808080808080808080808080808080808080808080808` |
    | A | events | 680 |
    | B | label | `orders@1.1.0` |
    | B | reducer's SHA-256 | `2020202020202020202020202020202020202020202020202020202020202020` |
    | B | seal | `2121212121212121212121212121212121212121212121212121212121212121` |
    | B | run digest | `2222222222222222222222222222222222222222222222222222222222222222` |
    | B | job digest | `0707070707070707070707070707070707070707070707070707070707070707` |
    | B | input digest | `0808080808080808080808080808080808080808080808080808080808080808` |
    | B | events | 680 |

    ```sh
    retally compare --a v1.wasm --b v2.wasm --job orders.toml
    ```

    Made by Retally 0.1.0.

    </details>
    ");
    Ok(())
}

#[test]
fn what_is_the_same_is_said_to_be() -> Result<()> {
    let run = comparison(&Made::default(), &mut NoSink)?;
    let mut same = comparison(&Made { changed: 0, ..Made::default() }, &mut NoSink)?;
    let told = terminal(&same);
    assert!(told.starts_with("different: orders@1.1.0 ends with the same results"), "{told}");
    same.violations.clear();
    same.verdict = retally_core::compare::model::Verdict::Same;
    let told = terminal(&same);
    let expected = "same: Nothing that was compared differs: orders@1.1.0 gives the same results as \
                    orders@1.0.0 for all 40 keys.\n";
    assert!(told.starts_with(expected), "{told}");
    assert!(html(&same).contains("class=\"verdict same\""));
    assert!(html(&run).contains("class=\"verdict different\""));
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
        found.repeat = vec![HOSTILE.repeat(500); 10];
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
    let reports = ["r.md", "r.html", "r.csv", "r.parquet"];
    let flags = ["--markdown", "--html", "--csv", "--differences"];
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
    assert!(!std::fs::exists(project.path("r.csv.partial"))?);
    let own = project.run(&["compare", "a", "b", "--csv", "-"])?;
    assert_eq!(own.stdout.as_bytes(), first[2], "stdout holds the one report alone");
    let both = project.run(&["compare", "a", "b", "--json", "--html", "-"])?;
    assert_eq!(both.code, 2, "{}", both.stderr);
    let lost = project.run(&["compare", "a", "b", "--html", "no/such/folder.html"])?;
    assert_eq!(lost.code, 2, "{}", lost.stderr);
    assert!(lost.stderr.contains("no/such/folder.html"), "{}", lost.stderr);
    Ok(())
}
