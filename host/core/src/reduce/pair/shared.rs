//! What of two versions can be held against each other, event by event: the view fields and emit
//! kinds that both declare, and the codes and inputs of both under common numbers.

use crate::schema::{Description, Field, Kind};

/// What two reducers have in common.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Whether both read events alike: the same inputs with the same selectors, keys and fields.
    /// Then one judgement of an event serves both.
    pub(crate) twins: bool,
    /// The fields of the view.
    pub(crate) view: SharedFields,
    /// The emit kinds that both declare, in A's order.
    pub(crate) emits: Vec<SharedEmits>,
    /// For each side and number of a reject code, one number for the same code of both.
    pub(crate) rejects: [Vec<u16>; 2],
    /// Names of the inputs of both.
    inputs: Vec<String>,
    /// For each side and input its number among [`Shared::inputs`].
    input_numbers: [Vec<u8>; 2],
}

/// An emit kind that both sides declare.
#[derive(Debug, Clone)]
pub struct SharedEmits {
    /// Its number on each side.
    pub(crate) kinds: [usize; 2],
    /// Its fields.
    pub(crate) fields: SharedFields,
}

/// Fields that both sides declare under one name.
#[derive(Debug, Clone, Default)]
pub struct SharedFields {
    /// The fields, in A's order.
    pub(crate) pairs: Vec<SharedField>,
    /// Numbers of the pairs that tell the rows of a key apart; empty: their position does.
    pub(crate) row_key: Vec<usize>,
}

/// A field of both sides.
#[derive(Debug, Clone, Copy)]
pub struct SharedField {
    /// Its column on each side.
    pub(crate) columns: [usize; 2],
    /// When its values count as equal.
    pub(crate) equality: Equality,
}

/// When two values of a field count as equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Equality {
    /// Bit by bit.
    Exact,
    /// Decimals of two scales: by value, after multiplication by these.
    Scaled([i64; 2]),
    /// Floats: at most so far apart.
    Within(f64),
}

impl Shared {
    /// Lays two descriptions side by side. `tolerance` gives how far apart the values of a field of
    /// floats may be, by its name.
    pub fn new(a: &Description, b: &Description, tolerance: impl Fn(&str) -> Option<f64>) -> Self {
        let mut view = fields(&a.view.fields, &b.view.fields, &tolerance);
        view.row_key = row_key(a, b, &view);
        let both = |(number, kind): (usize, &crate::schema::EmitKind)| {
            let other = b.emits.iter().position(|other| other.name == kind.name)?;
            let fields = fields(&kind.fields, &b.emits[other].fields, &tolerance);
            Some(SharedEmits { kinds: [number, other], fields })
        };
        let codes = |d: &Description| d.rejects.iter().map(|r| r.code.clone()).collect::<Vec<_>>();
        let (_, [rejects_a, rejects_b]) = common(&codes(a), &codes(b));
        let names = |d: &Description| d.inputs.iter().map(|i| i.name.clone()).collect::<Vec<_>>();
        let (inputs, input_numbers) = common(&names(a), &names(b));
        Self {
            twins: a.inputs == b.inputs,
            view,
            emits: a.emits.iter().enumerate().filter_map(both).collect(),
            rejects: [rejects_a, rejects_b],
            inputs,
            input_numbers: input_numbers.map(|list| list.iter().map(|&n| n as u8).collect()),
        }
    }

    /// Whether both read events alike, so that a plan of one reader serves both.
    pub fn is_twin(&self) -> bool {
        self.twins
    }

    /// Names of the inputs of both sides, A's first: the bits of [`super::Seen::inputs`].
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The number among [`Shared::inputs`] of an input of a side.
    pub fn input(&self, side: usize, number: u8) -> Option<u8> {
        self.input_numbers[side].get(usize::from(number)).copied()
    }
}

/// Both lists as one without doublets, and where the entries of each went.
fn common(a: &[String], b: &[String]) -> (Vec<String>, [Vec<u16>; 2]) {
    let mut all: Vec<String> = Vec::new();
    let mut places = |list: &[String]| -> Vec<u16> {
        let place = |name: &String| match all.iter().position(|known| known == name) {
            Some(at) => at as u16,
            None => {
                all.push(name.clone());
                (all.len() - 1) as u16
            }
        };
        list.iter().map(place).collect()
    };
    let numbers = [places(a), places(b)];
    (all, numbers)
}

fn fields(a: &[Field], b: &[Field], tolerance: &impl Fn(&str) -> Option<f64>) -> SharedFields {
    let pair = |(at, field): (usize, &Field)| {
        let other = b.iter().position(|other| other.name == field.name)?;
        let equality = match (field.kind, b[other].kind) {
            (Kind::Float, Kind::Float) => {
                tolerance(&field.name).map_or(Equality::Exact, Equality::Within)
            }
            (a, b) if a == b => Equality::Exact,
            (Kind::Decimal { scale: a }, Kind::Decimal { scale: b }) => {
                let factor = |own: u8| 10i64.pow(u32::from(a.max(b) - own));
                Equality::Scaled([factor(a), factor(b)])
            }
            _ => return None,
        };
        Some(SharedField { columns: [at, other], equality })
    };
    let pairs = a.iter().enumerate().filter_map(pair).collect();
    SharedFields { pairs, row_key: Vec::new() }
}

/// The pairs that are the row key of both sides, in the same order; none if they are not.
fn row_key(a: &Description, b: &Description, view: &SharedFields) -> Vec<usize> {
    let key = |side: usize, d: &Description| -> Option<Vec<usize>> {
        let pair = |&field: &u16| {
            view.pairs.iter().position(|pair| pair.columns[side] == usize::from(field))
        };
        d.view.row_key.iter().map(pair).collect()
    };
    match (key(0, a), key(1, b)) {
        (Some(a), Some(b)) if a == b => a,
        _ => Vec::new(),
    }
}
