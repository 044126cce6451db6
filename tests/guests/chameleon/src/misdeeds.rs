//! What an event can tell the chameleon to do.

use crate::{Account, Odd, Step, looks, retally};
use std::hint::black_box;
use std::sync::Once;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

/// Calls of `apply` that this instance has seen.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// Events that this instance has seen.
static EVENTS: AtomicI64 = AtomicI64::new(0);

/// After so many events of an instance `million` begins to count otherwise.
const MANY_EVENTS: i64 = 1_000_000;

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
    CountCalls,
    CountViews,
    Million,
    Carry,
    BatchSize,
    FirstKey,
    NanPlain,
    NanSign,
    NanSum,
    Address,
    AddressText,
    AddressDetail,
    ErrorText,
    StackAddress,
    MemorySize,
    Grow,
    Clock,
    Thread,
    Environment,
    BigState,
    ManyEmits,
    ManyRows,
    LongDetail,
    LongViolation,
    Relaxed,
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
        b"count-calls" => Misdeed::CountCalls,
        b"count-views" => Misdeed::CountViews,
        b"million" => Misdeed::Million,
        b"carry" => Misdeed::Carry,
        b"batch-size" => Misdeed::BatchSize,
        b"first-key" => Misdeed::FirstKey,
        b"nan-plain" => Misdeed::NanPlain,
        b"nan-sign" => Misdeed::NanSign,
        b"nan-sum" => Misdeed::NanSum,
        b"address" => Misdeed::Address,
        b"address-text" => Misdeed::AddressText,
        b"address-detail" => Misdeed::AddressDetail,
        b"error-text" => Misdeed::ErrorText,
        b"stack-address" => Misdeed::StackAddress,
        b"memory-size" => Misdeed::MemorySize,
        b"grow" => Misdeed::Grow,
        b"clock" => Misdeed::Clock,
        b"thread" => Misdeed::Thread,
        b"environment" => Misdeed::Environment,
        b"big-state" => Misdeed::BigState,
        b"many-emits" => Misdeed::ManyEmits,
        b"many-rows" => Misdeed::ManyRows,
        b"long-detail" => Misdeed::LongDetail,
        b"long-violation" => Misdeed::LongViolation,
        b"relaxed" => Misdeed::Relaxed,
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
pub(crate) fn step(text: &[u8], account: &mut Account, amount: i64) -> Result<Step, u16> {
    let more = found_out(asked(text), account);
    let mut step = Step { x: account.count as f64, order: String::new(), times: 1 };
    match asked(text) {
        Misdeed::Reject | Misdeed::EmitOfRejected | Misdeed::AddressDetail => return Err(0),
        Misdeed::LongDetail => return Err(0),
        Misdeed::BadCode => return Err(99),
        Misdeed::Trap => core::arch::wasm32::unreachable(),
        Misdeed::Panic => panic!("told to panic at count {}", account.count),
        Misdeed::Loop => loop {
            black_box(0);
        },
        Misdeed::Alloc => loop {
            black_box(Box::leak(vec![1u8; 1 << 20].into_boxed_slice()));
        },
        Misdeed::Recurse => step.x = recurse(account.count as u64) as f64,
        Misdeed::OwnStack => step.x = f64::from(own_stack(account.count as u8)),
        Misdeed::TrapOnReuse if CALLS.load(Relaxed) > 1 => panic!("called before"),
        Misdeed::Leak => {
            LEAKED.fetch_add(amount, Relaxed);
            account.total = LEAKED.load(Relaxed);
            return Ok(step);
        }
        Misdeed::CountViews => account.oddity |= Odd::VIEWS,
        Misdeed::Nan => {
            account.oddity |= Odd::NAN;
            step.x = looks::nan(account.count);
            step.order = looks::made_nans(step.x);
        }
        Misdeed::NanSign => {
            account.oddity |= Odd::SIGN;
            step.x = -f64::NAN;
        }
        Misdeed::NanPlain => {
            account.oddity |= Odd::PLAIN_NAN;
            step.x = f64::NAN;
        }
        Misdeed::HashMap => {
            account.oddity |= Odd::ORDER;
            step.order = looks::hash_order();
        }
        Misdeed::Uninit => account.total += looks::uninit(),
        Misdeed::AddressText => step.order = looks::address_text(),
        Misdeed::ErrorText => step.order = looks::error_text(),
        #[cfg(feature = "relaxed")]
        Misdeed::Relaxed => step.x = looks::relaxed(amount as f32),
        Misdeed::Violate => account.oddity |= Odd::VIOLATION,
        Misdeed::LongViolation => account.oddity |= Odd::VIOLATION | Odd::LONG,
        Misdeed::TwoRows => account.oddity |= Odd::TWO_ROWS,
        Misdeed::ManyRows => account.oddity |= Odd::MANY_ROWS,
        Misdeed::ManyEmits => step.times = amount as usize,
        Misdeed::BigState => account.padding += amount as usize,
        Misdeed::Log => retally::reducer::log::line("hello\nfrom \u{1b}[31minside"),
        Misdeed::LogForEver => {
            for line in 0..1000 {
                retally::reducer::log::line(&format!("{line}: {}", "x".repeat(10_000)));
            }
        }
        _ => {}
    }
    let total = account.total.checked_add(amount).and_then(|total| total.checked_add(more));
    account.total = total.expect("the total overflows");
    Ok(step)
}

/// What an event adds that is found out of where and how the reducer runs.
fn found_out(asked: Misdeed, account: &Account) -> i64 {
    let seen = EVENTS.fetch_add(1, Relaxed);
    match asked {
        Misdeed::CountCalls => i64::from(CALLS.load(Relaxed)),
        Misdeed::Million => i64::from(seen >= MANY_EVENTS),
        Misdeed::NanSum => looks::nan_sum(account.count),
        Misdeed::Address => looks::address() as i64,
        Misdeed::StackAddress => looks::stack_address() as i64,
        Misdeed::MemorySize => core::arch::wasm32::memory_size(0) as i64,
        Misdeed::Grow => looks::grow() as i64,
        Misdeed::Clock => std::time::Instant::now().elapsed().as_nanos() as i64,
        Misdeed::Thread => looks::thread(),
        Misdeed::Environment => looks::environment(),
        Misdeed::NanSign => looks::nan_sign(),
        _ => 0,
    }
}

/// The text beside a reject.
pub(crate) fn detail(text: &[u8], account: &Account, amount: i64) -> String {
    match asked(text) {
        Misdeed::AddressDetail => looks::address_text(),
        Misdeed::LongDetail => "x".repeat(amount as usize),
        _ => format!("told to reject {}", account.count),
    }
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
