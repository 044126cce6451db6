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

/// Kinds of emit, so that a kind's number in a record is a byte.
pub const EMIT_KINDS_MAX: usize = 64;

/// Bytes of a declared name: it becomes the name of a column or of a folder.
pub const NAME_MAX_BYTES: usize = 64;

/// Bytes of a reducer's version.
pub const VERSION_MAX_BYTES: usize = 64;

/// Paths of one field: each is looked for in every event until one is there.
pub const PATHS_MAX: usize = 16;

/// Bytes of one path.
pub const PATH_MAX_BYTES: usize = 1024;

/// Conditions of one input, all of which are tried on every event.
pub const CONDITIONS_MAX: usize = 16;

/// Values that one condition takes, which are compared one after another.
pub const CONDITION_VALUES_MAX: usize = 1024;

/// Parts of a key, and fields of a row key.
pub const KEY_PARTS_MAX: usize = 16;

/// Declared codes of rejects, and of violations: each may be a line of a report.
pub const CODES_MAX: usize = 1024;

/// Bytes of what a code says: a sentence.
pub const SAYS_MAX_BYTES: usize = 1024;

/// Bytes of a state's layout, which stands in every snapshot: a thousand fields have about 32 KiB.
pub const LAYOUT_MAX_BYTES: usize = 256 << 10;

/// Older versions of a state that a reducer can take over.
pub const MIGRATES_MAX: usize = 256;

/// Bytes of all texts that a reducer declares: most of it stands in every manifest.
pub const DESCRIPTION_MAX_BYTES: usize = 1 << 20;

/// Digits after the point: 10^18 is the largest power of ten that fits an `s64`.
pub const DECIMAL_SCALE_MAX: u8 = 18;

/// Dates, in days since 1970: the years 1 to 9999, which are what RFC 3339 and SQL can write and
/// Python, Spark, DuckDB and Arrow all read. (Nanoseconds in 64 bits, as older pandas has them,
/// reach from 1677 to 2262 only; files hold days and microseconds.)
pub const DATES_DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// Timestamps that a reducer may give, in microseconds since 1970: the same years. (Times of events
/// are kept within 1970 to 2200 where they are read.)
pub const TIMESTAMPS_MICROS: std::ops::RangeInclusive<i64> =
    *DATES_DAYS.start() as i64 * DAY_MICROS..=(*DATES_DAYS.end() as i64 + 1) * DAY_MICROS - 1;

const DAY_MICROS: i64 = 86_400_000_000;

/// Events whose outcomes form one leaf of a partition's outcome tree.
pub const OUTCOME_LEAF_EVENTS: u64 = 1024;

/// Keys after which a leaf of the view and state trees ends at the latest.
pub const KEY_LEAF_MAX_KEYS: u32 = 4096;

/// Memory of an id that is remembered for ever.
pub const ID_MAX_BYTES: usize = 40;

/// Free text beside a code (detail of a reject or violation) is cut to this.
pub const DETAIL_MAX_BYTES: usize = 1024;

/// Records of one kind that an event may give, of a reducer that is not trusted: a payout to each
/// of a customer's positions has some hundred.
pub const EVENT_EMITS_MAX: u64 = 10_000;

/// Rows of the view of one key, and violations, of a reducer that is not trusted: positions and
/// days of a year have some thousand.
pub const KEY_ROWS_MAX: u64 = 100_000;

/// Bytes of texts in these records, and in these rows: a thousand for each is much.
pub const GIVEN_TEXTS_MAX_BYTES: u64 = 16 << 20;

/// Free text beside a code, of a reducer that is not trusted. What is longer than
/// [`DETAIL_MAX_BYTES`] is cut, so that a message with a whole line in it may pass.
pub const DETAIL_GIVEN_MAX_BYTES: u64 = 64 << 10;

/// State of one key, of a reducer that is not trusted: it is copied with every call that touches
/// the key, so an honest one that large is slow long before.
pub const KEY_STATE_MAX_BYTES: u64 = 16 << 20;

/// Shards of a run unless a test says otherwise: enough for the threads of a large machine, few
/// enough that a shard's share of a batch is worth a call.
pub const SHARDS: usize = 32;

/// Keys whose views are asked for in one call: what a call returns must fit into an instance.
pub const CALL_KEYS_MAX: usize = 4_096;

/// States that are handed over in one call for views, in bytes, but for a single larger one: a call
/// is a copy of them in the host and another in the guest.
pub const CALL_STATES_BYTES: usize = 32 << 20;

/// Of a malformed value so much is shown to a person.
pub(crate) const SHOWN_MAX_BYTES: usize = 200;

/// Digits behind the point of an exact number that a person writes: more than any scale has.
pub(crate) const EXACT_SCALE_MAX: u8 = 36;

/// The table of a block of lines: what is written while scanning is read again before it leaves the
/// nearest cache.
pub(crate) const LINE_TABLE_BYTES: usize = 48 << 10;

/// Lines of a block, whatever is declared: fewer would be loops that hardly turn, more would not be
/// at hand any more. An event's row in a block is a `u16`.
pub(crate) const BLOCK_LINES: std::ops::RangeInclusive<usize> = 16..=512;

/// Rows of a block of a table, so that what is read twice is still at hand.
pub(crate) const BLOCK_ROWS: usize = 1024;

/// Edges of the tree of remembered shapes of lines: a few hundred kilobytes. Ordinary logs need
/// some dozens.
pub(crate) const SHAPES_MAX_EDGES: usize = 4096;

/// Values of a line whose shape is remembered; longer ones seldom have the shape of another.
pub(crate) const SHAPE_MAX_VALUES: usize = 256;

/// Bytes between two values of a line whose shape is remembered.
pub(crate) const SHAPE_GLUE_MAX_BYTES: usize = 1024;

/// Ways on from one place of the tree of shapes: they are tried one after another.
pub(crate) const SHAPE_MAX_WAYS: usize = 16;

/// Words in use of a hundred in an index of ids, at most: then few buckets are full, and most
/// look-ups end in their home bucket.
pub(crate) const ID_INDEX_FULL_PERCENT: usize = 75;

/// Ids of a span that are kept before looking for forgotten ones is worth its while.
pub(crate) const TIDY_FROM_IDS: usize = 4096;

/// Bytes that are gathered before they go through a digest.
pub(crate) const DIGEST_BUFFER_BYTES: usize = 4096;

const _: () = assert!(INPUTS_MAX < u8::MAX as usize);
const _: () = assert!(EMIT_KINDS_MAX < u8::MAX as usize);
const _: () = assert!(CODES_MAX <= u16::MAX as usize && FIELDS_MAX <= u16::MAX as usize);
const _: () = assert!(LAYOUT_MAX_BYTES < DESCRIPTION_MAX_BYTES);
const _: () = assert!(LINE_KEPT_BYTES < LINE_MAX_BYTES);
const _: () = assert!(10i64.checked_pow(DECIMAL_SCALE_MAX as u32).is_some());
const _: () = assert!(DETAIL_MAX_BYTES < LINE_KEPT_BYTES && SHOWN_MAX_BYTES < DETAIL_MAX_BYTES);
const _: () = assert!(DETAIL_MAX_BYTES as u64 <= DETAIL_GIVEN_MAX_BYTES);
const _: () = assert!(DECIMAL_SCALE_MAX <= EXACT_SCALE_MAX);
const _: () = assert!(*BLOCK_LINES.start() <= *BLOCK_LINES.end());
const _: () = assert!(*BLOCK_LINES.end() <= u16::MAX as usize && BLOCK_ROWS <= u16::MAX as usize);
const _: () = assert!(SHAPE_MAX_VALUES < SHAPES_MAX_EDGES);
const _: () = assert!(ID_INDEX_FULL_PERCENT < 100);
// A shard is chosen by 16 bits of a key's hash.
const _: () = assert!(0 < SHARDS && SHARDS <= 1 << 16);
const _: () = assert!(CALL_KEYS_MAX <= u32::MAX as usize && KEY_LEAF_MAX_KEYS as usize <= 1 << 16);
