//! Tables by key, emits and files that were altered; and what readers say of them.

use super::{Run, refused, texts_of, whole, with};
use crate::rundir::reader::{Keys, Named, RunReader};
use crate::rundir::sample::{relist, sample};
use crate::rundir::shape::Table;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Int32Array, StringArray};
use arrow_select::concat::concat_batches;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

#[test]
fn tables_by_key_of_other_keys_are_refused() {
    refused(
        whole,
        true,
        &[
            ("view.parquet has rows of key", &|run| {
                let first = first_key(run, Table::Views);
                run.rows(Table::States, |all| {
                    let keys = texts_of(all, "key");
                    (0..all.num_rows()).filter(|&row| keys.value(row) != first).collect()
                });
            }),
            ("violations.parquet has rows of key", &|run| {
                let first = first_key(run, Table::Violations);
                for table in [Table::States, Table::Views] {
                    run.rows(table, |all| {
                        let keys = texts_of(all, "key");
                        (0..all.num_rows()).filter(|&row| keys.value(row) != first).collect()
                    });
                }
            }),
        ],
    );
}

#[test]
fn an_index_of_keys_that_lies_is_refused() {
    refused(
        whole,
        true,
        &[
            ("where.parquet: key \"k00001\" has fewer events than were applied", &|run| {
                run.rows(Table::Where, |all| (1..all.num_rows()).collect());
            }),
            ("does not hold its event at", &|run| {
                run.rows(Table::Where, |all| {
                    let keys = texts_of(all, "key");
                    (0..all.num_rows()).filter(|&row| keys.value(row) != "k1").collect()
                });
            }),
            ("does not hold its event at", &|run| {
                run.numbers(Table::Where, "last_offset", |offsets| {
                    *offsets.last_mut().unwrap() -= 200;
                });
            }),
            ("cannot lie where it says", &|run| {
                run.numbers(Table::Where, "first_offset", |offsets| offsets[0] = 1 << 40);
            }),
            ("cannot lie where it says", &|run| {
                run.texts(Table::Where, "last_partition", |names| names[0] = Some("a/1".into()));
            }),
            ("have a key", &|run| {
                run.numbers(Table::Where, "events", |events| events[0] += 1);
            }),
            ("has other events than it says", &|run| {
                run.numbers(Table::Where, "events", |events| *events.last_mut().unwrap() = 5);
            }),
            ("stands out of order", &|run| {
                run.rows(Table::Where, |all| [1, 0].into_iter().chain(2..all.num_rows()).collect());
            }),
        ],
    );
}

fn first_key(run: &Run, table: Table) -> String {
    let opened = run.open();
    let batch = opened.rows(table, &Keys::All).unwrap().next().unwrap().unwrap();
    batch.texts("key").unwrap().value(0).to_owned()
}

#[test]
fn states_to_which_other_events_were_applied_than_were_counted_are_refused() {
    let fewer = |run: &Run| {
        run.numbers(Table::States, "applied", |applied| *applied.last_mut().unwrap() -= 1);
    };
    let more = |run: &Run| run.numbers(Table::States, "applied", |applied| applied[0] += 3);
    let none = |run: &Run| {
        run.numbers(Table::States, "applied", |applied| *applied.last_mut().unwrap() = 0);
    };
    let says = "states.parquet says that ";
    let none_says = "has more events with records than were applied to its state";
    refused(whole, true, &[(says, &fewer), (none_says, &none)]);
    refused(|| Run::new(&sample(8), 3), true, &[(says, &more), (none_says, &none)]);
}

#[test]
fn an_open_leaf_of_other_records_than_its_events_leave_is_refused() {
    refused(
        || Run::new(&sample(8), 3),
        true,
        &[("does not hold the records that", &|run| {
            run.numbers(Table::History, "events", |events| events[0] += 1);
        })],
    );
}

#[test]
fn heads_of_emits_that_do_not_agree_are_refused() {
    // Of the first event with two records the second.
    let second = |run: &Run| {
        let opened = run.open();
        let batch = opened.rows(Table::Emits(0), &Keys::All).unwrap().next().unwrap().unwrap();
        let seqs = batch.small("seq").unwrap().to_vec();
        seqs.iter().position(|&seq| seq == 1).unwrap()
    };
    refused(
        whole,
        true,
        &[
            ("does not follow the one before it", &|run| {
                let row = second(run);
                run.texts(Table::Emits(0), "event_id", |ids| ids[row] = Some("evt-x".into()));
            }),
            ("does not follow the one before it", &|run| {
                let row = second(run);
                run.texts(Table::Emits(0), "key", |keys| keys[row] = Some("k2".into()));
            }),
            ("does not follow the one before it", &|run| {
                run.rewrite(Table::Emits(0), |all| {
                    let at = all.schema().index_of("seq").unwrap();
                    let mut seqs = all.column(at).as_primitive::<Int32Type>().values().to_vec();
                    seqs[0] = 1;
                    with(&all, at, Arc::new(Int32Array::from(seqs)))
                });
            }),
            ("do not agree on its key or its time", &|run| {
                run.texts(Table::Emits(1), "key", |keys| {
                    keys.iter_mut().for_each(|key| *key = Some("k1".into()));
                });
            }),
        ],
    );
}

#[test]
fn bounds_that_hide_a_key_are_refused() {
    for (file, most, less) in [
        ("view.parquet", "k01999", "k00007"),
        ("where.parquet", "r2", "r1"),
        ("leaves.parquet", "views", "state"),
    ] {
        let run = whole();
        let path = run.dir.join(file);
        let mut bytes = fs::read(&path).unwrap();
        // Bounds stand in the footer, whose length stands before the last word.
        let end = bytes.len() - 8;
        let length = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
        let mut at = end - length;
        let mut changed = 0;
        while let Some(next) = bytes[at..end].windows(most.len()).position(|w| w == most.as_bytes())
        {
            at += next;
            bytes[at..at + less.len()].copy_from_slice(less.as_bytes());
            changed += 1;
        }
        assert!(changed > 0, "{file}");
        fs::write(&path, bytes).unwrap();
        relist(&run.dir);
        let found = run.found();
        let said = format!("{file}: row group ");
        assert!(found.iter().any(|found| found.starts_with(&said)), "{found:#?}");
    }
}

#[test]
fn files_that_are_not_the_listed_ones_are_refused() {
    refused(
        whole,
        false,
        &[
            ("emits/flag/00001.parquet lies there and is no file of the run", &|run| {
                let folder = run.dir.join("emits/flag");
                fs::copy(folder.join("00000.parquet"), folder.join("00001.parquet")).unwrap();
            }),
            ("where.parquet is not the file that the manifest lists: its SHA-256", &|run| {
                let path = run.dir.join("where.parquet");
                let mut bytes = fs::read(&path).unwrap();
                bytes[20] ^= 1;
                fs::write(path, bytes).unwrap();
            }),
            ("refused.parquet is not the file that the manifest lists", &|run| {
                fs::remove_file(run.dir.join("refused.parquet")).unwrap();
            }),
            ("leaves.parquet has leaves of no tree", &|run| {
                run.rewrite(Table::Leaves, |all| {
                    let last = all.slice(all.num_rows() - 1, 1);
                    let last = with(&last, 0, Arc::new(StringArray::from(vec!["zzz"])));
                    concat_batches(&all.schema(), &[all.clone(), last]).unwrap()
                });
            }),
        ],
    );
}

#[test]
fn nothing_of_a_run_is_read_that_is_not_as_it_was_written() {
    let altered = |file: &str| {
        let run = whole();
        let path = run.dir.join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
        run
    };
    let tables = [
        ("states.parquet", Table::States),
        ("violations.parquet", Table::Violations),
        ("refused.parquet", Table::Refused),
        ("outcomes.parquet", Table::Outcomes),
        ("where.parquet", Table::Where),
        ("leaves.parquet", Table::Leaves),
        ("emits/flag/00000.parquet", Table::Emits(1)),
        ("view.parquet", Table::Views),
    ];
    for (file, table) in tables {
        let run = altered(file);
        let read = RunReader::open(&run.dir).unwrap();
        let error = read.rows(table, &Keys::All).map(|_| ()).unwrap_err();
        assert!(error.is_altered() && error.to_string().contains("its SHA-256 is"), "{error}");
    }
    // Results are read by leaf.
    let run = whole();
    let key = first_key(&run, Table::Views);
    run.texts(Table::Views, "currency", |texts| texts[0] = Some("USD".into()));
    relist(&run.dir);
    let read = RunReader::open(&run.dir).unwrap();
    let error = match read.results(Some(&[key].into())) {
        Ok(mut shown) => shown.next().unwrap().unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("are not those whose hash is in leaves.parquet"), "{error}");
    run.edit(|manifest| manifest.counts.applied += 1);
    let error = RunReader::open(&run.dir).unwrap_err();
    assert!(error.is_altered() && error.to_string().contains("do not add up"), "{error}");
}

#[test]
fn results_of_some_keys_are_those_of_all() {
    let run = whole();
    let read = RunReader::open(&run.dir).unwrap();
    let of = |wanted: Option<&BTreeSet<String>>| {
        let mut all = Vec::new();
        for columns in read.results(wanted).unwrap() {
            let columns: Vec<Named> = columns.unwrap();
            for row in 0..columns[0].column.len() {
                all.push(columns.iter().map(|c| format!("{:?}", c.column.get(row))).collect());
            }
        }
        let all: Vec<Vec<String>> = all;
        all
    };
    let all = of(None);
    assert_eq!(all.len() as u64, read.manifest().totals.view.rows);
    let keys = ["a", "k00000", "k00001", "k00777", "k01998", "k01999", "nobody"];
    let own = |row: &&Vec<String>| {
        keys.iter().any(|key| row[0].contains(&format!("{:?}", key.as_bytes())))
    };
    let expected: Vec<_> = all.iter().filter(own).cloned().collect();
    assert!(!expected.is_empty());
    assert_eq!(of(Some(&keys.map(str::to_owned).into())), expected);
}
