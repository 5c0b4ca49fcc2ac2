//! Which URIs a target may have (T2).
//!
//! The text is read as the HTTP client will read it, by the WHATWG rules: what
//! looks like a name may be an address there. Whether a name resolves to a public
//! address shows at each connection, not here.

use std::net::IpAddr;

use url::{Host, Url};

use crate::error::{Code, Violation};
use crate::rules::{address, text};

const MAX_CHARS: usize = 2_048;

/// Names that never lead to the public internet, and all below them.
const SPECIAL_NAMES: [&str; 8] =
    ["example", "home.arpa", "internal", "invalid", "local", "localhost", "onion", "test"];

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
        Ok(url)
    }

    fn check_scheme(self, url: &Url) -> Result<(), String> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.http => Ok(()),
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
        let name = name.strip_suffix('.').unwrap_or(name);
        if !name.split('.').all(is_label) {
            return Err(format!("The host `{name}` is not a name that can be looked up."));
        }
        if self.private {
            return Ok(());
        }
        if !name.contains('.') {
            return Err(format!("The host `{name}` is not a full name. Give one such as `company.com`."));
        }
        if SPECIAL_NAMES.iter().any(|special| is_below(name, special)) {
            return Err(format!("The host `{name}` is not on the public internet."));
        }
        Ok(())
    }

    fn check_address(self, host: IpAddr) -> Result<(), String> {
        if self.private || address::is_global(host) {
            return Ok(());
        }
        Err(format!("The address `{host}` is not on the public internet."))
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

/// Whether a text can stand between two dots of a name. Parsing lets more characters
/// through than can be looked up or sent.
fn is_label(text: &str) -> bool {
    let can_be_sent = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    (1..=63).contains(&text.len()) && text.chars().all(can_be_sent)
}

fn is_below(name: &str, special: &str) -> bool {
    name.strip_suffix(special).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
