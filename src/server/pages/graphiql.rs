//! GraphiQL, a page to try the API out, without anything from another host.
//!
//! `graphiql.min.{js,css}` are from graphiql@4.1.2, `react.production.min.js` from
//! react@18.3.1, `react-dom.production.min.js` from react-dom@18.3.1, all from npm,
//! unchanged but for `gzip -9n`. They are kept and sent compressed: 0.6 MB, not 1.6.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Fonts are `data:` in the style sheet. A dialogue would put a style into the page that keeps what is
/// behind it from being scrolled; it does without.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its files. Those of others have their version in the path, so they are fetched once.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/graphiql", page())
        .route("/graphiql/start.js", ours(JAVASCRIPT, include_str!("graphiql/start.js")))
        .route("/graphiql/start.css", ours(CSS, include_str!("graphiql/start.css")))
        .route(
            "/graphiql/4.1.2/graphiql.min.js",
            theirs(JAVASCRIPT, include_bytes!("graphiql/graphiql.min.js.gz")),
        )
        .route(
            "/graphiql/4.1.2/graphiql.min.css",
            theirs(CSS, include_bytes!("graphiql/graphiql.min.css.gz")),
        )
        .route(
            "/graphiql/18.3.1/react.production.min.js",
            theirs(JAVASCRIPT, include_bytes!("graphiql/react.production.min.js.gz")),
        )
        .route(
            "/graphiql/18.3.1/react-dom.production.min.js",
            theirs(JAVASCRIPT, include_bytes!("graphiql/react-dom.production.min.js.gz")),
        )
}

fn page() -> MethodRouter {
    ours(HTML, include_str!("graphiql/page.html"))
}

fn ours(kind: &'static str, text: &'static str) -> MethodRouter {
    let headers = [
        header(CONTENT_TYPE, kind),
        header(CACHE_CONTROL, "no-cache"),
        header(CONTENT_SECURITY_POLICY, POLICY),
    ];
    get(move || async move { (headers, text).into_response() })
}

/// Every browser takes gzip, so nothing else is kept.
fn theirs(kind: &'static str, gzip: &'static [u8]) -> MethodRouter {
    let headers = [
        header(CONTENT_TYPE, kind),
        header(CONTENT_ENCODING, "gzip"),
        header(VARY, "accept-encoding"),
        header(CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    get(move || async move { (headers, gzip).into_response() })
}

fn header(name: HeaderName, value: &'static str) -> (HeaderName, HeaderValue) {
    (name, HeaderValue::from_static(value))
}
