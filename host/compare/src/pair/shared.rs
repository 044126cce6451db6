//! What of two versions can be held against each other, event by event: the view fields and emit
//! kinds that a comparison's plan lays side by side, and the codes and inputs of both under common
//! numbers.

use crate::{Fields, Pair, Plan};
use retally_core::schema::Description;

/// What two reducers have in common.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Whether both read events alike: the same inputs with the same selectors, keys and fields.
    /// Then one judgement of an event serves both.
    pub(crate) twins: bool,
    /// The fields of the view.
    pub(crate) view: Fields,
    /// For each side the numbers of these, if views that are the same in them have equal imprints.
    pub(crate) imprinted: Option<[Vec<u16>; 2]>,
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
    pub(crate) fields: Fields,
}

impl Shared {
    /// Lays two descriptions side by side, of which `plan` says what is compared.
    pub fn new(a: &Description, b: &Description, plan: &Plan) -> Self {
        let both = |emits: &crate::Emits| {
            let kinds = [emits.a?, emits.b?];
            Some(SharedEmits { kinds, fields: emits.fields.clone() })
        };
        let codes = |d: &Description| d.rejects.iter().map(|r| r.code.clone()).collect::<Vec<_>>();
        let (_, rejects) = common(&codes(a), &codes(b));
        let names = |d: &Description| d.inputs.iter().map(|i| i.name.clone()).collect::<Vec<_>>();
        let (inputs, input_numbers) = common(&names(a), &names(b));
        let twins = a.inputs == b.inputs;
        Self {
            twins,
            imprinted: imprinted(a, b, &plan.view).filter(|_| twins),
            view: plan.view.clone(),
            emits: plan.emits.iter().filter_map(both).collect(),
            rejects,
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

/// The fields that imprints show: in the same order on both sides, and all of one shape.
fn imprinted(a: &Description, b: &Description, view: &Fields) -> Option<[Vec<u16>; 2]> {
    let alike = |pair: &Pair| {
        let fields = (&a.view.fields[pair.a], &b.view.fields[pair.b]);
        pair.kind_a == pair.kind_b && fields.0.required == fields.1.required
    };
    let numbers: [Vec<u16>; 2] = [|pair: &Pair| pair.a as u16, |pair: &Pair| pair.b as u16]
        .map(|of| view.pairs.iter().map(of).collect());
    let shown = |list: &Vec<u16>| list.is_sorted() && list.last().is_some_and(|&last| last < 64);
    (numbers.iter().all(shown) && view.pairs.iter().all(alike)).then_some(numbers)
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
