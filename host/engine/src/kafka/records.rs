//! The records of a partition, as the client has them: taken some hundreds at a time. Asked for one
//! by one, as `rdkafka` does, each costs several looks at a clock and an event of its own, more than
//! everything else that is done to read it (`cargo xtask bench kafka`).

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_header_get_all, rd_kafka_header_get_last,
    rd_kafka_message_destroy, rd_kafka_message_headers, rd_kafka_message_t,
    rd_kafka_message_timestamp, rd_kafka_queue_destroy, rd_kafka_queue_get_partition,
};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaHeaders, RDKafkaQueue, RDKafkaRespErr};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;
use std::time::Duration;

/// Records that are taken at a time; the client counts those that wait by their bytes.
const TAKEN: usize = 512;

/// The queue of a partition. From the first to the last, for fields are dropped in their order:
/// records, the queue, what keeps the client.
pub(crate) struct Queue<C: ConsumerContext + 'static> {
    taken: RefCell<VecDeque<Message>>,
    native: Native,
    _queue: PartitionQueue<C>,
}

/// A record, or what the client says instead of one.
struct Message(NonNull<rd_kafka_message_t>);

/// A reference to a queue.
struct Native(NonNull<RDKafkaQueue>);

#[expect(unsafe_code, reason = "the client's own objects, which know no thread")]
// SAFETY: a message is read by whoever has it, and given back by any thread.
unsafe impl Send for Message {}

#[expect(unsafe_code, reason = "the client's own objects, which know no thread")]
// SAFETY: the client locks its queues.
unsafe impl Send for Native {}

#[expect(unsafe_code, reason = "what the client gave is given back")]
impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it came from the client, which lives longer (see `Queue`, `Record`), and is given
        // back once.
        unsafe { rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

#[expect(unsafe_code, reason = "what the client gave is given back")]
impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// A record of a partition.
pub(crate) struct Record<'q> {
    message: Message,
    /// The queue keeps the client.
    of: PhantomData<&'q ()>,
}

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
        let native = Native(NonNull::new(native)?);
        Some(Self { taken: RefCell::default(), native, _queue: queue })
    }

    /// The next record, or what is to be said instead of one; waits for it at most so long.
    pub(crate) fn poll(&self, wait: Duration) -> Option<Result<Record<'_>, KafkaError>> {
        let mut taken = self.taken.borrow_mut();
        if taken.is_empty() {
            self.take(TAKEN, Duration::ZERO, &mut taken);
        }
        if taken.is_empty() && !wait.is_zero() {
            // It waits until there are so many: for one.
            self.take(1, wait, &mut taken);
        }
        let record = Record { message: taken.pop_front()?, of: PhantomData };
        Some(match record.raw().err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(record),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                Err(KafkaError::PartitionEOF(record.raw().partition))
            }
            other => Err(KafkaError::MessageConsumption(other.into())),
        })
    }

    fn take(&self, most: usize, wait: Duration, to: &mut VecDeque<Message>) {
        let mut messages = [null_mut(); TAKEN];
        let (native, milliseconds) = (self.native.0.as_ptr(), wait.as_millis());
        #[expect(unsafe_code, reason = "the client gives several records at a time in C alone")]
        // SAFETY: the queue lives, and there is room for so many.
        let count = unsafe {
            let wait = i32::try_from(milliseconds).unwrap_or(i32::MAX);
            rd_kafka_consume_batch_queue(native, wait, messages.as_mut_ptr(), most.min(TAKEN))
        };
        // Less than none is an error of the call, of which there is none for a queue that lives.
        let count = usize::try_from(count).unwrap_or(0);
        to.extend(messages[..count].iter().filter_map(|&own| NonNull::new(own).map(Message)));
    }
}

impl Record<'_> {
    #[expect(unsafe_code, reason = "the client's own object")]
    fn raw(&self) -> &rd_kafka_message_t {
        // SAFETY: it is not given back before `self` ends, and nobody changes it.
        unsafe { self.message.0.as_ref() }
    }

    /// Where it lies.
    pub(crate) fn offset(&self) -> u64 {
        u64::try_from(self.raw().offset).unwrap_or(0)
    }

    /// Its value; none: it is a deletion.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        bytes(self.raw().payload, self.raw().len)
    }

    /// Its key.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        bytes(self.raw().key, self.raw().key_len)
    }

    /// Its time, in milliseconds since 1970.
    pub(crate) fn milliseconds(&self) -> Option<i64> {
        #[expect(unsafe_code, reason = "the client gives a record's time in C alone")]
        // SAFETY: the record lives; what kind of time it is is not asked for.
        let time = unsafe { rd_kafka_message_timestamp(self.raw(), null_mut()) };
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

    /// Parsed once, and kept in the record.
    fn raw_headers(&self) -> Option<*mut RDKafkaHeaders> {
        let mut headers = null_mut();
        #[expect(unsafe_code, reason = "the client gives headers in C alone")]
        // SAFETY: the record lives, and nobody else looks at its headers meanwhile: it is not
        // shared between threads.
        let found = unsafe { rd_kafka_message_headers(self.raw(), &raw mut headers) };
        let is_found = found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        Some(headers).filter(|headers| is_found && !headers.is_null())
    }
}

/// Bytes that lie in a record, which is borrowed for as long.
#[expect(unsafe_code, reason = "the client says where they lie")]
fn bytes<'a>(at: *const c_void, size: usize) -> Option<&'a [u8]> {
    // SAFETY: what is there has so many bytes, and is not changed.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), size) })
}
