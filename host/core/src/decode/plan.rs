//! What is read of an event, compiled once per run: all declared pointers of all readers in one
//! trie, so that one parse serves every reader.

use super::{Address, Addressing, TimeUnit};
use crate::schema::{Description, Input, Kind};

/// Number of a node of the trie. The root, an event as a whole, is 0.
pub(super) type Node = u32;

/// No node: nothing below is declared.
pub(super) const NOWHERE: Node = Node::MAX;

/// Everything that decoding needs to know of a run. Made once, shared by all decoders.
#[derive(Debug)]
pub struct Plan {
    pub(super) trie: Trie,
    pub(super) readers: Vec<Reader>,
    pub(super) id: NamePart,
    pub(super) time: Node,
    pub(super) time_unit: Option<TimeUnit>,
    pub(super) clocked: bool,
}

/// Why no plan can be made; a fragment that names what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Neither a pointer nor a name: whose path it is, and the path.
    #[error("{0} is read from {1:?}, which is no JSON pointer: write it like \"/account/id\"")]
    NotAPointer(String, String),
    /// A `~` without 0 or 1 behind it: whose path it is, and the path.
    #[error(
        "{0} is read from {1:?}, where `~` stands alone: in a JSON pointer `~0` means `~` and \
         `~1` means `/`"
    )]
    Escape(String, String),
    /// Nothing stands behind `@path:`, or what is in front of a name in a path: whose path it is.
    #[error(
        "{0} is read from \"@path:\" without a name: \"@path:dt\" is the value of a folder `dt=`"
    )]
    NoName(String),
    /// A folder is no time.
    #[error(
        "the time cannot be \"{0}\", the value of a folder: name the path of a time, such as \
         \"/ts\""
    )]
    TimeIsFolder(String),
    /// A position is no time.
    #[error("the time cannot be `@position`: name the path of a time, such as \"/ts\"")]
    TimeIsPosition,
    /// Nobody says what the key of this input of this reducer is.
    #[error(
        "the key of input `{0}` of reducer `{1}` is not known: give `key` in the job's [source] \
         or in the input"
    )]
    NoKey(String, String),
}

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) inputs: Vec<InputPlan>,
}

#[derive(Debug)]
pub(super) struct InputPlan {
    pub(super) when: Vec<When>,
    pub(super) key: Vec<NamePart>,
    pub(super) fields: Vec<FieldPlan>,
}

#[derive(Debug)]
pub(super) struct When {
    pub(super) node: Node,
    /// Empty: presence is enough.
    pub(super) any_of: Vec<Box<[u8]>>,
}

/// Where a part of a key, or an id, comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamePart {
    Node(Node),
    Position,
}

#[derive(Debug)]
pub(super) struct FieldPlan {
    pub(super) name: String,
    pub(super) nodes: Vec<Node>,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

impl Plan {
    /// Compiles what `readers` declare and where the job says that key, id and time lie.
    pub fn new(readers: &[&Description], addressing: &Addressing) -> Result<Self, PlanError> {
        let mut trie = Trie::new();
        let mut part = |place: &str, address: &Address| match address {
            Address::Position => Ok(NamePart::Position),
            Address::Path(path) => trie.declare(place, path).map(NamePart::Node),
        };
        let job_key: Vec<NamePart> =
            addressing.key.iter().map(|a| part("the key", a)).collect::<Result<_, _>>()?;
        let id = part("the id", &addressing.id)?;
        if let Address::Path(path) = &addressing.time
            && is_of_path(path)
        {
            return Err(PlanError::TimeIsFolder(path.clone()));
        }
        let NamePart::Node(time) = part("the time", &addressing.time)? else {
            return Err(PlanError::TimeIsPosition);
        };
        let mut plans = Vec::new();
        for reader in readers {
            let inputs = reader.inputs.iter().map(|input| {
                let plan = InputPlan::new(&mut trie, input, &job_key)?;
                if plan.key.is_empty() {
                    return Err(PlanError::NoKey(input.name.clone(), reader.name.clone()));
                }
                Ok(plan)
            });
            plans.push(Reader { inputs: inputs.collect::<Result<_, _>>()? });
        }
        let (time_unit, clocked) = (addressing.time_unit, false);
        Ok(Self { trie, readers: plans, id, time, time_unit, clocked })
    }

    /// Reads nothing yet, and for no reducer.
    pub(super) fn bare(time_unit: Option<TimeUnit>) -> Self {
        let (readers, id) = (Vec::new(), NamePart::Position);
        Self { trie: Trie::new(), readers, id, time: NOWHERE, time_unit, clocked: false }
    }

    /// The place of a path, from now on one that is read.
    pub(super) fn declare(&mut self, place: &str, path: &str) -> Result<Node, PlanError> {
        self.trie.declare(place, path)
    }

    /// From now on the time of every event is read that has one, whatever takes the event
    /// ([`Events::clock`](super::Events::clock)), if `wanted`.
    #[must_use]
    pub fn with_clock(self, wanted: bool) -> Self {
        Self { clocked: wanted, ..self }
    }

    /// Where every event must have something, whatever its input: what is read there (`the key`),
    /// its path, and the top-level member or column in which it lies.
    pub fn needed(&self) -> Vec<(&'static str, String, &str)> {
        let told = |(what, node): (&'static str, Node)| {
            let is_column = self.trie.folder(node).is_none();
            is_column.then(|| (what, self.trie.path(node), self.trie.top(node)))
        };
        self.everywhere().into_iter().filter_map(told).collect()
    }

    /// Values of an object's path that are read ([`Placed::folders`](super::Placed::folders), in
    /// this order): the name of each, and what every event has there, if it is such (`the key`).
    pub fn folders(&self) -> Vec<(&str, Option<&'static str>)> {
        let everywhere = self.everywhere();
        let folders = self.trie.folders.iter();
        let told = folders.map(|(node, name)| {
            let needed = everywhere.iter().find(|(_, own)| own == node);
            (&**name, needed.map(|(what, _)| *what))
        });
        told.collect()
    }

    /// Where every event must have something.
    fn everywhere(&self) -> Vec<(&'static str, Node)> {
        let mut inputs = self.readers.iter().flat_map(|reader| &reader.inputs);
        let first = inputs.next().map(|input| input.key.as_slice()).unwrap_or_default();
        let everywhere = inputs.fold(first.to_vec(), |mut key, input| {
            key.retain(|part| input.key.contains(part));
            key
        });
        let places = everywhere.iter().map(|part| ("the key", *part));
        let places = places.chain([("the id", self.id), ("the time", NamePart::Node(self.time))]);
        let node = |(what, part)| match part {
            NamePart::Node(node) => Some((what, node)),
            NamePart::Position => None,
        };
        places.filter_map(node).collect()
    }

    /// What else is read of events, and the top-level members or columns in one of which it lies:
    /// `where field a is read`, `which tells the inputs apart`.
    pub fn wanted(&self) -> Vec<(String, Vec<&str>)> {
        let mut all: Vec<(String, Vec<&str>)> = Vec::new();
        for input in self.readers.iter().flat_map(|reader| &reader.inputs) {
            let taken = |when: &When| ("which tells the inputs apart".to_owned(), vec![when.node]);
            let read = |field: &FieldPlan| {
                (format!("where field `{}` is read", field.name), field.nodes.clone())
            };
            let both = input.when.iter().map(taken).chain(input.fields.iter().map(read));
            for (what, nodes) in both {
                // What may stand in the object's path needs no column.
                if nodes.iter().any(|node| self.trie.folder(*node).is_some()) {
                    continue;
                }
                let wanted = (what, nodes.iter().map(|&node| self.trie.top(node)).collect());
                if !all.contains(&wanted) {
                    all.push(wanted);
                }
            }
        }
        all
    }

    /// The top-level members or columns of which anything is read, in the order of their names.
    pub fn columns(&self) -> Vec<String> {
        self.trie.children(0).map(|(_, name)| name.to_owned()).collect()
    }
}

impl InputPlan {
    fn new(trie: &mut Trie, input: &Input, job_key: &[NamePart]) -> Result<Self, PlanError> {
        let mut when = Vec::new();
        for condition in &input.when {
            let node = trie.declare(&format!("input `{}`", input.name), &condition.path)?;
            let any_of = condition.any_of.iter().map(|v| v.as_bytes().into()).collect();
            when.push(When { node, any_of });
        }
        let mut key = Vec::new();
        for path in &input.key {
            let place = format!("the key of input `{}`", input.name);
            key.push(NamePart::Node(trie.declare(&place, path)?));
        }
        if key.is_empty() {
            key.extend_from_slice(job_key);
        }
        let mut fields = Vec::new();
        for field in &input.fields {
            let place = format!("field `{}` of input `{}`", field.name, input.name);
            let nodes = field.paths.iter().map(|p| trie.declare(&place, p));
            let nodes = nodes.collect::<Result<_, _>>()?;
            let (name, kind, required) = (field.name.clone(), field.kind, field.required);
            fields.push(FieldPlan { name, nodes, kind, required });
        }
        Ok(Self { when, key, fields })
    }
}

/// What an address begins with that is a value in the path of the object, not in the event.
const OF_PATH: &str = "@path:";

/// Whether an address is that of a value in the path of the object.
pub fn is_of_path(address: &str) -> bool {
    address.starts_with(OF_PATH)
}

/// All declared pointers.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<TrieNode>,
    /// Nodes that no event has: values of the object's path, by their names.
    folders: Vec<(Node, Box<str>)>,
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
        Self { nodes: vec![root], folders: Vec::new() }
    }

    /// The number of the value of the object's path that a node stands for, if it is such.
    #[inline]
    pub(super) fn folder(&self, node: Node) -> Option<usize> {
        self.folders.iter().position(|(own, _)| *own == node)
    }

    /// Whether anything is read from the object's path.
    pub(super) fn has_folders(&self) -> bool {
        !self.folders.is_empty()
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
        let mut names = Vec::new();
        let mut at = node;
        while at != 0 {
            names.push(self.nodes[at as usize].name.replace('~', "~0").replace('/', "~1"));
            at = self.nodes[at as usize].parent;
        }
        names.iter().rev().flat_map(|name| ["/", name]).collect()
    }

    /// The name of the top-level member in which a node lies.
    fn top(&self, mut node: Node) -> &str {
        while self.nodes[node as usize].parent != 0 {
            node = self.nodes[node as usize].parent;
        }
        &self.nodes[node as usize].name
    }

    fn declare(&mut self, place: &str, path: &str) -> Result<Node, PlanError> {
        if let Some(name) = path.strip_prefix(OF_PATH) {
            return self.declare_folder(place, name);
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

    fn declare_folder(&mut self, place: &str, name: &str) -> Result<Node, PlanError> {
        if name.is_empty() {
            return Err(PlanError::NoName(place.into()));
        }
        if let Some((node, _)) = self.folders.iter().find(|(_, own)| **own == *name) {
            return Ok(*node);
        }
        // No child of any other, so that nothing of an event comes here.
        let node = self.nodes.len() as Node;
        let (name, children): (Box<str>, _) = (name.into(), Vec::new());
        self.nodes.push(TrieNode { name: name.clone(), parent: 0, children, read: true });
        self.folders.push((node, name));
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
