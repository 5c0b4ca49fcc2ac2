//! A GraphQL request that publishes 100 events of 1 KiB, on its way to the database: the
//! guard of the endpoint, the parser, and all that the library and the resolver do before
//! anything is recorded.

use std::hint::black_box;
use std::sync::Arc;

use async_graphql::{Request, Variables};
use criterion::{BatchSize, Criterion};
use entity::{ApiKeyId, ApiKeyKind, Environment, OrganizationId};
use reprise::app::{App, Settings};
use reprise::auth::Caller;
use reprise::clock::Clock;
use reprise::db::Db;
use reprise::graphql::json::Json;
use reprise::graphql::{self, Schema};
use reprise::quota::memory::{Memory, Purpose};
use reprise::server::Documents;
use reprise::store::Scope;
use reprise::vault::Vault;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const EVENTS: usize = 100;
const DOCUMENT: &str = "mutation($organization: ID, $events: [NotificationEventInput!]!) {
    publishNotificationEvents(input: {organizationId: $organization, events: $events}) { __typename
        ... on PublishedNotificationEvents { events { id } } ... on UserError { errors { code } } } }";

/// No organization has this id, and no id looks like it, so nobody asks the database for it: the
/// call is refused when all its events are ready to be recorded.
fn variables() -> Value {
    let node = json!({ "id": "pc_1", "memo": "x".repeat(960) });
    let event = json!({ "name": "PAYMENT_CARD_ISSUED", "node": node });
    json!({ "organization": "nobody", "events": vec![event; EVENTS] })
}

fn guard(criterion: &mut Criterion) {
    let documents = Documents::default();
    let variables = Variables::from_json(variables());
    let mut group = criterion.benchmark_group("request");
    let mut number = 0;
    group.bench_function("a document that was not seen before", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                Request::new(format!("{DOCUMENT} # {number}")).variables(variables.clone())
            },
            |mut request| documents.prepare(&mut request).map(|_| request),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("a document that is kept", |bencher| {
        bencher.iter_batched(
            || Request::new(DOCUMENT).variables(variables.clone()),
            |mut request| documents.prepare(&mut request).map(|_| request),
            BatchSize::SmallInput,
        );
    });
}

fn body(criterion: &mut Criterion) {
    let text = variables().to_string();
    criterion.benchmark_group("request").bench_function("variables from JSON", |bencher| {
        bencher.iter(|| serde_json::from_str::<Json>(black_box(&text)));
    });
}

fn execution(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("there is room for a runtime");
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let url = format!("sqlite://{}", folder.path().join("reprise.db").display());
    let (app, schema) = runtime.block_on(open(&url));
    let organization = OrganizationId::new(app.now());
    let caller = Caller {
        key: ApiKeyId::new(app.now()),
        kind: ApiKeyKind::Platform,
        scope: Scope { organization, environment: Environment::Live },
    };
    let variables = Variables::from_json(variables());
    let documents = Documents::default();
    let memory = Memory::new(usize::MAX);
    let request = || {
        let mut request = Request::new(DOCUMENT).variables(variables.clone());
        documents.prepare(&mut request).expect("the document is valid");
        let share = Arc::new(memory.share(caller.scope.organization.clone(), Purpose::Publishing));
        graphql::prepare(request, &app, caller.clone(), &share)
    };
    let answer = runtime.block_on(schema.execute(request()));
    assert!(answer.data.to_string().contains("NOT_FOUND"), "{answer:?}");
    criterion.benchmark_group("request").bench_function("all but recording", |bencher| {
        bencher.to_async(&runtime).iter_batched(
            request,
            |request| schema.execute(request),
            BatchSize::SmallInput,
        );
    });
}

async fn open(url: &str) -> (App, Schema) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let db = Db::open(url).await.expect("a database can be made");
    let settings = Settings::default();
    let app = App::new(db, Clock::system(), Vault::new(&[7; 32]), settings).expect("the settings are right");
    let schema = graphql::schema(app.clone());
    (app, schema)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for part in [guard, body, execution] {
        part(&mut criterion);
    }
    criterion.final_summary();
}
