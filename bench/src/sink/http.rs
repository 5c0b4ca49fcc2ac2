//! The little of HTTP that the sink has to know: requests with a length, and nothing
//! in the answer. It is cheap, because what it costs is taken from what is measured.

use anyhow::bail;
use httparse::{EMPTY_HEADER, Header, Status};

use crate::api;

/// More headers than anybody sends here.
const HEADERS: usize = 32;

/// A complete request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// How many bytes it has, headers and body.
    pub length: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// How much has come?
    Count,
    /// What has come since the last time?
    Arrivals,
    /// The first notification to a target, which is answered at once.
    Activation,
    /// A notification of an event to a healthy target.
    Healthy(u16, u128),
    /// A notification that is answered late.
    Hanging,
    /// A notification without a signature, or of no event.
    Strange,
}

/// The first request among the bytes, if it is complete.
pub(crate) fn parse(bytes: &[u8]) -> anyhow::Result<Option<Request>> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Status::Complete(head) = request.parse(bytes)? else { return Ok(None) };
    let body = match value(request.headers, "content-length") {
        Some(length) => std::str::from_utf8(length)?.parse()?,
        None if request.method == Some("GET") => 0,
        None => bail!("a notification has to tell its length"),
    };
    let Some(body) = bytes.get(head..head + body) else { return Ok(None) };
    let is_signed = value(request.headers, "highnote-signature").is_some_and(|value| value.len() >= 64);
    let kind = kind(request.path.unwrap_or_default(), is_signed, body);
    Ok(Some(Request { length: head + body.len(), kind }))
}

fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn kind(path: &str, is_signed: bool, body: &[u8]) -> Kind {
    match path {
        "/count" => return Kind::Count,
        "/arrivals" => return Kind::Arrivals,
        _ => {}
    }
    let Some((event, after)) = event(body).filter(|_| is_signed) else { return Kind::Strange };
    if after.starts_with(br#"","name":"NOTIFICATION_ACTIVATION""#) {
        return Kind::Activation;
    }
    match path.strip_prefix("/fast/").map(str::parse) {
        Some(Ok(target)) => Kind::Healthy(target, event),
        Some(Err(_)) => Kind::Strange,
        None => Kind::Hanging,
    }
}

/// The id of the event, which stands near the beginning, and what follows it.
fn event(body: &[u8]) -> Option<(u128, &[u8])> {
    let head = &body[..body.len().min(200)];
    let digits = head.windows(4).position(|window| window == b"nee_")? + 4;
    Some((api::number(body.get(digits..digits + 32)?)?, &body[digits + 32..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "nee_0190163d8694739b8a4f0123456789ab";
    const NUMBER: u128 = 0x0190_163d_8694_739b_8a4f_0123_4567_89ab;

    fn request(path: &str, signature: usize, name: &str) -> String {
        let body = format!(r#"{{"data":{{"node":{{"id":"{ID}","name":"{name}","node":{{}}}}}}}}"#);
        let (length, signature) = (body.len(), "0".repeat(signature));
        format!(
            "POST {path} HTTP/1.1\r\nContent-Length: {length}\r\nhighnote-signature: {signature}\r\n\r\n{body}"
        )
    }

    #[test]
    fn requests_are_told_apart() {
        for (path, signature, name, kind) in [
            ("/fast/3", 64, "A", Kind::Healthy(3, NUMBER)),
            ("/fast/3", 129, "A", Kind::Healthy(3, NUMBER)),
            ("/fast/x", 64, "A", Kind::Strange),
            ("/fast/3", 0, "A", Kind::Strange),
            ("/fast/3", 64, "NOTIFICATION_ACTIVATION", Kind::Activation),
            ("/hang/3", 64, "NOTIFICATION_ACTIVATION", Kind::Activation),
            ("/hang/3", 64, "A", Kind::Hanging),
        ] {
            let bytes = request(path, signature, name);
            let parsed = parse(bytes.as_bytes()).unwrap().unwrap();
            assert_eq!(parsed, Request { length: bytes.len(), kind }, "{path} {name}");
        }
    }

    #[test]
    fn a_part_of_a_request_is_none_and_what_follows_is_left() {
        let bytes = request("/fast/0", 64, "A");
        for part in 0..bytes.len() {
            assert_eq!(parse(&bytes.as_bytes()[..part]).unwrap(), None);
        }
        let two = format!("{bytes}{bytes}");
        assert_eq!(parse(two.as_bytes()).unwrap().unwrap().length, bytes.len());
    }
}
