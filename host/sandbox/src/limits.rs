//! Every bound on what is loaded and what a guest may do, in one place, each with its unit (last in
//! the name) and its reason. The counts follow CosmWasm's, which has had hostile uploads for years,
//! with room above what reducers of Rust, JavaScript and Python need.
//!
//! Together they bound what a compilation costs, except for its worst cases: the compiler's time
//! grows with the product of a function's branches and its locals, and with the depth of its loops.
//! Measured with functions made to hurt: 10,000 loops by 1,000 locals take 13 s and 1 GB, 300
//! nested loops by 100 locals 4 s of CPU time, and 100 by 10,000 had not ended after two minutes,
//! each in less than 150 kB. So these are bounded too, and what is left ends at
//! [`crate::SandboxConfig::compile`].

use std::time::Duration;

/// A component's bytes. A Rust reducer has 0.05 to 1 MiB; an embedded JavaScript engine about 12.
pub const COMPONENT_MAX_BYTES: usize = 32 << 20;

/// Functions of all core modules together (imported ones count too).
pub const FUNCTIONS_MAX: u32 = 50_000;

/// One function's code: the register allocator's time grows faster than the function.
pub const FUNCTION_MAX_BYTES: usize = 512 << 10;

/// Locals of one function, parameters not counted: four bytes of code can declare 2^32 of them.
pub const LOCALS_MAX: u64 = 10_000;

/// Branches, loops and blocks of one function times its locals. Estimated at 4 million for the
/// interpreter loop of an embedded language; made to hurt, 10 million took 13 s.
pub const ENTANGLEMENT_MAX: u64 = 8_000_000;

/// Loops inside loops: nobody writes ten, and the compiler's time grows with the cube.
pub const LOOP_DEPTH_MAX: u64 = 64;

/// Parameters of one function type.
pub const PARAMS_MAX: usize = 100;

/// Results of one function type.
pub const RESULTS_MAX: usize = 16;

/// Types of all core modules together.
pub const TYPES_MAX: u32 = 10_000;

/// Core modules: wit-component makes one, a shim, a fix-up and an adapter or two.
pub const MODULES_MAX: u32 = 16;

/// Components inside components.
pub const NESTING_MAX: usize = 4;

/// Imports of one core module.
pub const CORE_IMPORTS_MAX: u32 = 1_000;

/// Exports of one core module.
pub const CORE_EXPORTS_MAX: u32 = 1_000;

/// Globals of one core module.
pub const GLOBALS_MAX: u32 = 1_000;

/// Element and data segments of one core module.
pub const SEGMENTS_MAX: u32 = 100_000;

/// Linear memories of one component.
pub const MEMORIES_MAX: u32 = 4;

/// Tables of one component.
pub const TABLES_MAX: u32 = 16;

/// Elements of all tables of an instance together, also after growth: 8 bytes each in the host.
pub const TABLE_ELEMENTS_MAX: u64 = 1 << 20;

/// Core instances of one component: each may have a memory of its own.
pub const INSTANCES_MAX: usize = 64;

/// Memory of a process that compiles a component that nobody vouches for. What the counts above let
/// in takes about 1 GB at worst.
pub const COMPILER_MEMORY_BYTES: u64 = 2 << 30;

/// CPU time of such a process, of all of its threads: as long as it is waited for by the clock on
/// the wall.
pub const COMPILER_TIME: Duration = Duration::from_secs(120);

/// Bytes of compiled code that are taken from such a process: ten times the largest component.
pub const ARTEFACT_MAX_BYTES: u64 = 320 << 20;

/// One line of a guest's log; what is longer is cut.
pub const LOG_LINE_MAX_BYTES: usize = 4 << 10;

/// Bytes of a stack in linear memory that garbage fills: sixteen times what Rust's linker gives it.
/// They are made in this process, and make the component longer.
pub const STACK_FILLED_MAX_BYTES: u64 = 16 << 20;

/// Lines of a guest's log kept from one call; the rest is counted.
pub const LOG_LINES_MAX: usize = 100;

/// What a guest may hand over in one call beyond its memory's limit: a host's value can be larger
/// than the guest's (a column of four bytes is a structure of a hundred here), and lists may
/// overlap.
pub const HANDOVER_EXTRA_BYTES: usize = 16 << 20;

const _: () = assert!(ARTEFACT_MAX_BYTES > COMPONENT_MAX_BYTES as u64);
const _: () = assert!(ARTEFACT_MAX_BYTES < COMPILER_MEMORY_BYTES);
const _: () = assert!(STACK_FILLED_MAX_BYTES < COMPONENT_MAX_BYTES as u64);
const _: () = assert!(FUNCTION_MAX_BYTES < COMPONENT_MAX_BYTES);
const _: () = assert!(LOG_LINE_MAX_BYTES * LOG_LINES_MAX < 1 << 20);
