//! Which URIs a target may have (T2).
//!
//! The text is read as the HTTP client will read it, by the WHATWG rules: what
//! looks like a name may be an address there (`0x7f.1` is `127.0.0.1`). Such a spelling is as good as
//! the usual one: what counts is the address that is connected to. Whether a name resolves to a public
//! address shows at each connection, not here.

use std::net::IpAddr;

use rustls::pki_types::DnsName;
use url::{Host, Url};

use crate::error::{Code, Violation};
use crate::rules::{ip, text};

const MAX_CHARS: usize = 2_048;

/// The longest name that there can be (RFC 1035).
const MAX_HOST_BYTES: usize = 253;

/// Names that never lead to the public internet, and all below them: those that are set aside for other
/// uses (RFC 6761 and its registry), those that will never be given to anybody because networks use them
/// inside (RFC 6762, and what ICANN has put off for good), and those of programs that answer for names.
///
/// What no list knows shows when it is looked up. A list of all names that exist would be out of date.
const SPECIAL_NAMES: [&str; 34] = [
    "alt",
    "arpa",
    "bit",
    "cluster",
    "consul",
    "corp",
    "dns",
    "docker",
    "domain",
    "example",
    "exit",
    "gnu",
    "home",
    "i2p",
    "internal",
    "intranet",
    "invalid",
    "kube",
    "lan",
    "local",
    "localdomain",
    "localdomain4",
    "localdomain6",
    "localhost",
    "localhost4",
    "localhost6",
    "mail",
    "onion",
    "private",
    "svc",
    "test",
    "workgroup",
    "zeroconf",
    "zkey",
];

/// Printable characters of ASCII that have no place in a URI (RFC 3986), besides `\\`.
const NOT_IN_URIS: [char; 8] = ['"', '<', '>', '^', '`', '{', '|', '}'];

/// What whoever runs the server on his own machine has to know.
const FOR_HTTP: &str = "For work on your own machine, start the server with `--allow-http-targets`.";
const FOR_PRIVATE: &str = "For work on your own machine, start the server with `--allow-private-targets`.";

/// What is let through for work on one's own machine. By default nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether `http` will do.
    pub http: bool,
    /// Whether hosts that are not on the public internet will do.
    pub private: bool,
}

impl Policy {
    /// Reads a target's URI. What is stored is the text itself.
    pub fn check(self, text: &str) -> Result<Url, Violation> {
        self.read(text).map_err(|description| Violation::new(Code::InvalidUri, description))
    }

    fn read(self, text: &str) -> Result<Url, String> {
        check_characters(text)?;
        let url = Url::parse(text).map_err(|error| {
            format!("The URI cannot be read: {error}. Give one such as `https://company.com/hooks`.")
        })?;
        self.check_scheme(&url)?;
        check_authority(text, &url)?;
        check_rest(&url)?;
        self.check_host(&url)?;
        check_encoding(text)?;
        Ok(url)
    }

    fn check_scheme(self, url: &Url) -> Result<(), String> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.http => Ok(()),
            "http" => Err(format!("The scheme of the URI is `http`. Use `https`. {FOR_HTTP}")),
            scheme => Err(format!("The scheme of the URI is `{scheme}`. Use `https`.")),
        }
    }

    fn check_host(self, url: &Url) -> Result<(), String> {
        match url.host() {
            None => Err("The URI has no host.".to_owned()),
            Some(Host::Domain(name)) => self.check_name(name),
            Some(Host::Ipv4(host)) => self.check_address(host.into()),
            Some(Host::Ipv6(host)) => self.check_address(host.into()),
        }
    }

    fn check_name(self, name: &str) -> Result<(), String> {
        check_form(name)?;
        let name = name.strip_suffix('.').unwrap_or(name);
        if self.private {
            return Ok(());
        }
        if !name.contains('.') {
            return Err(format!(
                "The host `{name}` is not a full name. Give one such as `company.com`. {FOR_PRIVATE}"
            ));
        }
        if SPECIAL_NAMES.iter().any(|special| is_below(name, special)) {
            return Err(format!("The host `{name}` is not on the public internet. {FOR_PRIVATE}"));
        }
        Ok(())
    }

    fn check_address(self, host: IpAddr) -> Result<(), String> {
        if self.private || ip::is_global(host) {
            return Ok(());
        }
        Err(format!("The address `{host}` is not on the public internet. {FOR_PRIVATE}"))
    }
}

fn check_characters(text: &str) -> Result<(), String> {
    if text.chars().count() > MAX_CHARS {
        return Err(format!("The URI is longer than {MAX_CHARS} characters."));
    }
    if text.contains(text::is_unprintable) || text.contains(char::is_whitespace) {
        return Err(
            "The URI contains blanks or control characters. Leave them out or encode them.".to_owned()
        );
    }
    if text.contains(text::is_unseen) {
        return Err("The URI contains characters that nobody sees. Leave them out or encode them.".to_owned());
    }
    if text.contains('\\') {
        return Err("The URI contains a backslash. Use `/`, or encode it as `%5C`.".to_owned());
    }
    Ok(())
}

/// Looks at the text, because parsing mends what other readers of the URI would not:
/// `https:host`, `https:///host` and `https://@host` all become `https://host`.
fn check_authority(text: &str, url: &Url) -> Result<(), String> {
    let after_scheme = text.get(url.scheme().len()..).unwrap_or_default();
    let Some(rest) = after_scheme.strip_prefix("://").filter(|rest| !rest.starts_with('/')) else {
        return Err(format!("The URI is not absolute. Begin it with `{}://` and a host.", url.scheme()));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("The URI contains user info. Leave out what stands before the `@`.".to_owned());
    }
    Ok(())
}

fn check_rest(url: &Url) -> Result<(), String> {
    if url.port() == Some(0) {
        return Err("The port of the URI is 0. Give another, or none.".to_owned());
    }
    if url.fragment().is_some() {
        return Err("The URI contains a fragment. Leave out the `#` and what follows it.".to_owned());
    }
    Ok(())
}

/// Parsing encodes some of the characters that no URI has, and leaves others and broken escapes as they
/// are: a receiver might read them otherwise or refuse them, and what looks like a template is one that
/// nobody filled in.
fn check_encoding(text: &str) -> Result<(), String> {
    if let Some(character) = text.chars().find(|character| NOT_IN_URIS.contains(character)) {
        return Err(format!("The URI contains the character `{character}`. Leave it out or encode it."));
    }
    let is_escape = |rest: &str| rest.bytes().take_while(u8::is_ascii_hexdigit).take(2).count() == 2;
    if !text.split('%').skip(1).all(is_escape) {
        return Err("The URI contains a `%` without two hex digits. Encode it as `%25`.".to_owned());
    }
    Ok(())
}

/// Parsing lets more names through than can be looked up, or sent: whoever connects asks the same.
fn check_form(name: &str) -> Result<(), String> {
    if name.len() > MAX_HOST_BYTES {
        return Err(format!("The host has {} characters. A name has at most {MAX_HOST_BYTES}.", name.len()));
    }
    DnsName::try_from(name).map(drop).map_err(|_| {
        format!(
            "The host `{name}` is not a name that can be looked up. Between its dots stand 1 to 63 letters, \
             digits and hyphens, and no hyphen first or last."
        )
    })
}

fn is_below(name: &str, special: &str) -> bool {
    name.strip_suffix(special).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
