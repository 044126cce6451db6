//! What a compiled reducer reaches for that no reducer has: a clock, chance, threads. The standard
//! library for wasm32-unknown-unknown has such functions nevertheless; they import nothing, so no
//! check of imports finds them, and they panic, or make something up, when they are called.
//!
//! Looked for is what such functions leave in a module after linking, where only what can be called
//! is left: their names, if the module still has them, and the texts of their panics. So this finds
//! Rust's standard library; a language with a library of its own is not seen through, and code that
//! is told apart by neither stays unseen. It is a help for authors and no wall: nothing that it
//! misses can make the world reachable, and `verify` is for what it cannot see.

use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Something that no reducer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// `std::time::Instant::now`, `SystemTime::now`: panics.
    Clock,
    /// `std::thread::sleep`: panics.
    Sleep,
    /// `std::thread::spawn`: panics.
    Thread,
    /// The keys of a `HashMap` or `HashSet`: made of addresses, so they differ between instances.
    Chance,
    /// A `thread_local!` of the reducer or of a crate that it uses: it outlives a call.
    Kept,
}

/// What a panic of the standard library says.
const TEXTS: [(&[u8], Reach); 3] = [
    (b"time not implemented on this platform", Reach::Clock),
    (b"can't sleep", Reach::Sleep),
    (b"failed to spawn thread", Reach::Thread),
];

/// The first word of SipHash's state, which begins every hasher of a `HashMap` that was not given
/// another, as an instruction: `i64.const` and the number as a signed LEB128.
const SIP: [u8; 11] = [0x42, 0xf5, 0xca, 0xcd, 0x83, 0xd7, 0xac, 0xdb, 0xb7, 0xf3, 0x00];

/// What a core module reaches for, each once. Of bytes that are no module: nothing.
pub fn reaches(module: &[u8]) -> Vec<Reach> {
    let mut found = Vec::new();
    let (mut hashes, mut is_lazy) = (false, false);
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::DataSection(section) => {
                for data in section.into_iter().flatten() {
                    let says = |text: &[u8]| data.data.windows(text.len()).any(|at| at == text);
                    found.extend(TEXTS.iter().filter(|(text, _)| says(text)).map(|(_, of)| *of));
                }
            }
            Payload::CodeSectionEntry(body) => {
                hashes |= body.as_bytes().windows(SIP.len()).any(|at| at == SIP);
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for name in names.flatten() {
                    let Name::Function(map) = name else { continue };
                    for naming in map.into_iter().flatten() {
                        found.extend(named(naming.name));
                        is_lazy |= is_lazy_thread_local(naming.name);
                    }
                }
            }
            _ => {}
        }
    }
    if is_lazy {
        found.push(if hashes { Reach::Chance } else { Reach::Kept });
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What a function of the standard library is for, by its mangled name (in both manglings a name
/// has its length in front).
fn named(name: &str) -> Option<Reach> {
    let is = |parts: &[&str]| name.contains("3std") && parts.iter().any(|p| name.contains(p));
    if is(&["7Instant3now", "10SystemTime3now"]) {
        return Some(Reach::Clock);
    }
    is(&["19hashmap_random_keys", "11RandomState3new"]).then_some(Reach::Chance)
}

fn is_lazy_thread_local(name: &str) -> bool {
    name.contains("12thread_local") && name.contains("LazyStorage")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wat(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn names_and_texts_give_it_away() {
        let data = r#"(module (memory 1)
            (data (i32.const 0) "x time not implemented on this platform y"))"#;
        assert_eq!(reaches(&wat(data)), [Reach::Clock]);
        let named = "(module (func $_ZN3std4time7Instant3now17h0E))";
        assert_eq!(reaches(&wat(named)), [Reach::Clock]);
        let own = "(module (func $_RNvMNtCs1_4book4time7Instant3now))";
        assert_eq!(reaches(&wat(own)), []);
        assert_eq!(reaches(b"\0asm"), []);
    }

    #[test]
    fn a_hash_map_is_told_from_another_thread_local() {
        let lazy = "$_ZN3std3sys12thread_local10no_threads20LazyStorage10initialize17h0E";
        let own = format!("(module (func {lazy}))");
        assert_eq!(reaches(&wat(&own)), [Reach::Kept]);
        let sip = i64::from_be_bytes(*b"somepseu");
        let map = format!("(module (func {lazy}) (func (result i64) i64.const {sip}))");
        assert_eq!(reaches(&wat(&map)), [Reach::Chance]);
        let hashes = format!("(module (func (result i64) i64.const {sip}))");
        assert_eq!(reaches(&wat(&hashes)), [], "a hasher with fixed keys");
    }
}
