//! Rows of several pieces in one order, so that neither shards nor threads show in a snapshot.

use super::SnapshotError;
use std::cmp::Ordering;

/// A row: its piece, and its number in it.
pub(super) type At = (usize, u32);

/// Visits all rows in order. `orders` holds for each piece its rows in order; `compare` is that
/// order. Pieces that follow one another as wholes cost one comparison a row.
pub(super) fn merge(
    orders: &[Vec<u32>],
    compare: impl Fn(At, At) -> Ordering,
    mut visit: impl FnMut(At) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    let mut next = vec![0usize; orders.len()];
    let head = |piece: usize, next: &[usize]| (piece, orders[piece][next[piece]]);
    // Pieces that have rows left, the one with the first row first.
    let mut line: Vec<usize> = (0..orders.len()).filter(|&p| !orders[p].is_empty()).collect();
    line.sort_by(|&a, &b| compare(head(a, &next), head(b, &next)));
    while let Some(&piece) = line.first() {
        visit(head(piece, &next))?;
        next[piece] += 1;
        if next[piece] == orders[piece].len() {
            line.remove(0);
            continue;
        }
        let mine = head(piece, &next);
        let before = |&other: &usize| compare(head(other, &next), mine) == Ordering::Less;
        if line.get(1).is_none_or(|other| !before(other)) {
            continue;
        }
        let place = line[1..].partition_point(before);
        line[..=place].rotate_left(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_rows_come_in_order(pieces in prop::collection::vec(
            prop::collection::vec(0..50u8, 0..40), 0..6,
        )) {
            let order = |piece: &Vec<u8>| {
                let mut rows: Vec<u32> = (0..piece.len() as u32).collect();
                rows.sort_by_key(|&row| piece[row as usize]);
                rows
            };
            let orders: Vec<_> = pieces.iter().map(order).collect();
            let value = |(piece, row): At| pieces[piece][row as usize];
            let mut seen = Vec::new();
            merge(&orders, |a, b| value(a).cmp(&value(b)), |at| { seen.push(value(at)); Ok(()) })?;
            let mut all = pieces.concat();
            all.sort_unstable();
            prop_assert_eq!(seen, all);
        }
    }
}
