//! Numbers by Zipf's law with exponent 1.05, made of whole numbers alone: powers of floats differ
//! from one machine to the next.

use super::Random;

/// Draws a rank below `ranks` in constant time (an alias table, after Vose).
#[derive(Debug)]
pub struct Zipf {
    /// For each rank the chance, out of 2^63, that it is kept when it is hit.
    keep: Vec<u64>,
    /// The rank that is taken instead.
    alias: Vec<u32>,
}

impl Zipf {
    /// Rank 0 is the most frequent one.
    pub fn new(ranks: u32) -> Self {
        let weights: Vec<u128> = (1..=u128::from(ranks)).map(weight).collect();
        let total: u128 = weights.iter().sum();
        // In units in which the mean weight is `total`.
        let mut shares: Vec<u128> = weights.iter().map(|w| w * u128::from(ranks)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..ranks).partition(|&rank| shares[rank as usize] < total);
        let mut keep = vec![1 << 63; ranks as usize];
        let mut alias: Vec<u32> = (0..ranks).collect();
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            keep[poor as usize] = ((shares[poor as usize] << 63) / total) as u64;
            alias[poor as usize] = rich;
            shares[rich as usize] -= total - shares[poor as usize];
            if shares[rich as usize] < total {
                large.pop();
                small.push(rich);
            }
        }
        Self { keep, alias }
    }

    /// The next rank.
    #[inline]
    pub fn draw(&self, random: &mut Random) -> u32 {
        let hit = random.below(self.keep.len() as u64) as usize;
        if random.draw() >> 1 < self.keep[hit] { hit as u32 } else { self.alias[hit] }
    }
}

/// 2^60 / rank^1.05, where rank^0.05 = the root of the root of the fifth root.
fn weight(rank: u128) -> u128 {
    let fifth = fifth_root(rank << 100); // rank^(1/5) * 2^20
    let twentieth = ((fifth << 100).isqrt() << 60).isqrt(); // rank^(1/20) * 2^60
    (1 << 120) / (rank * twentieth)
}

/// The largest whole number whose fifth power is at most `x`, for x below 2^120.
fn fifth_root(x: u128) -> u128 {
    let (mut low, mut high) = (0u128, 1 << 24);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if middle.pow(5) <= x { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_law() {
        for rank in [1u32, 2, 7, 1000, 99_999] {
            let exact = 2f64.powi(60) / f64::from(rank).powf(1.05);
            let off = weight(u128::from(rank)) as f64 / exact - 1.0;
            assert!(off.abs() < 2e-6, "{rank}: {off}");
        }
    }

    #[test]
    fn frequent_ranks_come_as_often_as_they_should() {
        let (zipf, mut random) = (Zipf::new(1000), Random::new(1));
        let mut hits = [0u32; 1000];
        for _ in 0..1_000_000 {
            hits[zipf.draw(&mut random) as usize] += 1;
        }
        let total: f64 = (1..=1000).map(|r| f64::from(r).powf(-1.05)).sum();
        for rank in [0usize, 1, 9, 99] {
            let expected = 1e6 * (rank as f64 + 1.0).powf(-1.05) / total;
            let off = f64::from(hits[rank]) / expected - 1.0;
            assert!(off.abs() < 0.05, "{rank}: {off}");
        }
    }
}
