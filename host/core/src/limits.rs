//! Every bound of the core in one place, each with its unit (last in the name) and its reason.

/// A line longer than this is malformed (`line-too-long`): RFC 8259 allows limits, and one line
/// must never decide how much memory a run takes.
pub const LINE_MAX_BYTES: usize = 64 << 20;

/// How much of a line that is too long is kept among the refused, so that a person can recognise
/// it.
pub const LINE_KEPT_BYTES: usize = 64 << 10;

/// Objects and arrays nested deeper than this make a line malformed (`too-deep`).
pub const JSON_DEPTH_MAX: usize = 128;

/// A reducer's inputs, and so the width of the input number of an event (`u8`, 255 means "none").
pub const INPUTS_MAX: usize = 64;

/// Fields of one input, emit kind, view or params.
pub const FIELDS_MAX: usize = 1024;

/// Digits after the point: 10^18 is the largest power of ten that fits an `s64`.
pub const DECIMAL_SCALE_MAX: u8 = 18;

/// Events whose outcomes form one leaf of a partition's outcome tree.
pub const OUTCOME_LEAF_EVENTS: u64 = 1024;

/// Keys after which a leaf of the view and state trees ends at the latest.
pub const KEY_LEAF_MAX_KEYS: u32 = 4096;

/// Memory of an id that is remembered for ever.
pub const ID_MAX_BYTES: usize = 40;

/// Free text beside a code (detail of a reject or violation) is cut to this.
pub const DETAIL_MAX_BYTES: usize = 1024;

/// Keys whose views are asked for in one call: what a call returns must fit into an instance.
pub const CALL_KEYS_MAX: usize = 4_096;

/// Values of a field that may have totals of their own in one `[[expect]]`: a currency or a branch,
/// never something like a key.
pub const EXPECT_GROUPS_MAX: usize = 65_536;

const _: () = assert!(INPUTS_MAX < u8::MAX as usize);
const _: () = assert!(LINE_KEPT_BYTES < LINE_MAX_BYTES);
const _: () = assert!(10i64.checked_pow(DECIMAL_SCALE_MAX as u32).is_some());
