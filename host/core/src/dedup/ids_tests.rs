//! An [`IdTable`] against a model that remembers everything and forgets by the rule alone.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a table must answer, as plainly as it can be said.
struct Model {
    window: Window,
    seen: BTreeMap<u128, (u64, Micros)>,
}

impl Model {
    fn see(&mut self, id: u128, content: u64, before: Micros, after: Micros) -> Seen {
        let forgotten = |high: Micros| match self.window {
            Window::Off => true,
            Window::All => false,
            Window::Span(span) => i128::from(before) - i128::from(high) > i128::from(span),
        };
        match self.seen.get(&id) {
            Some(&(first, high)) if !forgotten(high) => {
                if first == content {
                    Seen::Duplicate
                } else {
                    Seen::Conflict
                }
            }
            _ => {
                self.seen.insert(id, (content, after));
                Seen::New
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Act {
    Expect(usize),
    See { id: u64, content: u64, time: Micros },
    Tidy,
    Snapshot,
}

fn act() -> impl Strategy<Value = Act> {
    let see = (0..300u64, 0..3u64, 0..1000i64);
    prop_oneof![
        40 => see.prop_map(|(id, content, time)| Act::See { id, content, time }),
        1 => Just(Act::Tidy),
        1 => (0..2000usize).prop_map(Act::Expect),
        1 => Just(Act::Snapshot),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![Just(Window::All), Just(Window::Off), (0..300i64).prop_map(Window::Span)]
}

/// Digests that crowd into few homes, some at the very end, some with the same tag.
fn crowded(id: u64) -> u128 {
    let upper = match id % 4 {
        0 => u64::MAX,
        1 => 0,
        2 => id << 56,
        _ => id.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    };
    u128::from(upper) << 32 | u128::from(id % 7) << 16 | u128::from(id) << 98
}

proptest! {
    #[test]
    fn answers_follow_from_the_rule_alone(
        window in window(),
        acts in prop::collection::vec(act(), 1..400),
    ) {
        let mut model = Model { window, seen: BTreeMap::new() };
        let mut table = IdTable::new(&window);
        let mut saved: Vec<Remembered> = Vec::new();
        let mut highs = [Micros::MIN; 3];
        for act in acts {
            match act {
                Act::See { id, content, time } => {
                    let slot = (id % 3) as u32;
                    let before = highs[slot as usize];
                    let (after, digest) = (before.max(time), crowded(id));
                    table.touch([digest].into_iter());
                    let seen = table.see(digest, content, slot, before, after);
                    prop_assert_eq!(seen, model.see(digest, content, before, after));
                    if seen == Seen::New {
                        highs[slot as usize] = after;
                    }
                }
                Act::Expect(ids) => table.expect(ids),
                Act::Tidy => {
                    table.tidy(&highs);
                    prop_assert!(!table.wants_tidy());
                }
                Act::Snapshot => {
                    saved.push(table.export_new());
                    prop_assert_eq!(table.export_new(), Remembered::default());
                    table = IdTable::new(&window);
                    saved.iter().for_each(|rows| table.import(rows));
                }
            }
        }
    }
}

#[test]
fn only_the_spans_rule_forgets() {
    let mut table = IdTable::new(&Window::Span(10));
    assert_eq!(table.see(1, 7, 0, Micros::MIN, 100), Seen::New);
    assert_eq!(table.see(1, 7, 0, 110, 110), Seen::Duplicate, "110 - 100 is not beyond the span");
    assert_eq!(table.see(1, 8, 0, 110, 110), Seen::Conflict);
    assert_eq!(table.see(1, 8, 0, 111, 111), Seen::New);
    assert_eq!(table.see(1, 8, 0, 121, 500), Seen::Duplicate, "seen anew at 111");
}

#[test]
fn an_export_holds_what_is_new_since_the_last() {
    let mut table = IdTable::new(&Window::All);
    table.see(1, u64::MAX, 0, 0, 0);
    table.see(2, 5, 0, 0, 0);
    let mut first = table.export_new();
    first.digests.sort_unstable();
    assert_eq!(first.digests, [1, 2]);
    assert!(first.highest.is_empty() && first.slots.is_empty());
    assert_eq!(table.see(2, 5, 0, 0, 0), Seen::Duplicate);
    assert_eq!(table.see(3, 5, 0, 0, 0), Seen::New);
    let second = table.export_new();
    assert_eq!((second.digests, second.content), (vec![3], vec![5]));
    let mut other = IdTable::new(&Window::All);
    other.import(&first);
    assert_eq!(other.see(1, u64::MAX >> 1, 0, 0, 0), Seen::Duplicate, "63 bits count");
    assert_eq!(other.export_new(), Remembered::default());
}

/// Pseudo-random digests without a generator at hand.
fn digest(number: u64) -> u128 {
    let mix = |n: u64| {
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    };
    u128::from(mix(number * 2 + 1)) << 64 | u128::from(mix(number * 2 + 2))
}

/// As a snapshot gives the ids of one key: in the order of their digests, a piece at a time.
#[test]
fn ids_that_come_in_order_lie_as_well_as_any() {
    let mut digests: Vec<u128> = (0..100_000).map(digest).collect();
    digests.sort_unstable();
    let mut table = IdTable::new(&Window::All);
    for digests in digests.chunks(8_192) {
        let content = digests.iter().map(|&digest| digest as u64 >> 1).collect();
        table.import(&Remembered { digests: digests.to_vec(), content, ..Remembered::default() });
        let Kept::All(slots) = &mut table.0 else { unreachable!() };
        let walk = slots.longest_walk();
        assert!(walk < 12, "{walk} buckets");
    }
}

/// Bytes an id at every hundredth of the way to `ids`, in 32 tables.
fn most_bytes_an_id(window: Window, from: u64, ids: u64) -> f64 {
    let mut tables: Vec<IdTable> = (0..32).map(|_| IdTable::new(&window)).collect();
    let mut most: f64 = 0.0;
    for number in 0..ids {
        let id = digest(number);
        assert_eq!(tables[id as usize % 32].see(id, number, 0, 0, 0), Seen::New);
        if number + 1 >= from && number % (ids / 100) == 0 {
            let bytes: usize = tables.iter().map(IdTable::bytes).sum();
            most = most.max(bytes as f64 / (number + 1) as f64);
        }
    }
    most
}

#[test]
fn an_id_takes_at_most_40_bytes_at_any_size() {
    let bound = crate::limits::ID_MAX_BYTES as f64;
    let most = most_bytes_an_id(Window::All, 100_000, 5_000_000);
    assert!(most <= bound, "{most}");
    let small = most_bytes_an_id(Window::All, 20_000, 200_000);
    assert!(small <= bound, "{small}");
}

#[test]
fn under_a_span_an_id_takes_at_most_60_bytes() {
    let most = most_bytes_an_id(Window::Span(1), 100_000, 1_000_000);
    assert!(most <= 60.0, "{most}");
}

#[test]
fn tidying_gives_memory_back() {
    let mut table = IdTable::new(&Window::Span(0));
    for number in 0..10_000 {
        table.see(digest(number), 1, 0, number as i64, number as i64);
    }
    let before = table.bytes();
    assert!(table.wants_tidy());
    table.tidy(&[9_999]);
    assert_eq!(table.len(), 1);
    assert!(table.bytes() * 100 < before);
}
