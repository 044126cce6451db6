//! What a file's types become as columns, and how its values get there.
//!
//! A union of null and one type is that type. What else a union may hold shares a column where it
//! can (int with long, records by the names of their fields), so that a path leads to a value
//! whichever branch has it; what cannot share one stays a column of several types.

use super::error::AvroError;
use super::schema::{Record, Schema, Type, TypeId};
use crate::limits::{AVRO_COLUMNS_MAX, AVRO_DEPTH_MAX};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit, UnionFields, UnionMode};
use std::sync::Arc;

/// How a value that was written gets into a column.
#[derive(Debug)]
pub(super) enum Step {
    /// It does not: nobody reads it.
    Skip(TypeId),
    /// It contains itself, for which there is no column: shown as this text.
    Told(TypeId, String),
    Null,
    Boolean,
    Int,
    Long,
    /// An `int` into a column of longs.
    Widen,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Decimal(Option<usize>),
    Uuid,
    Duration,
    Array(Box<Step>),
    Map(Box<Step>),
    Record(Parts),
    /// By the branch.
    Union(Vec<Step>),
    /// Into one of the columns of a column of several types.
    Among(usize, Box<Step>),
}

/// The fields of a record, in the order in which they are written.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) fields: Vec<Part>,
    /// Columns that other records of the same union have.
    pub(super) absent: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    /// The number of its column, if it has one.
    pub(super) column: usize,
    pub(super) step: Step,
}

/// A record as rows.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) columns: Fields,
    pub(super) parts: Parts,
}

impl Plan {
    /// For the fields with these names; none: for all.
    pub(super) fn new(schema: &Schema, names: Option<&[String]>) -> Result<Self, AvroError> {
        let is_read = |name: &String| names.is_none_or(|names| names.contains(name));
        let mut maker = Maker { schema, all: names.is_none(), left: AVRO_COLUMNS_MAX };
        let (mut columns, mut fields) = (Vec::new(), Vec::new());
        for (name, id) in &schema.event().fields {
            let (column, step) = match is_read(name) {
                false => (0, Step::Skip(*id)),
                true => {
                    let found = |found: String| AvroError::NotRead {
                        found: format!("has a field `{name}` {found}"),
                        hint: "leave it out of what is read, or write it otherwise",
                    };
                    let column = maker.shape(*id, &mut Vec::new()).map_err(found)?;
                    let step = maker.step(*id, &column, &mut Vec::new());
                    columns.push(field(name, column));
                    (columns.len() - 1, step)
                }
            };
            fields.push(Part { name: name.clone(), column, step });
        }
        Ok(Self { columns: columns.into(), parts: Parts { fields, absent: Vec::new() } })
    }
}

fn field(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, true))
}

struct Maker<'a> {
    schema: &'a Schema,
    /// Whether all fields are read, also those that nobody asked for.
    all: bool,
    /// Columns that there still may be.
    left: usize,
}

/// Types of a column of several, null among them: Arrow numbers them by `i8`.
const KINDS_MAX: usize = 100;

/// The types around one.
type Around = Vec<TypeId>;

impl Maker<'_> {
    /// The type of the column for values of this type.
    fn shape(&mut self, id: TypeId, around: &mut Around) -> Result<DataType, String> {
        if around.contains(&id) && matches!(self.schema.get(id), Type::Record(_)) {
            return match self.all {
                true => Ok(DataType::Utf8),
                false => Err(format!("in which `{}` contains itself", self.name(id))),
            };
        }
        if around.len() >= AVRO_DEPTH_MAX {
            return Err(format!("whose types lie more than {AVRO_DEPTH_MAX} deep in each other"));
        }
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| format!("by which the file has more than {AVRO_COLUMNS_MAX} columns"))?;
        around.push(id);
        let shape = self.shape_inside(id, around);
        around.pop();
        shape
    }

    fn shape_inside(&mut self, id: TypeId, around: &mut Around) -> Result<DataType, String> {
        let schema = self.schema;
        Ok(match schema.get(id) {
            Type::Array(item) => DataType::List(field("item", self.shape(*item, around)?)),
            Type::Map(value) => map_of(self.shape(*value, around)?),
            Type::Record(record) => {
                let mut fields = Vec::with_capacity(record.fields.len());
                for (name, id) in &record.fields {
                    fields.push(field(name, self.shape(*id, around)?));
                }
                DataType::Struct(fields.into())
            }
            Type::Union(branches) => {
                let mut shapes = Vec::with_capacity(branches.len());
                for branch in branches {
                    shapes.push(self.shape(*branch, around)?);
                }
                match united(shapes) {
                    DataType::Union(kinds, _) if kinds.len() > KINDS_MAX => {
                        return Err(format!("of more than {} types", KINDS_MAX - 1));
                    }
                    united => united,
                }
            }
            plain => plain_shape(plain),
        })
    }

    /// How values of this type get into a column of the type that [`shape`](Self::shape) gave, or
    /// that it was united into.
    fn step(&self, id: TypeId, column: &DataType, around: &mut Around) -> Step {
        let kind = self.schema.get(id);
        let is_inside = around.contains(&id) && matches!(kind, Type::Record(_));
        if let (DataType::Union(kinds, _), false) = (column, matches!(kind, Type::Union(_))) {
            if *kind == Type::Null {
                return Step::Null;
            }
            let mut fresh = Self { schema: self.schema, all: true, left: AVRO_COLUMNS_MAX };
            let own = match is_inside {
                true => DataType::Utf8,
                // It had a shape before.
                false => fresh.shape(id, &mut around.clone()).unwrap_or(DataType::Null),
            };
            let holds = |field: &FieldRef| {
                shared(field.data_type(), &own).is_some_and(|both| both == *field.data_type())
            };
            let among = kinds.iter().find(|(_, field)| holds(field));
            return match among {
                Some((number, field)) => {
                    let step = self.step(id, field.data_type(), around);
                    Step::Among(number as usize, Box::new(step))
                }
                None => Step::Told(id, format!("({})", self.name(id))),
            };
        }
        if is_inside {
            return Step::Told(id, format!("({} within itself)", self.name(id)));
        }
        around.push(id);
        let step = self.step_inside(kind, column, around);
        around.pop();
        step
    }

    fn step_inside(&self, kind: &Type, column: &DataType, around: &mut Around) -> Step {
        match (kind, column) {
            (Type::Array(item), DataType::List(inner)) => {
                Step::Array(Box::new(self.step(*item, inner.data_type(), around)))
            }
            (Type::Map(value), DataType::Map(entries, _)) => {
                let inner = match entries.data_type() {
                    DataType::Struct(fields) => fields[1].data_type(),
                    other => other,
                };
                Step::Map(Box::new(self.step(*value, inner, around)))
            }
            (Type::Record(record), DataType::Struct(columns)) => {
                Step::Record(self.parts(record, columns, around))
            }
            (Type::Union(branches), column) => {
                let step = |id: &TypeId| self.step(*id, column, around);
                Step::Union(branches.iter().map(step).collect())
            }
            (Type::Int, DataType::Int64) => Step::Widen,
            (plain, _) => plain_step(plain),
        }
    }

    fn parts(&self, record: &Record, columns: &Fields, around: &mut Around) -> Parts {
        let mut fields = Vec::with_capacity(record.fields.len());
        let mut absent: Vec<bool> = vec![true; columns.len()];
        for (name, id) in &record.fields {
            let is_it = |column: &usize| columns.get(*column).is_some_and(|c| c.name() == name);
            // Mostly it stands where it stands in the record.
            let here = Some(fields.len()).filter(is_it);
            let known = here.or_else(|| (0..columns.len()).find(is_it));
            let Some(column) = known else { continue };
            absent[column] = false;
            let step = self.step(*id, columns[column].data_type(), around);
            fields.push(Part { name: name.clone(), column, step });
        }
        let absent = (0..columns.len()).filter(|column| absent[*column]).collect();
        Parts { fields, absent }
    }

    fn name(&self, id: TypeId) -> &str {
        match self.schema.get(id) {
            Type::Record(record) => &record.name,
            _ => "a value",
        }
    }
}

/// The column of a type that has no others in it.
fn plain_shape(plain: &Type) -> DataType {
    match plain {
        Type::Boolean => DataType::Boolean,
        Type::Int => DataType::Int32,
        Type::Long => DataType::Int64,
        Type::Float => DataType::Float32,
        Type::Double => DataType::Float64,
        Type::Bytes | Type::Fixed(_) => DataType::Binary,
        Type::Text | Type::Enum(_) | Type::Uuid | Type::Duration => DataType::Utf8,
        Type::Date => DataType::Date32,
        Type::TimeMillis => DataType::Time32(TimeUnit::Millisecond),
        Type::TimeMicros => DataType::Time64(TimeUnit::Microsecond),
        Type::Timestamp(unit, is_moment) => {
            DataType::Timestamp(*unit, is_moment.then(|| "UTC".into()))
        }
        Type::Decimal(digits, scale, _) if *digits <= 38 => DataType::Decimal128(*digits, *scale),
        Type::Decimal(digits, scale, _) => DataType::Decimal256(*digits, *scale),
        _ => DataType::Null,
    }
}

fn plain_step(plain: &Type) -> Step {
    match plain {
        Type::Boolean => Step::Boolean,
        Type::Int | Type::Date | Type::TimeMillis => Step::Int,
        Type::Long | Type::TimeMicros | Type::Timestamp(..) => Step::Long,
        Type::Float => Step::Float,
        Type::Double => Step::Double,
        Type::Bytes => Step::Bytes,
        Type::Text => Step::Text,
        Type::Fixed(size) => Step::Fixed(*size),
        Type::Enum(symbols) => Step::Enum(symbols.clone()),
        Type::Decimal(_, _, size) => Step::Decimal(*size),
        Type::Uuid => Step::Uuid,
        Type::Duration => Step::Duration,
        _ => Step::Null,
    }
}

fn map_of(values: DataType) -> DataType {
    let entries = vec![
        Arc::new(Field::new("key", DataType::Utf8, false)),
        Arc::new(Field::new("value", values, true)),
    ];
    let entries = Field::new("entries", DataType::Struct(entries.into()), false);
    DataType::Map(Arc::new(entries), false)
}

/// The column that takes all of these.
fn united(shapes: Vec<DataType>) -> DataType {
    let mut kinds: Vec<DataType> = Vec::new();
    for shape in shapes.into_iter().flat_map(kinds_of) {
        let place = kinds.iter().position(|kind| shared(kind, &shape).is_some());
        match place.and_then(|place| Some((place, shared(&kinds[place], &shape)?))) {
            Some((place, both)) => kinds[place] = both,
            None => kinds.push(shape),
        }
    }
    match kinds.len() {
        0 => DataType::Null,
        1 => kinds.swap_remove(0),
        _ => {
            let kinds = std::iter::once(DataType::Null).chain(kinds);
            let kinds = kinds.take(KINDS_MAX + 1);
            let fields = (0..).zip(kinds.map(|kind| field(&name_of(&kind), kind)));
            DataType::Union(fields.collect::<UnionFields>(), UnionMode::Dense)
        }
    }
}

/// A name for one of several types.
fn name_of(kind: &DataType) -> String {
    match kind {
        DataType::Struct(_) => "record".into(),
        DataType::List(_) => "array".into(),
        DataType::Map(..) => "map".into(),
        plain => plain.to_string(),
    }
}

fn kinds_of(shape: DataType) -> Vec<DataType> {
    match shape {
        DataType::Null => Vec::new(),
        DataType::Union(fields, _) => {
            fields.iter().map(|(_, field)| field.data_type().clone()).skip(1).collect()
        }
        other => vec![other],
    }
}

/// The column that takes both of these as what they are, if there is one that is not of several
/// types.
fn shared(one: &DataType, other: &DataType) -> Option<DataType> {
    match (one, other) {
        _ if one == other => Some(one.clone()),
        (DataType::Int32, DataType::Int64) | (DataType::Int64, DataType::Int32) => {
            Some(DataType::Int64)
        }
        (DataType::List(one), DataType::List(other)) => {
            let both = vec![one.data_type().clone(), other.data_type().clone()];
            Some(DataType::List(field("item", united(both))))
        }
        (DataType::Struct(one), DataType::Struct(others)) => {
            let mut fields: Vec<FieldRef> = one.to_vec();
            for other in others {
                match fields.iter().position(|field| field.name() == other.name()) {
                    None => fields.push(other.clone()),
                    Some(place) => {
                        let mine = fields[place].data_type().clone();
                        let both = united(vec![mine, other.data_type().clone()]);
                        fields[place] = field(other.name(), both);
                    }
                }
            }
            Some(DataType::Struct(fields.into()))
        }
        _ => None,
    }
}
