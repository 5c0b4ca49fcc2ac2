//! Clients as they are on the wire: what Apollo Client, urql, gql and Java's own client send, byte by byte,
//! but for the key.

use serde_json::Value;

use crate::limits::{connect, rest};
use world::{Api, On, World};

/// The status, the media type and the body of the answer to a request of these headers.
async fn send(api: &Api, headers: &[&str], body: &str) -> (u16, String, Value) {
    let authorization = format!("authorization: {}", api.authorization());
    let (length, close) = (format!("content-length: {}", body.len()), "connection: close".to_owned());
    let own = [authorization, length, close];
    let lines: Vec<_> = headers.iter().copied().chain(own.iter().map(String::as_str)).collect();
    let request =
        format!("POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\n{}\r\n\r\n{body}", lines.join("\r\n"));
    let answer = rest(connect(api, &request).await).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let media_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap();
    (status, media_type.to_owned(), serde_json::from_str(body).unwrap())
}

const NODE: [&str; 5] = [
    "accept-language: *",
    "sec-fetch-mode: cors",
    "user-agent: node",
    "accept-encoding: gzip, deflate",
    "content-type: application/json",
];
const APOLLO_4: &str = "accept: application/graphql-response+json,application/json;q=0.9";
const APOLLO_3: &str = "accept: */*";
const URQL: &str = "accept: application/graphql-response+json, application/graphql+json, application/json, \
                    text/event-stream, multipart/mixed";

/// The hash alone, and then the text: what they send after they have heard that nothing is kept.
#[tokio::test]
async fn clients_of_persisted_documents_are_told_to_send_the_text() {
    let world = World::on(On::Sqlite).await.unwrap();
    let hash = "d96928e4ff0289ad105dbca3882ccaa160b043919c9f3b87868e6dafb76dc758";
    let persisted = format!(r#""persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}"#);
    let library = r#""clientLibrary":{"name":"@apollo/client","version":"4.3.8"}"#;
    for (accept, hashed, whole) in [
        (
            APOLLO_4,
            format!(r#"{{"operationName":"Ping","variables":{{}},"extensions":{{{library},{persisted}}}}}"#),
            format!(
                r#"{{"operationName":"Ping","variables":{{}},"extensions":{{{library}}},"query":"query Ping {{\n  ping\n}}"}}"#
            ),
        ),
        (
            APOLLO_3,
            format!(r#"{{"operationName":"Ping","variables":{{}},"extensions":{{{persisted}}}}}"#),
            r#"{"operationName":"Ping","variables":{},"query":"query Ping {\n  ping\n}"}"#.to_owned(),
        ),
        (
            URQL,
            format!(r#"{{"extensions":{{{persisted}}},"operationName":"Ping","variables":{{}}}}"#),
            r#"{"extensions":{},"operationName":"Ping","query":"query Ping {\n  ping\n}","variables":{}}"#
                .to_owned(),
        ),
    ] {
        let headers = [&NODE[..], &[accept]].concat();
        let (status, _, body) = send(&world.test, &headers, &hashed).await;
        // Apollo goes by the code or by the text, urql by the text.
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["errors"][0]["message"], "PersistedQueryNotSupported");
        assert_eq!(body["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_SUPPORTED");
        assert_eq!(body["data"], Value::Null);
        let (status, _, body) = send(&world.test, &headers, &whole).await;
        assert_eq!((status, &body["data"]["ping"]), (200, &"pong".into()), "{body}");
    }
}

#[tokio::test]
async fn clients_that_name_media_types_in_their_own_ways_are_answered() {
    let world = World::on(On::Sqlite).await.unwrap();
    let whole = r#"{"query": "query Ping {\n  ping\n}"}"#;
    let json = "application/json";
    for (headers, media_type) in [
        (&[APOLLO_4, NODE[4]][..], "application/graphql-response+json"),
        (&[URQL, NODE[4]], "application/graphql-response+json"),
        // gql for Python, with requests and with aiohttp.
        (
            &["User-Agent: python-requests/2.34.2", "Accept-Encoding: gzip, deflate", "Accept: */*", NODE[4]],
            json,
        ),
        (
            &[
                "Accept: */*",
                "Accept-Encoding: gzip, deflate",
                "User-Agent: Python/3.11 aiohttp/3.14.5",
                NODE[4],
            ],
            json,
        ),
        // HttpURLConnection, of today and before 17.0.12.
        (
            &[
                "Content-Type: application/json; charset=utf8",
                "User-Agent: Java/17.0.15",
                "Accept: text/html, image/gif, image/jpeg, */*; q=0.2",
            ],
            json,
        ),
        (
            &[
                "Content-Type: application/json ; charset=UTF-8",
                "User-Agent: Java/11.0.2",
                "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            ],
            json,
        ),
        (&["Accept: */*;q=.2", NODE[4]], json),
    ] {
        let (status, answered, body) = send(&world.test, headers, whole).await;
        assert_eq!((status, answered.as_str()), (200, media_type), "{headers:?}: {body}");
    }
}

#[tokio::test]
async fn an_empty_accept_header_and_a_byte_order_mark_are_fine() {
    let world = World::on(On::Sqlite).await.unwrap();
    let ping = r#"{"query": "{ ping }"}"#;
    for (accept, body) in [
        ("accept:", ping.to_owned()),
        ("accept: ,", ping.to_owned()),
        ("accept: */*", format!("\u{feff}{ping}")),
    ] {
        let (status, media_type, answer) = send(&world.test, &[accept, NODE[4]], &body).await;
        assert_eq!((status, media_type.as_str()), (200, "application/json"), "{accept}: {answer}");
        assert_eq!(answer["data"]["ping"], "pong");
    }
}

/// What Go, Java and JavaScript send for a number that they hold as one with a fraction.
#[tokio::test]
async fn an_integer_may_be_written_with_a_zero_fraction() {
    let world = World::on(On::Sqlite).await.unwrap();
    let query = "query($first: Int) { notificationEvents(first: $first) { edges { cursor } } }";
    for (first, expected) in [("20", 200), ("20.0", 200), ("2e1", 200), ("20.5", 400), ("\"20\"", 400)] {
        let body = format!(r#"{{"query": "{query}", "variables": {{"first": {first}}}}}"#);
        let (status, _, answer) = send(&world.test, &NODE[4..], &body).await;
        assert_eq!((status, answer["errors"].is_null()), (expected, expected == 200), "{first}: {answer}");
    }
}

#[tokio::test]
async fn encoded_bodies_are_refused() {
    let world = World::on(On::Sqlite).await.unwrap();
    let chunks = "15\r\n{\"query\": \"{ ping }\"}\r\n0\r\n\r\n";
    let authorization = world.test.authorization();
    for (path, coding, expected) in [
        ("/graphql", "chunked", "200"),
        ("/graphql", "Chunked", "200"),
        ("/graphql", "gzip, chunked", "501"),
        ("/graphql", "gzip\r\ntransfer-encoding: chunked", "501"),
        ("/graphql", "identity, chunked", "501"),
        ("/graphql", "chunked, chunked", "501"),
        ("/nowhere", "gzip, chunked", "501"),
        ("/graphql", "chunked, gzip", "400"),
        ("/graphql", "gzip", "400"),
    ] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {authorization}\r\n\
             content-type: application/json\r\ntransfer-encoding: {coding}\r\n\r\n{chunks}"
        );
        let answer = rest(connect(&world.test, &request).await).await;
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{path} {coding}: {answer}");
        assert_eq!(answer.contains("NOT_IMPLEMENTED"), expected == "501", "{path} {coding}: {answer}");
    }
}

#[tokio::test]
async fn empty_values_count_as_absent() {
    let world = World::on(On::Sqlite).await.unwrap();
    let (_, stranger) = world.stranger().await;
    let page = |after: &str| {
        format!(
            r#"{{ notificationEvents(after: "{after}") {{ pageInfo {{ endCursor hasPreviousPage }} }} }}"#
        )
    };
    let ask = async |query: &str, name: &str| {
        let body = serde_json::json!({ "query": query, "operationName": name }).to_string();
        send(&stranger, &NODE[4..], &body).await
    };
    let (_, _, body) = ask(&page(""), "").await;
    let told = &body["data"]["notificationEvents"]["pageInfo"];
    // The cursor of an empty page can be given back.
    assert_eq!((&told["endCursor"], &told["hasPreviousPage"]), (&"".into(), &false.into()), "{body}");
    let (status, _, body) = ask("query A { ping } query B { ping }", "").await;
    assert_eq!((status, &body["errors"][0]["extensions"]["code"].is_string()), (400, &true), "{body}");
}

#[tokio::test]
async fn a_get_is_told_to_post() {
    let world = World::on(On::Sqlite).await.unwrap();
    let get = async |path: &str| {
        let response = world.test.client().get(world.test.at(path)).send().await.unwrap();
        let status = response.status().as_u16();
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        (status, body["errors"][0]["message"].as_str().unwrap().to_owned())
    };
    let (status, message) = get("/graphql?query={ping}").await;
    assert_eq!((status, message.contains("send it by POST")), (405, true), "{message}");
}

#[tokio::test]
async fn a_request_names_one_host() {
    let world = World::on(On::Sqlite).await.unwrap();
    for (version, hosts, status) in [
        ("1.1", "host: company.com\r\n", "200"),
        ("1.1", "", "400"),
        ("1.1", "host: company.com\r\nhost: company.com\r\n", "400"),
        ("1.1", "host: a/b\r\n", "400"),
        ("1.0", "", "200"),
        ("1.0", "host: a b\r\n", "400"),
    ] {
        let request = format!("GET /healthz HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
        let answer = rest(connect(&world.test, &request).await).await;
        assert!(answer.split(' ').nth(1) == Some(status), "{version} {hosts}: {answer}");
    }
}
