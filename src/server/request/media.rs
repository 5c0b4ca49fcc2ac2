//! Media types: what a client sends and what it wants back, by the rules of
//! GraphQL over HTTP.
//!
//! Only JSON is taken, because anything else can be sent by a page of a stranger
//! from a browser that knows the key.

use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

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

/// Which form the client wants by its `accept`; none if we have none that it takes. One that lists nothing
/// wants nothing in particular.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Media> {
    let is_blank = |value: &HeaderValue| value.as_bytes().iter().all(|byte| b", \t".contains(byte));
    if headers.get_all(ACCEPT).iter().all(is_blank) {
        return Some(Media::Json);
    }
    // What is no ASCII can stand in parameters only, which nobody here asks for.
    let values = headers.get_all(ACCEPT).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let values: Vec<_> = values.collect();
    let ranges = values.iter().flat_map(|value| split(value, ','));
    let accepted: Vec<Range> = ranges.filter_map(Range::read).collect();
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

/// A media type or a range of them, with its parameters (RFC 9110, 8.3.1 and 12.5.1). Blanks may stand around
/// `;`; around `=` they are taken, too, because some clients put them there.
#[derive(Debug)]
struct Range<'a> {
    /// Without parameters, in lower case.
    essence: String,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';').map(str::trim);
        let essence = match parts.next()? {
            // Java's own client has said so for twenty years.
            "*" => "*/*".to_owned(),
            essence => essence.to_ascii_lowercase(),
        };
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters = parameters.map(|(name, value)| (name.trim(), value.trim().trim_matches('"')));
        Some(Self { parameters: parameters.collect(), essence })
    }

    fn parameter(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let parameters = self.parameters.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        parameters.map(|(_, value)| *value)
    }

    /// In thousandths. `.2` stands for `0.2`; what cannot be read does not count.
    fn quality(&self) -> u16 {
        let Some(text) = self.parameter("q").next() else { return 1_000 };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
        match whole {
            "0" | "" if is_number && !text.is_empty() => format!("{fraction:0<3}").parse().unwrap_or(0),
            "1" if is_number => 1_000,
            _ => 0,
        }
    }
}

/// The parts of a list; separators in quotes separate nothing, and quotes behind a backslash in quotes end
/// nothing.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = is_quoted && character == '\\' && !is_escaped;
        character == separator && !is_quoted
    })
}

fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

/// How much a form is wanted. The order is that of the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    /// In thousandths; 0 is not at all.
    quality: u16,
    is_exact: bool,
}

/// The most specific range that fits decides, whatever its quality.
fn wish(accepted: &[Range<'_>], media: Media) -> Wish {
    let fitting = accepted.iter().filter_map(|range| Some((specificity(range, media)?, range)));
    // The first of equals, where `max_by_key` would take the last.
    let decisive = fitting.rev().max_by_key(|(specificity, _)| *specificity);
    decisive.map_or_else(Wish::default, |(specificity, range)| Wish {
        quality: range.quality(),
        is_exact: specificity == 2,
    })
}

fn specificity(range: &Range<'_>, media: Media) -> Option<u8> {
    match range.essence.as_str() {
        "*/*" => Some(0),
        "application/*" => Some(1),
        essence => (essence == media.essence()).then_some(2),
    }
}

/// Whether the body is said to be JSON in UTF-8.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some(media) = value.to_str().ok().and_then(Range::read) else { return false };
    // Of two that differ, a proxy might have believed the other one.
    let mut charsets = media.parameter("charset");
    let is_utf8 = charsets.all(|name| ["utf-8", "utf8"].iter().any(|utf8| name.eq_ignore_ascii_case(utf8)));
    media.essence == Media::Json.essence() && is_utf8
}

/// Whether the body comes as it is. Compressed ones are not taken: little could become much.
pub(crate) fn is_plain(headers: &HeaderMap) -> bool {
    names(headers, CONTENT_ENCODING).is_some_and(|names| names.iter().all(|name| name == "identity"))
}

/// Whether the body comes in chunks or as it is. hyper undoes chunks and hands on what else was done to a body.
pub(crate) fn is_only_chunked(headers: &HeaderMap) -> bool {
    names(headers, TRANSFER_ENCODING)
        .is_some_and(|names| names.is_empty() || (names.len() == 1 && names[0] == "chunked"))
}

/// The names in a list, in lower case; none if it is no text. The list may be spread over several headers, and
/// have empty places (RFC 9110, 5.6.1).
fn names(headers: &HeaderMap, header: HeaderName) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for value in headers.get_all(header) {
        let parts = value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.extend(parts.map(str::to_ascii_lowercase));
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
        values.iter().map(|text| (name.clone(), value(text))).collect()
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
            ("application/json;q=0.0001", None),
            ("application/json;q=", None),
            ("*/*;q=.2", json),
            ("*; q=.2", json),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", json),
            ("application/json ; q=0.9 , application/graphql-response+json ;q=1.0", graphql),
            ("application/json\t;\tQ=0.9", json),
            ("application/json;q = 0.9", json),
            ("application/json;q=\"0.9\"", json),
            ("application/json;profile=\"a,b;q=0\"", json),
            ("application/json;q=1.", json),
            ("application/json;profile=\"\u{e9}\"", json),
            ("text/html;a=\"\\\"\", application/json", json),
            ("text/html;a=\"\\\", application/json\"", None),
            ("text/html;a=\"\\\\\", application/json", json),
            ("application/json;q=.", None),
            (", application/json,", json),
            ("*/json", None),
            ("application/", None),
            ("text/html", None),
            ("application/xml;q=0.9, text/*", None),
            ("nonsense", None),
            ("nonsense,", None),
            ("", json),
            (" , ,\t", json),
        ] {
            assert_eq!(negotiate(&headers(&ACCEPT, &[accept])), expected, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), json);
        assert_eq!(negotiate(&headers(&ACCEPT, &["text/html", "application/json"])), json);
        assert_eq!(negotiate(&headers(&ACCEPT, &["", ""])), json);
        assert_eq!(negotiate(&headers(&ACCEPT, &["", "text/html"])), None);
    }

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for good in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON;charset=\"UTF-8\"",
            "application/json ; charset=utf-8",
            "application/json;charset=utf8",
            "application/json; charset=utf-8; charset=utf8",
            "application/json; charset = UTF8 ",
            "application/json;",
            "application/json; version=\"1;charset=latin1\"",
        ] {
            assert!(is_json(&headers(&CONTENT_TYPE, &[good])), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=iso-8859-1",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=a",
            "application/graphql",
            "application/jsonp",
            "application /json",
            "application/json, text/plain",
            "application/json charset=utf-8",
            "application/json; charset=utf-8; charset=iso-8859-1",
            "application/json; charset=iso-8859-1; charset=utf-8",
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
        for (encodings, expected) in [
            (&[][..], true),
            (&["Identity"], true),
            (&["identity, identity"], true),
            (&["", ","], true),
            (&["gzip"], false),
            (&["x-gzip"], false),
            (&["identity, br"], false),
            (&["identity", "br"], false),
            (&["identity gzip"], false),
        ] {
            assert_eq!(is_plain(&headers(&CONTENT_ENCODING, encodings)), expected, "{encodings:?}");
        }
    }

    #[test]
    fn chunks_are_all_that_may_be_done_to_a_body_on_its_way() {
        for (codings, expected) in [
            (&[][..], true),
            (&["chunked"], true),
            (&["Chunked"], true),
            (&[", chunked"], true),
            (&["gzip, chunked"], false),
            (&["gzip", "chunked"], false),
            (&["deflate, gzip, chunked"], false),
            (&["identity, chunked"], false),
            (&["chunked, chunked"], false),
            (&["chunked", "chunked"], false),
            (&["x y, chunked"], false),
        ] {
            assert_eq!(is_only_chunked(&headers(&TRANSFER_ENCODING, codings)), expected, "{codings:?}");
        }
    }
}
