//! From bytes to a reducer: checked, bounded, hashed, compiled or taken from the cache, and asked
//! what it declares.

use crate::bindings::ReducerPre;
use crate::cache::CacheUse;
use crate::check::{self, CheckError};
use crate::compiler_process::CompilerProcess;
use crate::fault::{machine, printable};
use crate::garbage::{self, NoStack};
use crate::imports;
use crate::instance::{WasmInstance, WasmReducer};
use crate::sandbox::Shared;
use retally_core::digest::Hash;
use retally_core::reduce::Fault;
use retally_core::schema::{Description, DescriptionError};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Component;

/// Why bytes are no reducer for this host; a fragment that fits behind "reducer is refused: ".
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Refused before anything was compiled.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Not valid WebAssembly, or of a feature that is off.
    #[error("it is not valid here: {0}")]
    Invalid(String),
    /// Garbage was asked for, and where it may lie nobody knows.
    #[error("nothing can be put into its memory before it runs: {0}")]
    NoStack(#[from] NoStack),
    /// The compiler had not finished when its time was over.
    #[error(
        "it takes more than {0:?} to compile; a function of it is too entangled, or this machine \
         is too busy"
    )]
    CompileTime(Duration),
    /// The compiler met a bound of its process.
    #[error(
        "compiling it takes more than {0}, which is all that a reducer that is not trusted may take"
    )]
    CompileBound(String),
    /// The compiler's process ended otherwise than it should.
    #[error("the compiler failed on it: {0}")]
    CompilerEnded(String),
    /// A signal ended the compiler's process, and nobody knows whether for the reducer.
    #[error(
        "the process that compiled it was killed ({0}): this machine may be short of memory, or \
         the compiler crashed; try it again"
    )]
    CompilerKilled(String),
    /// Whoever wanted it does not any more.
    #[error("nobody waits any more for it to be compiled")]
    Halted,
    /// No process for the compiler.
    #[error("no process to compile it can be started: {0}")]
    Process(std::io::Error),
    /// What the compiler's process gave is not for this engine.
    #[error(
        "what was compiled in another process is of no use here: {0}; is that program of another \
         version?"
    )]
    Artefact(String),
    /// No thread for the compiler.
    #[error("no thread to compile it can be started: {0}")]
    Thread(std::io::Error),
    /// Its exports or imports have other types than the contract's.
    #[error(
        "it does not fit version {expected} of the contract: {0}; build it again with an SDK of \
         that version",
        expected = imports::CONTRACT_VERSION
    )]
    Contract(String),
    /// The machine gave no more. It says nothing of the reducer.
    #[error("this machine did not give what the sandbox needs: {0}")]
    Machine(String),
    /// It could not be asked what it declares.
    #[error("its `describe` failed: {0}")]
    Describe(Fault),
    /// What it declares changes.
    #[error("its `describe` gives another answer when asked again ({0})")]
    Unsteady(&'static str),
    /// What it declares makes no sense.
    #[error("its `describe` is wrong: {0}")]
    Description(#[from] DescriptionError),
}

pub(crate) fn load(shared: &Arc<Shared>, bytes: &[u8]) -> Result<WasmReducer, LoadError> {
    check::check(bytes)?;
    let digest = Hash(Sha256::digest(bytes).into());
    let (component, cache) = match shared.config.garbage {
        None => compile(shared, bytes, &digest)?,
        Some(seed) => {
            let bytes = garbage::filled(bytes, seed)?;
            compile(shared, &bytes, &Hash(Sha256::digest(&bytes).into()))?
        }
    };
    let contract = |error: wasmtime::Error| LoadError::Contract(text(&error));
    let linker = imports::linker(&shared.engine).map_err(contract)?;
    let pre = linker.instantiate_pre(&component).map_err(contract)?;
    let pre = ReducerPre::new(pre).map_err(contract)?;
    let description = describe(shared, &pre)?;
    Ok(WasmReducer { shared: Arc::clone(shared), pre, description, digest, cache })
}

fn compile(
    shared: &Shared,
    bytes: &[u8],
    digest: &Hash,
) -> Result<(Component, CacheUse), LoadError> {
    let engine = &shared.engine;
    let Some(cache) = &shared.cache else {
        return Ok((made(shared, bytes)?, CacheUse::Off));
    };
    let found = match cache.get(engine, digest) {
        Ok(Some(component)) => return Ok((component, CacheUse::Hit)),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    let component = made(shared, bytes)?;
    let used = match (found, cache.put(&component, digest)) {
        (None, Ok(())) => CacheUse::Stored,
        (Some(reason), Ok(())) => CacheUse::Rebuilt { reason },
        (_, Err(reason)) => CacheUse::NotStored { reason },
    };
    Ok((component, used))
}

fn made(shared: &Shared, bytes: &[u8]) -> Result<Component, LoadError> {
    match &shared.config.compiler_process {
        Some(process) => elsewhere(shared, process, bytes),
        None => from_binary(shared, bytes),
    }
}

/// Compiles in another process.
#[expect(unsafe_code, reason = "compiled code is native code")]
fn elsewhere(shared: &Shared, by: &CompilerProcess, bytes: &[u8]) -> Result<Component, LoadError> {
    let config = &shared.config;
    let artefact = by.compile((config.stack, config.compiler), bytes, &shared.patience())?;
    // SAFETY: the bytes came through a pipe from a process that this one started, of a program that
    // its user named, which gives what `Engine::precompile_component` made and nothing else; so
    // this is wasmtime's own output unless the compiler itself was taken over by what it compiled,
    // against which compiling in this process would be no better.
    let component = unsafe { Component::deserialize(&shared.engine, &artefact) };
    component.map_err(|error| LoadError::Artefact(text(&error)))
}

/// Compiles on a thread of its own, because the compiler cannot be interrupted: when its time is
/// over, or nobody wants it any more, what is given up is the waiting. The thread goes on until it
/// is done or the process ends.
fn from_binary(shared: &Shared, bytes: &[u8]) -> Result<Component, LoadError> {
    let (engine, bytes) = (shared.engine.clone(), bytes.to_vec());
    let (send, receive) = std::sync::mpsc::channel();
    let work = move || drop(send.send(Component::from_binary(&engine, &bytes)));
    let thread = std::thread::Builder::new().name("retally-compile".into());
    thread.spawn(work).map_err(LoadError::Thread)?;
    match shared.patience().wait(&receive)? {
        Some(result) => result.map_err(|error| match machine(&error) {
            Some(message) => LoadError::Machine(message),
            None => LoadError::Invalid(text(&error)),
        }),
        None => Err(LoadError::Invalid("the compiler failed on it (a fault of wasmtime)".into())),
    }
}

/// Asks twice on one instance and once on a fresh one: a reducer that keeps something between calls
/// shows itself, and one that cannot be opened twice.
fn describe(
    shared: &Arc<Shared>,
    pre: &ReducerPre<crate::instance::Host>,
) -> Result<Description, LoadError> {
    let failed = |fault: Fault| match fault {
        Fault::Machine { message } => LoadError::Machine(message),
        fault => LoadError::Describe(fault),
    };
    let open = || WasmInstance::new(shared, pre, "reducer".into()).map_err(failed);
    let ask = |i: &mut WasmInstance| i.describe().map_err(failed);
    let mut instance = open()?;
    let description = ask(&mut instance)?;
    if ask(&mut instance)? != description {
        return Err(LoadError::Unsteady("on the same instance"));
    }
    if ask(&mut open()?)? != description {
        return Err(LoadError::Unsteady("on a fresh instance"));
    }
    description.check()?;
    Ok(description)
}

impl LoadError {
    /// Whether it is about the reducer. If not, another machine or another hour may load it.
    pub fn is_of_reducer(&self) -> bool {
        !matches!(
            self,
            Self::Machine(_)
                | Self::Thread(_)
                | Self::CompileTime(_)
                | Self::CompilerKilled(_)
                | Self::Halted
                | Self::Process(_)
                | Self::Artefact(_)
        )
    }
}

fn text(error: &wasmtime::Error) -> String {
    printable(&format!("{error:#}"), 500)
}
