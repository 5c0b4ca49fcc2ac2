//! What every request gets: an id, a span in the log, one line about its end,
//! and an answer even if the code that makes it panics.
//!
//! Keys, variables and bodies are never logged.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tracing::{Instrument, Span, field, info_span};

use crate::auth::Caller;
use crate::graphql::codes;
use crate::server::request::media::{self, Media};
use crate::server::response::refusal::Refusal;
use crate::server::response::request_id::RequestId;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const OPERATION_CHARS: usize = 64;

/// How much of a path is logged. None of ours is longer.
const PATH: usize = 48;

/// What is asked again and again by programs, so that nobody wants to read it.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// What a key begins with, whatever its environment.
const KEY: &str = "sk_";

/// A path for the log. What a stranger asks for may be very long, or a key in the wrong place: nothing of
/// that is shown.
fn shown(path: &str) -> String {
    let open = path.split_once(KEY).map_or(path, |(before, _)| before);
    let shown: String = open.chars().take(PATH).collect();
    if shown.len() < path.len() { shown + "…" } else { shown }
}

/// The outermost layer.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let id = RequestId::random();
    let (operation, organization, key_id) = (field::Empty, field::Empty, field::Empty);
    let span = info_span!("request", request_id = %id, operation, organization, key_id);
    let is_probe = PROBES.contains(&request.uri().path());
    request.extensions_mut().insert(id.clone());
    async {
        let (start, method, path) = (Instant::now(), request.method().clone(), shown(request.uri().path()));
        let mut response = answer(request, next, &id).await;
        add_headers(&mut response, &id);
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(%method, path, status = response.status().as_u16(), duration_ms, "answered")
            };
        }
        if is_probe {
            line!(debug);
        } else {
            line!(info);
        }
        response
    }
    .instrument(span)
    .await
}

/// Lets the lines of this request in the log say which operation it asked for.
pub(crate) fn name_operation(name: &str) {
    // A name of the client's choice could be anything, so only what GraphQL calls a name is shown.
    let is_name =
        name.len() <= OPERATION_CHARS && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name {
        Span::current().record("operation", name);
    }
}

/// Lets the lines of this request in the log say who asked, by the id of the key.
pub(crate) fn name_caller(caller: &Caller) {
    let span = Span::current();
    span.record("organization", field::display(&caller.scope.organization));
    span.record("key_id", field::display(&caller.key));
}

async fn answer(request: Request, next: Next, id: &RequestId) -> Response {
    if !names_one_host(request.version(), request.headers()) {
        let message = "Name the host that the request is for in one `host` header.";
        return Refusal::bad_request(message).answer(Media::Json, id);
    }
    // On every path: what this server takes for the end of a body, a proxy might take for its middle.
    if !media::is_only_chunked(request.headers()) {
        let message = "Send the body in chunks or as it is, without another transfer-encoding.";
        let refusal = Refusal::new(StatusCode::NOT_IMPLEMENTED, codes::NOT_IMPLEMENTED, message);
        return refusal.answer(Media::Json, id);
    }
    // Nothing of a request outlives its panic: its transaction is undone, its connection returned.
    let caught = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    caught.unwrap_or_else(|_| Refusal::internal().answer(Media::Json, id))
}

/// Whether a request names the host that it is for as it has to (RFC 9112, 3.2): of several, or of something
/// that is none, a proxy might have made another request than we do. Earlier versions need not name one, and
/// later ones name it elsewhere.
fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(HOST).iter();
    match (values.next(), values.next()) {
        (None, _) => version != Version::HTTP_11,
        (Some(value), None) => value.to_str().is_ok_and(is_host),
        _ => false,
    }
}

/// Whether a text is a host with or without a port. It may be empty.
fn is_host(text: &str) -> bool {
    let after_address = text.rfind(']').map_or(0, |end| end + 1);
    let port = text[after_address..].rsplit_once(':').map_or("", |(_, port)| port);
    let is_authority = text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok());
    is_authority && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn add_headers(response: &mut Response, id: &RequestId) {
    let headers = response.headers_mut();
    let value = HeaderValue::from_str(id.as_str()).expect("hex digits are a header value");
    headers.insert(X_REQUEST_ID, value);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    #[test]
    fn http_1_1_names_one_host() {
        for (values, expected) in [
            (&["company.com"][..], true),
            (&["company.com:8080"], true),
            (&["127.0.0.1:8080"], true),
            (&["[::1]:8080"], true),
            (&["[::1]"], true),
            (&["a_b.internal"], true),
            (&[""], true),
            (&["company.com:"], true),
            (&[], false),
            (&["company.com", "company.com"], false),
            (&["a b"], false),
            (&["a/b"], false),
            (&["http://company.com"], false),
            (&["user@company.com"], false),
            (&["company.com:http"], false),
            (&["company.com:1:2"], false),
            (&["[::1"], false),
            (&["a\\b"], false),
            (&["<script>"], false),
        ] {
            let headers: HeaderMap =
                values.iter().map(|value| (HOST, HeaderValue::from_static(value))).collect();
            assert_eq!(names_one_host(Version::HTTP_11, &headers), expected, "{values:?}");
        }
        assert!(names_one_host(Version::HTTP_10, &HeaderMap::new()));
        assert!(names_one_host(Version::HTTP_2, &HeaderMap::new()));
    }

    #[test]
    fn a_key_in_a_path_is_not_logged() {
        assert_eq!(shown("/graphql"), "/graphql");
        assert_eq!(shown(&"ä".repeat(48)), "ä".repeat(48));
        assert_eq!(shown(&"ä".repeat(49)), "ä".repeat(48) + "…");
        for path in ["/sk_test_k", "/sk_live_kkkk/graphql", "/sk_"] {
            assert_eq!(shown(path), "/…", "{path}");
        }
    }

    async fn fails() -> &'static str {
        panic!("what nobody should read")
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_tells_nothing() {
        let router = Router::new().route("/", get(fails)).layer(axum::middleware::from_fn(observe));
        let request = axum::http::Request::builder().header(HOST, "x").body(Body::empty()).unwrap();
        let response = TowerToHyperService::new(router).call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        let id = response.headers()[X_REQUEST_ID].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("INTERNAL_SERVER_ERROR") && body.contains(&id), "{body}");
        assert!(!body.contains("nobody"), "{body}");
    }
}
