//! From what a compiler wrote (a core module that carries its WIT in a custom section, as
//! wit-bindgen leaves it there) to a component.

use crate::check::{self, CheckError};
use crate::fault::printable;
use wasmparser::{BinaryReaderError, Parser, Payload};
use wit_component::ComponentEncoder;

/// How the name of the section begins in which a module carries its contract.
const CONTRACT: &str = "component-type";
/// How the modules are called from which a reducer may import.
const OWN: &str = "retally:";
/// Bytes of a module before its first section: magic and version.
const HEADER: usize = 8;

/// Why no component can be made.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    /// Not a core module.
    #[error("it is not a WebAssembly module")]
    NotModule,
    /// Already one.
    #[error("it is a component already")]
    Component,
    /// Nothing in it says that it is a reducer.
    #[error("it declares no contract: a reducer is a cdylib that uses the SDK")]
    NoContract,
    /// Built for a target with a world in it.
    #[error(
        "it imports {0}: a reducer is built for wasm32-unknown-unknown, which has no files, clocks \
         or randomness"
    )]
    Import(String),
    /// wit-component's words.
    #[error("no component can be made of it: {0}")]
    Encode(String),
    /// A component, but no reducer.
    #[error("the component is refused: {0}")]
    Check(#[from] CheckError),
}

/// Makes a component of a core module. The same module gives the same bytes.
pub fn componentize(module: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    if Parser::is_component(module) {
        return Err(ComponentizeError::Component);
    }
    if !Parser::is_core_wasm(module) {
        return Err(ComponentizeError::NotModule);
    }
    look(module)?;
    let module = without_names(module)
        .map_err(|error| ComponentizeError::Encode(printable(&error.to_string(), 200)))?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| ComponentizeError::Encode(printable(&format!("{error:#}"), 1000)))?;
    check::check(&component)?;
    Ok(component)
}

/// The module without what a compiler leaves in it for people: names, notes for debuggers, its own
/// version. They decide nothing, and would make another artifact of the same code.
fn without_names(module: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut bytes = module.get(..HEADER).unwrap_or(module).to_vec();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::CustomSection(section) = &payload
            && !section.name().starts_with(CONTRACT)
        {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            bytes.push(id);
            let mut length = range.len();
            while length > 0x7f {
                bytes.push(length as u8 | 0x80);
                length >>= 7;
            }
            bytes.push(length as u8);
            bytes.extend_from_slice(&module[range]);
        }
    }
    Ok(bytes)
}

/// Says what is wrong in words of this project, where the encoder would use its own.
fn look(module: &[u8]) -> Result<(), ComponentizeError> {
    let mut contract = false;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload
            .map_err(|error| ComponentizeError::Encode(printable(&error.to_string(), 200)))?;
        match payload {
            Payload::CustomSection(section) => {
                contract |= section.name().starts_with(CONTRACT);
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports().flatten() {
                    if !import.module.starts_with(OWN) {
                        return Err(ComponentizeError::Import(printable(import.module, 100)));
                    }
                }
            }
            _ => {}
        }
    }
    if contract { Ok(()) } else { Err(ComponentizeError::NoContract) }
}
