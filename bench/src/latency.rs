//! How long an event takes at a modest, steady rate.
//!
//! The load is open: each call has its moment, whatever became of those before it, and its
//! time counts from that moment. A server that stands still is not asked less for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::api::{Api, Caller, EVENT, Publication};
use crate::database::Database;
use crate::installation::Installation;
use crate::options::Options;
use crate::report::{Report, Scenario};
use crate::sink::{self, Sink};

const PER_SECOND: u32 = 200;
const PERIOD: Duration = Duration::from_millis(5);
/// Calls that are made first and not counted: connections are made, statements prepared.
const WARM_UP: u32 = 2 * PER_SECOND;
/// How long the last arrival is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// One healthy target and nothing else.
pub(crate) async fn measure(
    options: &Options,
    database: Database,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (sink, installation) = (Sink::start()?, Installation::start(options, database).await?);
    installation.live().add_target(&sink.healthy(0), EVENT).await?;
    let times = steadily(&installation.live(), &sink, options.seconds).await?;
    times.report("", &mut report.scenario(database, "latency"));
    Ok(())
}

/// Milliseconds, for each event.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// From the moment of the call to its answer.
    call: Vec<f64>,
    /// From the answer to the arrival; none if it arrived before.
    accepted: Vec<f64>,
    /// From the moment of the call to the arrival.
    pub whole: Vec<f64>,
    /// By how much the load itself was late.
    late: Vec<f64>,
}

impl Times {
    /// Reports all, each figure with these words in front.
    pub(crate) fn report(self, words: &str, scenario: &mut Scenario<'_>) {
        scenario.add_all(&format!("{words}accepted to arrived"), self.accepted);
        scenario.add_all(&format!("{words}publish call"), self.call);
        scenario.add_all(&format!("{words}call to arrived"), self.whole);
        scenario.add_all(&format!("{words}lateness of the load"), self.late);
    }
}

/// Publishes at the steady rate to the one target that subscribes.
pub(crate) async fn steadily(api: &Api, sink: &Sink, seconds: u32) -> anyhow::Result<Times> {
    sink.arrivals().await?;
    let callers = Callers::open(api).await?;
    let mut moments = moments(WARM_UP + PER_SECOND * seconds);
    let (mut calls, mut first) = (JoinSet::new(), None);
    while let Some((number, at)) = moments.recv().await {
        if number == WARM_UP {
            first = Some(at);
        }
        calls.spawn(call(callers.clone(), at));
    }
    let first = first.context("there are more calls than those to warm up")?;
    let mut made = HashMap::new();
    while let Some(call) = calls.join_next().await {
        let call = call??;
        made.insert(call.event, call);
    }
    times(sink, &made, first).await
}

/// Says when each call is to be made. In a thread of its own, because the runtime's timer knows
/// only whole milliseconds.
fn moments(count: u32) -> mpsc::UnboundedReceiver<(u32, u64)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let begin = sink::now();
        for number in 0..count {
            let at = begin + u64::try_from((PERIOD * number).as_nanos()).unwrap_or(u64::MAX);
            std::thread::sleep(Duration::from_nanos(at.saturating_sub(sink::now())));
            if sender.send((number, at)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Callers that have nothing to do; more are made when all are busy.
#[derive(Clone)]
struct Callers {
    api: Api,
    free: Arc<Mutex<Vec<Caller>>>,
    publication: Publication,
}

impl Callers {
    const AT_FIRST: usize = 16;

    async fn open(api: &Api) -> anyhow::Result<Self> {
        let mut free = Vec::new();
        for _ in 0..Self::AT_FIRST {
            free.push(api.caller().await?);
        }
        let publication = Publication::of(EVENT, 1);
        Ok(Self { api: api.clone(), free: Arc::new(Mutex::new(free)), publication })
    }

    async fn publish(&self) -> anyhow::Result<u128> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut caller = match free {
            Some(caller) => caller,
            None => self.api.caller().await?,
        };
        let event = caller.publish(&self.publication).await?;
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(caller);
        event.first().copied().context("an event was published")
    }
}

/// A call that was answered. Times are nanoseconds since the epoch.
struct Call {
    event: u128,
    due: u64,
    begun: u64,
    answered: u64,
}

async fn call(callers: Callers, due: u64) -> anyhow::Result<Call> {
    let begun = sink::now();
    let event = callers.publish().await?;
    Ok(Call { event, due, begun, answered: sink::now() })
}

/// Waits for all to arrive. Those that were to warm up are left out.
async fn times(sink: &Sink, made: &HashMap<u128, Call>, first: u64) -> anyhow::Result<Times> {
    let mut arrived: HashMap<u128, u64> = HashMap::new();
    let begin = Instant::now();
    while made.keys().any(|event| !arrived.contains_key(event)) {
        ensure!(begin.elapsed() < PATIENCE, "{} of {} events arrived", arrived.len(), made.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (event, at) in sink.arrivals().await? {
            arrived.entry(event).or_insert(at);
        }
    }
    let mut times = Times::default();
    for call in made.values().filter(|call| call.due >= first) {
        times.call.push(millis(call.due, call.answered));
        times.accepted.push(millis(call.answered, arrived[&call.event]));
        times.whole.push(millis(call.due, arrived[&call.event]));
        times.late.push(millis(call.due, call.begun));
    }
    Ok(times)
}

fn millis(from: u64, to: u64) -> f64 {
    Duration::from_nanos(to.saturating_sub(from)).as_secs_f64() * 1_000.0
}
