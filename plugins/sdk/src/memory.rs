//! The allocator of a reducer in wasm: small blocks come from lists of free blocks of their size.
//!
//! Reading a state makes many small blocks and frees them again a few events later; the standard
//! allocator of wasm takes several times as long for that as the event itself does. Here both are a
//! few instructions. Nothing is kept between calls but free memory: what a block held is never
//! looked at.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Blocks are multiples of this, and lie at multiples of it.
const GRAIN: usize = 16;
/// Larger ones are the standard allocator's, which can grow them in place.
const SMALL_MAX: usize = 2048;
const CLASSES: usize = SMALL_MAX / GRAIN + 1;
/// What is taken from the standard allocator at once.
const CHUNK: usize = 64 << 10;

/// Free blocks by size, and the rest of a chunk that was never used.
pub(crate) struct Memory {
    lists: UnsafeCell<Lists>,
}

struct Lists {
    /// First free block of each size in grains; a free block holds the address of the next.
    free: [*mut u8; CLASSES],
    rest: *mut u8,
    rest_len: usize,
}

// SAFETY: the host refuses modules with threads or shared memory, so there is one thread.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) const fn new() -> Self {
        let lists = Lists { free: [null_mut(); CLASSES], rest: null_mut(), rest_len: 0 };
        Self { lists: UnsafeCell::new(lists) }
    }
}

/// The size of a small block in grains; none for what is the standard allocator's.
#[inline]
fn class(size: usize, align: usize) -> Option<usize> {
    (size <= SMALL_MAX && align <= GRAIN).then(|| size.div_ceil(GRAIN))
}

// SAFETY: a block is handed out once until it is given back: it comes off a list, or off the front
// of the rest, which it leaves. It has the room and the alignment that `class` promises.
unsafe impl GlobalAlloc for Memory {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout.size(), layout.align()) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: one thread, and nothing in here calls back, so the reference is the only one.
        let lists = unsafe { &mut *self.lists.get() };
        let block = lists.free[class];
        if block.is_null() {
            return lists.carve(class * GRAIN);
        }
        // SAFETY: a free block holds the address of the next.
        lists.free[class] = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(layout.size(), layout.align()) else {
            // SAFETY: the caller's promise; `class` sent it there when it was allocated too.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: as in `alloc`.
        let lists = unsafe { &mut *self.lists.get() };
        // SAFETY: the block is of at least one grain and no longer in use.
        unsafe { block.cast::<*mut u8>().write(lists.free[class]) };
        lists.free[class] = block;
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match (class(layout.size(), layout.align()), class(size, layout.align())) {
            // SAFETY: the caller's promise; both are the standard allocator's.
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (old, new) if old == new => block,
            _ => {
                // SAFETY: `size` is not 0 and the alignment is the old one's.
                let grown =
                    unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
                if !grown.is_null() {
                    let len = layout.size().min(size);
                    // SAFETY: both have room for `len`, and they are different blocks.
                    unsafe {
                        std::ptr::copy_nonoverlapping(block, grown, len);
                        self.dealloc(block, layout);
                    }
                }
                grown
            }
        }
    }
}

impl Lists {
    /// Takes a block of `size` off the rest, or off a new chunk.
    #[cold]
    fn carve(&mut self, size: usize) -> *mut u8 {
        if self.rest_len < size {
            // The end of the old chunk stays unused: at most 2 KiB of 64.
            // SAFETY: neither is 0, and the alignment is a power of two.
            let chunk = unsafe { System.alloc(Layout::from_size_align_unchecked(CHUNK, GRAIN)) };
            if chunk.is_null() {
                return chunk;
            }
            (self.rest, self.rest_len) = (chunk, CHUNK);
        }
        let block = self.rest;
        // SAFETY: `size` is at most what is left.
        self.rest = unsafe { block.add(size) };
        self.rest_len -= size;
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::Layout;

    #[test]
    fn blocks_are_whole_apart_and_used_again() {
        let memory = Memory::new();
        let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut seed = 1u64;
        for round in 0..20_000u32 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let size = (seed >> 33) as usize % 3000 + 1;
            let fill = round as u8;
            if seed >> 62 == 0 && !blocks.is_empty() {
                let at = (seed >> 20) as usize % blocks.len();
                let (block, layout, old) = blocks[at];
                // SAFETY: the block is live and of this layout; the size is not 0.
                let grown = unsafe { memory.realloc(block, layout, size) };
                check(grown, size.min(layout.size()), old);
                // SAFETY: the block has room for `size`.
                unsafe { grown.write_bytes(fill, size) };
                blocks[at] = (grown, Layout::from_size_align(size, 8).expect("a layout"), fill);
            } else if seed >> 62 == 1 && !blocks.is_empty() {
                let (block, layout, fill) =
                    blocks.swap_remove((seed >> 20) as usize % blocks.len());
                check(block, layout.size(), fill);
                // SAFETY: the block is live and of this layout.
                unsafe { memory.dealloc(block, layout) };
            } else {
                let layout = Layout::from_size_align(size, 8).expect("a layout");
                // SAFETY: the size is not 0.
                let block = unsafe { memory.alloc(layout) };
                // SAFETY: the block has room for `size`.
                unsafe { block.write_bytes(fill, size) };
                blocks.push((block, layout, fill));
            }
        }
        for (block, layout, fill) in blocks {
            check(block, layout.size(), fill);
            // SAFETY: the block is live and of this layout.
            unsafe { memory.dealloc(block, layout) };
        }
        let layout = Layout::from_size_align(100, 8).expect("a layout");
        // SAFETY: the size is not 0, and each block is freed once.
        unsafe {
            let first = memory.alloc(layout);
            memory.dealloc(first, layout);
            assert_eq!(memory.alloc(layout), first);
        }
    }

    fn check(block: *mut u8, len: usize, fill: u8) {
        assert!(block.addr().is_multiple_of(8));
        // SAFETY: the block is live and was filled for `len`.
        let bytes = unsafe { std::slice::from_raw_parts(block, len) };
        assert!(bytes.iter().all(|&byte| byte == fill));
    }
}
