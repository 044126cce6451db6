//! The instance at hand: kept from call to call, and dropped after a fault.

use super::{Answer, Batch, Fault, Instance, Keyed, Reducer, Viewed, check_answer, check_viewed};

/// Calls the instance at hand, or a new one. After a fault there is none at hand.
pub(super) fn with_instance<T>(
    reducer: &dyn Reducer,
    instance: &mut Option<Box<dyn Instance>>,
    call: impl FnOnce(&mut dyn Instance) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut running = match instance.take() {
        Some(running) => running,
        None => reducer.open()?,
    };
    let returned = call(running.as_mut())?;
    *instance = Some(running);
    Ok(returned)
}

/// One call for a whole batch, checked.
///
/// # Errors
/// See [`Fault`].
pub fn apply(
    reducer: &dyn Reducer,
    instance: &mut Option<Box<dyn Instance>>,
    batch: &Batch,
) -> Result<Answer, Fault> {
    with_instance(reducer, instance, |running| {
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
