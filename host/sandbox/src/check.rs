//! What can be said of a component's bytes before anything is compiled: that it is one, that its
//! counts are within [`crate::limits`], that it imports nothing of the world and exports the
//! contract's functions. Everything here is counted, nothing is validated: the engine does that.

use crate::imports::{self, CONTRACT_VERSION, PACKAGE};
use crate::limits::*;
use wasmparser::{ComponentExternalKind, Encoding, FunctionBody, Operator, Parser, Payload};

/// Why bytes are refused before they are compiled; a fragment that fits behind "reducer is refused:
/// ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Some other file.
    #[error("it is not WebAssembly (a component begins with \\0asm)")]
    NotWasm,
    /// What a compiler wrote, before it was made a component.
    #[error("it is a core module, not a component; run `retally reducer build` to make one of it")]
    CoreModule,
    /// Cut short or damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// A count beyond its bound: how many there are, of what, and how many there may be.
    #[error("it has {0} {1}, at most {2} are allowed")]
    TooMany(u64, &'static str, u64),
    /// An import of something of the world.
    #[error("it imports {0}; a reducer may import only {PACKAGE}/log")]
    Foreign(String),
    /// An import of another version of the contract.
    #[error(
        "it is built for version {0} of the contract, this host speaks {CONTRACT_VERSION}; build \
         it again with an SDK of that version"
    )]
    Version(String),
    /// The first export of the contract that is not there.
    #[error("it exports no `{0}`: a reducer exports describe, apply, view, check and migrate")]
    Export(&'static str),
}

const EXPORTS: [&str; 5] = ["describe", "apply", "view", "check", "migrate"];

pub(crate) fn check(bytes: &[u8]) -> Result<(), CheckError> {
    at_most("bytes", bytes.len() as u64, COMPONENT_MAX_BYTES as u64)?;
    if !bytes.starts_with(b"\0asm") {
        return Err(CheckError::NotWasm);
    }
    if Parser::is_core_wasm(bytes) {
        return Err(CheckError::CoreModule);
    }
    let mut counts = Counts::default();
    for payload in Parser::new(0).parse_all(bytes) {
        counts.add(&payload.map_err(damaged)?)?;
    }
    match EXPORTS.iter().zip(counts.exported).find(|(_, exported)| !exported) {
        Some((missing, _)) => Err(CheckError::Export(missing)),
        None => Ok(()),
    }
}

fn damaged(error: wasmparser::BinaryReaderError) -> CheckError {
    CheckError::Damaged(crate::fault::printable(&error.to_string(), 200))
}

fn at_most(what: &'static str, count: u64, max: u64) -> Result<(), CheckError> {
    if count > max { Err(CheckError::TooMany(count, what, max)) } else { Ok(()) }
}

/// Counts more of something, which may be at most `max` in all.
fn count(what: &'static str, sum: &mut u64, more: u64, max: u32) -> Result<(), CheckError> {
    *sum = sum.saturating_add(more);
    at_most(what, *sum, max.into())
}

#[derive(Default)]
struct Counts {
    /// What is open: the component itself, then what lies inside.
    open: Vec<Encoding>,
    modules: u64,
    functions: u64,
    types: u64,
    memories: u64,
    tables: u64,
    elements: u64,
    exported: [bool; EXPORTS.len()],
}

impl Counts {
    fn add(&mut self, payload: &Payload<'_>) -> Result<(), CheckError> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(*encoding)?,
            Payload::End(_) => drop(self.open.pop()),
            Payload::ComponentImportSection(section) if self.open.len() == 1 => {
                for import in section.clone() {
                    let import = import.map_err(damaged)?;
                    if imports::is_called(&import) {
                        imports::judge(import.name.name)?;
                    }
                }
            }
            Payload::ComponentExportSection(section) if self.open.len() == 1 => {
                for export in section.clone() {
                    let export = export.map_err(damaged)?;
                    let place = EXPORTS.iter().position(|name| *name == export.name.name);
                    if let (Some(place), ComponentExternalKind::Func) = (place, export.kind) {
                        self.exported[place] = true;
                    }
                }
            }
            Payload::CodeSectionEntry(body) => function(body)?,
            other => self.add_core(other)?,
        }
        Ok(())
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), CheckError> {
        self.open.push(encoding);
        if encoding == Encoding::Module {
            count("core modules", &mut self.modules, 1, MODULES_MAX)
        } else {
            at_most("components inside each other", self.open.len() as u64, NESTING_MAX as u64)
        }
    }

    fn add_core(&mut self, payload: &Payload<'_>) -> Result<(), CheckError> {
        match payload {
            Payload::TypeSection(section) => {
                count("core types", &mut self.types, section.count().into(), TYPES_MAX)?;
                for group in section.clone() {
                    types(&group.map_err(damaged)?)?;
                }
                Ok(())
            }
            Payload::ImportSection(section) => {
                at_most("imports of a core module", section.count().into(), CORE_IMPORTS_MAX.into())
            }
            Payload::FunctionSection(section) => {
                count("functions", &mut self.functions, section.count().into(), FUNCTIONS_MAX)
            }
            Payload::TableSection(section) => {
                count("tables", &mut self.tables, section.count().into(), TABLES_MAX)?;
                for table in section.clone() {
                    let initial = table.map_err(damaged)?.ty.initial;
                    self.elements = self.elements.saturating_add(initial);
                }
                at_most("table elements", self.elements, TABLE_ELEMENTS_MAX)
            }
            Payload::MemorySection(section) => {
                count("memories", &mut self.memories, section.count().into(), MEMORIES_MAX)
            }
            Payload::GlobalSection(section) => {
                at_most("globals of a core module", section.count().into(), GLOBALS_MAX.into())
            }
            Payload::ExportSection(section) => {
                at_most("exports of a core module", section.count().into(), CORE_EXPORTS_MAX.into())
            }
            Payload::ElementSection(section) => {
                at_most("element segments", section.count().into(), SEGMENTS_MAX.into())
            }
            Payload::DataSection(section) => {
                at_most("data segments", section.count().into(), SEGMENTS_MAX.into())
            }
            _ => Ok(()),
        }
    }
}

fn types(group: &wasmparser::RecGroup) -> Result<(), CheckError> {
    for ty in group.types() {
        if let wasmparser::CompositeInnerType::Func(f) = &ty.composite_type.inner {
            at_most("parameters in one type", f.params().len() as u64, PARAMS_MAX as u64)?;
            at_most("results in one type", f.results().len() as u64, RESULTS_MAX as u64)?;
        }
    }
    Ok(())
}

fn function(body: &FunctionBody<'_>) -> Result<(), CheckError> {
    at_most("bytes in one function", body.range().len() as u64, FUNCTION_MAX_BYTES as u64)?;
    let mut locals = 0u64;
    for run in body.get_locals_reader().map_err(damaged)? {
        locals = locals.saturating_add(run.map_err(damaged)?.0.into());
        at_most("locals in one function", locals, LOCALS_MAX)?;
    }
    let (mut open, mut loops, mut branches) = (Vec::new(), 0u64, 0u64);
    for operator in body.get_operators_reader().map_err(damaged)? {
        match operator.map_err(damaged)? {
            Operator::Loop { .. } => {
                loops += 1;
                at_most("loops inside each other", loops, LOOP_DEPTH_MAX)?;
                open.push(true);
            }
            Operator::Block { .. } | Operator::If { .. } => open.push(false),
            Operator::End => {
                loops -= u64::from(open.pop().unwrap_or(false));
                continue;
            }
            _ => continue,
        }
        branches += 1;
    }
    at_most("branches times locals in one function", branches * locals, ENTANGLEMENT_MAX)
}
