//! `/metrics` for Prometheus, `/healthz` and `/readyz`: what is asked of a service by whoever
//! watches over it.

use crate::error::Failure;
use anyhow::anyhow;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use retally_engine::live::{PartitionStatus, Standing, Status};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tiny_http::{Header, Response, Server};

/// Serves until it is dropped.
pub(super) struct Metrics {
    server: Arc<Server>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Metrics {
    pub(super) fn serve(
        at: SocketAddr,
        job: &str,
        status: Arc<Mutex<Option<Status>>>,
    ) -> Result<Self, Failure> {
        let server = Server::http(at)
            .map_err(|error| Failure::usage(anyhow!("--metrics {at} cannot be served: {error}")))?;
        let server = Arc::new(server);
        let labels = [("job".into(), job.to_owned().into())];
        let mut registry = Registry::with_prefix_and_labels("retally", labels.into_iter());
        registry.register_collector(Box::new(Collected(status.clone())));
        let serving = server.clone();
        let serve = move || {
            for request in serving.incoming_requests() {
                let (code, text) = answer(request.url(), &registry, &status);
                let mut response = Response::from_string(text).with_status_code(code);
                if let (200, Ok(kind)) = (code, CONTENT.parse::<Header>()) {
                    response = response.with_header(kind);
                }
                // Whoever asked may have gone.
                let _ = request.respond(response);
            }
        };
        let thread = std::thread::Builder::new().name("retally-metrics".into()).spawn(serve)?;
        Ok(Self { server, thread: Some(thread) })
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const CONTENT: &str = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8";

fn answer(url: &str, registry: &Registry, status: &Mutex<Option<Status>>) -> (u16, String) {
    match url {
        "/metrics" => {
            let mut told = String::new();
            match text::encode(&mut told, registry) {
                Ok(()) => (200, told),
                Err(error) => (500, error.to_string()),
            }
        }
        // It answers, so it lives: whether it works is another question.
        "/healthz" => (200, "alive\n".to_owned()),
        "/readyz" => {
            match why_not(status.lock().unwrap_or_else(PoisonError::into_inner).as_ref()) {
                None => (200, "ready\n".to_owned()),
                Some(why) => (503, why + "\n"),
            }
        }
        _ => (404, "there are /metrics, /healthz and /readyz\n".to_owned()),
    }
}

/// Why it does not work; none: it does.
fn why_not(status: Option<&Status>) -> Option<String> {
    let Some(status) = status else { return Some("it has not begun".to_owned()) };
    if let Some(away) = &status.away {
        return Some(format!("brokers do not answer: {away}"));
    }
    status.partitions.iter().find_map(|(partition, own)| match &own.standing {
        Standing::Live => None,
        Standing::Recovering => Some(format!("partition {partition} is being taken over")),
        Standing::Stopped(why) => Some(format!("partition {partition} stopped: {why}")),
    })
}

/// The last status, as metrics.
struct Collected(Arc<Mutex<Option<Status>>>);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = status.unwrap_or_default();
        whole(&status, &mut encoder)?;
        of_partitions(&status, &mut encoder)
    }
}

fn whole(status: &Status, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let [saved, failed] = status.snapshots;
    let [checks, differ] = status.checks;
    for (name, help, value) in [
        ("transactions", "Transactions committed", status.transactions),
        ("transactions_uncertain", "Transactions whose end had to be looked up", status.uncertain),
        ("records_published", "Records published", status.records),
        ("snapshots", "Snapshots saved", saved),
        ("snapshots_failed", "Snapshots that could not be saved", failed),
        ("digest_checks", "Times at which digests were held against what is committed", checks),
        ("digest_mismatches", "Times at which they differed", differ),
    ] {
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
    }
    let [last, all] = status.transaction.map(|time| time.as_secs_f64());
    let [last_batch, batches] = status.batch.map(|time| time.as_secs_f64());
    for (name, help, value) in [
        ("transaction_seconds", "Time that transactions took, in seconds", all),
        ("batch_seconds", "Time from a batch's first record until it was sent", batches),
    ] {
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
    }
    for (name, help, value) in [
        ("transaction_last_seconds", "Time that the last transaction took, in seconds", last),
        ("batch_last_seconds", "The same of the last batch, in seconds", last_batch),
        ("memory_bytes", "Memory that partitions hold, in bytes", status.memory as f64),
        ("brokers_away", "1 while no broker answers", f64::from(u8::from(status.away.is_some()))),
    ] {
        let gauge = ConstGauge::new(value);
        gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    Ok(())
}

fn of_partitions(status: &Status, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let seconds = |time: Option<std::time::Duration>| time.map_or(f64::NAN, |t| t.as_secs_f64());
    let lag = |own: &PartitionStatus| own.end.saturating_sub(own.committed) as f64;
    let is_stopped = |own: &PartitionStatus| matches!(own.standing, Standing::Stopped(_));
    type Gauge<'a> = (&'a str, &'a str, &'a dyn Fn(&PartitionStatus) -> f64);
    let bytes = |own: &PartitionStatus| own.snapshot_bytes.map_or(f64::NAN, |bytes| bytes as f64);
    let gauges: [Gauge<'_>; 8] = [
        ("lag", "Records behind what is committed", &lag),
        ("keys", "Keys", &|own| own.keys as f64),
        ("violations", "Rules broken at the last snapshot", &|own| own.violations as f64),
        ("stopped", "1 where a partition stopped", &|own| f64::from(u8::from(is_stopped(own)))),
        ("committed_offset", "The first offset that is not committed", &|own| own.committed as f64),
        ("recovery_seconds", "How long it took to be taken over", &|own| seconds(own.recovery)),
        ("snapshot_age_seconds", "Time since the last snapshot", &|own| seconds(own.snapshot_age)),
        ("snapshot_bytes", "Bytes of the files that the last snapshot added", &bytes),
    ];
    for (name, help, value) in gauges {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (partition, own) in &status.partitions {
            let labels = [("partition", partition.to_string())];
            ConstGauge::new(value(own)).encode(family.encode_family(&labels)?)?;
        }
    }
    let help = "Events by what became of them, since the history began";
    let mut family = encoder.encode_descriptor("events", help, None, MetricType::Counter)?;
    for (partition, own) in &status.partitions {
        for (what, count) in &own.outcomes {
            let labels = [("partition", partition.to_string()), ("outcome", (*what).to_owned())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    let help = "Records emitted since the history began";
    let mut family = encoder.encode_descriptor("emits", help, None, MetricType::Counter)?;
    for (partition, own) in &status.partitions {
        let labels = [("partition", partition.to_string())];
        ConstCounter::new(own.emits).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
