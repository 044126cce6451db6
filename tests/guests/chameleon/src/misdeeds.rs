//! What an event can tell the chameleon to do.

use crate::{Account, ODD_NAN, ODD_ORDER, ODD_ROWS, ODD_VIOLATION, retally};
use std::collections::HashMap;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::Once;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

/// Calls of `apply` that this instance has seen.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// What `leak` keeps from key to key.
static LEAKED: AtomicI64 = AtomicI64::new(0);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misdeed {
    None,
    Reject,
    BadCode,
    Trap,
    Panic,
    Loop,
    Alloc,
    Recurse,
    OwnStack,
    FewStates,
    ShortColumn,
    RowsOutOfOrder,
    NotUtf8,
    EmitOfRejected,
    TrapOnReuse,
    Leak,
    Nan,
    HashMap,
    Violate,
    TwoRows,
    Log,
    LogForEver,
    Peek,
    Watched,
    Uninit,
}

/// What the text of `/do` asks for; what is not known is nothing special.
pub(crate) fn asked(text: &[u8]) -> Misdeed {
    match text {
        b"reject" => Misdeed::Reject,
        b"bad-code" => Misdeed::BadCode,
        b"trap" => Misdeed::Trap,
        b"panic" => Misdeed::Panic,
        b"loop" => Misdeed::Loop,
        b"alloc" => Misdeed::Alloc,
        b"recurse" => Misdeed::Recurse,
        b"own-stack" => Misdeed::OwnStack,
        b"few-states" => Misdeed::FewStates,
        b"short-column" => Misdeed::ShortColumn,
        b"rows-out-of-order" => Misdeed::RowsOutOfOrder,
        b"not-utf8" => Misdeed::NotUtf8,
        b"emit-of-rejected" => Misdeed::EmitOfRejected,
        b"trap-on-reuse" => Misdeed::TrapOnReuse,
        b"leak" => Misdeed::Leak,
        b"nan" => Misdeed::Nan,
        b"hashmap" => Misdeed::HashMap,
        b"violate" => Misdeed::Violate,
        b"two-rows" => Misdeed::TwoRows,
        b"log" => Misdeed::Log,
        b"log-for-ever" => Misdeed::LogForEver,
        b"peek" => Misdeed::Peek,
        b"watched" => Misdeed::Watched,
        b"uninit" => Misdeed::Uninit,
        _ => Misdeed::None,
    }
}

/// `apply` was called: counts, and lets a panic say why, as the SDK does.
pub(crate) fn called() {
    CALLS.fetch_add(1, Relaxed);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let text = info.payload_as_str().unwrap_or("no message");
            let place = info.location().map(|l| format!("{}:{}", l.file(), l.line()));
            let place = place.unwrap_or_default();
            retally::reducer::log::line(&format!("panic: {text} at {place}"));
        }));
    });
}

/// Folds one event; returns what the emit shall hold, or the code of a reject.
pub(crate) fn step(text: &[u8], account: &mut Account, amount: i64) -> Result<(f64, String), u16> {
    let mut x = account.count as f64;
    let mut order = String::new();
    match asked(text) {
        Misdeed::Reject | Misdeed::EmitOfRejected => return Err(0),
        Misdeed::BadCode => return Err(99),
        Misdeed::Trap => core::arch::wasm32::unreachable(),
        Misdeed::Panic => panic!("told to panic at count {}", account.count),
        Misdeed::Loop => loop {
            black_box(0);
        },
        Misdeed::Alloc => loop {
            black_box(Box::leak(vec![1u8; 1 << 20].into_boxed_slice()));
        },
        Misdeed::Recurse => x = recurse(account.count as u64) as f64,
        Misdeed::OwnStack => x = f64::from(own_stack(account.count as u8)),
        Misdeed::TrapOnReuse if CALLS.load(Relaxed) > 1 => panic!("called before"),
        Misdeed::Leak => {
            LEAKED.fetch_add(amount, Relaxed);
            account.total = LEAKED.load(Relaxed);
            return Ok((x, order));
        }
        Misdeed::Nan => {
            account.oddity |= ODD_NAN;
            x = nan(account.count);
            order = made_nans(x);
        }
        Misdeed::HashMap => {
            account.oddity |= ODD_ORDER;
            order = hash_order();
        }
        Misdeed::Uninit => account.total += uninit(),
        Misdeed::Violate => account.oddity |= ODD_VIOLATION,
        Misdeed::TwoRows => account.oddity |= ODD_ROWS,
        Misdeed::Log => retally::reducer::log::line("hello\nfrom \u{1b}[31minside"),
        Misdeed::LogForEver => {
            for line in 0..1000 {
                retally::reducer::log::line(&format!("{line}: {}", "x".repeat(10_000)));
            }
        }
        _ => {}
    }
    account.total = account.total.checked_add(amount).expect("the total overflows");
    Ok((x, order))
}

/// Without end, in frames that lie on the engine's stack alone. The sum after the call keeps the
/// compiler from making a loop of it.
#[inline(never)]
fn recurse(n: u64) -> u64 {
    if black_box(n) == u64::MAX {
        return 0;
    }
    recurse(n + 1).wrapping_mul(31) ^ n
}

/// Without end, in frames that lie on the guest's own stack, in its memory.
#[inline(never)]
fn own_stack(n: u8) -> u8 {
    let frame = black_box([n; 16 << 10]);
    if frame.is_empty() {
        return n;
    }
    own_stack(frame[7].wrapping_add(1)).wrapping_add(frame[9])
}

/// What memory holds in which nobody ever wrote, deeper down the guest's own stack than any other
/// call of it reaches.
#[inline(never)]
fn uninit() -> i64 {
    let frame = MaybeUninit::<[u16; 128 << 10]>::uninit();
    let first = black_box(&frame).as_ptr().cast::<u16>();
    // SAFETY: none; it lies within the frame and was never written, which is the misdeed.
    i64::from(unsafe { first.read_volatile() })
}

/// A NaN with payload bits.
pub(crate) fn nan(payload: i64) -> f64 {
    f64::from_bits(0xfff4_0000_0000_0000 | (payload as u64 & 0xffff) | 1)
}

/// The bits of what calculations make that have no answer, or a NaN for one of their numbers: a
/// reducer that looks at them sees what its host makes of them.
fn made_nans(nan: f64) -> String {
    let [zero, infinity, nan] = black_box([0.0, f64::INFINITY, nan]);
    let made = [zero / zero, infinity - infinity, infinity * zero, nan + 1.0, 1.0 - nan];
    made.map(|made| format!("{:x}", made.to_bits())).join(",")
}

/// The iteration order of a hash map: the same in fresh instances, another after reuse.
pub(crate) fn hash_order() -> String {
    let map: HashMap<String, u32> = (0..12).map(|i| (format!("k{i}"), i)).collect();
    let keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.join(",")
}
