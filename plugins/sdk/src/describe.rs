//! What `describe` answers: the declarations that the macros made, as the WIT wants them.

use crate::abi::{self, Kind, List};
use crate::columns::Cell;
use crate::emit::{Emit, Record};
use crate::event::Event;
use crate::params::Params;
use crate::reason::Reason;
use crate::reducer::Reducer;
use crate::state::{Layout, Previous, State};

/// A field, as a macro declares it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// Where it may lie in an event.
    pub paths: &'static [&'static str],
    /// What it is.
    pub kind: Kind,
    /// Digits after the point, of a decimal.
    pub scale: u8,
    /// Whether it must be there.
    pub required: bool,
}

/// The shape of a record's field.
pub const fn shape<C: Cell>(name: &'static str) -> Shape {
    Shape { name, paths: &[], kind: C::KIND, scale: C::SCALE, required: C::REQUIRED }
}

/// Everything that a reducer declares.
pub fn describe<R: Reducer>() -> abi::Description {
    abi::Description {
        name: R::NAME.into(),
        version: R::VERSION.into(),
        inputs: <R::Event<'_> as Event<'_>>::INPUTS.iter().map(|input| input.describe()).collect(),
        params: fields(R::Params::FIELDS),
        defaults: R::Params::defaults(),
        emits: <R::Emit<'_> as Emit>::KINDS
            .iter()
            .map(|(name, of)| abi::EmitKind { name: (*name).into(), fields: fields(of) })
            .collect(),
        view: abi::ViewShape {
            fields: fields(<R::View<'_> as Record>::FIELDS),
            row_key: <R::View<'_> as Record>::ROW_KEY.to_vec().into(),
        },
        state: abi::StateShape {
            version: <R::State as State>::VERSION,
            layout: Layout::of::<R::State>().into(),
            migrates: <<R::State as State>::Previous as Previous>::VERSIONS.to_vec().into(),
        },
        rejects: reasons::<R::Reject>(),
        violations: reasons::<R::Violation>(),
    }
}

pub(crate) fn fields(shapes: &[Shape]) -> List<abi::Field> {
    let field = |shape: &Shape| abi::Field {
        name: shape.name.into(),
        paths: texts(shape.paths),
        kind: shape.kind,
        scale: shape.scale,
        required: shape.required,
    };
    shapes.iter().map(field).collect()
}

pub(crate) fn texts(texts: &[&str]) -> List<abi::Text> {
    texts.iter().map(|text| (*text).into()).collect()
}

fn reasons<R: Reason>() -> List<abi::Reason> {
    let reason =
        |(code, says): &(&str, &str)| abi::Reason { code: (*code).into(), says: (*says).into() };
    R::ALL.iter().map(reason).collect()
}
