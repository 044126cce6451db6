//! From an event of the key to what is told of it: folded by each reducer as a replay would fold
//! it, one event at a time, with the view before and after it.

use super::model::{Told, ToldSide, changes};
use super::search::is_of;
use crate::run::RunError;
use crate::run::lane::{Lane, Lanes};
use crate::run::prepare::Prepared;
use retally_compare::model::{NamedOutcome, ShownRecord, ShownRow, ShownValue, reject_codes};
use retally_compare::pair::PairFold;
use retally_core::decode::{Events, Placed, Reading};
use retally_core::fold::{Decoding, Fold, FoldError, Recipe, Slabs};
use retally_core::reduce::{Block, Fault, Limit, Originals, Stop};
use retally_core::schema::{Description, Kind, Value, display};

/// What a view is; none: it fails.
pub(super) type View = Option<Vec<ShownRow>>;

/// Folds one key, event by event.
pub(super) struct Teller<'a> {
    prepared: &'a Prepared<'a>,
    key: &'a [u8],
    decoding: Decoding,
    folds: Folds,
    rejects: Vec<Vec<String>>,
    pub(super) views: Vec<View>,
    /// For each side from which event on its views are not asked for: there one met a limit.
    unviewed: Vec<Option<(u64, Limit)>>,
    row_keys: Vec<Vec<String>>,
    /// Events told so far.
    pub(super) events: u64,
    /// Whether the two sides have parted.
    pub(super) has_parted: bool,
}

/// The fold of one reducer, or of two side by side.
enum Folds {
    One(Box<Fold>),
    Two(Box<PairFold>),
}

impl Folds {
    /// Folds anew what the lanes fold, without threads.
    fn of(prepared: &Prepared<'_>) -> Self {
        let fold = |lane: &Lane| {
            let recipe = Recipe { shards: 1, ..lane.recipe.clone() };
            let mut fold = Fold::new(recipe, &prepared.names);
            fold.originals = Originals::Unwanted;
            fold
        };
        match &prepared.lanes {
            Lanes::One(lanes) => Self::One(Box::new(fold(&lanes[0]))),
            Lanes::Two(lanes, pair) => {
                let folds = lanes.each_ref().map(fold);
                Self::Two(Box::new(PairFold::new(pair.shared.clone(), folds)))
            }
        }
    }

    fn fold(&mut self, slabs: &Slabs) -> Result<Vec<Block>, (usize, FoldError)> {
        match self {
            Self::One(fold) => fold.fold(slabs.of(0)).map(|b| vec![b]).map_err(|e| (0, e)),
            Self::Two(pair) => pair.fold(slabs).map(Vec::from),
        }
    }

    fn side(&mut self, side: usize) -> &mut Fold {
        match self {
            Self::One(fold) => fold,
            Self::Two(pair) => &mut pair.folds[side],
        }
    }

    fn has_parted(&self, key: &[u8]) -> bool {
        match self {
            Self::One(_) => false,
            Self::Two(pair) => (0..2).any(|side| pair.parted(side, key).is_some()),
        }
    }
}

impl<'a> Teller<'a> {
    pub(super) fn new(prepared: &'a Prepared<'a>, key: &'a [u8]) -> Self {
        let lanes = &prepared.lanes;
        let mut folds = Folds::of(prepared);
        Self {
            prepared,
            key,
            decoding: Decoding::new(prepared.plan.clone(), &folds.side(0).recipe),
            folds,
            rejects: lanes.iter().map(|lane| reject_codes(lane.recipe.description())).collect(),
            views: lanes.iter().map(|_| Some(Vec::new())).collect(),
            unviewed: lanes.iter().map(|_| None).collect(),
            row_keys: lanes.iter().map(|lane| row_key(lane.recipe.description())).collect(),
            events: 0,
            has_parted: false,
        }
    }

    /// Folds an event that is the key's for some reducer.
    ///
    /// # Errors
    /// The outer error ends the search; the inner one is the side and [`Stop`] with which a run
    /// cannot go on.
    pub(super) fn tell(
        &mut self,
        placed: &Placed,
    ) -> Result<Result<Told, (usize, Stop)>, RunError> {
        let slabs = self.decoding.batch(std::slice::from_ref(placed))?;
        let sides = 0..self.prepared.lanes.len();
        let read: Vec<_> = sides.map(|side| self.read(side, &slabs.of(side)[0].events)).collect();
        let own = read.iter().position(Option::is_some).unwrap_or_default();
        let events = &slabs.of(own)[0].events;
        let time = display(Value::Timestamp(events.times[0]), Kind::Timestamp);
        let event_id = String::from_utf8_lossy(events.ids.get(0)).into_owned();
        let blocks = match self.folds.fold(&slabs) {
            Ok(blocks) => blocks,
            Err((side, FoldError::Stopped { stop, .. })) => return Ok(Err((side, stop))),
            Err((_, error)) => return Err(RunError::Internal(error.to_string())),
        };
        self.has_parted = self.folds.has_parted(self.key);
        self.events += 1;
        let mut sides = Vec::new();
        for (side, (block, read)) in blocks.into_iter().zip(read).enumerate() {
            sides.push(read.map(|(input, fields)| self.side(side, &block, input, fields)));
        }
        let place = slabs.of(own)[0].position(0);
        Ok(Ok(Told { number: self.events, place, time, event_id, sides }))
    }

    /// Input and fields of the event for a side, if it is the key's there.
    fn read(&self, side: usize, events: &Events) -> Option<(String, Option<Vec<ShownValue>>)> {
        if !is_of(events, 0, self.key) {
            return None;
        }
        let number = usize::from(events.inputs[0]);
        let input = self.prepared.lanes[side].recipe.description().inputs.get(number)?;
        let ready = events.readings[0] == Reading::Ready;
        let fields = ready.then(|| ShownRow::of(&input.fields, &events.columns[number], 0).values);
        Some((input.name.clone(), fields))
    }

    fn side(
        &mut self,
        side: usize,
        block: &Block,
        input: String,
        fields: Option<Vec<ShownValue>>,
    ) -> ToldSide {
        let description = self.prepared.lanes[side].recipe.description();
        let mut emits = Vec::new();
        for (kind, rows) in description.emits.iter().zip(&block.emits) {
            let record = |row| ShownRecord::of(kind, &rows.columns, row);
            emits.extend((0..rows.events.len()).map(record));
        }
        let view = self.view(side);
        let before = std::mem::replace(&mut self.views[side], view.clone());
        let changes = match (&before, &view) {
            (Some(before), Some(after)) => changes(&self.row_keys[side], before, after),
            _ => Vec::new(),
        };
        let detail = block.refused.first().map(|refused| refused.detail.clone());
        ToldSide {
            input,
            fields,
            outcome: NamedOutcome::of(block.outcomes[0], &self.rejects[side]),
            detail: detail.unwrap_or_default(),
            emits,
            changes,
            view,
        }
    }

    /// Says which views are not shown.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.unviewed.iter().enumerate().filter_map(|(side, unviewed)| {
            let (event, which) = unviewed.as_ref()?;
            let Description { name, version, .. } = self.prepared.lanes[side].recipe.description();
            Some(format!(
                "the view of {name}@{version} after event {event} meets its {which} limit, so from \
                 there on none is shown; raise it in [limits] if it is too tight"
            ))
        })
    }

    /// The view of the key as it stands now.
    fn view(&mut self, side: usize) -> View {
        if self.unviewed[side].is_some() {
            return None;
        }
        let viewed = self.folds.side(side).view(self.key);
        if let Err(Fault::Limit { which, .. }) = viewed {
            // Asking after every further event could cost a deadline each.
            self.unviewed[side] = Some((self.events, which));
        }
        let viewed = viewed.ok()?;
        let fields = &self.prepared.lanes[side].recipe.description().view.fields;
        let row = |row| ShownRow::of(fields, &viewed.columns, row);
        Some((0..viewed.owners.len()).map(row).collect())
    }
}

/// Names of the fields that tell the rows of a key apart.
pub(super) fn row_key(description: &Description) -> Vec<String> {
    let field = |number: &u16| description.view.fields.get(usize::from(*number));
    description.view.row_key.iter().filter_map(field).map(|field| field.name.clone()).collect()
}
