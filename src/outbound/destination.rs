//! Where notifications of a target go: its URI as the client takes it, read once for all of
//! its attempts.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use anyhow::Context;
use entity::FailureReason;
use hyper::Uri;
use hyper::http::uri::Scheme;
use url::{Host, Url};

use crate::outbound::spread::Spread;
use crate::rules::ip;
use crate::rules::uri::Policy;

/// A target's URI, read.
#[derive(Debug, Clone)]
pub struct Destination {
    uri: Uri,
    /// Whether the host is an address that is not on the public internet.
    is_inside: bool,
    /// When its origin moves to fresh connections: a fraction of their greatest age.
    phase: f64,
    spread: Arc<Spread>,
}

impl Destination {
    /// Reads the URI of a target by the rules by which it was taken (T2).
    ///
    /// # Errors
    /// When it is none, which no target's is.
    pub fn new(text: &str) -> anyhow::Result<Self> {
        let url = Url::parse(text).context("the URI of a target cannot be read")?;
        let is_inside = match url.host() {
            Some(Host::Ipv4(host)) => !ip::is_global(host.into()),
            Some(Host::Ipv6(host)) => !ip::is_global(host.into()),
            Some(Host::Domain(_)) | None => false,
        };
        let uri: Uri = url.as_str().parse().context("the URI of a target cannot be sent to")?;
        let phase = phase(&uri);
        Ok(Self { uri, is_inside, phase, spread: Arc::default() })
    }

    /// The URI in its normal form: the host in ASCII, the port left out if it is the usual one.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host alone.
    pub(super) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// The same for all targets of one origin, because they share connections.
    pub(super) fn phase(&self) -> f64 {
        self.phase
    }

    /// Over how many connections its requests are spread.
    pub(super) fn spread(&self) -> &Spread {
        &self.spread
    }

    /// What is allowed may have changed since the target was added. Literal addresses never reach
    /// the resolver, so they are looked at here.
    pub(super) fn check(&self, allowed: Policy) -> Result<(), FailureReason> {
        if self.uri.scheme() != Some(&Scheme::HTTPS) && !allowed.http {
            return Err(FailureReason::Tls);
        }
        if self.is_inside && !allowed.private {
            return Err(FailureReason::BlockedAddress);
        }
        Ok(())
    }
}

/// A fraction of one that is as good as random, so that not all origins move at once.
fn phase(uri: &Uri) -> f64 {
    let mut hasher = DefaultHasher::new();
    uri.authority().hash(&mut hasher);
    f64::from((hasher.finish() & 0xffff) as u16) / 65_536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_is_in_its_normal_form() {
        for (text, uri) in [
            ("https://company.com", "https://company.com/"),
            ("HTTPS://Company.COM:443/Hooks?a=%20b&c=é", "https://company.com/Hooks?a=%20b&c=%C3%A9"),
            ("https://straße.de?a", "https://xn--strae-oqa.de/?a"),
            ("https://company.com.:8443/a/../b", "https://company.com.:8443/b"),
            ("https://0x8.8.8.8/#a", "https://8.8.8.8/"),
            ("https://[2606:4700:4700:0::1111]", "https://[2606:4700:4700::1111]/"),
            ("http://company.com:80/", "http://company.com/"),
        ] {
            assert_eq!(Destination::new(text).unwrap().uri(), uri, "{text}");
        }
    }

    #[test]
    fn targets_that_are_no_longer_allowed_get_nothing() {
        let (strict, lax) = (Policy::default(), Policy { http: true, private: true });
        for (text, end) in [
            ("https://company.com/", Ok(())),
            ("https://8.8.8.8/", Ok(())),
            ("https://localhost/", Ok(())),
            ("http://company.com/", Err(FailureReason::Tls)),
            ("http://127.0.0.1/", Err(FailureReason::Tls)),
            ("https://127.1/", Err(FailureReason::BlockedAddress)),
            ("https://[::ffff:10.0.0.1]/", Err(FailureReason::BlockedAddress)),
        ] {
            let destination = Destination::new(text).unwrap();
            assert_eq!(destination.check(strict), end, "{text}");
            assert_eq!(destination.check(lax), Ok(()), "{text}");
        }
    }
}
