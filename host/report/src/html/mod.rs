//! stub.
use retally_core::compare::model::Comparison;
/// Page.
#[must_use]
pub fn html(_: &Comparison) -> String {
    String::new()
}
