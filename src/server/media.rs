//! Media types: what a client sends and what it wants back, by the rules of
//! GraphQL over HTTP.
//!
//! Only JSON is taken, because anything else can be sent by a page of a stranger
//! from a browser that knows the key.

use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use mime::Mime;

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json`.
    Json,
    /// `application/graphql-response+json`.
    GraphqlResponse,
}

impl Media {
    /// The value of `content-type`.
    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(self.essence())
    }

    fn essence(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::GraphqlResponse => "application/graphql-response+json",
        }
    }
}

/// Which form the client wants by its `accept`; none if we have none that it takes.
pub fn negotiate(headers: &HeaderMap) -> Option<Media> {
    if !headers.contains_key(ACCEPT) {
        return Some(Media::Json);
    }
    let accepted: Vec<Mime> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.trim().parse().ok())
        .collect();
    let json = wish(&accepted, Media::Json);
    let graphql = wish(&accepted, Media::GraphqlResponse);
    // The newer form says more, so it wins where both were named; `*/*` comes from those
    // who know nothing of it.
    let (best, media) = if graphql > json || (graphql == json && graphql.is_exact) {
        (graphql, Media::GraphqlResponse)
    } else {
        (json, Media::Json)
    };
    (best.quality > 0).then_some(media)
}

/// How much a form is wanted. The order is that of the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    /// In thousandths; 0 is not at all.
    quality: u16,
    is_exact: bool,
}

/// The most specific range that fits decides, whatever its quality.
fn wish(accepted: &[Mime], media: Media) -> Wish {
    let fitting = accepted.iter().filter_map(|range| Some((specificity(range, media)?, range)));
    // The first of equals, where `max_by_key` would take the last.
    let decisive = fitting.rev().max_by_key(|(specificity, _)| *specificity);
    decisive.map_or_else(Wish::default, |(specificity, range)| Wish {
        quality: quality(range),
        is_exact: specificity == 2,
    })
}

fn specificity(range: &Mime, media: Media) -> Option<u8> {
    match range.essence_str() {
        "*/*" => Some(0),
        "application/*" => Some(1),
        essence => (essence == media.essence()).then_some(2),
    }
}

fn quality(range: &Mime) -> u16 {
    let Some(text) = range.get_param("q") else { return 1_000 };
    let (whole, fraction) = text.as_str().split_once('.').unwrap_or((text.as_str(), ""));
    match whole {
        "0" if fraction.len() <= 3 => format!("{fraction:0<3}").parse().unwrap_or(0),
        "1" => 1_000,
        _ => 0,
    }
}

/// Whether the body is said to be JSON in UTF-8.
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some(mime) = value.to_str().ok().and_then(|value| value.parse::<Mime>().ok()) else { return false };
    let is_utf8 = mime.get_param(mime::CHARSET).is_none_or(|charset| charset == mime::UTF_8);
    mime.essence_str() == Media::Json.essence() && is_utf8
}

/// Whether the body comes as it is. Compressed ones are not taken: little could become much.
pub fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_client_chooses_the_form_of_the_answer() {
        let (json, graphql) = (Some(Media::Json), Some(Media::GraphqlResponse));
        for (accept, expected) in [
            ("application/json", json),
            ("application/graphql-response+json", graphql),
            ("APPLICATION/GraphQL-Response+JSON", graphql),
            ("application/json; charset=utf-8", json),
            ("*/*", json),
            ("application/*", json),
            ("text/html, */*;q=0.1", json),
            ("application/graphql-response+json, application/json", graphql),
            ("application/json, application/graphql-response+json", graphql),
            ("application/graphql-response+json, application/json;q=0.9", graphql),
            ("application/graphql-response+json;q=0.8, application/json;q=0.9", json),
            ("application/graphql-response+json;q=0.8, */*;q=0.9", json),
            ("application/graphql-response+json, */*", graphql),
            ("application/json, */*", json),
            ("application/json, multipart/mixed", json),
            ("*/*, application/json;q=0", graphql),
            ("application/json;q=0.001", json),
            ("application/json;q=0", None),
            ("application/json;q=2", None),
            ("text/html", None),
            ("application/xml;q=0.9, text/*", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(negotiate(&headers(&ACCEPT, &[accept])), expected, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), json);
        assert_eq!(negotiate(&headers(&ACCEPT, &["text/html", "application/json"])), json);
    }

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for good in
            ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""]
        {
            assert!(is_json(&headers(&CONTENT_TYPE, &[good])), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=iso-8859-1",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=a",
            "application/graphql",
            "application/jsonp",
            "json",
            "",
        ] {
            assert!(!is_json(&headers(&CONTENT_TYPE, &[bad])), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
        assert!(!is_json(&headers(&CONTENT_TYPE, &["application/json", "text/plain"])));
    }

    #[test]
    fn compressed_bodies_are_not_taken() {
        assert!(is_plain(&HeaderMap::new()));
        assert!(is_plain(&headers(&CONTENT_ENCODING, &["Identity"])));
        assert!(!is_plain(&headers(&CONTENT_ENCODING, &["gzip"])));
        assert!(!is_plain(&headers(&CONTENT_ENCODING, &["identity", "br"])));
    }
}
