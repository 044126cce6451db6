//! The end of a run: every key with a state, in byte order, with its view rows and violations.

use super::gather::copy_all;
use super::isolate::append;
use super::running::{view, with_instance};
use super::{
    Fault, Finals, Instance, Keyed, Manner, Reducer, Rules, Shard, Viewed, Violated, check_violated,
};
use crate::limits::{CALL_KEYS_MAX, CALL_STATES_BYTES};
use crate::log::Reach;
use crate::schema::Column;
use crate::state::Slot;

/// Where a key lies: shard and slot.
pub type KeyRef = (u32, Slot);

/// All keys with a state, in byte order.
pub fn sorted_keys(shards: &[&Shard]) -> Vec<KeyRef> {
    let bytes = |key: &KeyRef| shards[key.0 as usize].keys.key(key.1);
    // Beside each key its first bytes: most comparisons end there, without a look into memory.
    let mut keys: Vec<(u128, KeyRef)> = Vec::new();
    for (number, shard) in shards.iter().enumerate() {
        let slots = shard.keys.with_state().map(|slot| (number as u32, slot));
        keys.extend(slots.map(|key| (beginning(bytes(&key)), key)));
    }
    keys.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| bytes(x).cmp(bytes(y))));
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Keys with events and without a state, in byte order, and where their events lie: what the walk
/// over keys with a state does not come by. Nothing unless reaches are noted.
pub fn stateless(shards: &[&Shard]) -> Vec<(Vec<u8>, Reach)> {
    let mut found = Vec::new();
    for shard in shards {
        for slot in 0..shard.keys.len() as Slot {
            let reach = shard.reach(slot).filter(|reach| reach.events > 0);
            if let Some(reach) = reach.filter(|_| shard.keys.state(slot).is_empty()) {
                found.push((shard.keys.key(slot).to_vec(), reach));
            }
        }
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The first bytes of a key as a number that is ordered as they are. A shorter key lies before all
/// that go on, and zeros in their place are no larger than what any of those has.
fn beginning(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let len = key.len().min(16);
    bytes[..len].copy_from_slice(&key[..len]);
    u128::from_be_bytes(bytes)
}

/// The keys call by call: neither more keys nor much more of states than a call takes.
pub fn calls<'k>(shards: &[&Shard], keys: &'k [KeyRef]) -> Vec<&'k [KeyRef]> {
    let (mut all, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, &(shard, slot)) in keys.iter().enumerate() {
        let state = shards[shard as usize].keys.state(slot).len();
        if at - from == CALL_KEYS_MAX || (at > from && bytes + state > CALL_STATES_BYTES) {
            all.push(&keys[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += state;
    }
    all.extend((from < keys.len()).then(|| &keys[from..]));
    all
}

/// Derives the view rows and finds the violations of `keys` (a piece of [`sorted_keys`]).
///
/// # Errors
/// A fault that repeats, with the first key that gives it alone; or that it is
/// [slow](KeyFault::is_slow).
pub fn finals(
    shards: &[&Shard],
    keys: &[KeyRef],
    (reducer, rules): (&dyn Reducer, &Rules),
    manner: Manner,
    instance: &mut Option<Box<dyn Instance>>,
) -> Result<Finals, KeyFault> {
    let keyed = keyed(shards, keys, rules);
    let alone = Alone { shards, keys, reducer, rules };
    let called = match manner {
        Manner::Singly => alone.all(None)?,
        Manner::Hurried(parts) => match call(reducer, &keyed, instance, parts) {
            Ok(called) => called,
            Err(fault @ (Fault::Machine { .. } | Fault::Halted | Fault::Limit { .. })) => {
                return Err(KeyFault { key: None, fault });
            }
            Err(fault) => alone.all(Some(fault))?,
        },
    };
    let (viewed, violated) = called;
    let applied = keys.iter().map(|k| shards[k.0 as usize].keys.get(k.1).applied).collect();
    let reaches = keys.iter().filter_map(|k| shards[k.0 as usize].reach(k.1)).collect();
    let Keyed { keys, states, times, .. } = keyed;
    Ok(Finals { keys, states, applied, times, reaches, viewed, violated })
}

/// The view rows of one key as it stands now.
///
/// # Errors
/// See [`Fault`].
pub fn view_of(
    shards: &[&Shard],
    key: KeyRef,
    reducer: &dyn Reducer,
    rules: &Rules,
    instance: &mut Option<Box<dyn Instance>>,
) -> Result<Viewed, Fault> {
    let keyed = keyed(shards, &[key], rules);
    with_instance(reducer, instance, 1, |running| view(reducer, running, &keyed))
}

fn keyed(shards: &[&Shard], keys: &[KeyRef], rules: &Rules) -> Keyed {
    let mut keyed = Keyed { params: rules.params.clone(), ..Keyed::default() };
    let table = |&(shard, slot): &KeyRef| (&shards[shard as usize].keys, slot);
    copy_all(&mut keyed.keys, keys, |key| {
        let (table, slot) = table(key);
        table.key(slot)
    });
    copy_all(&mut keyed.states, keys, |key| {
        let (table, slot) = table(key);
        table.state(slot)
    });
    keyed.times.extend(keys.iter().map(table).map(|(table, slot)| table.get(slot).last));
    keyed
}

fn call(
    reducer: &dyn Reducer,
    keyed: &Keyed,
    instance: &mut Option<Box<dyn Instance>>,
    parts: u32,
) -> Result<(Viewed, Vec<Violated>), Fault> {
    with_instance(reducer, instance, parts, |running| {
        let viewed = view(reducer, running, keyed)?;
        let violated = running.check(keyed)?;
        let description = reducer.description();
        let checked = check_violated(description, keyed.keys.len(), &violated);
        checked.map_err(|error| error.fault(description))?;
        Ok((viewed, violated))
    })
}

/// Keys that are asked for one by one: to name the one that a fault is about, or, where many keys
/// together met a limit that none meets alone, to go on.
struct Alone<'a> {
    shards: &'a [&'a Shard],
    keys: &'a [KeyRef],
    reducer: &'a dyn Reducer,
    rules: &'a Rules,
}

impl Alone<'_> {
    /// `together`: what asking for all of them ended in, but for a limit.
    fn all(&self, together: Option<Fault>) -> Result<(Viewed, Vec<Violated>), KeyFault> {
        let fields = &self.reducer.description().view.fields;
        let columns = fields.iter().map(|field| Column::new(field.kind)).collect();
        let mut all = (Viewed { owners: Vec::new(), columns }, Vec::new());
        let mut instance = None;
        for (owner, key) in self.keys.iter().enumerate() {
            let (viewed, violated) = self.one(key, &mut instance)?;
            all.0.owners.extend(viewed.owners.iter().map(|_| owner as u32));
            append(&mut all.0.columns, &viewed.columns);
            all.1.extend(violated.into_iter().map(|v| Violated { owner: owner as u32, ..v }));
        }
        match together {
            None => Ok(all),
            Some(fault) => Err(KeyFault { key: None, fault }),
        }
    }

    fn one(
        &self,
        key: &KeyRef,
        instance: &mut Option<Box<dyn Instance>>,
    ) -> Result<(Viewed, Vec<Violated>), KeyFault> {
        let one = keyed(self.shards, std::slice::from_ref(key), self.rules);
        let mut ask = || call(self.reducer, &one, instance, 1);
        let asked = match ask() {
            Err(Fault::Limit { .. }) => ask(),
            asked => asked,
        };
        asked.map_err(|fault| match fault {
            Fault::Machine { .. } | Fault::Halted => KeyFault { key: None, fault },
            fault => {
                let key = Some((one.keys.get(0).to_vec(), one.states.get(0).to_vec()));
                KeyFault { key, fault }
            }
        })
    }
}

/// A fault in `view` or `check`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", .key.as_ref().map_or(String::new(), |(key, _)| {
    format!("key {:?}: ", String::from_utf8_lossy(key))
}))]
pub struct KeyFault {
    /// The key that gives it alone, with its state; none: no key does, so the reducer keeps
    /// something between calls.
    pub key: Option<(Vec<u8>, Vec<u8>)>,
    /// What happened.
    pub fault: Fault,
}

impl KeyFault {
    /// Whether all that is known is that a limit was met in a hurry: the same keys can be asked for
    /// [one by one](Manner::Singly).
    pub fn is_slow(&self) -> bool {
        self.key.is_none() && matches!(self.fault, Fault::Limit { .. })
    }
}
