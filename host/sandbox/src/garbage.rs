//! Garbage in memory before a component runs, where its compiler may expect nothing: below the top
//! of the stack that compiled programs keep in linear memory. WebAssembly hands memory out as
//! zeros, so that a program which reads what it never wrote gets zeros in a fresh instance and
//! leftovers in a used one; with this it gets neither.
//!
//! The layout is the one of LLVM's linker as Rust has it: the stack first, growing down from where
//! the global `__stack_pointer` begins, and all data above. Data and heap stay as they are: zeros
//! of static variables are promised to a program, and its allocator knows that memory which it
//! just grew holds zeros.
//!
//! ```text
//! 0            __stack_pointer    __data_end   __heap_base
//! | garbage    | data, statics    |            | heap: zeros, until it was used
//! ```

use crate::limits::{COMPONENT_MAX_BYTES, STACK_FILLED_MAX_BYTES};
use sha2::{Digest, Sha256};
use std::ops::Range;
use wasmparser::{
    BinaryReader, BinaryReaderError, ConstExpr, DataKind, ExternalKind, Global, KnownCustom, Name,
    Operator, Parser, Payload, TypeRef,
};

/// Numbers of sections.
const CUSTOM: u8 = 0;
const MODULE: u8 = 1;
const COMPONENT: u8 = 4;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;

/// Bytes of a page of linear memory.
const PAGE_BYTES: u64 = 1 << 16;

/// By so much a component grows at most by one more segment, beside what that holds: its place and
/// length, and numbers that take more bytes to write, of the component and of what it lies within.
const SEGMENT_BYTES: u64 = 64;

/// Bytes before the first section.
const HEADER_BYTES: usize = 8;

/// Why no place for garbage is known; a fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStack {
    /// Nothing to fill.
    #[error("none of its modules has a memory")]
    NoMemory,
    /// Another linker's, or one that left no trace.
    #[error(
        "nothing says that LLVM's linker laid its memory out, for it names no `__stack_pointer` \
         and exports no `__data_end`"
    )]
    OtherLinker,
    /// The same linker, asked for another layout.
    #[error(
        "its stack does not lie below all its data, so that its statics cannot be told from its \
         stack (`-C link-arg=--stack-first` puts it there)"
    )]
    NotFirst,
    /// There is no room for so much garbage.
    #[error("a stack of it takes {bytes} bytes, which is above the {most} {what}")]
    TooLarge {
        /// Bytes of the stack.
        bytes: u64,
        /// How many there may be.
        most: u64,
        /// By what.
        what: &'static str,
    },
    /// It is not what a parser can read.
    #[error("it cannot be read: {0}")]
    Unread(String),
}

impl From<BinaryReaderError> for NoStack {
    fn from(error: BinaryReaderError) -> Self {
        Self::Unread(error.to_string())
    }
}

/// The same component, but for what its memories hold at first.
pub(crate) fn filled(component: &[u8], seed: u64) -> Result<Vec<u8>, NoStack> {
    let most = (COMPONENT_MAX_BYTES as u64).saturating_sub(component.len() as u64);
    let mut room = Room { memories: 0, left: most };
    let filled = component_of(component, seed, &mut room)?;
    if room.memories == 0 { Err(NoStack::NoMemory) } else { Ok(filled) }
}

/// What garbage may still take.
struct Room {
    /// Memories that have theirs.
    memories: u32,
    /// Bytes up to the most that a component may have.
    left: u64,
}

impl Room {
    /// Takes what the stack of one more memory needs.
    fn take(&mut self, stack: u64) -> Result<(), NoStack> {
        let most = self.left.saturating_sub(SEGMENT_BYTES);
        at_most(stack, most, "that are left up to the most that a component may have")?;
        self.left = most - stack;
        self.memories += 1;
        Ok(())
    }
}

fn at_most(bytes: u64, most: u64, what: &'static str) -> Result<(), NoStack> {
    if bytes > most { Err(NoStack::TooLarge { bytes, most, what }) } else { Ok(()) }
}

fn component_of(bytes: &[u8], seed: u64, room: &mut Room) -> Result<Vec<u8>, NoStack> {
    let mut out = bytes.get(..HEADER_BYTES).unwrap_or_default().to_vec();
    for (id, range) in sections(bytes)? {
        let content = &bytes[range];
        match id {
            COMPONENT => push(&mut out, id, &component_of(content, seed, room)?),
            MODULE => match Module::read(content)?.stack()? {
                None => push(&mut out, id, content),
                Some(top) => {
                    room.take(top.into())?;
                    push(&mut out, id, &module_of(content, &bytes_of(seed, top as usize))?);
                }
            },
            _ => push(&mut out, id, content),
        }
    }
    Ok(out)
}

/// With one segment of data more, the last one, so that no other has another number.
fn module_of(bytes: &[u8], garbage: &[u8]) -> Result<Vec<u8>, NoStack> {
    let mut segment = vec![0, 0x41, 0, 0x0b]; // into the first memory, at `i32.const 0`, `end`
    leb(&mut segment, garbage.len());
    segment.extend_from_slice(garbage);
    let one_more = |content: &[u8]| -> Result<Vec<u8>, NoStack> {
        let mut reader = BinaryReader::new(content, 0);
        let count = reader.read_var_u32()? as usize;
        let mut more = Vec::new();
        leb(&mut more, count + 1);
        more.extend_from_slice(&content[reader.current_position()..]);
        Ok(more)
    };
    let mut out = bytes.get(..HEADER_BYTES).unwrap_or_default().to_vec();
    let mut data = None;
    for (id, range) in sections(bytes)? {
        let content = &bytes[range];
        match id {
            DATA => data = Some(one_more(content)?),
            DATA_COUNT => push(&mut out, id, &one_more(content)?),
            // Names and the like may lie behind the data, which is the last of all others.
            CUSTOM => {}
            _ => push(&mut out, id, content),
        }
    }
    let mut data = data.unwrap_or_else(|| vec![1]);
    data.append(&mut segment);
    push(&mut out, DATA, &data);
    Ok(out)
}

/// Sections, without those of what lies within one.
fn sections(bytes: &[u8]) -> Result<Vec<(u8, Range<usize>)>, NoStack> {
    let (mut found, mut end) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(bytes) {
        let Some((id, range)) = payload?.as_section() else { continue };
        if range.start >= end {
            end = range.end;
            found.push((id, range));
        }
    }
    Ok(found)
}

fn push(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    leb(out, content.len());
    out.extend_from_slice(content);
}

/// A number as WebAssembly writes it.
fn leb(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(number as u8 & 0x7f | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Bytes that look like any, the same for the same seed.
fn bytes_of(seed: u64, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 32);
    for block in 0u64.. {
        if out.len() >= len {
            break;
        }
        let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(block.to_le_bytes());
        out.extend_from_slice(&hash.finalize());
    }
    out.truncate(len);
    out
}

/// What a module says of its memory.
#[derive(Default)]
struct Module {
    /// Bytes with which its memory begins; none: it has none of its own.
    memory: Option<u64>,
    /// The globals that are imported come first.
    imported: u32,
    /// The other globals: whether they can be set, and where they begin if that is a number.
    globals: Vec<(bool, Option<u32>)>,
    stack_pointer: Option<u32>,
    data_end: Option<u32>,
    /// Where segments of data begin; none: nobody knows before it runs.
    data: Vec<Option<u32>>,
}

impl Module {
    fn read(bytes: &[u8]) -> Result<Self, NoStack> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            module.add(payload?)?;
        }
        Ok(module)
    }

    fn add(&mut self, payload: Payload<'_>) -> Result<(), NoStack> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.imported += u32::from(matches!(import?.ty, TypeRef::Global(_)));
                }
            }
            Payload::MemorySection(section) => {
                let first = section.into_iter().next().transpose()?;
                self.memory = first.map(|own| own.initial.saturating_mul(PAGE_BYTES));
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let Global { ty, init_expr } = global?;
                    self.globals.push((ty.mutable, constant(&init_expr)));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if (export.kind, export.name) == (ExternalKind::Global, "__data_end") {
                        self.data_end = Some(export.index);
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    if let DataKind::Active { offset_expr, .. } = data?.kind {
                        self.data.push(constant(&offset_expr));
                    }
                }
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { return Ok(()) };
                // Names are for people: what cannot be read of them is not there.
                for names in names.into_iter().map_while(Result::ok) {
                    let Name::Global(globals) = names else { continue };
                    let mut globals = globals.into_iter().flatten();
                    let own = globals.find(|own| own.name == "__stack_pointer");
                    self.stack_pointer = own.map(|own| own.index);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Where its stack begins, which ends at 0; none: it has no memory of its own.
    fn stack(&self) -> Result<Option<u32>, NoStack> {
        let Some(memory) = self.memory else { return Ok(None) };
        let own = |index: u32| self.globals.get(index.checked_sub(self.imported)? as usize);
        // The linker makes it the first that can be set.
        let first = || self.globals.iter().find(|(is_mutable, _)| *is_mutable);
        let data_end = self.data_end.and_then(own).and_then(|&(_, at)| at);
        let pointer = match (self.stack_pointer, data_end) {
            (Some(index), _) => own(index),
            (None, Some(_)) => first(),
            (None, None) => None,
        };
        let Some(&(true, Some(top))) = pointer else { return Err(NoStack::OtherLinker) };
        let is_above = |at: &Option<u32>| at.is_some_and(|at| at >= top);
        let is_first = self.data.iter().all(is_above)
            && data_end.map_or(!self.data.is_empty(), |end| end >= top);
        if !is_first || top == 0 {
            return Err(NoStack::NotFirst);
        }
        at_most(top.into(), memory, "with which its memory begins")?;
        at_most(top.into(), STACK_FILLED_MAX_BYTES, "that are filled at most")?;
        Ok(Some(top))
    }
}

/// The number that an expression is.
fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader();
    match (operators.read().ok()?, operators.read().ok()?) {
        (Operator::I32Const { value }, Operator::End) => Some(value as u32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component of a module with a stack of 1,024 bytes, as Rust has it.
    fn component(parts: &str) -> Vec<u8> {
        wat::parse_str(format!("(component (core module (memory 1) {parts}))")).unwrap()
    }

    /// The segments of all data: where they begin, and how long they are.
    fn segments(component: &[u8]) -> Vec<(Option<u32>, usize)> {
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            let Payload::DataSection(section) = payload.unwrap() else { continue };
            for data in section.into_iter().map(Result::unwrap) {
                let at = match &data.kind {
                    DataKind::Active { offset_expr, .. } => constant(offset_expr),
                    DataKind::Passive => None,
                };
                found.push((at, data.data.len()));
            }
        }
        found
    }

    const POINTER: &str = "(global $__stack_pointer (mut i32) (i32.const 1024))";
    const NAMELESS: &str = "(global (mut i32) (i32.const 1024))";

    #[test]
    fn a_stack_that_lies_first_is_filled() {
        let data = "(data (i32.const 1024) \"abc\") (data \"passive\")
            (func (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0)))";
        let filled_up = filled(&component(&format!("{POINTER} {data}")), 1).unwrap();
        assert_eq!(segments(&filled_up), [(Some(1024), 3), (None, 7), (Some(0), 1024)]);
        wasmparser::Validator::new().validate_all(&filled_up).unwrap();
        let end = "(global $end i32 (i32.const 1040)) (export \"__data_end\" (global 1))";
        let without_data = filled(&component(&format!("{NAMELESS} {end}")), 1).unwrap();
        assert_eq!(segments(&without_data), [(Some(0), 1024)]);
        wasmparser::Validator::new().validate_all(&without_data).unwrap();
        let bytes = bytes_of(1, 1024);
        assert!(filled_up.windows(1024).any(|own| own == bytes) && bytes != bytes_of(2, 1024));
    }

    #[test]
    fn a_component_within_a_component_is_looked_through() {
        let inner = "(core module (memory 1) (global $__stack_pointer (mut i32) (i32.const 64))
            (data (i32.const 64) \"x\"))";
        let text = format!("(component (component {inner}) (core module) {inner})");
        let all = filled(&wat::parse_str(text).unwrap(), 1).unwrap();
        wasmparser::Validator::new().validate_all(&all).unwrap();
        assert_eq!(segments(&all).iter().filter(|own| **own == (Some(0), 64)).count(), 2);
    }

    /// A module with a stack of so many bytes, and a memory of so many pages.
    fn stack(bytes: u64, pages: u64) -> String {
        format!(
            "(core module (memory {pages}) (global $__stack_pointer (mut i32) (i32.const {bytes}))
                (data (i32.const {bytes}) \"\"))"
        )
    }

    #[test]
    fn a_stack_without_bound_is_left_alone_before_it_takes_memory() {
        let of =
            |modules: &str| filled(&wat::parse_str(format!("(component {modules})")).unwrap(), 1);
        let too_large = |bytes, most, what| Err(NoStack::TooLarge { bytes, most, what });
        let huge = 65_535 << 16;
        assert_eq!(of(&stack(huge, 1)), too_large(huge, 1 << 16, "with which its memory begins"));
        assert_eq!(of(&stack(huge, 65_535)), too_large(huge, 16 << 20, "that are filled at most"));
        let more = (16 << 20) + 16;
        assert_eq!(of(&stack(more, 257)), too_large(more, 16 << 20, "that are filled at most"));
        // What fits alone, and what fits for its part but not beside another.
        let largest = stack(16 << 20, 256);
        assert!(of(&largest).unwrap().len() > 16 << 20);
        let error = of(&largest.repeat(2)).unwrap_err().to_string();
        let end = " that are left up to the most that a component may have";
        assert!(error.starts_with("a stack of it takes 16777216 bytes, which is above the 1677"));
        assert!(error.ends_with(end), "{error}");
    }

    #[test]
    fn with_garbage_a_component_is_no_longer_than_one_may_be() {
        let nested = |bytes: u64| {
            let inner = format!("(component (component (component {})))", stack(bytes, 256));
            wat::parse_str(format!("(component {inner} {})", stack(16 << 20, 256))).unwrap()
        };
        let most = COMPONENT_MAX_BYTES as u64 - (16 << 20) - 2 * SEGMENT_BYTES;
        let own = nested(0x00ff_0000).len() as u64;
        let full = filled(&nested(most - own), 1).unwrap();
        assert!(full.len() <= COMPONENT_MAX_BYTES, "{}", full.len());
        // Names are left out.
        assert!(full.len() as u64 > COMPONENT_MAX_BYTES as u64 - 4 * SEGMENT_BYTES);
        wasmparser::Validator::new().validate_all(&full).unwrap();
        assert!(filled(&nested(most - own + 1), 1).is_err());
    }

    #[test]
    fn what_is_laid_out_otherwise_is_left_alone() {
        let end =
            |at: u32| format!("(global i32 (i32.const {at})) (export \"__data_end\" (global 1))");
        let data = "(data (i32.const 1024) \"abc\")";
        for (parts, why) in [
            (format!("{NAMELESS} {data}"), NoStack::OtherLinker),
            (format!("(global i32 (i32.const 1024)) {} {data}", end(1040)), NoStack::OtherLinker),
            (format!("{POINTER} (data (i32.const 16) \"abc\")"), NoStack::NotFirst),
            (format!("{POINTER} {data} (data (i32.const 1020) \"abcd\")"), NoStack::NotFirst),
            // Statics that begin as zeros may lie anywhere.
            (POINTER.to_owned(), NoStack::NotFirst),
            (format!("{NAMELESS} {}", end(512)), NoStack::NotFirst),
        ] {
            assert_eq!(filled(&component(&parts), 1), Err(why), "{parts}");
        }
        let none = wat::parse_str("(component (core module))").unwrap();
        assert_eq!(filled(&none, 1), Err(NoStack::NoMemory));
        assert!(matches!(filled(b"\0asm nothing", 1), Err(NoStack::Unread(_))));
    }
}
