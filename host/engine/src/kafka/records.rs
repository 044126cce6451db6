//! The records of a partition, as the client has them: all that are there at once. Asked for one by
//! one, as `rdkafka` does, each costs several looks at a clock and an event of its own, more than
//! everything else that is done to read it (`cargo xtask bench kafka`).
//!
//! The client has another call that gives several (`rd_kafka_consume_batch_queue`): it takes the
//! end of a partition for a record, and reads on from behind the next one when it connects anew.

use rdkafka::bindings::{
    rd_kafka_consume_callback_queue, rd_kafka_header_get_all, rd_kafka_header_get_last,
    rd_kafka_message_headers, rd_kafka_message_t, rd_kafka_message_timestamp,
    rd_kafka_queue_destroy, rd_kafka_queue_get_partition, rd_kafka_queue_length, rd_kafka_yield,
};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaHeaders, RDKafkaQueue, RDKafkaRespErr};
use retally_core::manifest::Xxh3;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ops::ControlFlow;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3;

/// The queue of a partition.
pub(crate) struct Queue<C: ConsumerContext + 'static> {
    // It goes before what keeps the client.
    native: Native,
    _queue: PartitionQueue<C>,
}

/// A reference to a queue.
struct Native(NonNull<RDKafkaQueue>);

#[expect(unsafe_code, reason = "the client's own objects, which know no thread")]
// SAFETY: the client locks its queues.
unsafe impl Send for Native {}

#[expect(unsafe_code, reason = "what the client gave is given back")]
impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: it came from the client, which lives longer (see `Queue`), and is given back
        // once.
        unsafe { rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// What a partition has next.
pub(crate) enum Next<'r> {
    /// A record.
    Record(Record<'r>),
    /// Nothing before this offset was kept back, and there is nothing behind it now.
    End(u64),
    /// It cannot be read.
    Failed(KafkaError),
}

/// Whether whoever is given records wants more of them.
pub(crate) fn until(is_enough: bool) -> ControlFlow<()> {
    if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// A record of a partition.
pub(crate) struct Record<'r>(&'r rd_kafka_message_t);

impl<C: ConsumerContext + 'static> Queue<C> {
    /// Splits a partition from all others, before there is anything in it. `wake` is called when
    /// there is something again.
    pub(crate) fn split(
        consumer: &Arc<BaseConsumer<C>>,
        topic: &str,
        partition: i32,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Option<Self> {
        let mut queue = consumer.split_partition_queue(topic, partition)?;
        queue.set_nonempty_callback(wake);
        let (client, topic) = (consumer.client().native_ptr(), CString::new(topic).ok()?);
        #[expect(unsafe_code, reason = "the client gives several records at a time in C alone")]
        // SAFETY: the client lives, the name ends with a zero.
        let native = unsafe { rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        Some(Self { native: Native(NonNull::new(native)?), _queue: queue })
    }

    /// How many things are there now, at least: records, and what is told between them.
    pub(crate) fn len(&self) -> usize {
        #[expect(unsafe_code, reason = "the client gives a queue's length in C alone")]
        // SAFETY: the queue lives.
        unsafe {
            rd_kafka_queue_length(self.native.0.as_ptr())
        }
    }

    /// Gives all that is there, for as long as it is wanted, and waits for the first of it at most
    /// so long. What is not wanted any more stays. `each` must not panic.
    pub(crate) fn serve(&self, wait: Duration, mut each: impl FnMut(Next<'_>) -> ControlFlow<()>) {
        let mut each: &mut dyn FnMut(Next<'_>) -> ControlFlow<()> = &mut each;
        let milliseconds = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        #[expect(unsafe_code, reason = "the client gives several records at a time in C alone")]
        // SAFETY: the queue lives. `each` outlives the call, in which alone it is called, by this
        // thread: so `given` finds what it is told to find.
        unsafe {
            let each = (&raw mut each).cast::<c_void>();
            rd_kafka_consume_callback_queue(
                self.native.0.as_ptr(),
                milliseconds,
                Some(given),
                each,
            );
        }
    }
}

/// Called by the client with each record.
#[expect(unsafe_code, reason = "called from C")]
unsafe extern "C" fn given(message: *mut rd_kafka_message_t, each: *mut c_void) {
    // SAFETY: see `Queue::serve`; a message is good for as long as this call, and nobody else has
    // it.
    let (message, each) =
        unsafe { (&*message, &mut *each.cast::<&mut dyn FnMut(Next<'_>) -> ControlFlow<()>>()) };
    let next = match message.err {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Next::Record(Record(message)),
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => Next::End(offset(message)),
        other => Next::Failed(KafkaError::MessageConsumption(other.into())),
    };
    if each(next).is_break() {
        // SAFETY: it notes that this thread wants no more, and looks at nothing.
        unsafe { rd_kafka_yield(null_mut()) };
    }
}

fn offset(message: &rd_kafka_message_t) -> u64 {
    u64::try_from(message.offset).unwrap_or(0)
}

impl Record<'_> {
    /// Where it lies.
    pub(crate) fn offset(&self) -> u64 {
        offset(self.0)
    }

    /// Its value; none: it is a deletion.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        bytes(self.0.payload, self.0.len)
    }

    /// Its key.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        bytes(self.0.key, self.0.key_len)
    }

    /// Its time, in milliseconds since 1970.
    pub(crate) fn milliseconds(&self) -> Option<i64> {
        #[expect(unsafe_code, reason = "the client gives a record's time in C alone")]
        // SAFETY: the record lives; what kind of time it is is not asked for.
        let time = unsafe { rd_kafka_message_timestamp(self.0, null_mut()) };
        (time >= 0).then_some(time)
    }

    /// The value of its last header of this name; none: it has no such header, or it is null.
    pub(crate) fn last_header(&self, name: &CStr) -> Option<&[u8]> {
        let headers = self.raw_headers()?;
        let (mut value, mut size): (*const c_void, usize) = (null(), 0);
        #[expect(unsafe_code, reason = "the client gives a header by its name in C alone")]
        // SAFETY: the headers are those of the record, the name ends with a zero.
        let found = unsafe {
            rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut size)
        };
        let is_found = found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        is_found.then(|| bytes(value, size)).flatten()
    }

    /// Its headers in their order: names, which may be any bytes, and values.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let headers = self.raw_headers();
        (0..).map_while(move |at| {
            let (mut name, mut value): (*const c_char, *const c_void) = (null(), null());
            let (headers, mut size) = (headers?, 0);
            #[expect(unsafe_code, reason = "the client gives a header by its number in C alone")]
            // SAFETY: the headers are those of the record; a name that is found ends with a zero,
            // and lives as they do.
            let name = unsafe {
                let (name_to, value_to) = (&raw mut name, &raw mut value);
                let found = rd_kafka_header_get_all(headers, at, name_to, value_to, &raw mut size);
                let is_found = found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
                is_found.then(|| CStr::from_ptr(name))
            };
            Some((name?.to_bytes(), bytes(value, size)))
        })
    }

    /// Appends all that it is but its place.
    pub(super) fn describe(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.milliseconds().unwrap_or(-1).to_le_bytes());
        let mut part = |part: Option<&[u8]>| {
            to.extend_from_slice(&part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            to.extend_from_slice(part.unwrap_or_default());
        };
        part(self.key());
        part(self.value());
        for (name, value) in self.headers() {
            part(Some(name));
            part(value);
        }
    }

    /// Parsed once, and kept in the record.
    fn raw_headers(&self) -> Option<*mut RDKafkaHeaders> {
        let mut headers = null_mut();
        #[expect(unsafe_code, reason = "the client gives headers in C alone")]
        // SAFETY: the record lives, and nobody else looks at its headers meanwhile: it is not
        // shared between threads.
        let found = unsafe { rd_kafka_message_headers(self.0, &raw mut headers) };
        let is_found = found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        Some(headers).filter(|headers| is_found && !headers.is_null())
    }
}

/// XXH3-128 of what [`Record::describe`] gave.
pub(super) fn imprint(described: &[u8]) -> Xxh3 {
    Xxh3(xxh3::xxh3_128(described))
}

/// Bytes that lie in a record, which is borrowed for as long.
#[expect(unsafe_code, reason = "the client says where they lie")]
fn bytes<'a>(at: *const c_void, size: usize) -> Option<&'a [u8]> {
    // SAFETY: what is there has so many bytes, and is not changed.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), size) })
}
