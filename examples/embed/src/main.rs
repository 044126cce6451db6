//! The engine inside somebody else's program: tenants share a process, each within limits of his
//! own, and one who means harm ends alone.
//!
//! ```text
//! cargo run --release -p retally-example-embed -- \
//!     target/reducers/orders.wasm target/reducers/orders-v2.wasm target/guests/chameleon.wasm
//! ```
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

mod tenant;

use retally_core::manifest::Manifest;
use retally_engine::Cancel;
use retally_engine::log::{MemoryLog, MemoryPartition};
use retally_engine::sink::Tables;
use std::error::Error;
use std::time::Duration;
use tenant::{Allowance, Metered, Tenant, compare, replay};

/// Whatever may go wrong here: each crate's errors say what, where and what to do.
type Failure = Box<dyn Error + Send + Sync>;

/// What every tenant may use.
const ALLOWANCE: Allowance = Allowance {
    instance_bytes: 64 << 20,
    call: Duration::from_millis(500),
    states_bytes: 256 << 20,
    results_bytes: 64 << 20,
};

fn main() -> Result<(), Failure> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [orders, orders_v2, hostile] = paths.as_slice() else {
        return Err("name three components: ORDERS.wasm ORDERS_V2.wasm HOSTILE.wasm".into());
    };
    let read = |path| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let [orders, orders_v2, hostile] = [read(orders)?, read(orders_v2)?, read(hostile)?];

    let (alone, _) = replay(&books(&orders)?, ALLOWANCE, &Cancel::default(), &Metered::default())?;
    let metered = Metered::default();
    let (honest, harmful) = std::thread::scope(|scope| {
        let honest =
            scope.spawn(|| replay(&books(&orders)?, ALLOWANCE, &Cancel::default(), &metered));
        let harmful = scope.spawn(|| {
            replay(&intruder(&hostile)?, ALLOWANCE, &Cancel::default(), &Metered::default())
        });
        (honest.join(), harmful.join())
    });
    let panicked = || Failure::from("a tenant's thread panicked");
    let (beside, tables) = honest.map_err(|_| panicked())??;
    told(&beside, &tables, metered.events());
    if beside.run_digest != alone.run_digest {
        return Err("a neighbour changed a tenant's results".into());
    }
    println!("the same digest alone and beside the intruder");
    match harmful.map_err(|_| panicked())? {
        Ok(_) => return Err("the intruder was not stopped".into()),
        Err(error) => println!("intruder: {error}"),
    }

    let compared = compare(&books(&orders)?, &orders_v2, ALLOWANCE)?;
    let keys = compared.comparison.keys;
    println!(
        "version 2 says the same of {} accounts, another thing of {}",
        keys.equal, keys.different
    );

    let cancel = Cancel::default();
    cancel.cancel();
    match replay(&books(&orders)?, ALLOWANCE, &cancel, &Metered::default()) {
        Ok(_) => Err("a run that was cancelled went on".into()),
        Err(error) => {
            println!("cancelled: {error}");
            Ok(())
        }
    }
}

fn told(manifest: &Manifest, tables: &Tables, metered: u64) {
    println!("books: {metered} events, digest {}", manifest.run_digest);
    let rows = |batches: &[arrow_array::RecordBatch]| -> usize {
        batches.iter().map(arrow_array::RecordBatch::num_rows).sum()
    };
    println!("  {} view rows, {} refused", rows(&tables.views), rows(&tables.refused));
    for (kind, batches) in &tables.emits {
        println!("  {} emits of kind {kind}", rows(batches));
    }
}

/// Payments of a few accounts, among them one twice and one line that is no event.
fn books(reducer: &[u8]) -> Result<Tenant, Failure> {
    let payment = |n: u64| {
        format!(
            "{{\"event_id\":\"p{n}\",\"type\":\"payment\",\"ts\":\"2026-03-01T12:00:{:02}Z\",\
             \"account_id\":\"a{}\",\"amount\":\"{}.50\",\"currency\":\"EUR\",\
             \"order_id\":\"o{n}\"}}\n",
            n % 60,
            n % 7,
            n * 13 % 900
        )
    };
    let mut text: String = (0..5_000).map(payment).collect();
    text += &payment(4_999);
    text += "not an event\n";
    Ok(Tenant {
        name: "books",
        reducer: reducer.to_vec(),
        log: MemoryLog::new(vec![MemoryPartition::lines("march", text)])?,
        params: vec![("silver_from", "100.00"), ("gold_from", "1000.00")],
    })
}

/// Nine harmless events, and one on which the reducer never returns.
fn intruder(reducer: &[u8]) -> Result<Tenant, Failure> {
    let event = |n: u64| {
        let what = if n == 5 { "loop" } else { "ok" };
        format!(
            "{{\"event_id\":\"e{n}\",\"account_id\":\"k{n}\",\"ts\":\"2026-03-01T00:00:00Z\",\
             \"do\":\"{what}\",\"amount\":1}}\n"
        )
    };
    let text: String = (0..10).map(event).collect();
    Ok(Tenant {
        name: "intruder",
        reducer: reducer.to_vec(),
        log: MemoryLog::new(vec![MemoryPartition::lines("march", text)])?,
        params: Vec::new(),
    })
}
