//! Forgeries: a good run is altered in one way at a time, and all that a forger can compute is
//! computed anew: the list of files, every digest, counts, totals, leaves. What is left is for the
//! check to find.

mod manifest;
mod tables;

use super::*;
use crate::rundir::file::properties;
use crate::rundir::reader::{Keys, Part};
use crate::rundir::rows::leaf_rows;
use crate::rundir::sample::{Sample, edit, relist, sample};
use crate::rundir::shape::Table;
use crate::table::{Digits, NewRows, plain};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::Schema;
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use retally_core::log::Order;
use retally_core::manifest::Counts;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A run that checks.
struct Run {
    _folder: TempDir,
    dir: PathBuf,
}

impl Run {
    fn new(sample: &Sample, from: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let mut begun = sample.outcomes();
        sample.blocks[..from].iter().for_each(|block| begun.add(block).unwrap());
        sample.write(&dir, begun, from);
        let run = Self { _folder: folder, dir };
        let report = check(&run.dir).unwrap();
        assert!(report.holds(), "{:#?}", report.findings);
        run
    }

    fn open(&self) -> RunReader {
        RunReader::as_it_stands((&self.dir).into()).unwrap()
    }

    /// Writes the first file of a table anew, exactly as a run is written.
    fn rewrite(&self, table: Table, change: impl FnOnce(RecordBatch) -> RecordBatch) {
        let run = self.open();
        let part = Part { keys: Keys::All, ..Part::default() };
        let rows: Vec<_> =
            run.part(table, part).unwrap().map(|batch| batch.unwrap().arrow().clone()).collect();
        let all = change(concat_batches(&rows[0].schema(), &rows).unwrap());
        let columns = run.shape.columns(table, Digits::Narrow);
        let options = plain(properties(&columns, table));
        let mut out = ArrowWriter::try_new_with_options(Vec::new(), all.schema(), options).unwrap();
        out.write(&all).unwrap();
        fs::write(self.dir.join(run.shape.file(table)), out.into_inner().unwrap()).unwrap();
    }

    /// Writes numbers of a table anew.
    fn numbers(&self, table: Table, column: &str, change: impl FnOnce(&mut Vec<i64>)) {
        self.rewrite(table, |all| {
            let at = all.schema().index_of(column).unwrap();
            let mut numbers = all.column(at).as_primitive::<Int64Type>().values().to_vec();
            change(&mut numbers);
            with(&all, at, Arc::new(Int64Array::from(numbers)))
        });
    }

    /// Writes texts of a table anew.
    fn texts(&self, table: Table, column: &str, change: impl FnOnce(&mut Vec<Option<String>>)) {
        self.rewrite(table, |all| {
            let at = all.schema().index_of(column).unwrap();
            let texts = all.column(at).as_string::<i32>().iter();
            let mut texts: Vec<_> = texts.map(|text| text.map(str::to_owned)).collect();
            change(&mut texts);
            with(&all, at, Arc::new(StringArray::from(texts)))
        });
    }

    /// Takes rows off a table, or puts them in another order.
    fn rows(&self, table: Table, change: impl FnOnce(&RecordBatch) -> Vec<usize>) {
        self.rewrite(table, |all| {
            let rows: Vec<_> = change(&all).into_iter().map(|row| all.slice(row, 1)).collect();
            concat_batches(&all.schema(), &rows).unwrap()
        });
    }

    fn edit(&self, change: impl FnOnce(&mut Manifest)) {
        edit(&self.dir, change);
    }

    /// Makes everything anew that can be computed.
    fn reseal(&self) {
        relist(&self.dir);
        let run = self.open();
        let trees = [
            ("states", recompute::states(&run)),
            ("views", recompute::views(&run).map(|(tree, _)| tree)),
            ("violations", recompute::violations(&run)),
        ]
        .map(|(name, tree)| (name, tree.unwrap()));
        let columns = run.shape.columns(Table::Leaves, Digits::Narrow);
        let schema = Arc::new(Schema::new(columns.clone()));
        let options = plain(properties(&columns, Table::Leaves));
        let mut out =
            ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options).unwrap();
        for (name, tree) in &trees {
            let rows: NewRows = leaf_rows(name, &tree.leaves);
            out.write(&rows.batch(&schema, Path::new("leaves")).unwrap()).unwrap();
            out.flush().unwrap();
        }
        fs::write(self.dir.join("leaves.parquet"), out.into_inner().unwrap()).unwrap();
        relist(&self.dir);
        let [states, _, violations] = &trees;
        let view = recompute::views(&run).unwrap().1;
        // A log that does not hold together has no digest; the check says why.
        let Ok(story) = story(&run) else { return };
        let counts = Counts {
            filtered: story.filtered,
            events: story.regrown.counts.events + story.filtered,
            keys: states.1.keys,
            violations: violations.1.rows,
            ..story.regrown.counts
        };
        self.edit(|manifest| {
            manifest.digests.outcomes = story.regrown.trees.digest();
            let [states, views, violations] = &trees;
            manifest.digests.states = states.1.digest;
            manifest.digests.views = views.1.digest;
            manifest.digests.violations = violations.1.digest;
            manifest.totals = Totals { view, emits: story.regrown.totals.emits.clone() };
            manifest.partitions = story.counted();
            manifest.positions = story.positions();
            manifest.counts = counts;
            seal_again(manifest);
        });
    }

    fn found(&self) -> Vec<String> {
        let report = check(&self.dir).unwrap();
        assert!(!report.holds());
        let differ = report.digests.iter().filter(|digest| !digest.equal());
        let differ =
            differ.map(|digest| format!("{} differs: {:?}", digest.what, digest.recomputed));
        report.findings.iter().cloned().chain(differ).collect()
    }
}

fn with(all: &RecordBatch, at: usize, column: ArrayRef) -> RecordBatch {
    let mut columns = all.columns().to_vec();
    columns[at] = column;
    RecordBatch::try_new(all.schema(), columns).unwrap()
}

/// Every digest that follows from the manifest alone.
fn seal_again(manifest: &mut Manifest) {
    let job = manifest.job.settings.digest().unwrap();
    let input = manifest.input.digest();
    let run = run_digest(&manifest.digests, &manifest.partitions);
    (manifest.job.digest, manifest.input_digest, manifest.run_digest) = (job, input, run);
    manifest.seal = manifest.seal_of(&run, &job, &input);
}

fn whole() -> Run {
    Run::new(&sample(7).whole(), 0)
}

/// The texts of a column.
fn texts_of<'a>(all: &'a RecordBatch, name: &str) -> &'a StringArray {
    all.column_by_name(name).unwrap().as_string()
}

/// What is found, and how it is forged.
type Forgery<'a> = (&'a str, &'a dyn Fn(&Run));

/// Runs a table of forgeries: each is made on a good run, everything computed anew if `reseal`, and
/// must be found in these words.
fn refused(run: impl Fn() -> Run, reseal: bool, forgeries: &[Forgery<'_>]) {
    for (expected, forge) in forgeries {
        let run = run();
        forge(&run);
        if reseal {
            run.reseal();
        }
        let found = run.found();
        assert!(found.iter().any(|said| said.contains(expected)), "{expected}: {found:#?}");
    }
}

/// Rows of quiet events: whoever moves others must move emits and refused events, too.
fn quiet(all: &RecordBatch) -> Vec<usize> {
    let whats = texts_of(all, "what");
    (10..all.num_rows()).filter(|&row| whats.value(row) == "ignored").collect()
}

/// Moves the events of a row of the outcomes.
fn moved(all: &RecordBatch, row: usize, by: i64) -> RecordBatch {
    let mut offsets = number(all, "offset");
    offsets[row] += by;
    with(all, 1, Arc::new(Int64Array::from(offsets)))
}

fn number(all: &RecordBatch, name: &str) -> Vec<i64> {
    all.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

/// A row of several events that were applied as two rows.
fn torn(all: &RecordBatch) -> RecordBatch {
    let (events, whats) = (number(all, "events"), texts_of(all, "what"));
    let long = |&row: &usize| events[row] > 3 && whats.value(row) == "applied";
    let row = (0..all.num_rows()).find(long).unwrap();
    let twice = [all.slice(0, row + 1), all.slice(row, all.num_rows() - row)];
    let twice = concat_batches(&all.schema(), &twice).unwrap();
    let (mut offsets, mut events) = (number(&twice, "offset"), number(&twice, "events"));
    events[row + 1] -= 2;
    offsets[row + 1] += 2;
    events[row] = 2;
    let twice = with(&twice, 1, Arc::new(Int64Array::from(offsets)));
    with(&twice, 2, Arc::new(Int64Array::from(events)))
}

#[test]
fn outcomes_that_do_not_lie_where_the_run_took_events_are_refused() {
    use Table::Outcomes;
    refused(
        whole,
        true,
        &[
            ("stands out of log order, or outside", &|run| {
                run.rewrite(Outcomes, |all| moved(&all, quiet(&all)[0], -1));
            }),
            ("stands out of log order, or outside", &|run| {
                run.rewrite(Outcomes, |all| moved(&all, *quiet(&all).last().unwrap(), 100_000));
            }),
            ("in a partition of which the run took nothing", &|run| {
                run.rewrite(Outcomes, |all| {
                    let row = *quiet(&all).last().unwrap();
                    let texts = texts_of(&all, "partition").iter().enumerate();
                    let other = texts.map(|(at, text)| if at == row { Some("c") } else { text });
                    with(&all, 0, Arc::new(other.collect::<StringArray>()))
                });
            }),
            ("came to the same as the event before it, and stands apart", &|run| {
                run.rewrite(Outcomes, |all| torn(&all));
            }),
            ("filtered events, which its settings leave no room for", &|run| {
                run.rows(Outcomes, |all| {
                    let row = quiet(all)[0];
                    (0..all.num_rows()).filter(|&own| own != row).collect()
                });
            }),
        ],
    );
}

#[test]
fn events_are_moved_in_the_gaps_of_a_log_by_nobody() {
    // Positions are digested: a forger who moves events must change the seal.
    let run = Run::new(&sample(7), 0);
    let positions = run.open().manifest().positions;
    run.rewrite(Table::Outcomes, |all| {
        let (whats, at) = (texts_of(&all, "what"), all.schema().index_of("offset").unwrap());
        let mut offsets = all.column(at).as_primitive::<Int64Type>().values().to_vec();
        let events = all.column_by_name("events").unwrap().as_primitive::<Int64Type>().values();
        // A quiet event before one that was filtered.
        let movable = |&row: &usize| {
            whats.value(row) == "ignored" && events[row] == 1 && offsets[row + 1] > offsets[row] + 1
        };
        let row = (0..all.num_rows() - 1).find(movable).unwrap();
        offsets[row] += 1;
        with(&all, at, Arc::new(Int64Array::from(offsets)))
    });
    relist(&run.dir);
    let found = run.found();
    assert!(found.iter().any(|said| said.starts_with("positions differs")), "{found:#?}");
    run.reseal();
    assert!(check(&run.dir).unwrap().holds());
    assert_ne!(run.open().manifest().positions, positions);
}

#[test]
fn a_conflict_is_filtered_by_nobody() {
    let run = whole();
    let mut changed = false;
    run.texts(Table::Outcomes, "what", |whats| {
        let found = whats.iter_mut().find(|what| what.as_deref() == Some("conflict"));
        *found.unwrap() = Some("filtered".into());
        changed = true;
    });
    assert!(changed);
    relist(&run.dir);
    let found = run.found();
    assert!(found.iter().any(|said| said.contains("\"filtered\"")), "{found:#?}");
}

#[test]
fn partitions_out_of_their_order_are_refused() {
    let by_path = || {
        let mut sample = sample(7).whole();
        sample.order = Order::Path;
        sample.blocks.sort_by_key(|block| std::cmp::Reverse(block.stretches[0].partition));
        Run::new(&sample, 0)
    };
    refused(
        by_path,
        false,
        &[("stands behind a partition that comes later", &|run| {
            for table in [Table::Outcomes, Table::Refused] {
                run.rows(table, |all| {
                    let is_b = |&row: &usize| texts_of(all, "partition").value(row) == "b";
                    let (b, a): (Vec<_>, Vec<_>) = (0..all.num_rows()).partition(is_b);
                    b.into_iter().chain(a).collect()
                });
            }
            for kind in 0..2 {
                run.rows(Table::Emits(kind), |all| {
                    let is_b = |&row: &usize| texts_of(all, "partition").value(row) == "b";
                    let (b, a): (Vec<_>, Vec<_>) = (0..all.num_rows()).partition(is_b);
                    b.into_iter().chain(a).collect()
                });
            }
            relist(&run.dir);
        })],
    );
}
