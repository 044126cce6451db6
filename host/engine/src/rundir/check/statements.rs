//! What a check that holds proves, and what it leaves open: less where somebody outside of the run
//! vouches for it.

use super::CheckReport;

/// What outside of the run directory spoke for it, and was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vouched {
    /// The seal is the one that was expected.
    pub seal: bool,
    /// A key signed the manifest as it stands.
    pub signature: bool,
}

const PROVES: [&str; 3] = [
    "no emit, outcome, view row, state or violation code was changed, moved to another event, \
     added or lost since the manifest was written",
    "job, input description, reducer, what it declares and the results belong together: the seal \
     covers them all, and the snapshot from which a run went on",
    "counts, marks and control totals are those of the rows and the settings, and every other byte \
     of the files is the one that the manifest lists",
];

const SEALED: &str = "the seal is the one that was expected: whatever it covers is as it was when \
                      that was taken down, also if files and manifest were written anew together";

const SIGNED: &str = "the key signed this manifest: every byte of it and of the files that it \
                      lists is as it was then";

const RIGHT: [&str; 2] = [
    "that the results are right: only a replay of the log shows that",
    "that the log was what the input description says: only the log shows that",
];

const ANEW: &str = "that nobody wrote files and manifest anew together: compare the seal with one \
                    kept elsewhere (--seal), or verify a signature (--verify-with)";

/// What somebody can change who writes the manifest anew, and keep its seal.
const UNSEALED: [&str; 3] = [
    "that keys, ids and times beside emits, times beside states, the positions of where.parquet, \
     details and the bytes of refused events are as they were written, if somebody who changes \
     them writes the manifest anew: no seal covers them, a signature does",
    "that engine, version of Retally, the job as a person wrote it and the words of a range are as \
     they were, in the same case: no seal covers them, a signature does",
    "that the earliest and the latest event time, how many lie before 1990 or from 2100 on, and of \
     objects ETags and byte order marks are as they were, in the same case: they do not follow \
     from the files, and no seal covers them, a signature does",
];

const UNSEALED_HISTORY: &str = "that the snapshot's name, how closely the log was held against it, \
                                how many objects were not read again, the snapshots that were \
                                passed over, and the event times since the history began are as \
                                they were, in the same case: no seal covers them, a signature does";

const HISTORY: &str = "what happened before the snapshot from which this run went on, or in front \
                       of its range: history.parquet holds its trees, taken over as they were; a \
                       snapshot that the seal names holds them too";

impl CheckReport {
    /// What the check proves if it holds, as sentences.
    pub fn proves(&self, vouched: Vouched) -> Vec<&'static str> {
        let mut proves = PROVES.to_vec();
        proves.extend(vouched.seal.then_some(SEALED));
        proves.extend(vouched.signature.then_some(SIGNED));
        proves
    }

    /// What it does not prove, as sentences.
    pub fn leaves_open(&self, vouched: Vouched) -> Vec<&'static str> {
        let mut open = RIGHT.to_vec();
        if !vouched.signature {
            open.extend((!vouched.seal).then_some(ANEW));
            open.extend(UNSEALED);
            open.extend(self.history.then_some(UNSEALED_HISTORY));
        }
        open.extend(self.history.then_some(HISTORY));
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::digest::Hash;

    #[test]
    fn what_is_vouched_for_is_no_longer_open() {
        let report = |history| CheckReport {
            digests: Vec::new(),
            findings: Vec::new(),
            history,
            seal: Hash([1; 32]),
            manifest: Vec::new(),
            signature: None,
        };
        let [none, seal, signature, both] =
            [(false, false), (true, false), (false, true), (true, true)]
                .map(|(seal, signature)| Vouched { seal, signature });
        let open = |vouched| report(true).leaves_open(vouched);
        assert_eq!((open(none).len(), report(false).leaves_open(none).len()), (8, 6));
        let says = |open: &[&str], what: &str| open.iter().any(|said| said.contains(what));
        assert!(says(&open(none), "--seal") && says(&open(none), "a signature does"));
        assert!(!says(&open(seal), "--seal") && says(&open(seal), "a signature does"));
        for vouched in [signature, both] {
            assert!(!says(&open(vouched), "--seal") && !says(&open(vouched), "a signature does"));
            assert_eq!(open(vouched).len(), 3, "a replay, the log and the snapshot");
        }
        let proves = |vouched| report(true).proves(vouched).len();
        assert_eq!([none, seal, signature, both].map(proves), [3, 4, 4, 5]);
    }
}
