//! The Merkle tree hash of RFC 9162 (section 2.1.1), grown leaf by leaf. Only the tree's right edge
//! is kept, so that it takes 32 bytes a level however many leaves there are.
//!
//! ```text
//! leaf  SHA-256(0x00 | bytes)    node  SHA-256(0x01 | left | right)    no leaf  SHA-256("")
//! ```

use super::Hash;

/// Stands before a leaf's bytes.
pub(super) const LEAF: u8 = 0;
/// Stands before a node's two hashes.
const NODE: u8 = 1;

/// A growing tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    leaves: u64,
    /// Roots of the perfect subtrees from left to right: one for each bit that is set in `leaves`.
    edge: Vec<Hash>,
}

impl Tree {
    /// Takes up a tree where [`Tree::leaves`] and [`Tree::edge`] left it; nothing if they do not
    /// fit.
    pub fn restore(leaves: u64, edge: Vec<Hash>) -> Option<Self> {
        (edge.len() == leaves.count_ones() as usize).then_some(Self { leaves, edge })
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.leaves.trailing_ones() {
            let Some(left) = self.edge.pop() else { break };
            hash = node(&left, &hash);
        }
        self.edge.push(hash);
        self.leaves += 1;
    }

    /// The tree hash over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut right = self.edge.iter().rev();
        let Some(&last) = right.next() else { return Hash::of(b"") };
        right.fold(last, |hash, left| node(left, &hash))
    }

    /// Number of leaves.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// The right edge: what [`Tree::restore`] needs besides the number of leaves.
    pub fn edge(&self) -> &[Hash] {
        &self.edge
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [NODE; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Hash::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(bytes: &[u8]) -> Hash {
        Hash::of(&[&[LEAF], bytes].concat())
    }

    /// The definition as the RFC writes it.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [one] => *one,
            many => {
                let k = many.len().next_power_of_two() / 2;
                node(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    #[test]
    fn it_is_the_rfc_s_tree_for_every_small_size() {
        let leaves: Vec<_> = (0u8..130).map(|n| leaf(&[n])).collect();
        let mut tree = Tree::default();
        for n in 0..leaves.len() {
            assert_eq!(tree.root(), by_definition(&leaves[..n]), "{n} leaves");
            tree = Tree::restore(tree.leaves(), tree.edge().to_vec()).unwrap();
            tree.push(leaves[n]);
        }
    }

    #[test]
    fn the_root_over_three_leaves_is_what_hashlib_says() {
        // h = lambda b: hashlib.sha256(b).digest(); l = lambda b: h(b"\0" + b)
        // h(b"\1" + h(b"\1" + l(b"a") + l(b"b")) + l(b"c")).hex()
        let mut tree = Tree::default();
        for bytes in [b"a", b"b", b"c"] {
            tree.push(leaf(bytes));
        }
        assert_eq!(
            tree.root().to_string(),
            "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1"
        );
    }

    #[test]
    fn an_edge_that_does_not_fit_its_count_is_refused() {
        assert_eq!(Tree::restore(3, vec![leaf(b"a")]), None);
    }
}
