//! Bodies of requests: read up to a limit and within a time, and understood as
//! the parameters of one GraphQL request.

use std::time::Duration;

use async_graphql::{Request, Value, Variables};
use axum::body::{Body, BodyDataStream};
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::http::{HeaderMap, StatusCode};
use futures_util::StreamExt;
use serde::Deserialize;

use crate::graphql::codes;
use crate::graphql::json::Json;
use crate::quota::memory::{self, Share};
use crate::rules::json;
use crate::server::response::refusal::{Refusal, no_room};

/// How long the body of a request may be.
pub(crate) const LIMIT: usize = 1_024 * 1_024;

/// How long it may be if the request publishes: enough for a thousand events of 4 KiB.
pub(crate) const PUBLISHING_LIMIT: usize = 4 * LIMIT;

/// How much of an unwanted body is read, and how long.
const DRAINED: usize = 256 * 1_024;
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a document may be. What is long belongs into variables.
const DOCUMENT_LIMIT: usize = 64 * 1_024;

/// How many values the JSON of a body may have.
const VALUES: usize = 200_000;

/// What some programs of Windows begin a text with.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads the whole body.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    within: Duration,
    share: &Share,
) -> Result<Vec<u8>, Refusal> {
    if announced(headers).is_some_and(|length| length > limit) {
        drain(headers, body).await;
        return Err(too_large(limit));
    }
    let late = |_| {
        let message = format!("The body did not come within {} seconds.", within.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, codes::TIMEOUT, message)
    };
    let mut chunks = body.into_data_stream();
    let read = tokio::time::timeout(within, collect(&mut chunks, limit, share)).await.map_err(late)?;
    if read.is_err() {
        drain_chunks(chunks).await;
    }
    read
}

async fn collect(chunks: &mut BodyDataStream, limit: usize, share: &Share) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::bad_request("The body could not be read to its end."))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        share.grow(chunk.len()).map_err(no_room)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Reads a little of a body that nobody wants: a client that is still sending would
/// otherwise see a reset instead of the answer.
pub(crate) async fn drain(headers: &HeaderMap, body: Body) {
    // Who asks first has sent nothing yet, and reading would be the invitation.
    if headers.contains_key(EXPECT) {
        return;
    }
    drain_chunks(body.into_data_stream()).await;
}

async fn drain_chunks(mut chunks: BodyDataStream) {
    let reading = async {
        let mut left = DRAINED;
        while let (1.., Some(Ok(chunk))) = (left, chunks.next().await) {
            left = left.saturating_sub(chunk.len());
        }
    };
    tokio::time::timeout(DRAIN_TIMEOUT, reading).await.ok();
}

/// The parameters of a request. Others are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Json>,
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Parameters {
    /// The document. Clients that know persisted documents try its hash alone first, and send the text
    /// when they hear that nothing is kept here; they expect to hear it with status 200.
    fn document(&mut self) -> Result<String, Refusal> {
        let document = self.query.take().filter(|document| !document.is_empty());
        let is_persisted =
            || self.extensions.as_ref().is_some_and(|given| given.contains_key("persistedQuery"));
        match document {
            Some(document) => Ok(document),
            None if is_persisted() => {
                let (code, message) = (codes::PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported");
                Err(Refusal::new(StatusCode::OK, code, message))
            }
            None => Err(Refusal::bad_request("The body has no document: give it as `query`.")),
        }
    }
}

/// Refuses bodies that would take too much when they are understood, and takes that of the share.
pub(crate) fn check_values(body: &[u8], share: &Share) -> Result<(), Refusal> {
    if json::values(body) > VALUES {
        let message = format!("The body has more than {VALUES} values. Send less in one request.");
        return Err(Refusal::too_large(message));
    }
    share.grow(memory::of_values(body)).map_err(no_room)
}

/// Reads the parameters of one request. Batches are not taken.
pub(crate) fn parse(body: &[u8]) -> Result<Request, Refusal> {
    // Nobody has to send it, and whoever reads may pass over it (RFC 8259, 8.1).
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    // Asked first, because serde would read an array as the fields of the struct in order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refusal::bad_request(
            "The body is no JSON object. Send one request such as {\"query\": \"{ ping }\"}.",
        ));
    }
    let mut parameters: Parameters = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The body is no GraphQL request in JSON: {error}.")))?;
    let document = parameters.document()?;
    if document.len() > DOCUMENT_LIMIT {
        let message =
            format!("The document is longer than {DOCUMENT_LIMIT} bytes. Give values as variables.");
        return Err(Refusal::too_large(message));
    }
    let variables = match parameters.variables {
        None | Some(Json(Value::Null)) => Variables::default(),
        Some(Json(variables @ Value::Object(_))) => Variables::from_value(variables),
        Some(_) => return Err(Refusal::bad_request("The variables are no JSON object.")),
    };
    let request = Request::new(document).variables(variables);
    Ok(match parameters.operation_name {
        // What clients send whose operation has no name.
        Some(name) if name.is_empty() => request,
        Some(name) => request.operation_name(name),
        None => request,
    })
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What is answered to a body that is longer than it may be.
pub(crate) fn too_large(limit: usize) -> Refusal {
    Refusal::too_large(format!("The body is longer than {limit} bytes. Send less in one request."))
}

#[cfg(test)]
mod tests {
    use entity::{OrganizationId, Timestamp};

    use super::*;
    use crate::quota::memory::{Memory, Purpose};

    #[test]
    fn one_json_object_is_a_request() {
        let request =
            parse(br#" {"query": "query A { ping }", "operationName": "A", "variables": {"a": 1}}"#).unwrap();
        assert_eq!(request.query, "query A { ping }");
        assert_eq!(request.operation_name.as_deref(), Some("A"));
        assert_eq!(request.variables.len(), 1);
    }

    #[test]
    fn one_byte_order_mark_at_the_beginning_is_passed_over() {
        for (body, expected) in [
            ("\u{feff}{\"query\": \"{a}\"}", true),
            ("\u{feff} \n{\"query\": \"{a}\"}", true),
            ("\u{feff}\u{feff}{\"query\": \"{a}\"}", false),
            (" \u{feff}{\"query\": \"{a}\"}", false),
            ("{\u{feff}\"query\": \"{a}\"}", false),
            ("{\"query\": \"{a}\"}\u{feff}", false),
            ("\u{feff}", false),
        ] {
            assert_eq!(parse(body.as_bytes()).is_ok(), expected, "{body:?}");
        }
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let request =
            parse(br#"{"query": "{a}", "operationName": null, "variables": null, "extensions": null}"#);
        assert!(request.unwrap().variables.is_empty());
        let request = parse(br#"{"query": "{a}", "operationName": ""}"#).unwrap();
        assert_eq!(request.operation_name, None);
    }

    #[test]
    fn everything_else_is_refused() {
        let deep = format!(r#"{{"query": "{{a}}", "variables": {{"a": {}}}}}"#, "[".repeat(100_000));
        for bad in [
            "",
            "{",
            "[]",
            r#"["{a}"]"#,
            r#"[{"query": "{a}"}]"#,
            r#""{a}""#,
            "{}",
            r#"{"query": null}"#,
            r#"{"query": ""}"#,
            r#"{"extensions": {}}"#,
            r#"{"extensions": {"persistedQuery": {}}}"#,
            r#"{"query": "{a}", "extensions": {"persistedQuery": {}}, "operationName": 1}"#,
            r#"{"query": ["a"]}"#,
            r#"{"query": "{a}", "query": "{b}"}"#,
            r#"{"query": "{a}", "operationName": 1}"#,
            r#"{"query": "{a}", "variables": []}"#,
            r#"{"query": "{a}", "variables": "a"}"#,
            r#"{"query": "{a}", "extensions": []}"#,
            r#"{"query": "{a}"} {}"#,
            &deep,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:.80}");
        }
        assert!(parse(b"{\"query\": \"\xff\"}").is_err());
        let long = format!(r#"{{"query": "{}"}}"#, " ".repeat(DOCUMENT_LIMIT + 1));
        assert!(parse(long.as_bytes()).is_err());
    }

    #[test]
    fn the_number_of_values_in_a_body_is_limited_and_their_memory_is_taken() {
        let organization = OrganizationId::new(Timestamp::from_millis(1_700_000_000_000));
        let is_refused = |memory: usize, values: usize| {
            let share = Memory::new(memory).share(organization.clone(), Purpose::Reading);
            check_values("1,".repeat(values).as_bytes(), &share).is_err()
        };
        assert!(!is_refused(usize::MAX, VALUES));
        assert!(is_refused(usize::MAX, VALUES + 1));
        assert!(!is_refused(2 * memory::of_values(b"1,") * 100, 100));
        assert!(is_refused(2 * memory::of_values(b"1,") * 100, 101));
    }
}
