//! What receivers got, written down before they answer.
//!
//! A receipt is a few bytes, so that hours fit into memory; the requests are forgotten.

use std::time::Duration;

use entity::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::rngs::StdRng;
use receiver::{Answer, Received};
use reprise::clock::Clock;
use serde_json::Value;
use sha2::Sha256;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::record::number;
use crate::server::AGENT;
use crate::targets::{PATH, Target};

const PAUSE: Duration = Duration::from_millis(50);
/// More answers than can be asked for within a pause.
const ANSWERS: usize = 300;

/// One notification, as it came to a target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Receipt {
    pub event: u128,
    /// The place of the target in the list of all.
    pub target: u8,
    /// The time that the notification is stamped with: when its attempt began.
    pub stamp: Timestamp,
    /// The number of the server that sent it.
    pub sender: u32,
    /// Whether it was answered with a 2xx.
    pub is_accepted: bool,
    /// How many milliseconds the answer was held back.
    pub answered_after: u16,
}

/// All receipts, in order.
#[derive(Default)]
pub(crate) struct Receipts {
    pub all: Vec<Receipt>,
    /// How many were not signed with the secret of their target.
    pub forged: u64,
    /// The longest time in which nothing came.
    pub silence: Duration,
    /// By how much the furthest stamp lay in the future when it was read.
    pub ahead: Duration,
}

/// The task that empties the receiver and keeps its answers random.
pub(crate) struct History {
    task: JoinHandle<Receipts>,
    stop: CancellationToken,
}

impl History {
    pub(crate) fn open(targets: Vec<Target>, dice: StdRng) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(targets, dice, stop.clone()));
        Self { task, stop }
    }

    pub(crate) async fn close(self) -> Receipts {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

async fn keep(targets: Vec<Target>, mut dice: StdRng, stop: CancellationToken) -> Receipts {
    let (mut receipts, mut heard, mut is_last) = (Receipts::default(), Instant::now(), false);
    while !is_last {
        for target in &targets {
            target.receiver.script(PATH, (0..ANSWERS).map(|_| target.mood.answer(&mut dice)));
        }
        is_last = stop.run_until_cancelled(sleep(PAUSE)).await.is_none();
        for (place, target) in targets.iter().enumerate() {
            for received in target.receiver.take(PATH) {
                receipts.silence = receipts.silence.max(heard.elapsed());
                heard = Instant::now();
                receipts.note(place, target, &received);
            }
        }
    }
    receipts.all.sort_unstable();
    receipts
}

impl Receipts {
    fn note(&mut self, place: usize, target: &Target, received: &Received) {
        let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
        let node = &body["data"]["node"];
        if node["name"] == "NOTIFICATION_ACTIVATION" {
            return;
        }
        if !is_signed(received, &target.secret) {
            self.forged += 1;
            return;
        }
        let stamp = Timestamp::from_millis(body["extensions"]["signatureTimestamp"].as_i64().unwrap());
        self.ahead = self.ahead.max(stamp.since(Clock::system().now()));
        let agent = received.header("user-agent").and_then(|agent| agent.strip_prefix(AGENT));
        self.all.push(Receipt {
            event: number(node["id"].as_str().unwrap()),
            target: u8::try_from(place).unwrap(),
            stamp,
            sender: agent.and_then(|number| number.parse().ok()).unwrap(),
            is_accepted: is_good(&received.answer),
            answered_after: delay(&received.answer),
        });
    }
}

/// Computed as a receiver would, without the server's code.
fn is_signed(received: &Received, secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&received.body);
    let expected = hex::encode(mac.finalize().into_bytes());
    received.header("highnote-signature") == Some(expected.as_str())
}

fn delay(answer: &Answer) -> u16 {
    match answer {
        Answer::After(time, _) => u16::try_from(time.as_millis()).unwrap(),
        _ => 0,
    }
}

fn is_good(answer: &Answer) -> bool {
    match answer {
        Answer::Status(status) => (200..300).contains(status),
        Answer::After(_, answer) => is_good(answer),
        _ => false,
    }
}
