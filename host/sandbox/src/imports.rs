//! All that a guest can ask of the world: a line for a person. Everything else is refused by name
//! before anything is compiled.

use crate::bindings;
use crate::check::CheckError;
use crate::fault::printable;
use crate::instance::Host;
use crate::limits::{LOG_LINE_MAX_BYTES, LOG_LINES_MAX};
use crate::sandbox::LogSink;
use wasmparser::{ComponentImport, ComponentTypeRef, TypeBounds};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

/// Version of the contract (`wit/reducer.wit`) that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// How the line begins with which a guest's panic hook tells why it is about to trap:
/// `panic: MESSAGE at FILE:LINE`.
pub const PANIC_PREFIX: &str = "panic: ";

pub(crate) const PACKAGE: &str = "retally:reducer";

/// Interfaces of the contract that a reducer may import. `types` holds types only.
const ALLOWED: [&str; 2] = ["log", "types"];

/// Whether there is anything to call. A type's own name, as `use types.{batch}` in a world gives
/// it, is an import, too.
pub(crate) fn is_called(import: &ComponentImport<'_>) -> bool {
    !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_)))
}

pub(crate) fn judge(name: &str) -> Result<(), CheckError> {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    if package == PACKAGE && version != CONTRACT_VERSION {
        let found = if version.is_empty() { "none" } else { version };
        return Err(CheckError::Version(printable(found, 40)));
    }
    if package == PACKAGE && ALLOWED.contains(&interface) {
        return Ok(());
    }
    Err(CheckError::Foreign(printable(name, 200)))
}

/// Where a guest's lines go during one call.
pub(crate) struct Log {
    sink: LogSink,
    name: String,
    lines: usize,
    /// The last panic of this call: kept back, because the fault will tell it.
    panic: Option<String>,
}

impl Log {
    pub(crate) fn new(sink: LogSink, name: String) -> Self {
        Self { sink, name, lines: 0, panic: None }
    }

    pub(crate) fn begin(&mut self) {
        self.lines = 0;
        self.panic = None;
    }

    /// The panic's text without its prefix, if the guest told one in this call.
    pub(crate) fn take_panic(&mut self) -> Option<String> {
        let line = self.panic.take()?;
        Some(line.strip_prefix(PANIC_PREFIX).unwrap_or(&line).to_owned())
    }

    /// A call returned: a panic line that led to no trap is a line like any other.
    pub(crate) fn end(&mut self) {
        if let Some(line) = self.panic.take() {
            self.pass(&line);
        }
        if self.lines > LOG_LINES_MAX {
            let more = self.lines - LOG_LINES_MAX;
            (self.sink)(&format!("{}: {more} more lines in this call", self.name));
        }
    }

    fn pass(&mut self, line: &str) {
        self.lines += 1;
        if self.lines <= LOG_LINES_MAX {
            (self.sink)(&format!("{}: {line}", self.name));
        }
    }
}

impl bindings::retally::reducer::log::Host for Log {
    fn line(&mut self, text: String) -> wasmtime::Result<()> {
        let line = printable(&text, LOG_LINE_MAX_BYTES);
        if line.starts_with(PANIC_PREFIX) {
            self.panic = Some(line);
        } else {
            self.pass(&line);
        }
        Ok(())
    }
}

pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    bindings::retally::reducer::log::add_to_linker::<_, HasSelf<Log>>(
        &mut linker,
        |host: &mut Host| &mut host.log,
    )?;
    Ok(linker)
}
