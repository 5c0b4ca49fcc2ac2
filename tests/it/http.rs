//! The HTTP side of the API: what is accepted, and what comes back (G1–G3).

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, DATE, HeaderValue, WWW_AUTHENTICATE,
};
use rstest::rstest;
use serde_json::{Value, json};

use world::{On, World};

const PING: &str = r#"{"query": "{ ping }"}"#;

/// Posts these bytes as this media type and answers status, code of the first error, and the request id.
async fn post(
    world: &World,
    media_type: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> (u16, Value, String) {
    let mut request = world.test.client().post(world.test.at("/graphql")).body(body);
    request = request.header(AUTHORIZATION, world.test.authorization());
    if let Some(media_type) = media_type {
        request = request.header(CONTENT_TYPE, media_type);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let id = body["extensions"]["requestId"].as_str().unwrap_or_else(|| panic!("no request id in {body}"));
    (status, body["errors"][0]["extensions"]["code"].clone(), id.to_owned())
}

#[tokio::test]
async fn only_json_is_read_and_no_batches() {
    let world = World::on(On::Sqlite).await.unwrap();
    for good in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(post(&world, Some(good), PING).await.0, 200, "{good}");
    }
    for bad in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/graphql"),
        Some("application/json; charset=latin1"),
    ] {
        assert_eq!(post(&world, bad, PING).await.0, 415, "{bad:?}");
    }
    assert_eq!(post(&world, Some("application/json"), format!("[{PING}]")).await.0, 400);
}

#[tokio::test]
async fn a_request_that_cannot_be_executed_is_a_400_and_never_a_500() {
    let world = World::on(On::Sqlite).await.unwrap();
    for bad in [
        "",
        "{",
        "null",
        "{}",
        r#"{"query": 1}"#,
        r#"{"query": ""}"#,
        r#"{"query": "{"}"#,
        r#"{"query": "{ nothing }"}"#,
        r#"{"query": "{ ping }", "variables": []}"#,
        r#"{"query": "{ ping }", "operationName": "Other"}"#,
        r#"{"query": "query($id: ID!) { node(id: $id) { id } }"}"#,
        r#"{"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": null}}"#,
        r#"{"query": "query($first: Int) { notificationEvents(first: $first) { edges { cursor } } }", "variables": {"first": "x"}}"#,
        r#"{"query": "{ notificationEvents(first: \"x\") { edges { cursor } } }"}"#,
        r#"{"query": "{ notificationEvents(filterBy: {name: [NO_SUCH_NAME]}) { edges { cursor } } }"}"#,
        "\u{0}",
        "{\"query\": \"{ ping }\u{0}\"}",
    ] {
        let (status, code, _) = post(&world, Some("application/json"), bad).await;
        assert_eq!(status, 400, "{bad}");
        assert!(code.is_string(), "{bad}: {code}");
    }
    assert_eq!(post(&world, Some("application/json"), b"\xff\xfe".to_vec()).await.0, 400);
    let huge = format!(r#"{{"query": "{{ ping }} #{}"}}"#, "x".repeat(5 * 1_024 * 1_024));
    assert_eq!(post(&world, Some("application/json"), huge).await.0, 413);
}

#[tokio::test]
async fn every_answer_has_its_own_request_id() {
    let world = World::on(On::Sqlite).await.unwrap();
    let first = post(&world, Some("application/json"), PING).await.2;
    let second = post(&world, Some("application/json"), "{").await.2;
    assert_ne!(first, second);
}

#[tokio::test]
async fn without_a_valid_key_the_answer_is_the_same_401_whatever_the_cause() {
    let world = World::on(On::Sqlite).await.unwrap();
    let name = json!({ "secretKey": { "name": "x" } });
    let made = world.test.call("createSecretAPIKey", name, ("APIKey", "id key")).await;
    world.test.call("revokeAPIKey", json!({ "apiKeyId": made["id"] }), ("APIKey", "id")).await;
    let revoked = made["key"].as_str().unwrap();
    let unknown = format!("sk_test_{}", "A".repeat(43));
    let basic =
        |credentials: &[u8]| vec![format!("Basic {}", BASE64_STANDARD.encode(credentials)).into_bytes()];
    let of = |key: &str| vec![world.test.with_key(key).authorization().into_bytes()];
    let mut answers = Vec::new();
    for authorization in [
        vec![],
        of(revoked),
        of(&unknown),
        of(&world.test.key().replace("sk_test", "sk_live")),
        of("sk_test_x"),
        of(&"x".repeat(20_000)),
        basic(format!("{}:password", world.test.key()).as_bytes()),
        basic(b":"),
        basic(b"\xff\xfe:"),
        basic(b"sk_test_\0:"),
        vec![b"Basic".to_vec()],
        vec![b"Basic ".to_vec()],
        vec![b"Basic !!!".to_vec()],
        vec![b"Basic \xe4\xf6".to_vec()],
        vec![format!("Bearer {}", world.test.key()).into_bytes()],
        vec![world.test.key().as_bytes().to_vec()],
        [of(world.test.key()), of(world.test.key())].concat(),
    ] {
        // Nobody wants the body, but its sender gets to hear why.
        let mut request = world.test.client().post(world.test.at("/graphql")).body("x".repeat(200_000));
        for value in &authorization {
            request = request.header(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let response = request.header(CONTENT_TYPE, "application/json").send().await.unwrap();
        assert_eq!(response.status(), 401, "{authorization:?}");
        assert!(response.headers()[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic"));
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let mut headers = response.headers().clone();
        headers.remove(DATE);
        let text = format!("{headers:?} {}", response.text().await.unwrap());
        assert_eq!(text.matches(&id).count(), 2, "{text}");
        answers.push(text.replace(&id, ""));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[tokio::test]
async fn the_key_may_stand_with_and_without_its_colon() {
    let world = World::on(On::Sqlite).await.unwrap();
    let key = world.test.key();
    for (scheme, credentials) in
        [("Basic", format!("{key}:")), ("basic", key.to_owned()), ("BASIC", format!("{key}:"))]
    {
        let authorization = format!("{scheme} {}", BASE64_STANDARD.encode(credentials));
        let request =
            world.test.client().post(world.test.at("/graphql")).header(AUTHORIZATION, authorization);
        let response = request.header(CONTENT_TYPE, "application/json").body(PING).send().await.unwrap();
        assert_eq!(response.status(), 200, "{scheme}");
    }
}

#[tokio::test]
async fn the_media_type_of_the_answer_is_negotiated() {
    let world = World::on(On::Sqlite).await.unwrap();
    for (accept, answer) in [
        (None, "application/json"),
        (Some("*/*"), "application/json"),
        (Some("application/json"), "application/json"),
        (Some("application/graphql-response+json"), "application/graphql-response+json"),
        (
            Some("application/graphql-response+json, application/json;q=0.9"),
            "application/graphql-response+json",
        ),
    ] {
        let mut request = world.test.client().post(world.test.at("/graphql")).body(PING);
        request = request
            .header(AUTHORIZATION, world.test.authorization())
            .header(CONTENT_TYPE, "application/json");
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let response = request.send().await.unwrap();
        let media_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        assert!(media_type.starts_with(answer), "{accept:?}: {media_type}");
    }
}

#[tokio::test]
async fn other_methods_are_refused() {
    let world = World::on(On::Sqlite).await.unwrap();
    let mutation =
        world.test.at("/graphql?query=mutation{revokeAPIKey(input:{apiKeyId:%22x%22}){__typename}}");
    let request = world.test.client().get(mutation).header(AUTHORIZATION, world.test.authorization());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()[ALLOW], "POST");
}

#[rstest]
#[tokio::test]
async fn the_pages_around_the_api_answer(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let get = async |path: &str| world.test.client().get(world.test.at(path)).send().await.unwrap();
    assert_eq!(get("/healthz").await.status(), 200);
    assert_eq!(get("/readyz").await.status(), 200);
    assert_eq!(get("/nothing").await.status(), 404);
    let page = get("/graphiql").await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(!policy.contains("http"), "nothing is loaded from elsewhere: {policy}");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")] {
        assert_eq!(page.headers()[name], value);
    }
    assert!(!page.headers().keys().any(|name| name.as_str().starts_with("access-control-")));
    let page = page.text().await.unwrap();
    assert!(!page.contains("<style") && !page.contains("http"), "{page}");
    for link in page.split('"').filter(|text| text.starts_with("graphiql/")) {
        assert_eq!(get(&format!("/{link}")).await.status(), 200, "{link}");
    }
}

#[tokio::test]
async fn an_error_of_a_field_leaves_the_other_fields_alone() {
    let world = World::on(On::Sqlite).await.unwrap();
    let query = "{ ping notificationEvents(first: 0) { edges { cursor } } organizations { id } }";
    let answer = world.test.ask(query, json!({})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["data"]["ping"], "pong");
    assert_eq!(answer.body["data"]["notificationEvents"], Value::Null);
    assert!(answer.body["data"]["organizations"].is_array());
}

#[tokio::test]
async fn a_paused_server_tells_for_how_long_deliveries_wait() {
    let world = World::on(On::Sqlite).await.unwrap();
    world.active_target(&world.test, "/hook", &["PAYMENT_CARD_ISSUED"]).await;
    let world = world.restart_with(|settings| settings.paused = true).await;
    world.test.publish("PAYMENT_CARD_ISSUED").await;
    world.clock.advance(Duration::from_secs(90));
    let response = world.test.client().get(world.test.at("/readyz")).send().await.unwrap();
    let told: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(told["oldestDueSeconds"], 90, "{told}");
}
