//! The sandbox: one engine, its limits, its ticker and its compile cache, shared by all reducers
//! that are loaded through it.

use crate::cache::{Cache, CacheError};
use crate::compiler::Compiler;
use crate::compiler_process::CompilerProcess;
use crate::component::{self, LoadError};
use crate::engine::{self, TICK};
use crate::instance::WasmReducer;
use crate::patience::Patience;
use retally_core::reduce::Halt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::Engine;

/// Where guests' lines go: one call per line, escaped and bounded, beginning with the reducer's
/// name.
pub type LogSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Limits and places. None of them can change a result.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Bytes of memory of one instance.
    pub memory: usize,
    /// CPU time of one call.
    pub deadline: Duration,
    /// Bytes that a guest may use of the calling thread's stack. The thread needs about half a MiB
    /// beside it.
    pub stack: usize,
    /// Time that a compilation may take, by the clock on the wall: it runs on several threads.
    pub compile: Duration,
    /// How components are compiled: each way makes other code of the same component, by which a
    /// result can be held against its own.
    pub compiler: Compiler,
    /// A number from which bytes are drawn that memory holds before anything is written there:
    /// where a compiled program's stack will lie, of which it may expect nothing. Elsewhere, and
    /// without such a number, it holds zeros.
    pub garbage: Option<u64>,
    /// Another process in which is compiled, for components that nobody vouches for; none: this
    /// one.
    pub compiler_process: Option<CompilerProcess>,
    /// Whether nobody waits any more for what is compiled, which is looked at until it is; none:
    /// it is waited for.
    pub halt: Option<Halt>,
    /// A folder for compiled components, of this user alone; it is made when it is missing.
    pub cache: Option<PathBuf>,
    /// Where guests' lines go.
    pub log: LogSink,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            deadline: Duration::from_secs(10),
            stack: 1 << 20,
            compile: Duration::from_secs(120),
            compiler: Compiler::default(),
            garbage: None,
            compiler_process: None,
            halt: None,
            cache: None,
            log: Arc::new(|_| {}),
        }
    }
}

/// Why a sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine refuses its settings: this machine lacks something.
    #[error("the WebAssembly engine does not start here: {0:#}")]
    Engine(wasmtime::Error),
    /// The compile cache's folder is not fit.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// No thread for the ticker.
    #[error("no thread for deadlines can be started: {0}")]
    Thread(std::io::Error),
}

/// Loads reducers.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

/// What reducers and their instances keep of their sandbox.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) config: SandboxConfig,
    pub(crate) cache: Option<Cache>,
    _ticker: Ticker,
}

impl Shared {
    /// How long a compiler is waited for.
    pub(crate) fn patience(&self) -> Patience<'_> {
        Patience { most: self.config.compile, halt: self.config.halt.as_ref() }
    }
}

impl Sandbox {
    /// Starts an engine and the one background thread that gives deadlines their chance.
    ///
    /// # Errors
    /// When the machine lacks something or the cache's folder is not private.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let engine = engine::engine(config.stack, config.compiler).map_err(SandboxError::Engine)?;
        let cache = config.cache.as_deref().map(|dir| Cache::open(dir, &engine)).transpose()?;
        let ticker = Ticker::start(engine.clone()).map_err(SandboxError::Thread)?;
        Ok(Self { shared: Arc::new(Shared { engine, config, cache, _ticker: ticker }) })
    }

    /// Makes a reducer of a component's bytes: checked, bounded, compiled or taken from the cache,
    /// and asked what it declares.
    ///
    /// # Errors
    /// The first reason why this is no reducer for this host.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<WasmReducer>, LoadError> {
        component::load(&self.shared, bytes).map(Arc::new)
    }
}

/// Moves the engine's epoch on, so that running guests look at their CPU time. Ends when dropped.
struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread =
            std::thread::Builder::new().name("retally-ticker".into()).spawn(move || {
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    engine.increment_epoch();
                }
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // The closed channel is the signal.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
