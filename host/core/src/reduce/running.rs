//! The instance at hand: kept from call to call, and dropped after a fault.

use super::{Answer, Batch, Fault, Instance, Keyed, Reducer, Viewed, check_answer, check_viewed};

/// Calls the instance at hand, or a new one, which may take one of `parts` equal parts of a
/// deadline. After a fault there is none at hand.
pub(super) fn with_instance<T>(
    reducer: &dyn Reducer,
    instance: &mut Option<Box<dyn Instance>>,
    parts: u32,
    call: impl FnOnce(&mut dyn Instance) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut running = match instance.take() {
        Some(running) => running,
        None => reducer.open()?,
    };
    running.hurry(parts);
    let returned = call(running.as_mut())?;
    *instance = Some(running);
    Ok(returned)
}

/// One call for a whole batch, within one of `parts` equal parts of a deadline; checked.
///
/// # Errors
/// See [`Fault`].
pub fn apply_within(
    reducer: &dyn Reducer,
    instance: &mut Option<Box<dyn Instance>>,
    batch: &Batch,
    parts: u32,
) -> Result<Answer, Fault> {
    with_instance(reducer, instance, parts, |running| {
        let answer = running.apply(batch)?;
        let description = reducer.description();
        check_answer(description, batch, &answer).map_err(|error| error.fault(description))?;
        Ok(answer)
    })
}

/// The view rows of keys, checked.
///
/// # Errors
/// See [`Fault`].
pub(super) fn view(
    reducer: &dyn Reducer,
    running: &mut dyn Instance,
    keyed: &Keyed,
) -> Result<Viewed, Fault> {
    let viewed = running.view(keyed)?;
    let description = reducer.description();
    let checked = check_viewed(description, keyed.keys.len(), &viewed);
    checked.map_err(|error| error.fault(description))?;
    Ok(viewed)
}
