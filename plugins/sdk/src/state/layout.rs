//! The layout text of a state: one line per type, the state's own first, in an order that depends
//! on the declarations alone.
//!
//! ```text
//! Account { orders: u64, net: map<text, decimal(2)>, tier: Tier }
//! Tier = Bronze | Silver | Gold { since: timestamp }
//! ```

use super::Codec;
use std::any::TypeId;

/// Says what a type is, and enters what it is made of.
type Expression = fn(&mut Layout) -> String;

/// Collects the types that a state is made of.
#[derive(Default)]
pub struct Layout {
    types: Vec<(TypeId, String, String)>,
}

impl Layout {
    /// The layout of `S`.
    pub fn of<S: Codec>() -> String {
        let mut layout = Self::default();
        let expression = S::layout(&mut layout);
        if layout.types.is_empty() {
            return expression;
        }
        let lines = layout.types.iter().map(|(_, name, body)| format!("{name} {body}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Enters the type `T` under `name` unless it is there, and returns the name under which it
    /// stands: another type of the same name becomes `Name#2`.
    pub fn define<T: 'static>(&mut self, name: &str, body: Expression) -> String {
        if let Some((_, name, _)) = self.types.iter().find(|(id, ..)| *id == TypeId::of::<T>()) {
            return name.clone();
        }
        let namesake = |(_, other, _): &&(TypeId, String, String)| {
            other.split('#').next().is_some_and(|other| other == name)
        };
        let name = match self.types.iter().filter(namesake).count() {
            0 => name.to_owned(),
            others => format!("{name}#{}", others + 1),
        };
        let at = self.types.len();
        self.types.push((TypeId::of::<T>(), name.clone(), String::new()));
        self.types[at].2 = body(self);
        name
    }

    /// `{ orders: u64, net: i64 }`.
    pub fn fields(&mut self, fields: &[(&str, Expression)]) -> String {
        let fields = fields.iter().map(|(name, of)| format!("{name}: {}", of(self)));
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
    }

    /// `(u64, i64)`.
    pub fn parts(&mut self, parts: &[Expression]) -> String {
        let parts = parts.iter().map(|of| of(self));
        format!("({})", parts.collect::<Vec<_>>().join(", "))
    }
}
