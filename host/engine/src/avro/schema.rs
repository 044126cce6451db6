//! The schema of a file, as its writer put it into the header: JSON to types that name each other.
//!
//! Every type has a number, and types hold the numbers of those in them: so one that contains
//! itself is nothing special here.

use super::cursor::Cursor;
use super::error::{AvroError, Fault};
use crate::limits::{AVRO_COLUMNS_MAX, AVRO_DEPTH_MAX};
use arrow_schema::TimeUnit;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A type's number.
pub(super) type TypeId = usize;

/// How values are written, and what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// Named, and not known yet.
    Open,
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Array(TypeId),
    Map(TypeId),
    Record(Record),
    Union(Vec<TypeId>),
    Date,
    TimeMillis,
    TimeMicros,
    /// Its unit, and whether it is a moment (else the time of some calendar and clock).
    Timestamp(TimeUnit, bool),
    /// Its digits and scale, and how many bytes it has; none: each value says.
    Decimal(u8, i8, Option<usize>),
    /// Sixteen bytes.
    Uuid,
    /// Months, days and milliseconds.
    Duration,
}

/// A record's name, and its fields in the order in which they are written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) fields: Vec<(String, TypeId)>,
}

/// All types of a file.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    types: Vec<Type>,
    /// Whether values of a type have no bytes.
    empty: Vec<bool>,
    /// The type of an event.
    event: Record,
    by_name: BTreeMap<String, TypeId>,
}

/// Digits that a 256-bit decimal has.
const DIGITS_MAX: u64 = 76;

impl Schema {
    /// Reads the JSON of a header.
    pub(super) fn parse(json: &[u8]) -> Result<Self, AvroError> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| AvroError::header(format!("its schema is no JSON ({error})")))?;
        let mut schema = Self::default();
        let root = schema.read(&value, "");
        let root = root.map_err(|problem| AvroError::header(format!("its schema {problem}")))?;
        let found = match schema.get(root).clone() {
            Type::Record(record) if !schema.empty[root] => {
                schema.event = record;
                return Ok(schema);
            }
            Type::Record(_) => "has records in which there can be nothing",
            _ => "holds values that are no records",
        };
        let hint = "an event is a record with fields";
        Err(AvroError::NotRead { found: found.into(), hint })
    }

    pub(super) fn get(&self, id: TypeId) -> &Type {
        &self.types[id]
    }

    /// The type of an event.
    pub(super) fn event(&self) -> &Record {
        &self.event
    }

    /// The names of an event's fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.event.fields.iter().map(|(name, _)| name.as_str())
    }

    fn add(&mut self, new: Type) -> Result<TypeId, String> {
        if self.types.len() > AVRO_COLUMNS_MAX {
            return Err(format!("has more than {AVRO_COLUMNS_MAX} types"));
        }
        self.empty.push(matches!(new, Type::Null | Type::Fixed(0)));
        self.types.push(new);
        Ok(self.types.len() - 1)
    }

    /// A type as it stands in JSON, inside of names of this namespace.
    fn read(&mut self, value: &Value, space: &str) -> Result<TypeId, String> {
        match value {
            Value::String(name) => self.named(name, space),
            Value::Array(branches) => {
                let branches: Result<_, _> =
                    branches.iter().map(|branch| self.read(branch, space)).collect();
                self.add(Type::Union(branches?))
            }
            Value::Object(object) => self.object(object, space),
            other => Err(format!("has {other} where a type should stand")),
        }
    }

    fn named(&mut self, name: &str, space: &str) -> Result<TypeId, String> {
        if let Some(primitive) = primitive(name) {
            return self.add(primitive);
        }
        let full = full_name(name, None, space);
        let known = self.by_name.get(&full).or_else(|| self.by_name.get(name));
        known.copied().ok_or_else(|| format!("names a type `{name}` that it does not define"))
    }

    fn object(&mut self, object: &Map<String, Value>, space: &str) -> Result<TypeId, String> {
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            // A type in a wrapping, as of a union.
            Some(inner) => return self.read(inner, space),
            None => return Err("has a type without `type`".into()),
        };
        let of = |key: &str| {
            object.get(key).ok_or_else(|| format!("has a type `{name}` without `{key}`"))
        };
        match name {
            "array" => {
                let items = self.read(of("items")?, space)?;
                self.add(Type::Array(items))
            }
            "map" => {
                let values = self.read(of("values")?, space)?;
                self.add(Type::Map(values))
            }
            "record" | "error" => self.record(object, of("fields")?, space),
            "enum" => {
                let symbols = of("symbols")?.as_array().map(|symbols| {
                    symbols.iter().map(|symbol| symbol.as_str().map(str::to_owned)).collect()
                });
                let symbols: Option<Vec<String>> = symbols.flatten();
                let symbols = symbols.ok_or("has an enum whose symbols are no list of texts")?;
                self.define(object, space, Type::Enum(symbols))
            }
            "fixed" => {
                let size = of("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or("has a `fixed` whose size is no number")?;
                let fixed = logical(&Type::Fixed(size), object).unwrap_or(Type::Fixed(size));
                self.define(object, space, fixed)
            }
            name => match primitive(name) {
                Some(plain) => {
                    let meant = logical(&plain, object).unwrap_or(plain);
                    self.add(meant)
                }
                None => self.named(name, space),
            },
        }
    }

    fn record(
        &mut self,
        object: &Map<String, Value>,
        fields: &Value,
        space: &str,
    ) -> Result<TypeId, String> {
        // It is known by its name before its fields are, since they may name it.
        let id = self.define(object, space, Type::Open)?;
        let full = name_of(object, space)?;
        let own = full.rsplit_once('.').map_or("", |(own, _)| own);
        let list = fields.as_array().ok_or("has a record whose fields are no list")?;
        let mut fields: Vec<(String, TypeId)> = Vec::with_capacity(list.len());
        for field in list {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| format!("has a field of `{full}` without a name"))?;
            let kind = field.get("type");
            let kind = kind.ok_or_else(|| format!("has a field `{name}` without a type"))?;
            let kind = self.read(kind, own)?;
            fields.push((name.to_owned(), kind));
        }
        let mut names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("has two fields `{}` in `{full}`", pair[0]));
        }
        // One that contains itself without a choice has no end: it counts as what has bytes.
        self.empty[id] = fields.iter().all(|(_, field)| self.empty[*field]);
        self.types[id] = Type::Record(Record { name: full, fields });
        Ok(id)
    }

    fn define(
        &mut self,
        object: &Map<String, Value>,
        space: &str,
        new: Type,
    ) -> Result<TypeId, String> {
        let full = name_of(object, space)?;
        let id = self.add(new)?;
        match self.by_name.insert(full.clone(), id) {
            None => Ok(id),
            Some(_) => Err(format!("defines the type `{full}` twice")),
        }
    }

    /// Passes over a value that nobody reads.
    pub(super) fn skip(
        &self,
        id: TypeId,
        cursor: &mut Cursor<'_>,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth > AVRO_DEPTH_MAX {
            return Err(Fault::new(format!("nests more than {AVRO_DEPTH_MAX} deep")));
        }
        if self.empty[id] {
            // Types of nothing may lie in each other any number of times.
            return Ok(());
        }
        match self.get(id) {
            Type::Null | Type::Open => {}
            Type::Boolean => drop(cursor.boolean()?),
            Type::Int | Type::Date | Type::TimeMillis => drop(cursor.int()?),
            Type::Long | Type::TimeMicros | Type::Timestamp(..) => drop(cursor.long()?),
            Type::Float => drop(cursor.take(4)?),
            Type::Double => drop(cursor.take(8)?),
            Type::Bytes | Type::Text | Type::Decimal(_, _, None) => drop(cursor.sized()?),
            Type::Fixed(size) | Type::Decimal(_, _, Some(size)) => drop(cursor.take(*size)?),
            Type::Uuid => drop(cursor.take(16)?),
            Type::Duration => drop(cursor.take(12)?),
            Type::Enum(symbols) => drop(cursor.one_of(symbols.len(), "symbol")?),
            Type::Record(record) => {
                for (name, field) in &record.fields {
                    let skipped = self.skip(*field, cursor, depth + 1);
                    skipped.map_err(|fault| fault.within(name))?;
                }
            }
            Type::Union(branches) => {
                let branch = cursor.one_of(branches.len(), "branch")?;
                self.skip(branches[branch], cursor, depth + 1)?;
            }
            Type::Array(item) => {
                self.skip_items(cursor, |cursor| self.skip(*item, cursor, depth + 1))?
            }
            Type::Map(value) => self.skip_items(cursor, |cursor| {
                cursor.sized()?;
                self.skip(*value, cursor, depth + 1)
            })?,
        }
        Ok(())
    }

    fn skip_items(
        &self,
        cursor: &mut Cursor<'_>,
        mut skip: impl FnMut(&mut Cursor<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            match cursor.items()? {
                (0, _) => return Ok(()),
                (_, Some(bytes)) => drop(cursor.take(bytes)?),
                (items, None) => (0..items).try_for_each(|_| skip(cursor))?,
            }
        }
    }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int,
        "long" => Type::Long,
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::Text,
        _ => return None,
    })
}

/// What a type means by its `logicalType`. One that is unknown, or does not fit, means nothing: so
/// Avro has it.
fn logical(plain: &Type, object: &Map<String, Value>) -> Option<Type> {
    let name = object.get("logicalType")?.as_str()?;
    let moment = |unit| Some(Type::Timestamp(unit, !name.starts_with("local-")));
    match (plain, name) {
        (Type::Int, "date") => Some(Type::Date),
        (Type::Int, "time-millis") => Some(Type::TimeMillis),
        (Type::Long, "time-micros") => Some(Type::TimeMicros),
        (Type::Long, "timestamp-millis" | "local-timestamp-millis") => {
            moment(TimeUnit::Millisecond)
        }
        (Type::Long, "timestamp-micros" | "local-timestamp-micros") => {
            moment(TimeUnit::Microsecond)
        }
        (Type::Long, "timestamp-nanos" | "local-timestamp-nanos") => moment(TimeUnit::Nanosecond),
        (Type::Fixed(16), "uuid") => Some(Type::Uuid),
        (Type::Fixed(12), "duration") => Some(Type::Duration),
        (Type::Bytes, "decimal") => decimal(object, None),
        (Type::Fixed(size), "decimal") => decimal(object, Some(*size)),
        _ => None,
    }
}

fn decimal(object: &Map<String, Value>, size: Option<usize>) -> Option<Type> {
    let precision = object.get("precision")?.as_u64()?;
    let scale = object.get("scale").map_or(Some(0), Value::as_u64)?;
    let fits = (1..=DIGITS_MAX).contains(&precision) && scale <= precision;
    fits.then_some(Type::Decimal(precision as u8, scale as i8, size))
}

fn name_of(object: &Map<String, Value>, space: &str) -> Result<String, String> {
    let name = object.get("name").and_then(Value::as_str);
    let name = name.ok_or("has a record, enum or fixed without a name")?;
    Ok(full_name(name, object.get("namespace").and_then(Value::as_str), space))
}

fn full_name(name: &str, own: Option<&str>, around: &str) -> String {
    match own.unwrap_or(around) {
        _ if name.contains('.') => name.to_owned(),
        "" => name.to_owned(),
        space => format!("{space}.{name}"),
    }
}
