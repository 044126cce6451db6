//! What a component is made of, told without running it: what it may ask the host for, whether it
//! calculates with floating point, how much memory it wants, which features of WebAssembly it has.
//! Nothing is decided by it: what may not be is refused when the component is loaded. It is for
//! whoever has to trust a calculation, and for the author whose language put more into it than he
//! knows.

use crate::imports::is_called;
use std::collections::BTreeSet;
use wasmparser::{Encoding, Operator, Parser, Payload};

/// Bytes of a page of linear memory.
const PAGE_BYTES: u64 = 1 << 16;

/// What a component is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What it asks the host for.
    pub imports: Vec<String>,
    /// Functions that have a body.
    pub functions: u64,
    /// Instructions that work on floating-point numbers. What such a number is that is none (NaN),
    /// the host decides.
    pub floats: u64,
    /// Bytes of linear memory with which it begins.
    pub memory: u64,
    /// Bytes to which its memory may grow, as it says itself; none: it leaves that to the host.
    pub memory_max: Option<u64>,
    /// Features beyond WebAssembly 1.0 of which it has instructions.
    pub features: BTreeSet<&'static str>,
}

/// Looks at a component. Of bytes that are none it tells what there is up to where they are.
pub fn look(component: &[u8]) -> Look {
    let (mut look, mut open) = (Look::default(), Vec::new());
    let mut is_bounded = true;
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        match payload {
            Payload::Version { encoding, .. } => open.push(encoding),
            Payload::End(_) => _ = open.pop(),
            Payload::ComponentImportSection(section) if open == [Encoding::Component] => {
                let all = section.into_iter().flatten();
                let called = all.filter(is_called);
                look.imports.extend(called.map(|own| own.name.name.to_owned()));
            }
            Payload::MemorySection(section) => {
                for memory in section.into_iter().flatten() {
                    look.memory += memory.initial.saturating_mul(PAGE_BYTES);
                    let max = memory.maximum.map(|pages| pages.saturating_mul(PAGE_BYTES));
                    is_bounded &= max.is_some();
                    let sum = look.memory_max.unwrap_or(0).saturating_add(max.unwrap_or(0));
                    look.memory_max = Some(sum);
                }
            }
            Payload::CodeSectionEntry(body) => {
                look.functions += 1;
                let Ok(mut reader) = body.get_operators_reader() else { continue };
                while let Ok(operator) = reader.read() {
                    look.count(&operator);
                }
            }
            _ => {}
        }
    }
    look.memory_max = look.memory_max.filter(|_| is_bounded);
    look
}

impl Look {
    fn count(&mut self, operator: &Operator<'_>) {
        let (feature, is_float) = told(operator);
        self.floats += u64::from(is_float);
        if feature != "mvp" {
            self.features.insert(feature);
        }
    }
}

/// The proposal by which an instruction came into WebAssembly, as the parser calls it, and whether
/// it works on floating-point numbers.
fn told(operator: &Operator<'_>) -> (&'static str, bool) {
    macro_rules! all {
        ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident
            ($($ann:tt)*) )*) => {
            match operator {
                $( Operator::$op $({ $($arg: _),* })? => {
                    (stringify!($proposal), is_of_floats(stringify!($op)))
                } )*
                _ => ("others", false),
            }
        };
    }
    wasmparser::for_each_operator!(all)
}

fn is_of_floats(name: &str) -> bool {
    name.contains("F32") || name.contains("F64")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Look {
        look(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn a_component_is_told_without_running_it() {
        let told = of("(component
            (import \"a:b/log\" (instance))
            (core module
                (memory 2 3)
                (func (result i32) (i32.extend8_s (i32.const 1)))
                (func (result f64) (f64.add (f64.const 1) (f64.const 2)))
                (func (result i32) (i32.trunc_sat_f32_s (f32.const 1))))
            (core module (memory 1 1) (func)))");
        assert_eq!(told.imports, ["a:b/log"]);
        assert_eq!((told.functions, told.floats), (4, 5));
        assert_eq!((told.memory, told.memory_max), (3 * PAGE_BYTES, Some(4 * PAGE_BYTES)));
        let features: Vec<&str> = told.features.into_iter().collect();
        assert_eq!(features, ["saturating_float_to_int", "sign_extension"]);
    }

    #[test]
    fn memory_without_an_end_has_none_and_bytes_that_are_nothing_tell_nothing() {
        let told = of("(component (core module (memory 1 2)) (core module (memory 1)))");
        assert_eq!((told.memory, told.memory_max), (2 * PAGE_BYTES, None));
        assert_eq!(look(b"nothing"), Look::default());
    }
}
