//! All declared pointers of a run in one tree, and what is read beside them: values of the path of
//! an object, what records have beside their values, and all of an event that has no parts.

use super::beside::OF_HEADER;
use super::{Beside, PlanError};
use crate::schema::Kind;

/// Number of a node of the trie. The root, an event as a whole, is 0.
pub(super) type Node = u32;

/// No node: nothing below is declared.
pub(super) const NOWHERE: Node = Node::MAX;

/// What an address begins with that is a value in the path of the object, not in the event.
const OF_PATH: &str = "@path:";

/// Whether an address is that of a value in the path of the object.
pub fn is_of_path(address: &str) -> bool {
    address.starts_with(OF_PATH)
}

/// Whether an address is that of a value that is not in the event itself.
pub fn is_outside(address: &str) -> bool {
    is_of_path(address) || Beside::of(address).is_some()
}

/// All declared pointers.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<TrieNode>,
    /// Nodes that no event has: values of the object's path, by their names. The time has one of
    /// its own, as another value may be read for it.
    pub(super) folders: Vec<(Node, Box<str>)>,
    pub(super) time_folder: Option<Node>,
    /// What records have beside their values.
    pub(super) besides: Vec<Declared>,
    /// Where events are bytes and have no parts: all of one, as text and as bytes.
    whole: Option<[Node; 2]>,
}

/// All of an event that is bytes and has no parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Text,
    Bytes,
}

/// What is read of that which records have beside their values.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) node: Node,
    pub(super) beside: Beside,
    /// Whether it is bytes, else it is a text (or a time).
    pub(super) as_bytes: bool,
    /// Who reads it first.
    pub(super) place: String,
}

#[derive(Debug)]
struct TrieNode {
    /// The member's name, unescaped.
    name: Box<str>,
    parent: Node,
    /// Sorted by name.
    children: Vec<Node>,
    /// Whether somebody reads the value itself, not only something inside it.
    read: bool,
}

impl Trie {
    pub(super) fn new() -> Self {
        let root = TrieNode { name: "".into(), parent: NOWHERE, children: Vec::new(), read: false };
        let (nodes, folders, besides) = (vec![root], Vec::new(), Vec::new());
        Self { nodes, folders, time_folder: None, besides, whole: None }
    }

    /// Of events that are bytes and have no parts.
    pub(super) fn of_bytes() -> Self {
        let mut trie = Self::new();
        trie.whole = Some([trie.beside(""), trie.beside("")]);
        trie
    }

    /// The same without anything that is read of events.
    pub(super) fn bare(&self) -> Self {
        let mut trie = if self.whole.is_some() { Self::of_bytes() } else { Self::new() };
        for (node, name) in &self.folders {
            let own = trie.beside(name);
            trie.folders.push((own, name.clone()));
            if self.time_folder == Some(*node) {
                trie.time_folder = Some(own);
            }
        }
        trie
    }

    /// A node that is no child of any other, so that nothing in an event comes there.
    fn beside(&mut self, name: &str) -> Node {
        let node = self.nodes.len() as Node;
        let children = Vec::new();
        self.nodes.push(TrieNode { name: name.into(), parent: 0, children, read: true });
        node
    }

    /// What of an event that has no parts a node stands for.
    #[inline]
    pub(super) fn whole(&self, node: Node) -> Option<Whole> {
        let [text, bytes] = self.whole?;
        match node {
            _ if node == text => Some(Whole::Text),
            _ if node == bytes => Some(Whole::Bytes),
            _ => None,
        }
    }

    /// Whether events are bytes and have no parts.
    pub(super) fn is_of_bytes(&self) -> bool {
        self.whole.is_some()
    }

    /// Whether a node is a member or column, or in one.
    pub(super) fn is_column(&self, node: Node) -> bool {
        let is_beside = self.besides.iter().any(|declared| declared.node == node);
        !is_beside && self.folder(node).is_none() && self.whole(node).is_none()
    }

    /// Whether a node is the time, and a value of the object's path.
    #[inline]
    pub(super) fn is_time_folder(&self, node: Node) -> bool {
        self.time_folder == Some(node)
    }

    /// The number of the value of the object's path that a node stands for, if it is such.
    #[inline]
    pub(super) fn folder(&self, node: Node) -> Option<usize> {
        self.folders.iter().position(|(own, _)| *own == node)
    }

    /// Whether anything is read that is not in events themselves.
    pub(super) fn has_outside(&self) -> bool {
        !self.folders.is_empty() || !self.besides.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn is_read(&self, node: Node) -> bool {
        self.nodes[node as usize].read
    }

    /// Whether anything below is declared.
    pub(super) fn is_leaf(&self, node: Node) -> bool {
        self.nodes[node as usize].children.is_empty()
    }

    /// The nodes directly below, and their names.
    pub(super) fn children(&self, node: Node) -> impl Iterator<Item = (Node, &str)> {
        let children = &self.nodes[node as usize].children;
        children.iter().map(|&child| (child, &*self.nodes[child as usize].name))
    }

    /// The member `name` of the object at `node`.
    #[inline]
    pub(super) fn child(&self, node: Node, name: &[u8]) -> Node {
        let children = &self.nodes[node as usize].children;
        if children.len() <= 8 {
            let found = children.iter().find(|&&c| self.nodes[c as usize].name.as_bytes() == name);
            return found.copied().unwrap_or(NOWHERE);
        }
        let found =
            children.binary_search_by(|&c| self.nodes[c as usize].name.as_bytes().cmp(name));
        found.map_or(NOWHERE, |at| children[at])
    }

    /// The element at `index` of the array at `node` (RFC 6901: digits without leading zeros).
    pub(super) fn element(&self, node: Node, index: u32) -> Node {
        if self.is_leaf(node) {
            return NOWHERE;
        }
        let mut digits = [0; 20];
        self.child(node, super::number::digits_of(index.into(), &mut digits))
    }

    pub(super) fn below(&self, node: Node) -> Vec<Node> {
        let mut found = vec![node];
        let mut at = 0;
        while at < found.len() {
            found.extend_from_slice(&self.nodes[found[at] as usize].children);
            at += 1;
        }
        found
    }

    pub(super) fn path(&self, node: Node) -> String {
        if let Some(number) = self.folder(node) {
            return format!("{OF_PATH}{}", self.folders[number].1);
        }
        if let Some(declared) = self.besides.iter().find(|declared| declared.node == node) {
            return declared.beside.to_string();
        }
        if self.whole(node).is_some() {
            return "\"\"".to_owned();
        }
        let mut names = Vec::new();
        let mut at = node;
        while at != 0 {
            names.push(self.nodes[at as usize].name.replace('~', "~0").replace('/', "~1"));
            at = self.nodes[at as usize].parent;
        }
        names.iter().rev().flat_map(|name| ["/", name]).collect()
    }

    /// The name of the top-level member in which a node lies.
    pub(super) fn top(&self, mut node: Node) -> &str {
        while self.nodes[node as usize].parent != 0 {
            node = self.nodes[node as usize].parent;
        }
        &self.nodes[node as usize].name
    }

    pub(super) fn declare(&mut self, place: &str, path: &str) -> Result<Node, PlanError> {
        if let Some(name) = path.strip_prefix(OF_PATH) {
            return self.declare_folder(place, name);
        }
        match Beside::of(path) {
            Some(beside) => return Ok(self.declare_beside(place, beside, false)),
            None if path.starts_with(OF_HEADER) => {
                return Err(PlanError::NoHeader(place.into()));
            }
            None => {}
        }
        match self.whole {
            Some([text, _]) if path.is_empty() => return Ok(text),
            Some(_) => return Err(PlanError::NoParts(place.into(), path.into())),
            None => {}
        }
        let wrong = |error: fn(String, String) -> PlanError| error(place.into(), path.into());
        // A name without any slash is the member (or column) of that name.
        let names = match path.strip_prefix('/') {
            Some(names) => names,
            None if path.is_empty() || path.contains('/') || path.starts_with('@') => {
                return Err(wrong(PlanError::NotAPointer));
            }
            None => path,
        };
        let mut node = 0;
        for name in names.split('/') {
            if name.replace("~0", "").replace("~1", "").contains('~') {
                return Err(wrong(PlanError::Escape));
            }
            node = self.enter(node, &name.replace("~1", "/").replace("~0", "~"));
        }
        self.nodes[node as usize].read = true;
        Ok(node)
    }

    /// Of what must be a text.
    pub(super) fn declare_text(&mut self, place: &str, path: &str) -> Result<Node, PlanError> {
        match Beside::of(path) {
            Some(Beside::Timestamp) => Err(PlanError::NoText(place.into(), path.into())),
            _ => self.declare(place, path),
        }
    }

    /// Of a field of this kind.
    pub(super) fn declare_as(
        &mut self,
        place: &str,
        path: &str,
        kind: Kind,
    ) -> Result<Node, PlanError> {
        if let Some(beside) = Beside::of(path) {
            let as_bytes = kind == Kind::Bytes && beside != Beside::Timestamp;
            let is_read = beside.can_be(kind);
            return match is_read {
                true => Ok(self.declare_beside(place, beside, as_bytes)),
                false => Err(PlanError::NotBeside(place.into(), beside, kind)),
            };
        }
        match (self.whole, kind) {
            (Some([_, bytes]), Kind::Bytes) if path.is_empty() => Ok(bytes),
            (Some(_), kind) if path.is_empty() && kind != Kind::Text => {
                Err(PlanError::NoValue(place.into(), kind))
            }
            _ => self.declare(place, path),
        }
    }

    /// Of the time.
    pub(super) fn declare_time(&mut self, path: &str) -> Result<Node, PlanError> {
        let place = "the time";
        match path.strip_prefix(OF_PATH) {
            Some("") => Err(PlanError::NoName(place.into())),
            Some(name) => {
                let node = self.beside(name);
                self.folders.push((node, name.into()));
                self.time_folder = Some(node);
                Ok(node)
            }
            None => self.declare(place, path),
        }
    }

    fn declare_beside(&mut self, place: &str, beside: Beside, as_bytes: bool) -> Node {
        let is_it = |own: &&Declared| own.beside == beside && own.as_bytes == as_bytes;
        if let Some(known) = self.besides.iter().find(is_it) {
            return known.node;
        }
        let node = self.beside(&beside.to_string());
        self.besides.push(Declared { node, beside, as_bytes, place: place.to_owned() });
        node
    }

    fn declare_folder(&mut self, place: &str, name: &str) -> Result<Node, PlanError> {
        if name.is_empty() {
            return Err(PlanError::NoName(place.into()));
        }
        let is_it = |(node, own): &&(Node, Box<str>)| **own == *name && !self.is_time_folder(*node);
        if let Some((node, _)) = self.folders.iter().find(is_it) {
            return Ok(*node);
        }
        let node = self.beside(name);
        self.folders.push((node, name.into()));
        Ok(node)
    }

    fn enter(&mut self, parent: Node, name: &str) -> Node {
        let nodes = &self.nodes;
        let children = &nodes[parent as usize].children;
        match children.binary_search_by(|&c| (*nodes[c as usize].name).cmp(name)) {
            Ok(at) => children[at],
            Err(at) => {
                let new = self.nodes.len() as Node;
                self.nodes[parent as usize].children.insert(at, new);
                let children = Vec::new();
                self.nodes.push(TrieNode { name: name.into(), parent, children, read: false });
                new
            }
        }
    }
}
