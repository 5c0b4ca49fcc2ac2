//! Publishers: they note what was acknowledged, and only that.
//!
//! Every other call has idempotency keys and is repeated until it is acknowledged. The
//! others are made once: without an answer nobody knows whether their events exist.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::{Addresses, Api};
use crate::observer::{Eye, Promises};
use crate::plan::Plan;
use crate::targets::EVENT_NAME;

const PUBLISHERS: u64 = 8;
const MOST_EVENTS: u64 = 9;
const PAUSE: Duration = Duration::from_millis(50);
/// How long a call may take to be acknowledged once nothing breaks any more.
const END_TIMEOUT: Duration = Duration::from_secs(60);

/// A call, and what came of it.
pub(crate) struct Call {
    pub number: u64,
    pub size: u64,
    /// The events, if it was acknowledged.
    pub events: Option<Vec<u128>>,
}

/// All calls of a run.
#[derive(Default)]
pub(crate) struct Calls {
    pub made: Vec<Call>,
    /// How often a call was not answered as it should.
    pub failures: u64,
    /// How many events were acknowledged that another connection did not see then.
    pub unseen: u64,
    /// The longest time that one call with keys took to be acknowledged.
    pub longest: Duration,
}

/// The publishers at work.
pub(crate) struct Publishers {
    tasks: JoinSet<Calls>,
    stop: CancellationToken,
}

impl Publishers {
    pub(crate) fn start(
        api: &Api,
        addresses: &Addresses,
        plan: &Plan,
        eye: &Eye,
        promises: &Promises,
    ) -> Self {
        let (mut tasks, stop, count) = (JoinSet::new(), CancellationToken::new(), Arc::default());
        let pause = Duration::from_secs_f64(PUBLISHERS as f64 / plan.rate);
        for player in 0..PUBLISHERS {
            let publisher = Publisher {
                api: api.clone(),
                addresses: addresses.clone(),
                address: None,
                dice: plan.dice(100 + player),
                count: Arc::clone(&count),
                eye: eye.clone(),
                promises: promises.clone(),
                calls: Calls::default(),
            };
            tasks.spawn(publisher.run(pause, stop.clone()));
        }
        Self { tasks, stop }
    }

    /// Lets all end what they have begun.
    pub(crate) async fn stop(mut self) -> Calls {
        self.stop.cancel();
        let mut all = Calls::default();
        while let Some(calls) = timeout(END_TIMEOUT, self.tasks.join_next()).await.expect("publishers end") {
            let calls = calls.unwrap();
            all.made.extend(calls.made);
            all.failures += calls.failures;
            all.unseen += calls.unseen;
            all.longest = all.longest.max(calls.longest);
        }
        all
    }
}

struct Publisher {
    api: Api,
    addresses: Addresses,
    /// Where it was answered last.
    address: Option<SocketAddr>,
    dice: StdRng,
    count: Arc<AtomicU64>,
    /// Looks for what was acknowledged, before anything else breaks.
    eye: Eye,
    /// What is looked for after something has broken, too.
    promises: Promises,
    calls: Calls,
}

impl Publisher {
    async fn run(mut self, pause: Duration, stop: CancellationToken) -> Calls {
        while !stop.is_cancelled() {
            let number = self.count.fetch_add(1, Ordering::Relaxed);
            let size = self.dice.random_range(1..=MOST_EVENTS);
            let events = self.publish(number, size).await;
            self.calls.made.push(Call { number, size, events });
            let pause = pause.mul_f64(self.dice.random_range(0.0..2.0));
            stop.run_until_cancelled(sleep(pause)).await;
        }
        self.calls
    }

    async fn publish(&mut self, number: u64, size: u64) -> Option<Vec<u128>> {
        let is_keyed = number.is_multiple_of(2);
        let input = json!({ "input": { "events": events(number, size, is_keyed) } });
        let start = Instant::now();
        loop {
            match self.try_once(&input).await {
                Ok(events) => {
                    self.calls.longest = self.calls.longest.max(start.elapsed());
                    self.calls.unseen += self.eye.missing(&events).await.unwrap_or(0);
                    self.promises.add(&events);
                    return Some(events.iter().map(|id| crate::record::number(id)).collect());
                }
                Err(_) => self.calls.failures += 1,
            }
            if !is_keyed {
                return None;
            }
            sleep(PAUSE).await;
        }
    }

    async fn try_once(&mut self, input: &Value) -> Result<Vec<String>, String> {
        let query = "mutation($input: PublishNotificationEventsInput!) {
            publishNotificationEvents(input: $input) {
                ... on PublishedNotificationEvents { events { id } } } }";
        // Put back only if it answers, so that who is held or gone is left alone.
        let address = self.address.take().or_else(|| self.addresses.any()).ok_or("nobody is there")?;
        let data = self.api.ask_at(address, query, input).await?;
        self.address = Some(address);
        let events = data["publishNotificationEvents"]["events"].as_array().expect("the input is good");
        Ok(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect())
    }
}

fn events(call: u64, size: u64, is_keyed: bool) -> Vec<Value> {
    let event = |number| {
        let key = is_keyed.then(|| format!("{call}-{number}"));
        json!({ "name": EVENT_NAME, "node": { "call": call }, "idempotencyKey": key })
    };
    (0..size).map(event).collect()
}
