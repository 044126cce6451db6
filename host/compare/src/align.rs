//! Which fields of two versions can be compared: those of one name and one kind. What one version
//! alone has, or has as another kind, is named and never called equal.

use super::error::CompareError;
use super::exact::{Delta, delta_scale, finer};
use super::limits;
use super::model::{Aligned, Alignment, Lone, Place, RowKey, SideOf};
use retally_core::schema::{EmitKind, Exact, Field, Kind, ViewShape};
use std::collections::BTreeMap;

/// What a version declares of its results.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'a> {
    /// The view.
    pub view: &'a ViewShape,
    /// The emit kinds.
    pub emits: &'a [EmitKind],
}

/// What a person asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Float and decimal fields, and how far apart their values may be and count as equal.
    pub tolerances: BTreeMap<String, String>,
    /// The field by whose values totals are grouped; `month` where no field is called so: the month
    /// of event time.
    pub by: Option<String>,
    /// How many differing keys are shown in each ranking; none: [`limits::SHOWN_KEYS`].
    pub shown: Option<usize>,
}

/// A field of both sides that is compared.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Its name.
    pub name: String,
    /// Its column in A.
    pub a: usize,
    /// Its column in B.
    pub b: usize,
    /// A's kind.
    pub kind_a: Kind,
    /// B's kind.
    pub kind_b: Kind,
    /// How far apart two values may be and count as equal, if somebody asked for it.
    pub tolerance: Option<Tolerance>,
}

/// How far apart two floats or decimals may be and count as equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerance {
    /// Of floats.
    float: f64,
    /// Of decimals.
    exact: Option<Exact>,
    /// How it was asked for.
    pub text: String,
}

impl Tolerance {
    /// Reads a number; none: it is none to measure by.
    fn of(text: &str) -> Option<Self> {
        let float = text.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
        let exact = text.parse::<Exact>().ok().filter(|exact| exact.units >= 0);
        Some(Self { float, exact, text: text.to_owned() })
    }

    /// Whether a difference is within it.
    pub(crate) fn allows(&self, delta: Delta) -> bool {
        match delta {
            Delta::Float(delta) => delta.abs() <= self.float,
            Delta::Exact { units, scale } => self.exact.is_some_and(|most| {
                units
                    .checked_abs()
                    .is_some_and(|units| Exact { units, scale }.compare(most).is_le())
            }),
        }
    }
}

impl Pair {
    /// Its kind: of two decimals the one with more digits.
    pub fn kind(&self) -> Kind {
        finer(self.kind_a, self.kind_b)
    }

    pub(crate) fn side(&self, of: SideOf) -> (usize, Kind) {
        match of {
            SideOf::A => (self.a, self.kind_a),
            SideOf::B => (self.b, self.kind_b),
        }
    }

    /// Whether two of its values differ by so much: whether they are numbers, times or dates.
    pub fn has_sizes(&self) -> bool {
        self.kind_a == Kind::Float || delta_scale(self.kind_a, self.kind_b).is_some()
    }
}

/// Two lists of fields, side by side.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// Fields that are compared, in A's order.
    pub pairs: Vec<Pair>,
    /// Numbers of the pairs that tell the rows of a key apart; empty: their position does.
    pub row_key: Vec<usize>,
    /// Decimal and integer fields that one side alone has: the side, their column, their number in
    /// its list of [`Alignment::only_a`] or [`Alignment::only_b`].
    pub(crate) lone: Vec<(SideOf, usize, usize)>,
    /// The same for people.
    pub alignment: Alignment,
}

/// The emit kinds of both sides.
#[derive(Debug, Clone)]
pub struct Emits {
    /// Its name.
    pub kind: String,
    /// Its number in A; none: A has no such kind.
    pub a: Option<usize>,
    /// Its number in B; none likewise.
    pub b: Option<usize>,
    /// Its fields; empty if one side alone has the kind.
    pub fields: Fields,
}

/// All that is compared of two versions.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The view.
    pub view: Fields,
    /// Emit kinds: A's in its order, then those that only B has.
    pub emits: Vec<Emits>,
    /// By what totals are grouped.
    pub by: Option<By>,
    /// Differing keys that are shown in each ranking.
    pub shown: usize,
}

/// By what totals are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The values of a field of this name.
    Field(String),
    /// The month of event time.
    Month,
}

/// What the month of event time is called, where no field is.
pub(crate) const MONTH: &str = "month";

impl Plan {
    /// Lays two versions side by side.
    ///
    /// # Errors
    /// A tolerance or a group for a field that cannot have one.
    pub fn new(a: Declared<'_>, b: Declared<'_>, options: &Options) -> Result<Self, CompareError> {
        let mut view = Fields::of(&a.view.fields, &b.view.fields);
        view.row_key(a.view, b.view);
        let mut emits = Vec::new();
        for (number, kind) in a.emits.iter().enumerate() {
            let other = b.emits.iter().position(|other| other.name == kind.name);
            let theirs = other.map_or(&[][..], |other| &b.emits[other].fields);
            let mut fields = Fields::of(&kind.fields, theirs);
            fields.alignment.row_key = None;
            emits.push(Emits { kind: kind.name.clone(), a: Some(number), b: other, fields });
        }
        for (number, kind) in b.emits.iter().enumerate() {
            if a.emits.iter().all(|other| other.name != kind.name) {
                let fields = Fields::of(&[], &kind.fields);
                emits.push(Emits { kind: kind.name.clone(), a: None, b: Some(number), fields });
            }
        }
        let shown = options.shown.unwrap_or(limits::SHOWN_KEYS);
        let mut plan = Self { view, emits, by: None, shown };
        plan.tolerate(&options.tolerances)?;
        plan.by = options.by.as_deref().map(|by| plan.grouped_by(by)).transpose()?;
        Ok(plan)
    }

    /// The fields of each place: of the view, then of each emit kind.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, &Fields)> {
        let emits = self.emits.iter().map(|emit| (Place::Emit(emit.kind.clone()), &emit.fields));
        std::iter::once((Place::View, &self.view)).chain(emits)
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.places().flat_map(|(_, fields)| &fields.pairs)
    }

    fn tolerate(&mut self, tolerances: &BTreeMap<String, String>) -> Result<(), CompareError> {
        for (field, text) in tolerances {
            let wrong = || CompareError::Tolerance(field.clone(), text.clone());
            let tolerance = Tolerance::of(text).ok_or_else(wrong)?;
            let of_name = |pair: &&Pair| pair.name == *field;
            let kinds: Vec<Kind> = self.pairs().filter(of_name).map(Pair::kind).collect();
            if !kinds.iter().any(|kind| is_tolerant(*kind)) {
                let tolerant = || self.names(|pair| is_tolerant(pair.kind()));
                return Err(match kinds.first() {
                    Some(&kind) => CompareError::ExactKind(field.clone(), kind),
                    None => CompareError::UnknownTolerance(field.clone(), tolerant()),
                });
            }
            let is_decimal = |kind: &Kind| matches!(kind, Kind::Decimal { .. });
            if tolerance.exact.is_none() && kinds.iter().any(is_decimal) {
                return Err(wrong());
            }
            let emits = self.emits.iter_mut().flat_map(|emit| &mut emit.fields.pairs);
            let pairs = self.view.pairs.iter_mut().chain(emits);
            for pair in pairs.filter(|pair| pair.name == *field && is_tolerant(pair.kind())) {
                pair.tolerance = Some(tolerance.clone());
            }
        }
        Ok(())
    }

    fn grouped_by(&self, by: &str) -> Result<By, CompareError> {
        match by {
            by if self.pairs().any(|pair| pair.name == by && pair.tolerance.is_some()) => {
                Err(CompareError::ToleratedGroup(by.to_owned()))
            }
            by if self.pairs().any(|pair| pair.name == by) => Ok(By::Field(by.to_owned())),
            MONTH => Ok(By::Month),
            by => Err(CompareError::UnknownGroup(by.to_owned(), self.names(|_| true))),
        }
    }

    fn names(&self, wanted: impl Fn(&Pair) -> bool) -> Vec<String> {
        let mut names = Vec::new();
        for pair in self.pairs().filter(|pair| wanted(pair)) {
            if !names.contains(&pair.name) {
                names.push(pair.name.clone());
            }
        }
        names
    }
}

impl Fields {
    /// Lays two lists of fields side by side. Rows are told apart by their position.
    pub fn of(a: &[Field], b: &[Field]) -> Self {
        let mut fields = Self::default();
        let alignment = &mut fields.alignment;
        for (at_a, field) in a.iter().enumerate() {
            let Some(at_b) = b.iter().position(|other| other.name == field.name) else {
                alignment.only_a.push(lone(field));
                continue;
            };
            let (name, kind_a, kind_b) = (field.name.clone(), field.kind, b[at_b].kind);
            let aligned = Aligned { name: name.clone(), kind_a, kind_b };
            if !comparable(kind_a, kind_b) {
                alignment.other_kind.push(aligned);
                continue;
            }
            alignment.shared.push(aligned);
            let pair = Pair { name, a: at_a, b: at_b, kind_a, kind_b, tolerance: None };
            fields.pairs.push(pair);
        }
        let lone_b = |field: &&Field| a.iter().all(|other| other.name != field.name);
        alignment.only_b = b.iter().filter(lone_b).map(lone).collect();
        let alone = [(SideOf::A, &alignment.only_a, a), (SideOf::B, &alignment.only_b, b)];
        for (side, alone, declared) in alone {
            for (number, field) in alone.iter().enumerate() {
                let at = declared.iter().position(|other| other.name == field.name);
                let adds_up = matches!(field.kind, Kind::Integer | Kind::Decimal { .. });
                fields.lone.extend(at.filter(|_| adds_up).map(|at| (side, at, number)));
            }
        }
        alignment.row_key = Some(RowKey::Position);
        fields
    }

    fn row_key(&mut self, a: &ViewShape, b: &ViewShape) {
        let names = |shape: &ViewShape| -> Vec<String> {
            let field = |&number: &u16| shape.fields.get(usize::from(number));
            shape.row_key.iter().filter_map(field).map(|field| field.name.clone()).collect()
        };
        let (names_a, names_b) = (names(a), names(b));
        if names_a.is_empty() && names_b.is_empty() {
            return;
        }
        let pair = |name: &String| self.pairs.iter().position(|pair| pair.name == *name);
        let pairs: Option<Vec<usize>> = names_a.iter().map(pair).collect();
        self.alignment.row_key = Some(match pairs {
            Some(pairs) if names_a == names_b => {
                self.row_key = pairs;
                RowKey::Fields(names_a)
            }
            _ => RowKey::Differs,
        });
    }
}

/// Whether values of a kind may be apart and count as equal, if asked for.
fn is_tolerant(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Decimal { .. })
}

/// Decimals of two scales are one kind of value; everything else is comparable with itself alone.
fn comparable(a: Kind, b: Kind) -> bool {
    a == b || matches!((a, b), (Kind::Decimal { .. }, Kind::Decimal { .. }))
}

fn lone(field: &Field) -> Lone {
    Lone { name: field.name.clone(), kind: field.kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: Kind) -> Field {
        Field { name: name.into(), paths: Vec::new(), kind, required: true }
    }

    fn shape(fields: &[(&str, Kind)], row_key: &[u16]) -> ViewShape {
        let fields = fields.iter().map(|(name, kind)| field(name, *kind)).collect();
        ViewShape { fields, row_key: row_key.to_vec() }
    }

    fn plan(a: &ViewShape, b: &ViewShape, options: &Options) -> Result<Plan, CompareError> {
        let (a, b) = (Declared { view: a, emits: &[] }, Declared { view: b, emits: &[] });
        Plan::new(a, b, options)
    }

    #[test]
    fn what_one_side_has_otherwise_is_named() {
        let two = Kind::Decimal { scale: 2 };
        let a = shape(&[("currency", Kind::Text), ("net", two), ("n", Kind::Integer)], &[0]);
        let b = shape(
            &[("net", Kind::Decimal { scale: 4 }), ("n", Kind::Text), ("currency", Kind::Text)],
            &[2],
        );
        let plan = plan(&a, &b, &Options::default()).unwrap();
        let names: Vec<_> = plan.view.pairs.iter().map(|p| (p.name.as_str(), p.a, p.b)).collect();
        assert_eq!(names, [("currency", 0, 2), ("net", 1, 0)]);
        assert_eq!(plan.view.pairs[1].kind(), Kind::Decimal { scale: 4 });
        assert_eq!(plan.view.alignment.other_kind[0].name, "n");
        assert_eq!(plan.view.alignment.row_key, Some(RowKey::Fields(vec!["currency".into()])));
        assert_eq!(plan.view.row_key, [0]);
    }

    /// Two values that count as equal would stand in two groups, and move a total from one to the
    /// other.
    #[test]
    fn nothing_is_grouped_by_a_field_that_has_a_tolerance() {
        let a = shape(&[("net", Kind::Decimal { scale: 2 }), ("x", Kind::Float)], &[]);
        let ask = |by: &str| {
            let tolerances = BTreeMap::from([("net".to_owned(), "0.01".to_owned())]);
            plan(&a, &a, &Options { tolerances, by: Some(by.to_owned()), ..Options::default() })
        };
        assert!(ask("x").is_ok());
        let told = ask("net").unwrap_err().to_string();
        assert!(told.starts_with("cannot group by `net`, which has a tolerance: two"), "{told}");
    }

    #[test]
    fn row_keys_that_differ_are_told() {
        let a = shape(&[("c", Kind::Text), ("d", Kind::Text)], &[0]);
        let b = shape(&[("c", Kind::Text), ("d", Kind::Text)], &[1]);
        let plan = plan(&a, &b, &Options::default()).unwrap();
        assert_eq!(plan.view.alignment.row_key, Some(RowKey::Differs));
        assert!(plan.view.row_key.is_empty());
    }

    #[test]
    fn a_tolerance_is_for_floats_and_decimals() {
        let money = Kind::Decimal { scale: 2 };
        let a = shape(&[("x", Kind::Float), ("n", Kind::Integer), ("net", money)], &[]);
        let ask = |field: &str, text: &str| {
            let tolerances = BTreeMap::from([(field.to_owned(), text.to_owned())]);
            let options = Options { tolerances, ..Options::default() };
            plan(&a, &a, &options).map(|plan| plan.view.pairs[0].tolerance.clone())
        };
        let text = |tolerance: Option<Tolerance>| tolerance.map(|tolerance| tolerance.text);
        assert_eq!(text(ask("x", "1e-9").unwrap()).as_deref(), Some("1e-9"));
        let told = |field, text| ask(field, text).unwrap_err().to_string();
        assert!(told("n", "1").starts_with("a tolerance is given for `n`, which is integer: only"));
        assert!(told("y", "1").ends_with("no field that both sides have; there are `x`, `net`"));
        assert!(told("net", "1e-9").starts_with("the tolerance of `net` is \"1e-9\"; it must be"));
        let cents = Tolerance::of("0.01").unwrap();
        let allows = |units| cents.allows(Delta::Exact { units, scale: 4 });
        assert!(allows(100) && allows(-100) && !allows(101) && !allows(i128::MIN));
        assert!(told("x", "-1").starts_with("the tolerance of `x` is \"-1\"; it must be a number"));
    }
}
