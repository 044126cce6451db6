//! What a reducer can find out of where and how it runs, to make a value of it.

use crate::Account;
use std::any::TypeId;
use std::collections::HashMap;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::panic::Location;

/// Views that this instance was asked for.
static VIEWS: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

/// How many views this instance has given, this one among them.
pub(crate) fn views() -> i64 {
    VIEWS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
}

/// A NaN with payload bits.
pub(crate) fn nan(payload: i64) -> f64 {
    f64::from_bits(0xfff4_0000_0000_0000 | (payload as u64 & 0xffff) | 1)
}

/// The bits of what calculations make that have no answer, or a NaN for one of their numbers: a
/// reducer that looks at them sees what its host makes of them.
pub(crate) fn made_nans(nan: f64) -> String {
    let [zero, infinity, nan] = black_box([0.0, f64::INFINITY, nan]);
    let made = [zero / zero, infinity - infinity, infinity * zero, nan + 1.0, 1.0 - nan];
    made.map(|made| format!("{:x}", made.to_bits())).join(",")
}

/// One if a NaN that was just computed is negative, which is so on x86 and not on ARM.
pub(crate) fn nan_sign() -> i64 {
    let none = black_box(0.0f64) / black_box(0.0);
    i64::from(none.is_sign_negative())
}

/// What is left of a NaN's payload after a calculation: on most processors, all of it.
pub(crate) fn nan_sum(payload: i64) -> i64 {
    let sum = black_box(nan(payload)) + black_box(1.0);
    (sum.to_bits() ^ 0x7ff8_0000_0000_0000) as i64
}

/// The iteration order of a hash map: the same in fresh instances, another after reuse.
pub(crate) fn hash_order() -> String {
    let map: HashMap<String, u32> = (0..12).map(|i| (format!("k{i}"), i)).collect();
    let keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.join(",")
}

/// Where the allocator puts a value.
pub(crate) fn address() -> usize {
    &raw const *black_box(Box::new([7u8; 24])) as usize
}

/// The same as text, as it gets into messages.
pub(crate) fn address_text() -> String {
    format!("cannot use {:p}", black_box(Box::new([7u8; 24])))
}

/// Where a local variable lies.
#[inline(never)]
pub(crate) fn stack_address() -> usize {
    let local = black_box([7u8; 24]);
    &raw const *black_box(&local) as usize
}

/// Texts that the compiler and its library make.
#[track_caller]
pub(crate) fn error_text() -> String {
    let number = black_box("x").parse::<i64>().unwrap_err();
    let none = std::fs::read("/etc/hostname").unwrap_err();
    let (id, place) = (TypeId::of::<Account>(), Location::caller());
    format!("{number}; {number:?}; {none}; {id:?}; {place}")
}

/// Grows the memory until that is refused; how many pages that were.
pub(crate) fn grow() -> usize {
    let mut pages = 0;
    while core::arch::wasm32::memory_grow(0, 64) != usize::MAX {
        pages += 64;
    }
    pages
}

/// What another thread says.
pub(crate) fn thread() -> i64 {
    std::thread::spawn(|| black_box(1)).join().unwrap_or_default()
}

/// How much there is of an environment.
pub(crate) fn environment() -> i64 {
    let found = std::env::var_os("HOME").is_some();
    i64::from(found) + std::env::args().count() as i64
}

/// A sum whose last bit differs between processors.
#[cfg(feature = "relaxed")]
#[target_feature(enable = "relaxed-simd")]
fn fused(of: f32) -> f32 {
    use core::arch::wasm32::{f32x4_extract_lane, f32x4_relaxed_madd, f32x4_splat};
    let (a, b) = (f32x4_splat(1.000_000_1), f32x4_splat(of));
    f32x4_extract_lane::<0>(f32x4_relaxed_madd(a, b, f32x4_splat(-of)))
}

#[cfg(feature = "relaxed")]
pub(crate) fn relaxed(of: f32) -> f64 {
    f64::from(fused(black_box(of)))
}

/// What memory holds in which nobody ever wrote, deeper down the guest's own stack than any other
/// call of it reaches.
#[inline(never)]
pub(crate) fn uninit() -> i64 {
    let frame = MaybeUninit::<[u16; 128 << 10]>::uninit();
    let first = black_box(&frame).as_ptr().cast::<u16>();
    // SAFETY: none; it lies within the frame and was never written, which is the misdeed.
    i64::from(unsafe { first.read_volatile() })
}
