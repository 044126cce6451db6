//! What is read of an event, compiled once per run: all declared pointers of all readers in one
//! trie, so that one parse serves every reader.

use super::trie::is_of_path;
pub(super) use super::trie::{NOWHERE, Node, Trie, Whole};
use super::{Address, Addressing, Beside, TimeUnit};
use crate::schema::{Description, Input, Kind};

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
    /// Nothing stands behind `@header:`: whose path it is.
    #[error("{0} is read from \"@header:\" without a name: \"@header:id\" is the header `id`")]
    NoHeader(String),
    /// A time in the place of a text: whose it is, and the path.
    #[error("{0} is read from {1:?}, which is a time, and it must be a text")]
    NoText(String, String),
    /// What a record has beside its value, read as what it cannot be: whose it is, what, and as
    /// what.
    #[error("{0} is read from \"{1}\" as {2}: declare it as {kinds}", kinds = .1.kinds())]
    NotBeside(String, Beside, Kind),
    /// Something inside of what has no parts: whose path it is, and the path.
    #[error(
        "{0} is read from {1:?}, and with format = \"raw\" an event is its bytes and has no parts: \
         \"\" is all of it, \"@path:NAME\" the value of a folder, and \"@key\" the key of a record"
    )]
    NoParts(String, String),
    /// Bytes that are read as what they are not: whose they are, and as what.
    #[error(
        "{0} is all of an event, and with format = \"raw\" that is bytes or text, not {1}: declare \
         it as one of these, and read what is in it in the reducer"
    )]
    NoValue(String, Kind),
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
        Self::over(Trie::new(), readers, addressing)
    }

    /// The same, for records that are bytes and have no parts.
    pub fn of_bytes(readers: &[&Description], addressing: &Addressing) -> Result<Self, PlanError> {
        Self::over(Trie::of_bytes(), readers, addressing)
    }

    fn over(
        mut trie: Trie,
        readers: &[&Description],
        addressing: &Addressing,
    ) -> Result<Self, PlanError> {
        let mut part = |place: &str, address: &Address| match address {
            Address::Position => Ok(NamePart::Position),
            Address::Path(path) => trie.declare_text(place, path).map(NamePart::Node),
        };
        let job_key: Vec<NamePart> =
            addressing.key.iter().map(|a| part("the key", a)).collect::<Result<_, _>>()?;
        let id = part("the id", &addressing.id)?;
        let time = match &addressing.time {
            Address::Path(path) => trie.declare_time(path)?,
            Address::Position => return Err(PlanError::TimeIsPosition),
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

    /// Of the same events, for no reducer: reads nothing yet. Values of the path keep their
    /// numbers.
    pub(super) fn bare(&self) -> Self {
        let (readers, id) = (Vec::new(), NamePart::Position);
        let (trie, time_unit) = (self.trie.bare(), self.time_unit);
        Self { trie, readers, id, time: NOWHERE, time_unit, clocked: false }
    }

    /// Which of the [`folders`](Plan::folders) is read as the time of events.
    pub fn time_folder(&self) -> Option<usize> {
        self.trie.folder(self.time)
    }

    /// The place of a path, from now on one that is read.
    pub(super) fn declare(&mut self, place: &str, path: &str) -> Result<Node, PlanError> {
        self.trie.declare(place, path)
    }

    /// That of the time.
    pub(super) fn declare_time(&mut self, path: &str) -> Result<Node, PlanError> {
        match self.trie.time_folder.filter(|_| is_of_path(path)) {
            Some(node) => Ok(node),
            None => self.trie.declare_time(path),
        }
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
            self.trie.is_column(node).then(|| (what, self.trie.path(node), self.trie.top(node)))
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

    /// What is read that records have beside their values ([`Placed::beside`](super::Placed)), and
    /// who reads it first.
    pub fn besides(&self) -> Vec<(&Beside, &str)> {
        let mut all: Vec<(&Beside, &str)> = Vec::new();
        for declared in &self.trie.besides {
            if all.iter().all(|(own, _)| **own != declared.beside) {
                all.push((&declared.beside, &declared.place));
            }
        }
        all
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
                if nodes.iter().any(|node| !self.trie.is_column(*node)) {
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
            let node = trie.declare_text(&format!("input `{}`", input.name), &condition.path)?;
            let any_of = condition.any_of.iter().map(|v| v.as_bytes().into()).collect();
            when.push(When { node, any_of });
        }
        let mut key = Vec::new();
        for path in &input.key {
            let place = format!("the key of input `{}`", input.name);
            key.push(NamePart::Node(trie.declare_text(&place, path)?));
        }
        if key.is_empty() {
            key.extend_from_slice(job_key);
        }
        let mut fields = Vec::new();
        for field in &input.fields {
            let place = format!("field `{}` of input `{}`", field.name, input.name);
            let nodes = field.paths.iter().map(|p| trie.declare_as(&place, p, field.kind));
            let nodes = nodes.collect::<Result<_, _>>()?;
            let (name, kind, required) = (field.name.clone(), field.kind, field.required);
            fields.push(FieldPlan { name, nodes, kind, required });
        }
        Ok(Self { when, key, fields })
    }
}
