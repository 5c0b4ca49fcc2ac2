//! What a query costs when the tables are large: the same queries on few rows and on
//! many, one after the other over one connection.

use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::{self, EVENT, OTHER, Publication};
use crate::database::Database;
use crate::installation::Installation;
use crate::options::Options;
use crate::report::{Report, Scenario};
use crate::seed::{self, Range, Seed};
use crate::sink::Sink;
use crate::statistics::{number, quantile};

/// Of so many events one goes to the quiet target too.
const QUIET: u64 = 100;
const WARM_UP: usize = 200;

const EVENT_BY_ID: &str = "query($id: ID!) { node(id: $id) { ... on NotificationEvent {
    id name createdAt node { __typename } } } }";
const ATTEMPT_BY_ID: &str = "query($id: ID!) { node(id: $id) { ... on DeliveryAttempt {
    id deliveryAttemptStatus durationMs createdAt } } }";
const TARGET_BY_ID: &str = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget {
    id name uri status subscriptions } } }";
const PAGE: &str = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget {
    webhookNotificationTargetEvents { pageInfo { hasNextPage endCursor }
        edges { cursor node { hasSuccessfulDelivery event { id name createdAt } } } } } } }";
const PAGE_WITH_ATTEMPTS: &str = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget {
    webhookNotificationTargetEvents { pageInfo { hasNextPage endCursor }
        edges { cursor node { hasSuccessfulDelivery event { id name createdAt }
            deliveryAttempts { edges { node { id deliveryAttemptStatus } } } } } } } } }";

/// Few rows, then many.
pub(crate) async fn measure(
    options: &Options,
    database: Database,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (sink, mut installation) = (Sink::start()?, Installation::start(options, database).await?);
    let busy = installation.live().add_target(&sink.healthy(0), EVENT).await?;
    let quiet = installation.live().add_target(&sink.healthy(1), OTHER).await?;
    let small = Publication::with_node(EVENT, 1, &json!({ "id": "pc_1" }));
    installation.live().caller().await?.publish(&small).await?;
    sink.wait_for(1).await?;
    while installation.sql().await?.unsettled().await? > 0 {}

    let mut before = Vec::new();
    let mut scenario = report.scenario(database, "rows");
    for (label, from, until) in
        [("few", 0, options.few_rows), ("many", options.few_rows, options.rows.max(options.few_rows))]
    {
        installation.stop().await?;
        let begin = Instant::now();
        let ids = fill(&installation, options.rows, Range { from, until, step: 1 }, [&busy, &quiet]).await?;
        scenario.add(&format!("{label}: seconds to fill"), begin.elapsed().as_secs_f64());
        tell_size(&installation, database, label, &mut scenario).await?;
        installation.add_replica().await?;
        let questions = questions(options.queries, &ids, [&busy, &quiet]);
        let times = ask(&installation, label, questions, &mut scenario).await?;
        compare(&before, &times, &mut scenario);
        before = times;
    }
    Ok(())
}

/// Ids of rows, evenly spread over all there are.
struct Ids {
    events: Vec<String>,
    attempts: Vec<String>,
}

async fn fill(
    installation: &Installation,
    count: u64,
    range: Range,
    [busy, quiet]: [&str; 2],
) -> anyhow::Result<Ids> {
    let seed = Seed::begin(installation.sql().await?, count).await?;
    seed.events(range).await?;
    seed.deliveries(range, busy).await?;
    seed.attempts(range, busy).await?;
    seed.deliveries(Range { step: QUIET, ..range }, quiet).await?;
    let numbers =
        || (range.from..range.until).step_by(usize::try_from((range.until / 10_000).max(1)).unwrap_or(1));
    let ids = Ids {
        events: numbers().map(|number| seed.id_of("nee", number)).collect(),
        attempts: numbers().map(|number| seed.id_of("nda", number)).collect(),
    };
    seed.end().await?;
    Ok(ids)
}

async fn tell_size(
    installation: &Installation,
    database: Database,
    label: &str,
    scenario: &mut Scenario<'_>,
) -> anyhow::Result<()> {
    let sql = installation.sql().await?;
    for (table, count) in seed::counts(&sql).await? {
        scenario.add(&format!("{label}: {table}"), f64::from(i32::try_from(count)?));
    }
    let size = seed::size(&sql, database).await?;
    scenario.add(&format!("{label}: size of the database MiB"), f64::from(i32::try_from(size)?));
    sql.close().await
}

/// A query with the requests that ask it.
struct Question {
    name: &'static str,
    requests: Vec<Bytes>,
}

fn questions(count: usize, ids: &Ids, [busy, quiet]: [&str; 2]) -> Vec<Question> {
    // A stride that visits all ids before it comes back, in no order.
    let spread = |ids: &[String], query: &str| -> Vec<Bytes> {
        (0..count).map(|number| by_id(query, &ids[number * 7_919 % ids.len()])).collect()
    };
    let same = |id: &str, query: &str| vec![by_id(query, id); count];
    vec![
        Question { name: "event by id", requests: spread(&ids.events, EVENT_BY_ID) },
        Question { name: "attempt by id", requests: spread(&ids.attempts, ATTEMPT_BY_ID) },
        Question { name: "target by id", requests: same(busy, TARGET_BY_ID) },
        Question { name: "page of a busy target", requests: same(busy, PAGE) },
        Question { name: "page of a quiet target", requests: same(quiet, PAGE) },
        Question { name: "page with attempts", requests: same(busy, PAGE_WITH_ATTEMPTS) },
    ]
}

fn by_id(query: &str, id: &str) -> Bytes {
    api::request(query, &json!({ "id": id }))
}

/// Milliseconds of each query.
type Asked = Vec<(&'static str, Vec<f64>)>;

async fn ask(
    installation: &Installation,
    label: &str,
    questions: Vec<Question>,
    scenario: &mut Scenario<'_>,
) -> anyhow::Result<Asked> {
    let mut caller = installation.live().caller().await?;
    let mut asked = Vec::new();
    for Question { name, requests } in questions {
        for request in requests.iter().take(WARM_UP) {
            check(name, &caller.data(request.clone()).await?)?;
        }
        let mut times = Vec::new();
        for request in requests {
            let begin = Instant::now();
            caller.data(request).await?;
            times.push(begin.elapsed().as_secs_f64() * 1_000.0);
        }
        scenario.add_all(&format!("{label}: {name}"), times.clone());
        asked.push((name, times));
    }
    Ok(asked)
}

/// Whether the answer is what was asked for: an empty one would be fast, too.
fn check(name: &str, data: &Value) -> anyhow::Result<()> {
    let page = &data["node"]["webhookNotificationTargetEvents"]["edges"];
    let events = page.as_array().map(Vec::len);
    let is_full = events.is_none_or(|events| number(events) >= 20.0);
    ensure!(is_full && data["node"].is_object(), "{name}: {data}");
    Ok(())
}

fn compare(before: &Asked, after: &Asked, scenario: &mut Scenario<'_>) {
    for ((name, few), (_, many)) in before.iter().zip(after) {
        for (label, q) in [("p50", 0.5), ("p99", 0.99)] {
            scenario.add(&format!("{name} {label}, ratio"), quantile(many, q) / quantile(few, q));
        }
    }
}
