//! From what a compiler wrote (a core module that carries its WIT in a custom section, as
//! wit-bindgen leaves it there) to a component.

use crate::check::{self, CheckError};
use crate::fault::printable;
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

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
    let component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| ComponentizeError::Encode(printable(&format!("{error:#}"), 1000)))?;
    check::check(&component)?;
    Ok(component)
}

/// Says what is wrong in words of this project, where the encoder would use its own.
fn look(module: &[u8]) -> Result<(), ComponentizeError> {
    let mut contract = false;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload
            .map_err(|error| ComponentizeError::Encode(printable(&error.to_string(), 200)))?;
        match payload {
            Payload::CustomSection(section) => {
                contract |= section.name().starts_with("component-type");
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports().flatten() {
                    if import.module.starts_with("wasi") || import.module == "env" {
                        return Err(ComponentizeError::Import(printable(import.module, 100)));
                    }
                }
            }
            _ => {}
        }
    }
    if contract { Ok(()) } else { Err(ComponentizeError::NoContract) }
}
