//! The WIT that this crate was written against. When it changes, `src/abi.rs` has to follow it by
//! hand and `src/contract.bin` has to be made again (plugins/README.md says how); then the value
//! below.

/// FNV-1a of `wit/reducer.wit` without its comments and white space.
const CONTRACT: u64 = 0x63f0_78bf_2d67_2a8b;

#[test]
fn the_wit_is_the_one_that_abi_mirrors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/reducer.wit");
    let text = std::fs::read_to_string(path).expect("the WIT");
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in code.flat_map(str::bytes).filter(|byte| !byte.is_ascii_whitespace()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    assert_eq!(hash, CONTRACT, "{hash:#x}: wit/reducer.wit was changed");
}
