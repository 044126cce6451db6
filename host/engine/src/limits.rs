//! Every bound of the engine in one place, each with its unit (last in the name) and its reason.

use retally_core::limits::LINE_MAX_BYTES;
use std::time::Duration;

/// Events of a slab: what one decode task takes.
pub const SLAB_EVENTS: usize = 8192;

/// Slabs of a batch: a log of many small objects has a slab for each.
pub(crate) const BATCH_SLABS: u64 = 2048;

/// Text of a batch, in bytes, after which it ends: events with long lines are many bytes.
pub(crate) const BATCH_BYTES: usize = 128 << 20;

/// What is kept of a partition: its object's names and hash, its place in the sequence, the open
/// leaf of its tree, its entry in the manifest (`tests/tests/bad_input.rs`).
pub(crate) const PARTITION_BYTES: usize = 4 << 10;

/// Bytes of a job file: one that somebody wrote has some thousand.
pub const JOB_MAX_BYTES: u64 = 4 << 20;

/// Bytes of a file of expectations, each of which a person gave a reason.
pub const EXPECTATIONS_MAX_BYTES: u64 = 16 << 20;

/// Bytes of a note or of a key: what somebody writes by hand, or a tool makes of a line.
pub const TEXT_MAX_BYTES: u64 = 1 << 20;

/// Bytes of a ledger: about a million decisions.
pub const LEDGER_MAX_BYTES: u64 = 256 << 20;

/// Bytes of a file of keys, which are kept in memory and in the manifest.
pub const KEYS_FILE_MAX_BYTES: u64 = 1 << 30;

/// Bytes of a file of known results, all of which are kept in memory while they are compared.
pub const KNOWN_MAX_BYTES: u64 = 1 << 30;

/// Bytes of a manifest, which has some hundred for each object and partition of a log.
pub const MANIFEST_MAX_BYTES: u64 = 2 << 30;

/// Bytes that are fetched ahead of a topic, shared out among its partitions.
pub const KAFKA_AHEAD_BYTES: usize = 16 << 20;

/// Offsets in front of where a topic's partition was taken up to, whose records tell it again.
pub const KAFKA_TAIL: u64 = 16;

/// Brokers of Kafka that tell nothing of a topic for so long are not there.
pub const KAFKA_OPENED_WITHIN: Duration = Duration::from_secs(15);

/// A transaction that is open for so long is waited for no longer by whoever has to see its end.
pub const KAFKA_SETTLED_WITHIN: Duration = Duration::from_secs(180);

/// Brokers that are all gone for so long are waited for no longer.
pub const KAFKA_SILENCE: Duration = Duration::from_secs(60);

/// Sums of an audit for each topic: records that differ are looked for among those of a sum alone.
pub const AUDIT_SUMS: usize = 8192;

/// Bytes of records that an audit holds to name those that differ.
pub const AUDIT_HELD_BYTES: u64 = 64 << 20;

/// Findings of each sort that an audit names in each topic.
pub const AUDIT_NAMED: usize = 10;

/// Views, and records out of order, among which those are chosen that an audit names.
pub const AUDIT_CHOSEN_FROM: usize = 1000;

/// A partition of live work saves a snapshot at least so often, if there is anything new.
pub const LIVE_SNAPSHOT_EVERY: Duration = Duration::from_secs(300);

/// Live work waits for something to happen at most so long before it looks around.
pub const LIVE_WAIT: Duration = Duration::from_millis(50);

/// Brokers that are all gone for so long are told of; live work waits for them all the same.
pub const LIVE_AWAY: Duration = Duration::from_secs(3);

/// Live work that is asked to finish while brokers are away waits for them so long.
pub const LIVE_FAREWELL: Duration = Duration::from_secs(10);

/// A transaction whose end is not told for so long is settled by another producer.
pub const LIVE_STUCK: Duration = Duration::from_secs(45);

/// Bytes that are fetched ahead of each partition of live work.
pub const LIVE_AHEAD_BYTES: usize = 4 << 20;

/// Bytes that wait to be published after which a transaction begins, however short the time.
pub const LIVE_BATCH_BYTES: usize = 8 << 20;

/// Bytes of a slab, unless one line alone is longer: bounds the memory of a reader.
pub const SLAB_BYTES: usize = 4 << 20;

/// Bytes that a reader of lines asks for at a time: as many as stay in a core's cache until lines
/// are found in them.
pub const CHUNK_BYTES: usize = 128 << 10;

/// Bytes that are asked for at least, however small what is read: its last line may be long.
pub(crate) const CHUNK_MIN_BYTES: usize = 4 << 10;

/// A plain object longer than this is read in several parts. Parts of one object that are read at
/// the same time cost a second reading for its fingerprint, and lines are found far faster than
/// they are decoded; so only large objects gain.
pub const SPLIT_BYTES: u64 = 256 << 20;

/// Room that is made for ids before they come, at most, in bytes: a log that foretells more events
/// than it has must not fill a memory that nobody bounded.
pub(crate) const FORETOLD_IDS_BYTES: usize = 4 << 30;

/// Times as many events as were read are foretold of a log at most. Where lines are longer later,
/// or do not compress as well, more would be far from the truth; and a table that is made anew
/// after 64 times as many ids costs next to nothing an id.
pub(crate) const FORETOLD_TIMES: u128 = 64;

/// Bytes at the beginning and at the end of what was taken of an object by which it is known again
/// where its store has no word for its version.
pub(crate) const EDGE_BYTES: u64 = 64 << 10;

/// Compressed bytes that a decompressor is handed at a time.
pub(crate) const COMPRESSED_CHUNK_BYTES: usize = 128 << 10;

/// Small row groups are read together until a part has this many stored bytes.
pub(crate) const PART_BYTES: u64 = 64 << 20;

/// Bytes of a Parquet file that are read at a time, unless more are asked for.
pub(crate) const WINDOW_BYTES: u64 = 256 << 10;

/// Windows kept beyond one per column.
pub(crate) const SPARE_WINDOWS: usize = 2;

/// Bytes of the header of an Avro file: its schema, and what its writer noted.
pub(crate) const AVRO_HEADER_MAX_BYTES: u64 = 16 << 20;

/// Bytes of a block of an Avro file, as stored and unpacked: it is held as a whole. Writers make
/// them of some ten to some thousand kilobytes.
pub(crate) const AVRO_BLOCK_MAX_BYTES: usize = 256 << 20;

/// What one Avro record may become in columns, beyond its own bytes: one byte may stand for a long
/// name, or for a record of nulls.
pub(crate) const AVRO_RECORD_MAX_BYTES: usize = 256 << 20;

/// Columns of an Avro file, those inside of others too: types that name each other may mean far
/// more of them than the schema has words.
pub(crate) const AVRO_COLUMNS_MAX: usize = 1 << 16;

/// How deep the types of an Avro file may lie in each other: as deep as a line of JSON may go.
pub(crate) const AVRO_DEPTH_MAX: usize = 128;

/// Text that was read and waits for its turn, in bytes: enough to keep the threads busy.
pub(crate) const READ_AHEAD_BYTES: usize = 24 << 20;

/// Partitions that order "time" merges: of each a slab is held, decoded.
pub const MERGED_PARTITIONS_MAX: usize = 512;

/// What is decoded ahead of the merge of partitions by time, beyond a slab of each, in bytes.
pub(crate) const MERGED_AHEAD_BYTES: usize = 64 << 20;

/// Events that are held while they are sorted, in bytes, of all folders at one time; beyond it they
/// are written to files.
pub(crate) const SORTED_BYTES: usize = 512 << 20;

/// What of the memory that a run may hold events may take while they are sorted: one part of these.
pub(crate) const SORTED_SHARE: usize = 4;

/// Runs of sorted events that are merged at one time: each is a file that is open.
pub(crate) const SORT_MERGED_RUNS: usize = 32;

/// Events of a run that are read at once, at most.
pub(crate) const SORTED_CHUNK_ROWS: usize = 4096;

/// Of events that were sorted, where each came from: what is held of that before it is written.
pub(crate) const SORTED_PLACES_BYTES: usize = 16 << 20;

/// Parts that are read at one time, of those that come one after another.
pub(crate) const PARTS_AHEAD: usize = 4;

/// Slabs of a part that are searched ahead for the events of one key.
pub(crate) const SLABS_AHEAD: usize = 4;

/// What may wait to be written of the events that are put aside for later passes, of all portions
/// together.
pub(crate) const KEPT_BUFFERS_BYTES: usize = 8 << 20;

/// Portions of which events are put aside: each has two files that are open, and of more a process
/// may not have.
pub(crate) const KEPT_PORTIONS_MAX: usize = 256;

/// Bytes of such events that are read at once.
pub(crate) const KEPT_READ_BYTES: usize = 256 << 10;

/// Batches that are between reading and commit at one time.
pub(crate) const BATCHES_AHEAD: usize = 3;

/// Events of a batch unless told otherwise: enough for every shard to have a call's worth of them,
/// few enough that the batches on their way fit into tens of megabytes.
pub const BATCH_EVENTS: u64 = 131_072;

/// Threads of a run: far more than its shards and the parts that are read ahead can keep busy. Each
/// has a stack and an instance of every reducer.
pub const THREADS_MAX: usize = 256;

/// What is written to a file is handed to the operating system in pieces of this size.
pub(crate) const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// Pieces of an object of a store that are read ahead of whoever takes them,
pub(crate) const AHEAD_PIECES: usize = 16;

/// each of so many bytes at the most: together what one object holds of memory while it waits.
pub(crate) const AHEAD_PIECE_BYTES: usize = 64 << 10;

/// Objects of a store that are asked for before their turn: what they say on the way costs a run no
/// time then. So many of them hold 32 MiB at the most.
pub(crate) const AHEAD_OBJECTS: usize = 32;

/// Objects of a store of which something is asked at the same time: a footer, whether it is as it
/// was.
pub(crate) const ASKED_AT_ONCE: usize = 16;

/// Objects of a folder of a store from which on it is listed once more at the end of a run, rather
/// than each of them asked for.
pub(crate) const LISTED_MIN: usize = 16;

/// Objects that are finished at the same time, which of files is to be told by a disk that they are
/// safe.
pub(crate) const FINISHED_AT_ONCE: usize = 16;

/// A part of a multipart upload: S3 takes 5 MiB and more, and 10,000 parts, which is 80 GB.
pub(crate) const PART_UPLOADED_BYTES: usize = 8 << 20;

/// Bytes that the open row groups of all tables of a run directory that are written at one time may
/// have together. Each has its share, whatever the others have: where a group ends depends on its
/// own rows alone.
pub(crate) const RUN_HELD_MAX_BYTES: usize = 24 << 20;

/// The smallest share: smaller row groups would cost every reader.
pub(crate) const RUN_GROUP_MIN_BYTES: usize = 1 << 20;

/// Rows of a run directory that are handed to the writer of a file at a time, whatever the pieces
/// in which they come: its pages end where these do.
pub(crate) const RUN_CHUNK_ROWS: usize = 8192;

/// Bytes of texts and byte strings after which such a chunk ends early.
pub(crate) const RUN_CHUNK_BYTES: usize = 4 << 20;

/// Bytes of a file of a run directory that are handed over at a time to be hashed.
pub(crate) const RUN_HASHED_BYTES: usize = 64 << 10;

/// So many of these may wait.
pub(crate) const RUN_HASHED_AHEAD: usize = 32;

/// Rows of the small tables of a run directory that are gathered before they are written.
pub(crate) const RUN_GATHERED_ROWS: usize = 8192;

/// Original bytes of refused events that are gathered before they are written.
pub(crate) const RUN_GATHERED_BYTES: usize = 1 << 20;

/// Rows of a run directory that are read at a time.
pub(crate) const RUN_READ_ROWS: usize = 8192;

/// Files of a run that are hashed at one time.
pub(crate) const VERIFY_THREADS: usize = 4;

/// Keys that are given at a time where the results of some or all are shown.
pub(crate) const SHOWN_KEYS: usize = 1024;

/// Keys that are put into a tree at a time where a run is checked.
pub(crate) const CHECKED_KEYS: usize = 1024;

/// Keys whose places are held against the log at a time: the log is read once for so many.
pub(crate) const CHECKED_PLACES: usize = 1 << 20;

/// Events that are put into a tree at a time where a run is checked: a file may say that any number
/// of them came to one thing.
pub(crate) const CHECKED_EVENTS: u64 = 8192;

/// Rows of a snapshot that are handed to the writer at a time.
pub(crate) const SNAPSHOT_WRITTEN_ROWS: usize = 1 << 14;

/// Bytes of keys and states of one part of a snapshot, of many that are joined, that are held at a
/// time.
pub(crate) const RUN_PIECE_BYTES: usize = 1 << 20;

/// Rows of a snapshot that are read at a time.
pub(crate) const SNAPSHOT_READ_ROWS: usize = 1 << 16;

/// Keys of a snapshot that are read at a time: with their states they should lie near when they are
/// taken in.
pub(crate) const SNAPSHOT_READ_KEYS: usize = 1 << 13;

/// Bytes of a segment of ids that are read at once.
pub(crate) const PAST_READ_BYTES: u64 = 8 << 20;

/// Bytes of a segment that are read in vain rather than that a store is asked once more: about what
/// comes in the time that an answer takes.
pub(crate) const PAST_STORE_GAP_BYTES: u64 = 1 << 20;

/// Ids of a segment that is still joined with others to a larger one: what is joined is held in
/// memory meanwhile.
pub(crate) const SEGMENT_JOINED_MAX_IDS: u64 = 1 << 22;

/// Rows of a list of differences that are written at a time.
pub(crate) const DIFFERENCES_ROWS: usize = 8192;

/// Texts of such a batch beyond which it is written early: keys and values may be long.
pub(crate) const DIFFERENCES_BYTES: usize = 16 << 20;

/// Bytes that the open row group of a list of differences may hold.
pub(crate) const DIFFERENCES_HELD_MAX_BYTES: usize = 64 << 20;

// What is gathered and then written fits into what may be held.
const _: () = assert!(RUN_GATHERED_BYTES < RUN_HELD_MAX_BYTES);
const _: () = assert!(RUN_CHUNK_BYTES < RUN_HELD_MAX_BYTES);
const _: () = assert!(DIFFERENCES_BYTES < DIFFERENCES_HELD_MAX_BYTES);
// Ends of texts fit `i32`, which is what Arrow has, and a list of keys takes one more batch.
const _: () = assert!(DIFFERENCES_BYTES + LINE_MAX_BYTES < i32::MAX as usize);
// A reader that stops waiting for the end of a line holds at most this and one chunk: ends fit
// `u32`.
const _: () = assert!(LINE_MAX_BYTES + SLAB_BYTES < u32::MAX as usize);
// A line that may have to be cut lies in a slab of its own.
const _: () = assert!(LINE_MAX_BYTES > SLAB_BYTES);
const _: () = assert!(CHUNK_BYTES <= SLAB_BYTES);
// Ends of texts and items in a slab of Avro records fit `i32`.
const _: () =
    assert!(SLAB_BYTES + AVRO_BLOCK_MAX_BYTES + AVRO_RECORD_MAX_BYTES < i32::MAX as usize);
// Every part that is read ahead may have a slab that waits.
const _: () = assert!(READ_AHEAD_BYTES >= PARTS_AHEAD * SLAB_BYTES);
const _: () = assert!(BATCH_EVENTS >= SLAB_EVENTS as u64);
// An ordinary batch ends by its events.
const _: () = assert!(BATCH_SLABS > 16 * BATCH_EVENTS / SLAB_EVENTS as u64);
const _: () = assert!(BATCH_BYTES >= 1024 * BATCH_EVENTS as usize);
const _: () = assert!(PART_UPLOADED_BYTES >= 5 << 20);

/// Events of which a verification that found a difference keeps a hash, 16 bytes each, to name the
/// first that differs.
pub(crate) const PRINTED_EVENTS_MAX: usize = 1 << 24;

/// Keys of which it does, some 60 bytes each.
pub(crate) const PRINTED_KEYS_MAX: usize = 1 << 22;

/// Memory of the events of which a verification looks for the fewest that show a difference, in
/// bytes.
pub(crate) const SHRUNK_BYTES: usize = 512 << 20;

/// Events that are looked at first: most differences show in far fewer.
pub(crate) const SHRUNK_FIRST_EVENTS: u64 = 1 << 12;

/// No longer than this is a smaller log looked for: what was found by then is left.
pub(crate) const SHRUNK_WITHIN: Duration = Duration::from_secs(60);

/// Memory of what was decoded once for all replays of a verification, in bytes: two batches of
/// ordinary events take a fifth of it.
pub(crate) const DECODES_BYTES: usize = 256 << 20;
