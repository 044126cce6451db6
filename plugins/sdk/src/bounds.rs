//! Bounds and names of the host's that can be seen while a reducer is compiled, so that it is not
//! the first load that tells. The host checks all of them again; a test holds these to its own.

use crate::describe::Shape;
use crate::emit::{Emit, Record};
use crate::event::Event;
use crate::params::Params;
use crate::reason::Reason;
use crate::reducer::Reducer;

const VIEW_COLUMNS: &[&str] = &["key"];
const EMIT_COLUMNS: &[&str] = &["partition", "offset", "seq", "time", "key", "event_id"];
const INPUTS_MAX: usize = 64;
const EMIT_KINDS_MAX: usize = 64;
const FIELDS_MAX: usize = 1024;
const NAME_MAX_BYTES: usize = 64;
const PATHS_MAX: usize = 16;
const PATH_MAX_BYTES: usize = 1024;
const CONDITIONS_MAX: usize = 16;
const CONDITION_VALUES_MAX: usize = 1024;
const KEY_PARTS_MAX: usize = 16;
const CODES_MAX: usize = 1024;
const SAYS_MAX_BYTES: usize = 1024;

/// Refuses while compiling what the host would refuse to load.
pub const fn check<R: Reducer>() {
    let inputs = <R::Event<'static> as Event<'static>>::INPUTS;
    assert!(inputs.len() <= INPUTS_MAX, "a reducer reads at most 64 types of event");
    let mut at = 0;
    while at < inputs.len() {
        let input = &inputs[at];
        assert!(input.when.len() <= CONDITIONS_MAX, "an event has at most 16 conditions");
        let mut when = 0;
        while when < input.when.len() {
            let values = input.when[when].any_of.len();
            assert!(values <= CONDITION_VALUES_MAX, "a condition takes at most 1024 values");
            when += 1;
        }
        assert!(input.key.len() <= KEY_PARTS_MAX, "a key has at most 16 parts");
        fields(input.fields);
        at += 1;
    }
    fields(R::Params::FIELDS);
    let kinds = <R::Emit<'static> as Emit>::KINDS;
    assert!(kinds.len() <= EMIT_KINDS_MAX, "a reducer has at most 64 kinds of emit");
    let mut at = 0;
    while at < kinds.len() {
        assert!(
            !clash(kinds[at].1, EMIT_COLUMNS),
            "a field of an emit has the name of one of the host's own columns there: `partition`, \
             `offset`, `seq`, `time`, `key`, `event_id`; call it otherwise"
        );
        fields(kinds[at].1);
        at += 1;
    }
    let view = <R::View<'static> as Record>::FIELDS;
    assert!(
        !clash(view, VIEW_COLUMNS),
        "a field of the view is called `key`, which is the host's own column there; call it \
         otherwise"
    );
    fields(view);
    reasons(R::Reject::ALL);
    reasons(R::Violation::ALL);
}

const fn fields(fields: &[Shape]) {
    assert!(fields.len() <= FIELDS_MAX, "at most 1024 fields stand in one place");
    let mut at = 0;
    while at < fields.len() {
        let Shape { name, paths, .. } = &fields[at];
        assert!(name.len() <= NAME_MAX_BYTES, "the name of a field has at most 64 bytes");
        assert!(paths.len() <= PATHS_MAX, "a field has at most 16 paths");
        let mut path = 0;
        while path < paths.len() {
            assert!(paths[path].len() <= PATH_MAX_BYTES, "a path has at most 1024 bytes");
            path += 1;
        }
        at += 1;
    }
}

/// Whether a field is called as a column of the host's, whatever the case of its letters.
const fn clash(fields: &[Shape], taken: &[&str]) -> bool {
    let mut at = 0;
    while at < fields.len() {
        let mut of = 0;
        while of < taken.len() {
            if fields[at].name.eq_ignore_ascii_case(taken[of]) {
                return true;
            }
            of += 1;
        }
        at += 1;
    }
    false
}

const fn reasons(reasons: &[(&str, &str)]) {
    assert!(reasons.len() <= CODES_MAX, "at most 1024 reasons");
    let mut at = 0;
    while at < reasons.len() {
        let (code, says) = reasons[at];
        assert!(code.len() <= NAME_MAX_BYTES, "the code of a reason has at most 64 bytes");
        assert!(says.len() <= SAYS_MAX_BYTES, "what a reason says has at most 1024 bytes");
        at += 1;
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use retally_core::{limits, schema};

    #[test]
    fn the_bounds_are_the_hosts() {
        assert_eq!(super::VIEW_COLUMNS, schema::VIEW_COLUMNS);
        assert_eq!(super::EMIT_COLUMNS, schema::EMIT_COLUMNS);
        let own = [
            super::INPUTS_MAX,
            super::EMIT_KINDS_MAX,
            super::FIELDS_MAX,
            super::NAME_MAX_BYTES,
            super::PATHS_MAX,
            super::PATH_MAX_BYTES,
            super::CONDITIONS_MAX,
            super::CONDITION_VALUES_MAX,
            super::KEY_PARTS_MAX,
            super::CODES_MAX,
            super::SAYS_MAX_BYTES,
        ];
        let hosts = [
            limits::INPUTS_MAX,
            limits::EMIT_KINDS_MAX,
            limits::FIELDS_MAX,
            limits::NAME_MAX_BYTES,
            limits::PATHS_MAX,
            limits::PATH_MAX_BYTES,
            limits::CONDITIONS_MAX,
            limits::CONDITION_VALUES_MAX,
            limits::KEY_PARTS_MAX,
            limits::CODES_MAX,
            limits::SAYS_MAX_BYTES,
        ];
        assert_eq!(own, hosts);
    }
}
