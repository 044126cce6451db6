//! The settings of a job that can decide a result: what the job digest covers, and what a snapshot
//! is bound to. Names, places, formats, threads, batches and limits are not here.
//!
//! ```text
//! job digest  SHA-256 over, in the canonical writing of crate::digest::canonical:
//!   "retally job v1": text
//!   order: text ("log", "path", "time", "sort")
//!   window: text ("all", "off", or a span in its shortest form, such as "1d12h")
//!   on_conflict: text ("keep-first", "stop") | on_trap: text ("stop", "reject")
//!   params: shape of the fields that the reducer declares, then the value of each or its absence
//!   subset: 0: all keys; 1, list of the keys: text, in byte order, each once; 2, the share of the
//!           sample in millionths: number
//!   from:   list of (partition: text, offset: number), in byte order of the partitions
//!   to:     the same, offsets being the first that are not taken
//!   limit:  option (number)
//!   ledger: list of (partition: text, offset: number), in that order, each once
//!   where the range begins with no state: "empty state": text
//!   under order "sort": "sort": text | by: list of text | within: option (text)
//!   where the reducer is not trusted: "untrusted": text | what it may give: emits, rows,
//!           text_bytes, detail_bytes, state_bytes: number each
//! ```
//!
//! Of a ledger's entry the position alone can decide a result: key and id are checked against the
//! event, author and reason are for people.

use super::words;
use crate::decode::convert::from_text;
use crate::dedup::Window;
use crate::digest::{Canonical, Hash};
use crate::log::{Order, Position, Sort};
use crate::reduce::{Allowance, OnConflict, OnTrap};
use crate::schema::{Column, Field, Kind, display};
use crate::subset::{Sample, Subset};
use serde::{Deserialize, Serialize};

/// All settings that can decide a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How events of several partitions follow one another.
    #[serde(with = "words")]
    pub order: Order,
    /// By what events are sorted, under order "sort".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    /// How long an id is remembered.
    #[serde(with = "words")]
    pub window: Window,
    /// What happens when key and id were seen with other content.
    #[serde(with = "words")]
    pub on_conflict: OnConflict,
    /// What happens when an event makes the reducer trap, every time.
    #[serde(with = "words")]
    pub on_trap: OnTrap,
    /// What the reducer may give, if it is not trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<Allowance>,
    /// Every param that the reducer declares, in its order.
    pub params: Vec<Param>,
    /// Only these keys, in byte order, each once; none: all.
    pub keys: Option<Vec<String>>,
    /// Only a share of all keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// Where outputs begin and end.
    pub range: Range,
    /// Events that the ledger takes out, by partition and offset.
    pub ledger: Vec<Entry>,
}

/// A param as the reducer gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The value, as [`display`] writes it: the job's, else the default that the reducer declares;
    /// none: there is neither.
    pub value: Option<String>,
    /// Whether it is the reducer's default. In no digest: it decides nothing who said a value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_default: bool,
}

/// Which events of the log a run takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Where outputs begin, for each partition that does not begin at its first event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Position>,
    /// The first event that is not taken, for each partition that is not taken to its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Position>,
    /// Only so many events of each partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Whether it begins without the state that what lies before `from` leaves (`--empty-state`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_state: bool,
}

/// An entry of the ledger that takes an event out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The partition's name.
    pub partition: String,
    /// The event's offset.
    pub offset: u64,
    /// The key that the event must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The id that the event must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Something in which two runs, or a snapshot and a run, differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs: `order`, `param gold_from`.
    pub what: String,
    /// How it was.
    pub held: String,
    /// How it is needed.
    pub needed: String,
}

impl Difference {
    pub(super) fn new(
        what: impl Into<String>,
        held: impl Into<String>,
        needed: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), held: held.into(), needed: needed.into() }
    }
}

impl Entry {
    /// By what entries are in order, each once.
    pub fn place(&self) -> (&str, u64) {
        (&self.partition, self.offset)
    }

    /// The entry of this place among entries that are in order.
    fn find<'a>(&self, all: &'a [Self]) -> Option<&'a Self> {
        let found = all.binary_search_by(|other| other.place().cmp(&self.place()));
        found.ok().map(|at| &all[at])
    }

    /// Where its event lies.
    pub fn at(&self) -> Position {
        Position { partition: self.partition.clone(), offset: self.offset }
    }
}

impl Range {
    /// Whether it takes the whole log.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

impl Param {
    /// The params of a reducer: what it declares, the one row of columns that it gets, and which of
    /// them the job sets.
    pub fn all(fields: &[Field], columns: &[Column], is_set: impl Fn(&str) -> bool) -> Vec<Self> {
        let param = |(field, column): (&Field, &Column)| {
            let value = column.get(0).map(|value| display(value, field.kind));
            let is_default = value.is_some() && !is_set(&field.name);
            Self { name: field.name.clone(), kind: field.kind, value, is_default }
        };
        fields.iter().zip(columns).map(param).collect()
    }

    /// The column of one row that the reducer gets; none if the text is no value of this kind,
    /// which only a manifest that was tampered with can hold.
    pub fn column(&self) -> Option<Column> {
        let mut column = Column::new(self.kind);
        match &self.value {
            Some(text) => from_text(self.kind, text, &mut column.values).ok()?,
            None => column.push(None).ok()?,
        }
        Some(column)
    }
}

impl Settings {
    /// The job digest; none if a param is no value of its kind.
    pub fn digest(&self) -> Option<Hash> {
        let mut canonical = Canonical::new("retally job v1");
        self.words().iter().for_each(|(_, words)| _ = canonical.text(words));
        let field = |p: &Param| {
            let (name, kind) = (p.name.clone(), p.kind);
            Field { name, kind, paths: Vec::new(), required: false }
        };
        canonical.shape(&self.params.iter().map(field).collect::<Vec<_>>());
        for param in &self.params {
            canonical.value(param.kind, param.column()?.get(0));
        }
        match (&self.keys, self.sample) {
            (Some(keys), _) => {
                canonical.byte(1).number(keys.len() as u64);
                keys.iter().for_each(|key| _ = canonical.text(key));
            }
            (None, Some(sample)) => _ = canonical.byte(2).number(u64::from(sample.millionths())),
            (None, None) => _ = canonical.byte(0),
        }
        for bounds in [&self.range.from, &self.range.to] {
            canonical.number(bounds.len() as u64);
            bounds.iter().for_each(|b| _ = canonical.text(&b.partition).number(b.offset));
        }
        canonical.flag(self.range.limit.is_some());
        if let Some(limit) = self.range.limit {
            canonical.number(limit);
        }
        canonical.number(self.ledger.len() as u64);
        self.ledger.iter().for_each(|e| _ = canonical.text(&e.partition).number(e.offset));
        if self.range.empty_state {
            canonical.text("empty state");
        }
        if let Some(Sort { by, within }) = &self.sort {
            canonical.text("sort").number(by.len() as u64);
            by.iter().for_each(|term| _ = canonical.text(term));
            canonical.flag(within.is_some());
            within.iter().for_each(|within| _ = canonical.text(within));
        }
        if let Some(allowance) = &self.untrusted {
            canonical.text("untrusted");
            allowance.numbers().iter().for_each(|&number| _ = canonical.number(number));
        }
        Some(canonical.finish())
    }

    /// Whether keys are left out.
    pub fn is_subset(&self) -> bool {
        self.keys.is_some() || self.sample.is_some()
    }

    /// Which keys are taken, for a person.
    pub fn keys_text(&self) -> String {
        match (&self.keys, self.sample) {
            (Some(_), _) => "some keys only".to_owned(),
            (None, Some(sample)) => format!("a sample of {sample} of the keys only"),
            (None, None) => "all keys".to_owned(),
        }
    }

    /// Which keys are taken.
    pub fn subset(&self) -> Subset {
        let bytes = |keys: &Vec<String>| keys.iter().map(|key| key.clone().into_bytes()).collect();
        match (&self.keys, self.sample) {
            (Some(keys), _) => Subset::Keys(bytes(keys)),
            (None, Some(sample)) => Subset::Sample(sample),
            (None, None) => Subset::All,
        }
    }

    /// The settings that are words, in the order in which they are digested.
    fn words(&self) -> [(&'static str, String); 4] {
        [
            ("order", words::text(self.order)),
            ("window", words::text(self.window)),
            ("on_conflict", words::text(self.on_conflict)),
            ("on_trap", words::text(self.on_trap)),
        ]
    }

    /// What of these settings could decide the state at a position: no range, and of the ledger
    /// only what lies before it.
    #[must_use]
    pub fn up_to(mut self, reached: &[Position]) -> Self {
        self.range = Range::default();
        let before = |entry: &Entry| {
            reached.iter().any(|r| r.partition == entry.partition && entry.offset < r.offset)
        };
        self.ledger.retain(before);
        self
    }

    /// The first setting in which `self` and `needed` differ, in the order in which they are
    /// declared. Ranges count.
    pub fn difference(&self, needed: &Self) -> Option<Difference> {
        (self.words().into_iter())
            .zip(needed.words())
            .find(|(held, needed)| held != needed)
            .map(|((what, held), (_, needed))| Difference::new(what, held, needed))
            .or_else(|| self.sort_difference(needed))
            .or_else(|| self.trust_difference(needed))
            .or_else(|| self.param_difference(needed))
            .or_else(|| self.subset_difference(needed))
            .or_else(|| self.range_difference(needed))
            .or_else(|| self.ledger_difference(needed))
    }

    /// These settings without the params that `other` does not declare, or for which both have what
    /// is the default of their versions: what a version adds, drops or presets is no difference of
    /// what was asked for.
    #[must_use]
    pub fn with_params_of(mut self, other: &Self) -> Self {
        self.params.retain(|own| {
            let other = other.params.iter().find(|other| other.name == own.name);
            other.is_some_and(|other| !(own.is_default && other.is_default))
        });
        self
    }

    fn sort_difference(&self, needed: &Self) -> Option<Difference> {
        let show = |sort: &Option<Sort>| {
            let Some(Sort { by, within }) = sort else { return "by nothing".to_owned() };
            let within = within.as_ref().map(|within| format!(" within {within}"));
            format!("by {}{}", by.join(", "), within.unwrap_or_default())
        };
        let (held, needed) = (&self.sort, &needed.sort);
        (held != needed).then(|| Difference::new("sort", show(held), show(needed)))
    }

    fn trust_difference(&self, needed: &Self) -> Option<Difference> {
        let (held, needed) = (&self.untrusted, &needed.untrusted);
        let are_both = held.is_some() && needed.is_some();
        let show = |allowance: &Option<Allowance>| match allowance {
            // Of another version of Retally.
            Some(allowance) if are_both => format!("true, within {:?}", allowance.numbers()),
            Some(_) => "true".to_owned(),
            None => "false".to_owned(),
        };
        (held != needed).then(|| Difference::new("untrusted", show(held), show(needed)))
    }

    fn param_difference(&self, needed: &Self) -> Option<Difference> {
        let show = |param: Option<&Param>| match param {
            None => "not declared".to_owned(),
            Some(param) => param.value.clone().unwrap_or_else(|| "not set".to_owned()),
        };
        self.params.iter().chain(&needed.params).find_map(|param| {
            let [held, needed] = [self, needed]
                .map(|settings| settings.params.iter().find(|other| other.name == param.name));
            let means = |param: Option<&Param>| param.map(|p| (p.kind, p.value.clone()));
            if means(held) == means(needed) {
                return None;
            }
            let what = format!("param {}", param.name);
            let (held, needed) = match (held, needed) {
                (Some(a), Some(b)) if a.kind != b.kind => (a.kind.to_string(), b.kind.to_string()),
                _ => (show(held), show(needed)),
            };
            Some(Difference::new(what, held, needed))
        })
    }

    fn subset_difference(&self, needed: &Self) -> Option<Difference> {
        if (&self.keys, self.sample) == (&needed.keys, needed.sample) {
            return None;
        }
        let show = |settings: &Self, other: &Option<Vec<String>>| {
            let mine = match (&settings.keys, settings.sample) {
                (Some(mine), _) => mine,
                (None, Some(sample)) => return format!("a sample of {sample}"),
                (None, None) => return "all keys".to_owned(),
            };
            let only = mine.iter().find(|key| other.as_ref().is_none_or(|o| !o.contains(key)));
            let only = only.map_or_else(String::new, |key| format!(", among them {key:?}"));
            let plural = if mine.len() == 1 { "" } else { "s" };
            format!("{} key{plural}{only}", mine.len())
        };
        let (held, needed) = (show(self, &needed.keys), show(needed, &self.keys));
        Some(Difference::new("subset of keys", held, needed))
    }

    fn range_difference(&self, needed: &Self) -> Option<Difference> {
        let show = |range: &Range| {
            let mut parts = Vec::new();
            for (word, places) in [("from", &range.from), ("to", &range.to)] {
                let places: Vec<_> = places.iter().map(Position::to_string).collect();
                if !places.is_empty() {
                    parts.push(format!("{word} {}", places.join(", ")));
                }
            }
            parts.extend(range.limit.map(|limit| format!("the first {limit} of each partition")));
            parts.extend(range.empty_state.then(|| "with no state".to_owned()));
            if parts.is_empty() { "all events".to_owned() } else { parts.join(" ") }
        };
        let (held, needed) = (&self.range, &needed.range);
        (held != needed).then(|| Difference::new("range", show(held), show(needed)))
    }

    /// The first entry of the ledger of which `needed` names a key or an id that nobody held
    /// against the event under these settings.
    pub(crate) fn unchecked_entry(&self, needed: &Self) -> Option<Difference> {
        needed.ledger.iter().find_map(|entry| {
            let held = entry.find(&self.ledger);
            let both = |of: fn(&Entry) -> Option<&String>| (held.and_then(of), of(entry));
            let (keys, ids) = (both(|entry| entry.key.as_ref()), both(|entry| entry.id.as_ref()));
            [("key", keys), ("id", ids)].into_iter().find_map(|(name, (held, needed))| {
                let needed = needed.filter(|_| held != needed)?;
                let what = format!("{name} of the ledger entry for {}", entry.at());
                let held = held.map_or_else(|| "left out".to_owned(), |held| format!("{held:?}"));
                Some(Difference::new(what, held, format!("{needed:?}")))
            })
        })
    }

    fn ledger_difference(&self, needed: &Self) -> Option<Difference> {
        let only = |mine: &[Entry], other: &[Entry]| {
            mine.iter().find(|entry| entry.find(other).is_none()).cloned()
        };
        let says = |quarantined: bool| if quarantined { "quarantined" } else { "not quarantined" };
        let missing = only(&self.ledger, &needed.ledger).map(|e| (e, true));
        let (entry, held) =
            missing.or_else(|| only(&needed.ledger, &self.ledger).map(|e| (e, false)))?;
        let what = format!("ledger entry for {}", entry.at());
        Some(Difference::new(what, says(held), says(!held)))
    }
}
