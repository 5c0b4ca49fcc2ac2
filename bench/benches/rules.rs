//! The pure functions that every delivery goes through: envelope and stamp, signature,
//! schedule, and the check of a payload when it is published.

use std::hint::black_box;

use async_graphql::Value;
use criterion::{Criterion, Throughput};
use entity::{Environment, EventId, EventName, NotificationEventName, Purpose, Timestamp};
use reprise::rules::envelope::Envelope;
use reprise::rules::payload;
use reprise::rules::retry::Schedules;
use reprise::rules::signature::Signer;
use serde_json::json;

const NAME: NotificationEventName = NotificationEventName::CardPaymentSettledEvent;
const RECORDED: EventName = EventName::Known(NAME);
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const SECRET: &str = "dGhpcnR5LXR3byBieXRlcyBvZiBhIHNlY3JldCBrZXk";

/// 1 KiB, as in all measurements.
fn node() -> Value {
    let node = json!({ "id": "pc_1", "memo": "x".repeat(960) });
    Value::from_json(node).expect("JSON is a value of the API")
}

fn example() -> Envelope {
    let node = payload::prepare(NAME, node()).expect("the payload keeps the rules");
    Envelope::new(&EventId::new(NOW), Some(&RECORDED), &node, NOW)
}

fn envelope(criterion: &mut Criterion) {
    let node = payload::prepare(NAME, node()).expect("the payload keeps the rules");
    let (id, envelope) = (EventId::new(NOW), example());
    let mut group = criterion.benchmark_group("envelope");
    group.bench_function("write", |bencher| {
        bencher.iter(|| Envelope::new(black_box(&id), Some(&RECORDED), black_box(&node), NOW));
    });
    group.bench_function("stamp", |bencher| bencher.iter(|| black_box(&envelope).stamped(NOW)));
}

fn sign(criterion: &mut Criterion) {
    let body = example().stamped(NOW);
    let mut group = criterion.benchmark_group("signature");
    group.throughput(Throughput::Bytes(body.len() as u64));
    for (name, secrets) in [("one key", vec![SECRET]), ("two keys", vec![SECRET, SECRET])] {
        let signer = Signer::new(secrets);
        group.bench_function(name, |bencher| bencher.iter(|| signer.header(black_box(&body))));
    }
}

fn schedule(criterion: &mut Criterion) {
    let schedules = Schedules::default();
    criterion.bench_function("schedule", |bencher| {
        bencher.iter(|| schedules.of(Purpose::Event, Environment::Live).after(black_box(4), black_box(0.3)));
    });
}

fn check(criterion: &mut Criterion) {
    let node = node();
    criterion.bench_function("payload", |bencher| {
        bencher.iter_batched(
            || node.clone(),
            |node| payload::prepare(NAME, node),
            criterion::BatchSize::SmallInput,
        );
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for part in [envelope, sign, schedule, check] {
        part(&mut criterion);
    }
    criterion.final_summary();
}
