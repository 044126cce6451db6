//! Whether a consumer is a member of its group, for whoever commits as one.
//!
//! A broker takes the offsets of a transaction from whoever says nothing of a member (KIP-447 keeps
//! it so for clients that knew none). That is what the client says of itself from the moment at
//! which its group puts it out until whoever uses it has heard of it: meanwhile somebody else has
//! its partitions, and what it commits would be committed twice. A member that is behind is
//! refused.

use rdkafka::bindings::{
    rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_member_id,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

/// Asked behind what is to be committed with ([`rdkafka::consumer::Consumer::group_metadata`]):
/// nobody becomes a member again without having heard that he was none.
#[expect(unsafe_code, reason = "the client tells a member's name in C alone")]
pub(crate) fn is_member<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    // SAFETY: the client lives; what it gives is given back once, and its text, which ends with a
    // zero, is looked at before that.
    unsafe {
        let own = rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if own.is_null() {
            return false;
        }
        let name = rd_kafka_consumer_group_metadata_member_id(own);
        let is_named = !name.is_null() && *name != 0;
        rd_kafka_consumer_group_metadata_destroy(own);
        is_named
    }
}
