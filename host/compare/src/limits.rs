//! Every bound of comparing in one place, each with its unit and its reason. None decides what is
//! equal or how much differs: all that is beyond a bound is counted, and what is cut says so.

/// Differing keys that are shown in each ranking, unless told otherwise.
pub const SHOWN_KEYS: usize = 100;

/// Fields by which keys are ranked: the first of the view.
pub const RANKINGS_MAX: usize = 32;

/// Rows of a key that are shown.
pub const ROWS_SHOWN: usize = 50;

/// Different transitions of a field that are counted one by one; those that come later are counted
/// together.
pub const TRANSITIONS_MAX: usize = 4096;

/// Transitions of a field that are listed.
pub const TRANSITIONS_LISTED: usize = 50;

/// Texts longer than this are no states to change between: they are counted with the others.
pub const TRANSITION_MAX_BYTES: usize = 128;

/// Groups that are kept apart; values that come later are one group together.
pub const GROUPS_MAX: usize = 10_000;

/// A sum of units beyond this ends the comparison, so that the difference of two sums never wraps.
pub const SUM_MAX: u128 = (1 << 126) - 1;

/// Buckets of event time that are held while first diverging events come in.
pub const BUCKETS_HELD: usize = 4096;

/// Buckets of event time, empty ones included, that are told at the end: what a chart can show.
pub const BUCKETS_TOLD: i64 = 500;

/// Inputs, or outcomes, that are known of a key: the bits of a number.
pub const FACTS_MAX: usize = 64;

/// Values of a field that are counted as conditions; a field with more is no condition but a name.
pub const CONDITION_VALUES_MAX: usize = 256;

/// Texts longer than this are no condition.
pub const CONDITION_MAX_BYTES: usize = 64;

/// Changes of outcome at the first diverging event that are counted.
pub const CHANGES_MAX: usize = 1024;

/// Conditions that are told.
pub const CONDITIONS_TOLD: usize = 20;

/// Findings of one gate that are told one by one.
pub const GATE_FINDINGS_MAX: usize = 20;

/// Unexpected differences that are kept to be shown.
pub const GATE_SAMPLES_MAX: usize = 20;

/// Values of a field that may have totals of their own in one `[[expect]]`: a currency or a branch,
/// never something like a key.
pub const EXPECT_GROUPS_MAX: usize = 65_536;

const _: () = assert!(FACTS_MAX == u64::BITS as usize);
const _: () = assert!(TRANSITIONS_LISTED <= TRANSITIONS_MAX);
const _: () = assert!(SUM_MAX <= i128::MAX as u128 / 2);
// A bucket that is told is held, even where every one of them has a key.
const _: () = assert!(BUCKETS_TOLD > 0 && BUCKETS_TOLD as usize <= BUCKETS_HELD);
const _: () = assert!(GATE_FINDINGS_MAX < EXPECT_GROUPS_MAX);
