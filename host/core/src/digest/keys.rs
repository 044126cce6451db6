//! The trees over keys in byte order: views, states, violations.
//!
//! ```text
//! view row       2 | key: bytes | number of rows: u32 | for each row the value of each field
//! state row      3 | key: bytes | events applied: u64 | state: bytes
//! violation row  4 | key: bytes | number: u32 | for each the code: text
//! row digest     SHA-256(row)
//! leaf           0x00 | row digests
//! ```
//!
//! (`bytes`: a length of 4 bytes, then the bytes.) A leaf ends behind a key for which
//! SHA-256("retally leaf" | key) begins with eight zero bits, or behind its 4,096th key: so a key
//! that comes or goes changes its own leaf and hardly ever another. Each tree holds only the keys
//! that have something in it: a key without view rows is not in the views, one without violations
//! not in the violations.

use super::canonical::{put_bytes, put_value};
use super::tree::{LEAF, Tree};
use super::{Canonical, Digests, Hash};
use crate::limits::KEY_LEAF_MAX_KEYS;
use crate::reduce::{Finals, Viewed, Violated};
use crate::schema::{Column, Description, Field, Spans};
use sha2::{Digest, Sha256};

const VIEW: u8 = 2;
const STATE: u8 = 3;
const VIOLATION: u8 = 4;

/// A leaf and the rows of its table that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Its hash.
    pub hash: Hash,
    /// Number of its first row in the table.
    pub first_row: u64,
    /// Its rows in the table: one per state, view row or violation.
    pub rows: u64,
    /// Its keys.
    pub keys: u64,
}

/// A finished tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedDigest {
    /// The digest: over shape, number of keys and tree hash.
    pub digest: Hash,
    /// Number of keys in the tree.
    pub keys: u64,
    /// Number of rows in its table.
    pub rows: u64,
    /// Its leaves.
    pub leaves: Vec<Leaf>,
}

/// The row of one key in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowDigest {
    /// SHA-256 of the row.
    pub hash: Hash,
    /// How many rows of the table it covers: states, view rows or violations.
    pub rows: u64,
}

/// A tree over the rows of keys.
#[derive(Debug)]
pub struct KeyTree {
    /// What stands in front of the number of keys.
    label: Canonical,
    tree: Tree,
    leaves: Vec<Leaf>,
    /// [`LEAF`], then the row digests of the open leaf.
    open: Vec<u8>,
    keys: u64,
    rows: u64,
    last: Option<Vec<u8>>,
}

impl KeyTree {
    /// An empty tree over keys and their view rows of `fields`: see [`view_rows`].
    pub fn views(fields: &[Field]) -> Self {
        Self::new(views_label(fields))
    }

    /// An empty tree over keys, their states, and how many events were applied to each: see
    /// [`state_rows`].
    pub fn states() -> Self {
        Self::new(states_label())
    }

    /// An empty tree over keys and the violations found in their states: see [`violation_rows`].
    pub fn violations() -> Self {
        Self::new(Canonical::new("retally violations v1"))
    }

    fn new(label: Canonical) -> Self {
        let (tree, leaves, open) = (Tree::default(), Vec::new(), Vec::new());
        Self { label, tree, leaves, open, keys: 0, rows: 0, last: None }
    }

    /// Appends the row of `key`, which must lie behind the last one.
    ///
    /// # Errors
    /// When it does not.
    pub fn append(&mut self, key: &[u8], row: RowDigest) -> Result<(), KeyTreeError> {
        self.put(key, row, ends_leaf(key))
    }

    /// The same of a key of which it is known whether it [ends a leaf](ends_leaf).
    fn put(&mut self, key: &[u8], row: RowDigest, ends_leaf: bool) -> Result<(), KeyTreeError> {
        let last = self.last.get_or_insert_default();
        if self.keys > 0 && last.as_slice() >= key {
            let [key, before] = [key, last.as_slice()].map(String::from_utf8_lossy);
            let text = format!("key {key:?} stands behind {before:?}, out of byte order");
            return Err(KeyTreeError(text));
        }
        last.clear();
        last.extend_from_slice(key);
        if self.open.is_empty() {
            self.open.push(LEAF);
        }
        self.open.extend_from_slice(&row.hash.0);
        self.keys += 1;
        self.rows += row.rows;
        if self.open.len() > 32 * KEY_LEAF_MAX_KEYS as usize || ends_leaf {
            self.close();
        }
        Ok(())
    }

    fn close(&mut self) {
        let hash = Hash::of(&self.open);
        let keys = (self.open.len() - 1) as u64 / 32;
        self.open.clear();
        let first_row = self.leaves.last().map_or(0, |leaf| leaf.first_row + leaf.rows);
        self.leaves.push(Leaf { hash, first_row, rows: self.rows - first_row, keys });
        self.tree.push(hash);
    }

    /// The digest and the leaves.
    pub fn finish(mut self) -> KeyedDigest {
        if !self.open.is_empty() {
            self.close();
        }
        let Self { mut label, tree, keys, rows, leaves, .. } = self;
        label.number(keys).hash(&tree.root());
        KeyedDigest { digest: label.finish(), keys, rows, leaves }
    }
}

fn views_label(fields: &[Field]) -> Canonical {
    let mut label = Canonical::new("retally views v1");
    label.shape(fields);
    label
}

fn states_label() -> Canonical {
    Canonical::new("retally states v1")
}

/// The digest of a tree from its leaves alone.
fn from_leaves(mut label: Canonical, leaves: &[Leaf]) -> Hash {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(leaf.hash));
    label.number(leaves.iter().map(|leaf| leaf.keys).sum()).hash(&tree.root());
    label.finish()
}

/// The views' digest from the leaves that a run keeps: what was read of them is what was written.
pub fn views_digest(fields: &[Field], leaves: &[Leaf]) -> Hash {
    from_leaves(views_label(fields), leaves)
}

/// The states' digest from the leaves.
pub fn states_digest(leaves: &[Leaf]) -> Hash {
    from_leaves(states_label(), leaves)
}

/// The bytes of rows, one after another in the same memory.
#[derive(Default)]
struct RowBytes(Vec<u8>);

impl RowBytes {
    fn begin(&mut self, tag: u8, key: &[u8]) -> &mut Vec<u8> {
        self.0.clear();
        self.0.push(tag);
        put_bytes(&mut self.0, key);
        &mut self.0
    }

    fn state(&mut self, key: &[u8], state: &[u8], applied: u64) -> RowDigest {
        let bytes = self.begin(STATE, key);
        bytes.extend_from_slice(&applied.to_le_bytes());
        put_bytes(bytes, state);
        self.end(1)
    }

    fn end(&self, rows: u64) -> RowDigest {
        RowDigest { hash: Hash::of(&self.0), rows }
    }
}

/// Hands the row of each key with view rows to `put`, key by key.
///
/// # Errors
/// When something does not fit, or `put` fails.
pub fn view_rows(
    fields: &[Field],
    keys: &Spans,
    viewed: &Viewed,
    mut put: impl FnMut(&[u8], RowDigest) -> Result<(), KeyTreeError>,
) -> Result<(), KeyTreeError> {
    let fits = viewed.columns.len() == fields.len()
        && (fields.iter().zip(&viewed.columns))
            .all(|(f, c)| c.values.is(f.kind) && c.len() == viewed.owners.len());
    if !fits {
        return Err(KeyTreeError::columns());
    }
    let mut row_bytes = RowBytes::default();
    let mut passed = vec![0; viewed.columns.len()];
    let mut start = 0;
    while let Some(&owner) = viewed.owners.get(start) {
        let rows = viewed.owners[start..].iter().take_while(|&&o| o == owner).count();
        let key = owned(keys, owner)?;
        let bytes = row_bytes.begin(VIEW, key);
        bytes.extend_from_slice(&(rows as u32).to_le_bytes());
        for row in start..start + rows {
            put_row(bytes, fields, &viewed.columns, row, &mut passed);
        }
        put(key, row_bytes.end(rows as u64))?;
        start += rows;
    }
    Ok(())
}

/// Hands the row of each key with a state to `put`, key by key.
///
/// # Errors
/// When the lists are of different length, or `put` fails.
pub fn state_rows(
    keys: &Spans,
    states: &Spans,
    applied: &[u64],
    mut put: impl FnMut(&[u8], RowDigest) -> Result<(), KeyTreeError>,
) -> Result<(), KeyTreeError> {
    if states.len() != keys.len() || applied.len() != keys.len() {
        return Err(KeyTreeError::columns());
    }
    let mut row_bytes = RowBytes::default();
    for ((key, state), applied) in keys.iter().zip(states.iter()).zip(applied) {
        put(key, row_bytes.state(key, state, *applied))?;
    }
    Ok(())
}

/// The row of a key with a state.
pub(super) fn state_row(key: &[u8], state: &[u8], applied: u64) -> Hash {
    RowBytes::default().state(key, state, applied).hash
}

/// Hands the row of each key with violations to `put`, key by key. `codes`: the declared ones.
///
/// # Errors
/// When a code or a key is unknown, or `put` fails.
pub fn violation_rows(
    codes: &[String],
    keys: &Spans,
    violated: &[Violated],
    mut put: impl FnMut(&[u8], RowDigest) -> Result<(), KeyTreeError>,
) -> Result<(), KeyTreeError> {
    for group in violated.chunk_by(|a, b| a.owner == b.owner) {
        let code = |violation: &Violated| {
            let number = violation.code;
            let unknown = || KeyTreeError(format!("violation code {number} is not declared"));
            codes.get(number as usize).map(String::as_str).ok_or_else(unknown)
        };
        let codes = group.iter().map(code).collect::<Result<Vec<_>, _>>()?;
        let key = owned(keys, group[0].owner)?;
        put(key, violation_row(key, &codes))?;
    }
    Ok(())
}

/// The row of a key with violations of these codes.
pub fn violation_row(key: &[u8], codes: &[&str]) -> RowDigest {
    let mut row_bytes = RowBytes::default();
    let bytes = row_bytes.begin(VIOLATION, key);
    bytes.extend_from_slice(&(codes.len() as u32).to_le_bytes());
    codes.iter().for_each(|code| put_bytes(bytes, code.as_bytes()));
    row_bytes.end(codes.len() as u64)
}

fn owned(keys: &Spans, owner: u32) -> Result<&[u8], KeyTreeError> {
    if owner as usize >= keys.len() {
        return Err(KeyTreeError(format!("a row belongs to key {owner} of {}", keys.len())));
    }
    Ok(keys.get(owner as usize))
}

/// Whether a leaf ends behind a key.
fn ends_leaf(key: &[u8]) -> bool {
    Sha256::new_with_prefix(b"retally leaf").chain_update(key).finalize()[0] == 0
}

fn put_row(
    bytes: &mut Vec<u8>,
    fields: &[Field],
    columns: &[Column],
    row: usize,
    passed: &mut [usize],
) {
    for ((field, column), passed) in fields.iter().zip(columns).zip(passed) {
        let missing = column.missing.get(*passed) == Some(&(row as u32));
        *passed += usize::from(missing);
        let value = (!missing).then(|| column.values.get(row));
        put_value(bytes, field.kind.scale(), value);
    }
}

/// The three trees of a run, fed together.
#[derive(Debug)]
pub struct Tables {
    /// Keys and their view rows.
    pub views: KeyTree,
    /// Keys and their states.
    pub states: KeyTree,
    /// Keys and their violations.
    pub violations: KeyTree,
    /// What a view row is made of.
    fields: Vec<Field>,
    /// The declared codes of violations in their order.
    codes: Vec<String>,
}

impl Tables {
    /// Empty trees for what a reducer declares.
    pub fn new(description: &Description) -> Self {
        let codes = description.violations.iter().map(|reason| reason.code.clone()).collect();
        Self::of(&description.view.fields, codes)
    }

    pub(super) fn of(fields: &[Field], codes: Vec<String>) -> Self {
        let (views, states) = (KeyTree::views(fields), KeyTree::states());
        let (violations, fields) = (KeyTree::violations(), fields.to_vec());
        Self { views, states, violations, fields, codes }
    }

    /// Appends keys, in byte order and behind those before.
    ///
    /// # Errors
    /// When something is out of order or does not fit; the trees are then of no use any more.
    pub fn add(&mut self, finals: &Finals) -> Result<(), KeyTreeError> {
        let Self { views, states, violations, fields, codes } = self;
        let Finals { keys, states: held, applied, viewed, violated, .. } = finals;
        // Both trees have leaves of the same keys.
        let ends: Vec<bool> = keys.iter().map(ends_leaf).collect();
        let mut own = ends.iter().copied();
        let mut next = |key: &[u8]| own.next().unwrap_or_else(|| ends_leaf(key));
        state_rows(keys, held, applied, |key, row| states.put(key, row, next(key)))?;
        let mut owners = viewed.owners.chunk_by(|a, b| a == b);
        let mut next = |key: &[u8]| {
            let known = owners.next().and_then(|same| ends.get(same[0] as usize));
            known.copied().unwrap_or_else(|| ends_leaf(key))
        };
        view_rows(fields, keys, viewed, |key, row| views.put(key, row, next(key)))?;
        violation_rows(codes, keys, violated, |key, row| violations.append(key, row))
    }

    /// The three trees, finished.
    pub fn finish(self) -> Trees {
        let Self { views, states, violations, .. } = self;
        Trees { views: views.finish(), states: states.finish(), violations: violations.finish() }
    }
}

/// The three trees of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trees {
    /// Keys and their view rows.
    pub views: KeyedDigest,
    /// Keys and their states.
    pub states: KeyedDigest,
    /// Keys and their violations.
    pub violations: KeyedDigest,
}

impl Trees {
    /// The digests of the run, given that of its outcomes.
    pub fn digests(&self, outcomes: Hash) -> Digests {
        Digests {
            outcomes,
            views: self.views.digest,
            states: self.states.digest,
            violations: self.violations.digest,
        }
    }
}

/// Keys or rows that do not fit together: a fault of whoever made them, or of a file. A fragment
/// that fits behind "the keys cannot be digested: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyTreeError(pub String);

impl KeyTreeError {
    fn columns() -> Self {
        Self("columns do not fit their declaration or each other".into())
    }
}
