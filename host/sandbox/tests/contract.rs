//! What the SDK puts into every module: the contract as wit-component writes it, made from
//! `wit/reducer.wit` as it stands.

use std::path::Path;
use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

/// `RETALLY_BLESS=1` writes it anew after a change of the WIT.
#[test]
fn the_sdk_holds_the_contract_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some("reducer")).unwrap();
    let encoded = metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap();
    let place = root.join("plugins/sdk/src/contract.bin");
    if std::env::var_os("RETALLY_BLESS").is_some() {
        std::fs::write(&place, &encoded).unwrap();
    }
    assert!(
        std::fs::read(&place).unwrap() == encoded,
        "contract.bin is not what wit/reducer.wit says: RETALLY_BLESS=1 writes it anew"
    );
}
