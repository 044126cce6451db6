//! The exports of a component: takes a call's arguments where the host wrote them, calls
//! [`crate::fold`], hands the result over. `export!` makes the exported functions, which must lie
//! in the reducer's own crate to reach the linker; each only calls one of these.

use crate::abi::{Batch, Description, Keyed, List, Migrated, Outcome, Viewed, Violated};
use crate::memory::Memory;
use crate::{Reducer, fold};
use std::alloc::{Layout, alloc, handle_alloc_error, realloc};
use std::sync::Once;

#[global_allocator]
static MEMORY: Memory = Memory::new();

#[link(wasm_import_module = "retally:reducer/log@0.1.0")]
unsafe extern "C" {
    #[link_name = "line"]
    fn line(start: *const u8, len: usize);
}

/// Sends a line to whoever watches the run.
pub(crate) fn log(text: &str) {
    // SAFETY: the host reads `len` bytes from `start` during the call and nothing else.
    unsafe { line(text.as_ptr(), text.len()) }
}

/// The canonical ABI's `cabi_realloc`: memory for what the host passes.
///
/// # Safety
/// `old` was allocated here with `old_len` and `align`, or `old_len` is 0; `align` is a power of
/// two.
pub unsafe fn allocate(old: *mut u8, old_len: usize, align: usize, len: usize) -> *mut u8 {
    if len == 0 {
        return std::ptr::without_provenance_mut(align);
    }
    // SAFETY: the canonical ABI passes the alignments of its types only: 1, 2, 4, 8.
    let layout = |len| unsafe { Layout::from_size_align_unchecked(len, align) };
    let start = if old_len == 0 {
        // SAFETY: `len` is not 0.
        unsafe { alloc(layout(len)) }
    } else {
        // SAFETY: the caller's promise.
        unsafe { realloc(old, layout(old_len), len) }
    };
    if start.is_null() {
        handle_alloc_error(layout(len));
    }
    start
}

/// Takes the panic hook into use, once per instance, so that a trap comes with its reason.
fn begin() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let message = info.payload_as_str().unwrap_or("without a message");
            match info.location() {
                Some(at) => log(&format!("panic: {message} at {}:{}", at.file(), at.line())),
                None => log(&format!("panic: {message}")),
            }
        }));
    });
}

fn give<T>(result: T) -> *mut T {
    Box::into_raw(Box::new(result))
}

/// Frees what an export gave, after the host has read it.
///
/// # Safety
/// `result` was returned by the function below that gives `T`, and is used no more.
pub unsafe fn take_back<T>(result: *mut T) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(result) });
}

/// The export `describe`.
pub fn describe<R: Reducer>() -> *mut Description {
    begin();
    give(fold::describe::<R>())
}

/// The export `apply`.
///
/// # Safety
/// `batch` is a `batch` of the WIT in memory of [`allocate`], given away with all that it holds.
pub unsafe fn apply<R: Reducer>(batch: *mut Batch) -> *mut Outcome {
    begin();
    // SAFETY: the caller's promise.
    let batch = unsafe { Box::from_raw(batch) };
    give(fold::apply::<R>(&batch))
}

/// The flat form of `keyed`: the canonical ABI passes up to 16 words as they are.
pub type Words = [usize; 12];

/// # Safety
/// The words are a `keyed` of the WIT in memory of [`allocate`], given away with all that it holds.
unsafe fn keyed(words: Words) -> Keyed {
    const { assert!(size_of::<Keyed>() == size_of::<Words>()) }
    // SAFETY: `Keyed` is six lists, each an address and a length: the words in their order.
    unsafe { std::mem::transmute::<Words, Keyed>(words) }
}

/// The export `view`.
///
/// # Safety
/// The words are a `keyed` of the WIT in memory of [`allocate`], given away with all that it holds.
pub unsafe fn view<R: Reducer>(words: Words) -> *mut Viewed {
    begin();
    // SAFETY: the caller's promise.
    give(fold::view::<R>(&unsafe { keyed(words) }))
}

/// The export `check`.
///
/// # Safety
/// As for [`view`].
pub unsafe fn check<R: Reducer>(words: Words) -> *mut List<Violated> {
    begin();
    // SAFETY: the caller's promise.
    give(fold::check::<R>(&unsafe { keyed(words) }))
}

/// The export `migrate`.
///
/// # Safety
/// As for [`view`].
pub unsafe fn migrate<R: Reducer>(version: u32, words: Words) -> *mut Migrated {
    begin();
    // SAFETY: the caller's promise.
    give(match fold::migrate::<R>(version, &unsafe { keyed(words) }) {
        Ok(states) => Migrated::Ok(states),
        Err(sentence) => Migrated::Err(sentence.into()),
    })
}
