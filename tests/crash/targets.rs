//! The targets: one that is always well, one that is slow, one that fails now and then,
//! and one that takes nothing once it is active.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use receiver::{Answer, Authority, Receiver};
use serde_json::{Value, json};

use crate::api::{Addresses, Api};

/// What all publishers publish and all targets subscribe to.
pub(crate) const EVENT_NAME: &str = "CARD_PRODUCT_APPLICATION_APPROVED";

/// How a target answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Steady,
    Slow,
    Moody,
    Doomed,
}

/// A target, as the history knows it.
#[derive(Clone)]
pub(crate) struct Target {
    pub mood: Mood,
    pub id: String,
    pub secret: String,
    /// Its own, for one that hangs up ends whatever shares its connection.
    pub receiver: Arc<Receiver>,
}

/// The one path of each receiver.
pub(crate) const PATH: &str = "/hook";

impl Mood {
    const ALL: [Self; 4] = [Self::Steady, Self::Slow, Self::Moody, Self::Doomed];

    /// One answer, by the dice.
    pub(crate) fn answer(self, dice: &mut StdRng) -> Answer {
        let mut later = |most| Duration::from_millis(dice.random_range(0..most));
        match self {
            Self::Steady => Answer::Status(200),
            Self::Slow => Answer::Status(200).after(later(500)),
            Self::Moody => {
                let delay = later(100);
                match dice.random_range(0..2_000) {
                    0 => Answer::Close,
                    1 => Answer::Reset,
                    2..300 => Answer::body(500, "not now").after(delay),
                    _ => Answer::Status(204).after(delay),
                }
            }
            Self::Doomed => Answer::Status(503),
        }
    }
}

/// Adds the targets and waits until they are active.
pub(crate) async fn add(api: &Api, addresses: Addresses, authority: &Authority) -> Vec<Target> {
    let mut targets = Vec::new();
    for mood in Mood::ALL {
        let receiver = Arc::new(Receiver::start(authority).await.unwrap());
        let added = add_one(api, &addresses, &receiver.uri(PATH)).await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{added}")).to_owned();
        let (id, secret) = (text(&added["id"]), text(&added["signingKeys"][0]["secret"]));
        targets.push(Target { mood, id, secret, receiver });
    }
    for target in &targets {
        while status(api, &addresses, &target.id).await != "ACTIVE" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    targets
}

async fn add_one(api: &Api, addresses: &Addresses, uri: &str) -> Value {
    let query = "mutation($input: AddWebhookNotificationTargetInput!) {
        addWebhookNotificationTarget(input: $input) {
            ... on WebhookNotificationTarget { id signingKeys { secret } } } }";
    let input = json!({ "name": "A target", "uri": uri, "subscriptions": [EVENT_NAME] });
    let mut data = api.ask(addresses, query, &json!({ "input": input })).await.unwrap();
    data["addWebhookNotificationTarget"].take()
}

async fn status(api: &Api, addresses: &Addresses, id: &str) -> String {
    let query = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget { status } } }";
    let data = api.ask(addresses, query, &json!({ "id": id })).await.unwrap();
    data["node"]["status"].as_str().unwrap().to_owned()
}
