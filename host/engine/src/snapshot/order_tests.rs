//! Rows come in order, whatever they come out of.

use super::super::tests::head;
use super::*;
use proptest::prelude::*;
use retally_core::log::Order;

/// A piece of keys, each in the partition that its first letter is.
fn piece(keys: &[(u8, u8)]) -> Piece {
    let mut rows = KeyRows::default();
    for &(home, key) in keys {
        rows.keys.push(&[key]);
        rows.states.push(&[home, key]);
        rows.applied.push(1);
        rows.highest.push(2);
        rows.last.push(3);
        rows.home.push(u32::from(home));
    }
    Piece { keys: rows, ..Piece::default() }
}

proptest! {
    #[test]
    fn all_rows_come_in_order(
        any in prop::collection::vec(prop::collection::vec((0..2u8, 0..50u8), 0..40), 0..4),
        runs in prop::collection::vec(prop::collection::vec((0..2u8, 0..50u8), 0..40), 0..4),
        window in 1usize..9,
        forget in 1usize..20,
    ) {
        let mut head = head(10);
        head.binding.settings.order = Order::Log;
        let pieces: Vec<Piece> = any.iter().map(|keys| piece(keys)).collect();
        let mut rows = Rows::new(&head);
        let mut sources = rows.add(What::Keys, &pieces);
        for keys in &runs {
            let mut keys = keys.clone();
            keys.sort_unstable();
            let mut windows: Vec<Piece> = keys.chunks(window).map(piece).rev().collect();
            windows.push(Piece::default());
            let more: More<'_> = Box::new(move || Ok(windows.pop()));
            sources.push(rows.run(What::Keys, more, true).unwrap());
        }
        let mut seen = Vec::new();
        merge(&mut rows, What::Keys, sources, |rows, at, _| {
            let state = rows.pieces[at.0].keys.states.get(at.1 as usize);
            seen.push((state[0], state[1]));
            if seen.len().is_multiple_of(forget) {
                rows.forget(at);
            }
            Ok(())
        })?;
        let mut all = [any.concat(), runs.concat()].concat();
        all.sort_unstable();
        prop_assert_eq!(seen, all);
    }
}
