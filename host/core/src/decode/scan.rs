//! The scanner: checks that a line is one JSON text (RFC 8259) as a whole and notes where the
//! declared values lie. It converts nothing.
//!
//! It is given UTF-8. It looks at every byte: a value that nobody reads is checked like any other.
//! What it learns of a line's shape it leaves behind as [`Trace`], of which [`super::shape`] makes
//! a shortcut.

use super::Code;
use super::bytes::{digits_end, plain_end};
use super::fault::Bad;
use super::plan::{NOWHERE, Node, Trie};
use super::table::{Row, Shape, Slot};
use crate::limits::JSON_DEPTH_MAX;

/// What a scan passed, in order.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Values that are no objects or arrays.
    pub(super) steps: Vec<Step>,
    /// Begins and ends of objects and arrays that somebody reads.
    pub(super) marks: Vec<Mark>,
    /// Declared names that stood twice in their object.
    pub(super) twice: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) node: Node,
    pub(super) quoted: bool,
}

/// The begin or end of an object or array that somebody reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Of its bracket.
    pub(super) at: u32,
    pub(super) node: Node,
    pub(super) shape: Shape,
    pub(super) begins: bool,
}

/// Memory of a scanner, kept between lines.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) trace: Trace,
    open: Vec<Open>,
    name: Vec<u8>,
}

/// An object or array that is not closed yet.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: Node,
    object: bool,
    /// Number of the element, in an array.
    index: u32,
}

/// Checks the line `bytes[start..end]` and notes its declared values in `row`.
pub(super) fn scan(
    trie: &Trie,
    bytes: &[u8],
    (start, end): (usize, usize),
    row: Row<'_>,
    scratch: &mut Scratch,
) -> Result<(), Bad> {
    scratch.open.clear();
    scratch.trace.steps.clear();
    scratch.trace.marks.clear();
    scratch.trace.twice.clear();
    let mut scan = Scan { trie, bytes: &bytes[..end], at: start, row, scratch };
    match scan.text() {
        Ok(()) => {
            scan.mark_twice();
            Ok(())
        }
        Err(code) => Err(Bad { code, at: (scan.at.min(end) - start) as u32 }),
    }
}

/// Checks texts of which nothing is read. What it takes is kept from text to text.
#[derive(Debug)]
pub(crate) struct JsonCheck {
    trie: Trie,
    scratch: Scratch,
}

impl JsonCheck {
    pub(crate) fn new() -> Self {
        Self { trie: Trie::new(), scratch: Scratch::default() }
    }

    /// Checks that `text`, which is UTF-8, is one JSON text. If not: why, and at which byte.
    pub(crate) fn check(&mut self, text: &[u8]) -> Result<(), (Code, u32)> {
        let row = Row { slots: &mut [], stamp: 1 };
        let scanned = scan(&self.trie, text, (0, text.len()), row, &mut self.scratch);
        scanned.map_err(|bad| (bad.code, bad.at))
    }
}

struct Scan<'a> {
    trie: &'a Trie,
    bytes: &'a [u8],
    at: usize,
    row: Row<'a>,
    scratch: &'a mut Scratch,
}

impl Scan<'_> {
    fn text(&mut self) -> Result<(), Code> {
        let mut node = 0;
        loop {
            if self.value(node)? {
                // An object or array begins, and not at once ends: its first value is next.
                node = self.first()?;
                continue;
            }
            match self.behind()? {
                Some(next) => node = next,
                None => return Ok(()),
            }
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Reads a value; for an object or array with content only its beginning, and says `true`.
    #[inline]
    fn value(&mut self, node: Node) -> Result<bool, Code> {
        self.space();
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                let escaped = self.string()?;
                let shape = if escaped { Shape::Escaped } else { Shape::Plain };
                self.note(node, start + 1, self.at - 1, shape);
            }
            Some(b'{') => return self.open(node, true),
            Some(b'[') => return self.open(node, false),
            Some(b'-' | b'0'..=b'9') => {
                let (end, shape) = number(self.bytes, start).map_err(|at| {
                    self.at = at;
                    Code::NotJson
                })?;
                self.at = end;
                self.note(node, start, end, shape);
            }
            _ => {
                let (word, shape) = match self.peek() {
                    Some(b't') => ("true", Shape::True),
                    Some(b'f') => ("false", Shape::False),
                    _ => ("null", Shape::Null),
                };
                if !self.bytes[start.min(self.bytes.len())..].starts_with(word.as_bytes()) {
                    return Err(Code::NotJson);
                }
                self.at += word.len();
                self.note(node, start, self.at, shape);
            }
        }
        Ok(false)
    }

    fn open(&mut self, node: Node, object: bool) -> Result<bool, Code> {
        if self.scratch.open.len() == JSON_DEPTH_MAX {
            return Err(Code::TooDeep);
        }
        let shape = if object { Shape::Object } else { Shape::Array };
        self.put(node, self.at, self.at, shape);
        self.mark(node, shape, true);
        self.at += 1;
        self.space();
        self.scratch.open.push(Open { node, object, index: 0 });
        if self.peek() == Some(if object { b'}' } else { b']' }) {
            self.close();
            return Ok(false);
        }
        Ok(true)
    }

    fn close(&mut self) {
        if let Some(open) = self.scratch.open.pop() {
            let shape = if open.object { Shape::Object } else { Shape::Array };
            self.mark(open.node, shape, false);
            if let Some(slot) = self.row.slots.get_mut(open.node as usize) {
                slot.end = self.at as u32 + 1;
            }
        }
        self.at += 1;
    }

    /// The node of the first value inside the object or array that was opened last.
    fn first(&mut self) -> Result<Node, Code> {
        match self.scratch.open.last() {
            Some(&Open { node, object: true, .. }) => self.name(node),
            Some(&Open { node, .. }) => Ok(self.element(node, 0)),
            None => Ok(NOWHERE),
        }
    }

    /// Reads what stands behind a value: the node of the next one, or none at the end of the text.
    #[inline]
    fn behind(&mut self) -> Result<Option<Node>, Code> {
        loop {
            self.space();
            let Some(open) = self.scratch.open.last_mut() else {
                return if self.at == self.bytes.len() { Ok(None) } else { Err(Code::NotJson) };
            };
            let (node, object) = (open.node, open.object);
            match self.bytes.get(self.at) {
                Some(b',') => {
                    open.index += 1;
                    let index = open.index;
                    self.at += 1;
                    if object {
                        self.space();
                        return self.name(node).map(Some);
                    }
                    return Ok(Some(self.element(node, index)));
                }
                Some(b'}') if object => self.close(),
                Some(b']') if !object => self.close(),
                _ => return Err(Code::NotJson),
            }
        }
    }

    /// Reads a member's name and the colon: the member's node.
    #[inline]
    fn name(&mut self, object: Node) -> Result<Node, Code> {
        if self.peek() != Some(b'"') {
            return Err(Code::NotJson);
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let name = start..self.at - 1;
        self.space();
        if self.peek() != Some(b':') {
            return Err(Code::NotJson);
        }
        self.at += 1;
        if object == NOWHERE {
            return Ok(NOWHERE);
        }
        let mut name = &self.bytes[name];
        if escaped {
            self.scratch.name.clear();
            unescape(name, &mut self.scratch.name);
            name = &self.scratch.name;
        }
        Ok(self.trie.child(object, name))
    }

    fn element(&self, array: Node, index: u32) -> Node {
        if array == NOWHERE { NOWHERE } else { self.trie.element(array, index) }
    }

    /// Reads a string from its opening quote to behind its closing one; whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Code> {
        self.at = plain_end(self.bytes, self.at + 1);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(false);
        }
        match string_end(self.bytes, self.at) {
            Ok(end) => self.at = end + 1,
            Err(at) => {
                self.at = at;
                return Err(Code::NotJson);
            }
        }
        Ok(true)
    }

    #[inline]
    fn note(&mut self, node: Node, start: usize, end: usize, shape: Shape) {
        let quoted = matches!(shape, Shape::Plain | Shape::Escaped);
        let step = Step { start: start as u32, end: end as u32, node, quoted };
        self.scratch.trace.steps.push(step);
        self.put(node, start, end, shape);
    }

    #[inline]
    fn put(&mut self, node: Node, start: usize, end: usize, shape: Shape) {
        let stamp = self.row.stamp;
        if let Some(slot) = self.row.slots.get_mut(node as usize) {
            if slot.is_of(stamp) {
                self.scratch.trace.twice.push(node);
            }
            *slot = Slot::new(start, end, shape, stamp);
        }
    }

    fn mark(&mut self, node: Node, shape: Shape, begins: bool) {
        if node != NOWHERE && self.trie.is_read(node) {
            let at = self.at as u32;
            self.scratch.trace.marks.push(Mark { at, node, shape, begins });
        }
    }

    /// Whoever reads through a name that stands twice must see that, whichever value came last.
    fn mark_twice(&mut self) {
        for &node in &self.scratch.trace.twice {
            for node in self.trie.below(node) {
                let slot = &mut self.row.slots[node as usize];
                let old = *slot;
                *slot = Slot::new(0, 0, Shape::Twice, self.row.stamp);
                if old.is_of(self.row.stamp) {
                    (slot.start, slot.end) = (old.start, old.end);
                }
            }
        }
    }
}

/// The end of the number that begins at `at`, and whether it is of digits only; else where it
/// breaks.
#[inline]
pub(super) fn number(bytes: &[u8], mut at: usize) -> Result<(usize, Shape), usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    let end = digits_end(bytes, at);
    if end == at {
        return Err(at);
    }
    if bytes[at] == b'0' && end - at > 1 {
        return Err(at + 1);
    }
    match bytes.get(end) {
        Some(b'.' | b'e' | b'E') => Ok((fraction(bytes, end)?, Shape::Number)),
        _ => Ok((end, Shape::Digits)),
    }
}

/// The end of the fraction and exponent at `at`.
fn fraction(bytes: &[u8], mut at: usize) -> Result<usize, usize> {
    let digits = |at: usize| match digits_end(bytes, at) {
        end if end > at => Ok(end),
        _ => Err(at),
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(at)?;
    }
    Ok(at)
}

/// The closing quote of the string whose content goes on at `at`, with escapes; else where it
/// breaks.
#[cold]
pub(super) fn string_end(bytes: &[u8], mut at: usize) -> Result<usize, usize> {
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok(at),
            Some(b'\\') => at = escape_end(bytes, at)?,
            _ => return Err(at),
        }
    }
}

/// The end of the escape that begins at `at`. A surrogate counts only with its partner.
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match hex(bytes, at + 2).ok_or(at)? {
            0xd800..=0xdbff => {
                let pair = bytes.get(at + 6..at + 8) == Some(b"\\u");
                let low = hex(bytes, at + 8).filter(|_| pair).ok_or(at)?;
                if (0xdc00..=0xdfff).contains(&low) { Ok(at + 12) } else { Err(at) }
            }
            0xdc00..=0xdfff => Err(at),
            _ => Ok(at + 6),
        },
        _ => Err(at),
    }
}

fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |sum, &d| Some(sum * 16 + (d as char).to_digit(16)?))
}

/// Appends the content of a string, its escapes resolved. `content` has been scanned.
pub(super) fn unescape(content: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    let find = |at| memchr::memchr(b'\\', content.get(at..)?);
    while let Some(escape) = find(at) {
        out.extend_from_slice(&content[at..at + escape]);
        at += escape;
        let plain = match content.get(at + 1) {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let mut code = hex(content, at + 2).unwrap_or_default();
                at += 6;
                if (0xd800..=0xdbff).contains(&code) {
                    let low = hex(content, at + 2).unwrap_or_default();
                    code = 0x10000 + ((code & 0x3ff) << 10 | low & 0x3ff);
                    at += 6;
                }
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            Some(&other) => other,
            None => break,
        };
        out.push(plain);
        at += 2;
    }
    out.extend_from_slice(content.get(at..).unwrap_or_default());
}
