//! Tests of gates in a job: what is read, what is refused and how it is said.

use super::super::tests::{LEAST, resolve};
use super::*;
use retally_core::schema::{EmitKind, StateShape, ViewShape};

fn reducer() -> Description {
    let field =
        |name: &str, kind| Field { name: name.into(), paths: Vec::new(), kind, required: true };
    let net = field("net", Kind::Decimal { scale: 2 });
    Description {
        name: "orders".into(),
        version: "1".into(),
        inputs: Vec::new(),
        params: Vec::new(),
        defaults: Vec::new(),
        emits: vec![EmitKind { name: "balance".into(), fields: vec![net.clone()] }],
        view: ViewShape {
            fields: vec![field("currency", Kind::Text), net, field("orders", Kind::Integer)],
            row_key: vec![0],
        },
        state: StateShape::default(),
        rejects: Vec::new(),
        violations: Vec::new(),
    }
}

fn bound(gates: &str) -> Result<BoundGates, JobError> {
    resolve(&format!("{LEAST}{gates}"))?.gates.bind(&reducer())
}

fn error(gates: &str) -> String {
    bound(gates).unwrap_err().to_string()
}

#[test]
fn gates_of_all_kinds() {
    let gates = bound(
        "[gates]\nmalformed = \"0.1%\"\nviolations = 0\n\
         [[expect]]\ntotal = \"net\"\nby = \"currency\"\nequals = \"0.00\"\n\
         [[expect]]\ntotal = \"net\"\nemit = \"balance\"\nat_least = -5\nat_most = 1_0.5\n\
         [[expect]]\ntotal = \"orders\"\nby = \"currency\"\nof = \"EUR\"\nat_most = 7\n",
    )
    .unwrap();
    let limits: Vec<_> = gates.limits.iter().map(|(c, l)| format!("{c} {l}")).collect();
    assert_eq!(limits, ["malformed 0.1%", "violations 0"]);
    let told: Vec<_> = gates.expect.iter().map(|e| format!("{}: {}", e.gate(), e.bounds)).collect();
    assert_eq!(
        told,
        [
            "net by currency: exactly 0.00",
            "net of emit balance: from -5.00 to 10.50",
            "orders where currency is EUR: at most 7"
        ]
    );
    assert!(bound("").unwrap().is_empty());
}

#[test]
fn what_makes_no_sense_is_named_with_its_line() {
    for (gates, text) in [
        (
            "[gates]\nrejcted = 0",
            "retally.toml:10: unknown key \"rejcted\" in [gates]; did you mean \"rejected\"?",
        ),
        (
            "[gates]\nrejected = 0.05",
            "retally.toml:10: gates.rejected: \"0.05\" is neither a whole number such as 17 nor a \
             share from 0% to 100% such as \"0.1%\"",
        ),
        (
            "[gates]\nrejected = [\"5%\"]",
            "retally.toml:10: gates.rejected must be a whole number, or a share such as \"0.1%\", \
             not a list",
        ),
        (
            "[expect]\ntotal = \"net\"",
            "retally.toml:9: expect must be a section that begins with [[expect]], not a table",
        ),
        (
            "[[expect]]\n",
            "retally.toml:9: expect must be a section that begins with [[expect]], not one without \
             a key",
        ),
        (
            "[[expect]]\ntotal = \"net\"\nequal = \"0.00\"",
            "retally.toml:11: unknown key \"equal\" in [[expect]]; did you mean \"equals\"?",
        ),
        (
            "[[expect]]\ntotal = \"nett\"\nequals = 0",
            "retally.toml:10: unknown field \"nett\" (total) of the view of reducer orders; did \
             you mean \"net\"?",
        ),
        (
            "[[expect]]\ntotal = \"net\"\nemit = \"balanse\"\nequals = 0",
            "retally.toml:11: unknown emit \"balanse\" of reducer orders; did you mean \
             \"balance\"?",
        ),
        (
            "[[expect]]\ntotal = \"currency\"\nequals = 0",
            "retally.toml:10: expect.total: `currency` is text: only integers and decimals are \
             added up",
        ),
        (
            "[[expect]]\ntotal = \"net\"\nequals = \"0.001\"",
            "retally.toml:11: expect.equals: 0.001 has more digits after the point than `net`, a \
             decimal(2)",
        ),
        (
            "[[expect]]\ntotal = \"net\"\nat_least = 5\nat_most = 1",
            "retally.toml:10: expect: at_least is above at_most, so that no total could hold",
        ),
        (
            "[[expect]]\ntotal = \"net\"\nequals = \"nought\"",
            "retally.toml:11: expect.equals: \"nought\" is no number; write digits, with a point \
             where there are cents: \"-12.34\"",
        ),
    ] {
        assert_eq!(error(gates), text);
    }
}

#[test]
fn an_expectation_must_be_able_to_fail() {
    for (keys, part) in [
        ("equals = 0", "it names no field to add up"),
        ("total = \"net\"", "it has no bound"),
        ("total = \"net\"\nequals = 0\nat_most = 1", "equals and another bound together"),
        ("total = \"net\"\nequals = 0\nof = \"EUR\"", "of is a value of the field that by names"),
    ] {
        let error = error(&format!("[[expect]]\n{keys}"));
        assert!(error.starts_with("retally.toml:1") && error.contains(part), "{error}");
    }
}

#[test]
fn the_command_line_overrides_gates() {
    let text = format!("{LEAST}[[expect]]\ntotal = \"net\"\nequals = 0\n");
    let mut authored = Authored::parse(&text, "retally.toml", std::path::Path::new("")).unwrap();
    authored.set_pair("gates.conflicts=3").unwrap();
    authored.set_pair("expect.1.equals=-12.50").unwrap();
    let gates = super::super::Resolved::new(&authored).unwrap().gates;
    assert_eq!(gates.bind(&reducer()).unwrap().expect[0].bounds.to_string(), "exactly -12.50");
    assert_eq!(gates.written()[0], ("gates.conflicts".to_owned(), "3".to_owned()));
    let error = authored.set_pair("expect.equals=0").unwrap_err().to_string();
    assert_eq!(
        error,
        "--set expect.equals: unknown key \"expect.equals\"; did you mean \"expect.1.equals\"?"
    );
}
