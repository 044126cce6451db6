//! The engine inside somebody else's program, as this example has it: tenants within limits of
//! their own, one of them hostile. The test stands beside the program, so that Cargo builds it.

use anyhow::{Context, Result};
use retally_tests::reducer;
use std::process::Command;

#[test]
fn a_hostile_tenant_ends_alone() -> Result<()> {
    let example = env!("CARGO_BIN_EXE_retally-example-embed");
    let components = ["orders", "orders-v2", "chameleon"].map(reducer);
    let output = Command::new(example).args(components).output().context(example)?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{errors}");
    assert_eq!(errors, "", "the engine prints nothing");
    for part in [
        "books: 5002 events, digest ",
        "7 view rows, 1 refused",
        "5000 emits of kind balance",
        "the same digest alone and beside the intruder",
        "intruder: stopped at event march:5 (key \"k5\", id \"e5\"): the reducer meets its",
        "deadline limit on it",
        "version 2 says the same of ",
        "cancelled: stopped on request",
    ] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
    Ok(())
}
