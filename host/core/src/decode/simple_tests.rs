//! Tables are read the same with and without the shortcut, whatever their columns are.

use super::super::assemble::{BlockPlace, Scratch, assemble};
use super::super::fault::Bad;
use super::super::plan::{Node, Plan};
use super::super::raw::{Raw, Source};
use super::super::{
    Address, Addressing, DecodeError, Decoder, Events, Placed, Slab, TimeUnit, Wanted, arrow,
};
use super::{Texts, view};
use crate::log::Offsets;
use crate::schema::{Column, Condition, Description, Field, Input, Kind, StateShape, ViewShape};
use crate::subset::{Sample, Subset};
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampMillisecondArray,
};
use proptest::prelude::*;
use std::slice::from_mut;
use std::sync::Arc;

/// A block without the shortcut.
struct General<'a>(&'a arrow::Block<'a>);

impl Source for General<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn bad(&self, row: usize) -> Option<Bad> {
        self.0.bad(row)
    }
    fn bad_detail(&self, row: usize, bad: Bad) -> String {
        self.0.bad_detail(row, bad)
    }
    fn raw(&self, node: Node, row: usize) -> Raw<'_> {
        self.0.raw(node, row)
    }
    fn json(&self, node: Node, row: usize, out: &mut Vec<u8>) {
        self.0.json(node, row, out);
    }
    fn unfit(&self, node: Node, wanted: Wanted) -> Option<DecodeError> {
        self.0.unfit(node, wanted)
    }
    fn path(&self, node: Node) -> String {
        self.0.path(node)
    }
}

const NAMES: [&str; 13] =
    ["type", "other", "k", "i", "t", "bo", "in", "de", "fl", "ts", "da", "te", "long"];

fn reader() -> Description {
    let field = |(path, kind, required): &(&str, Kind, bool)| {
        let paths = path.split(' ').map(|path| format!("/{path}")).collect();
        let name = path.replace(' ', "_");
        Field { name, paths, kind: *kind, required: *required }
    };
    let when = |path: &str, any_of: &[&str]| {
        let any_of = any_of.iter().map(|&text| text.into()).collect();
        Condition { path: path.into(), any_of }
    };
    let input = |name: &str, when: Vec<Condition>, fields: &[(&str, Kind, bool)]| {
        let fields = fields.iter().map(field).collect();
        Input { name: name.into(), when, key: vec![], fields }
    };
    let first = [
        ("bo", Kind::Boolean, false),
        ("in", Kind::Integer, true),
        ("de", Kind::Decimal { scale: 2 }, true),
        ("fl", Kind::Float, false),
        ("ts", Kind::Timestamp, false),
        ("da", Kind::Date, true),
        ("te", Kind::Text, false),
        ("te long", Kind::Text, true),
        ("de", Kind::Json, false),
    ];
    let second = [("long te", Kind::Text, false), ("in", Kind::Decimal { scale: 0 }, false)];
    let inputs = vec![
        input("first", vec![when("/type", &["a", "a name of 20 bytes!!"])], &first),
        input("second", vec![when("/type", &["b"]), when("/other", &[])], &second),
    ];
    Description {
        name: "test".into(),
        version: "1".into(),
        inputs,
        params: vec![],
        defaults: vec![],
        emits: vec![],
        view: ViewShape::default(),
        state: StateShape::default(),
        rejects: vec![],
        violations: vec![],
    }
}

/// Texts that selectors know or nearly know, short and long, in their view and out of it.
const TEXTS: [&str; 8] = [
    "a",
    "b",
    "",
    "a name of 20 bytes!!",
    "a name of 12",
    "a name of 13!",
    "ä text that is longer than what is copied at once, by far",
    "2026-03-01T00:00:24.092664Z",
];

const NUMBERS: [i64; 8] = [0, -1, 7, 1 << 40, 1_772_323_224_092_664, i64::MAX, i64::MIN, 90_000];

/// A column of one of many types over cells drawn from `cells`; 255 is null where there are nulls.
fn column(kind: u8, nulls: bool, cells: &[u8]) -> ArrayRef {
    let number = |cell: u8| NUMBERS[usize::from(cell) % NUMBERS.len()];
    let text = |cell: u8| TEXTS[usize::from(cell) % TEXTS.len()];
    let cell = |&cell: &u8| (!nulls || cell < 200).then_some(cell);
    let numbers = || cells.iter().map(move |c| cell(c).map(number));
    let texts = || cells.iter().map(move |c| cell(c).map(text));
    let wide = |value: i64| if value == i64::MIN { i128::MAX / 4 } else { value.into() };
    let decimals = |scale| {
        let decimals = numbers().map(|value| value.map(wide)).collect::<Decimal128Array>();
        decimals.with_precision_and_scale(38, scale).unwrap()
    };
    match kind {
        0 => Arc::new(texts().collect::<StringViewArray>()),
        1 => Arc::new(texts().collect::<StringArray>()),
        2 => Arc::new(texts().collect::<LargeStringArray>()),
        3 => Arc::new(texts().collect::<DictionaryArray<Int8Type>>()),
        4 => Arc::new(numbers().collect::<TimestampMicrosecondArray>()),
        5 => Arc::new(numbers().collect::<TimestampMillisecondArray>()),
        6 => Arc::new(numbers().collect::<Int64Array>()),
        7 => Arc::new(decimals(2)),
        8 => Arc::new(decimals(3)),
        9 => {
            let float = |c| if c == 3 { f64::NAN } else { f64::from(c) / 4.0 };
            Arc::new(cells.iter().map(|c| cell(c).map(float)).collect::<Float64Array>())
        }
        10 => Arc::new(cells.iter().map(|c| cell(c).map(|c| c % 2 == 1)).collect::<BooleanArray>()),
        _ => Arc::new(cells.iter().map(|c| cell(c).map(i32::from)).collect::<Date32Array>()),
    }
}

/// The plainest type of each of [`NAMES`]; 0 becomes 1 where strings are no views.
const PLAIN: [u8; 13] = [0, 0, 0, 0, 4, 10, 6, 7, 9, 4, 11, 0, 0];

#[derive(Debug, Clone)]
struct Table {
    columns: Vec<Option<(u8, bool)>>,
    cells: Vec<Vec<u8>>,
    first: usize,
    unit: Option<TimeUnit>,
}

impl Table {
    fn rows(&self) -> RecordBatch {
        let columns = NAMES.iter().zip(&self.columns).zip(&self.cells);
        let columns = columns.filter_map(|((&name, about), cells)| {
            let (kind, nulls) = (*about)?;
            Some((name, column(kind, nulls, cells), true))
        });
        let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        rows.slice(self.first, rows.num_rows() - self.first)
    }
}

fn table() -> impl Strategy<Value = Table> {
    let about = |at: usize| {
        let plain = Just(Some((PLAIN[at], false)));
        let offsets = Just(Some((if PLAIN[at] == 0 { 1 } else { PLAIN[at] }, false)));
        let any = (0..12_u8, any::<bool>()).prop_map(Some);
        let nulls = Just(Some((PLAIN[at], true)));
        prop_oneof![12 => plain, 4 => offsets, 1 => nulls, 1 => any, 1 => Just(None)]
    };
    let columns: Vec<_> = (0..NAMES.len()).map(about).collect();
    // Mostly values that are good everywhere, so that whole blocks are.
    let cell = prop_oneof![4 => Just(4_u8), 2 => Just(0), 1 => any::<u8>()];
    (1..60_usize).prop_flat_map(move |rows| {
        let cells = prop::collection::vec(cell.clone(), rows);
        let cells = prop::collection::vec(cells, NAMES.len());
        let unit = prop_oneof![Just(None), Just(Some(TimeUnit::Micros))];
        (columns.clone(), cells, 0..rows, unit).prop_map(|(columns, cells, first, unit)| Table {
            columns,
            cells,
            first,
            unit,
        })
    })
}

fn plan(unit: Option<TimeUnit>) -> Plan {
    let path = |path: &str| Address::Path(path.into());
    let addressing =
        Addressing { key: vec![path("/k")], id: path("/i"), time: path("/t"), time_unit: unit };
    Plan::new(&[&reader()], &addressing).unwrap()
}

fn general(plan: &Plan, subset: &Subset, rows: &RecordBatch) -> Result<Events, DecodeError> {
    let mut events = Events::default();
    for input in &plan.readers[0].inputs {
        events.columns.push(input.fields.iter().map(|f| Column::new(f.kind)).collect());
    }
    let mut scratch = Scratch::default();
    scratch.begin(plan);
    let place =
        BlockPlace { partition: "p", offsets: &Offsets::From(0), first: 0, left: rows.num_rows() };
    arrow::read(plan, rows, place, |block, place| {
        assemble((plan, subset), &General(block), place, from_mut(&mut events), &mut scratch)
    })?;
    Ok(events)
}

/// What a person sees of events; floats by their bits.
fn shown(events: &Events) -> String {
    format!("{events:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_shortcut_reads_what_the_long_way_reads(
        table in table(),
        share in prop_oneof![Just(None), (1u32..1_000_000).prop_map(Sample::of_millionths)],
    ) {
        let subset = share.map_or(Subset::All, Subset::Sample);
        let rows = table.rows();
        let long = general(&plan(table.unit), &subset, &rows);
        let (name, slab) = (Arc::from("p"), Arc::new(Slab::Rows(rows)));
        let (offsets, folders) = (Offsets::From(0), Default::default());
        let placed = Placed { partition: 0, name, offsets, folders, beside: None, slab };
        let mut out = Vec::new();
        let mut decoder = Decoder::new(Arc::new(plan(table.unit))).taking(Arc::new(subset));
        let short = decoder.decode(&placed, &mut out).map(|()| out.remove(0));
        prop_assert_eq!(
            short.as_ref().map(shown).map_err(|error| error.to_string()),
            long.as_ref().map(shown).map_err(|error| error.to_string())
        );
    }
}

#[test]
fn a_text_behind_a_short_string_in_its_view_does_not_count() {
    let texts = Texts::Views(&[u128::from_le_bytes(*b"\x01\0\0\0a..........."); 1], &[]);
    assert!(texts.is(0, b"a", view(b"a")));
    assert!(!texts.is(0, b"a.", view(b"a.")));
    assert!(!texts.is(0, b"b", view(b"b")));
    assert!(!texts.is(0, b"a text without view", view(b"a text without view")));
}
