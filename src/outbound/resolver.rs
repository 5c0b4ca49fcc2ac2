//! Resolves the names of receivers, and lets those pass that lead to the public
//! internet. What has passed is exactly what is dialled.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType};
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::outbound::dns::{Found, Lookups, Miss};
use crate::rules::ip;

/// How long a lookup is waited for. Shorter than what a connection may take in all, so that a resolver
/// which does not answer is told from a receiver that does not.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(4);

/// Why a name is not dialled. It names no address: what is inside is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    /// At least one of its addresses is not on the public internet.
    #[error("the host has an address that notifications are not sent to")]
    Blocked,
    /// It has no address.
    #[error("the host could not be resolved")]
    NotFound,
    /// The resolver could not tell.
    #[error("the resolver does not answer")]
    NoAnswer,
}

impl From<Miss> for ResolveError {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Unknown => Self::NotFound,
            Miss::NoAnswer => Self::NoAnswer,
        }
    }
}

/// The resolver of the HTTP client.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    private: bool,
    timeout: Duration,
    lookups: Lookups,
}

impl Resolver {
    /// A resolver that lets addresses inside our own network pass only if `private`. An attempt may take
    /// so long, and so many names may be looked up at the same time.
    pub(super) fn new(private: bool, deadline: Duration, lookups: usize) -> Self {
        Self { private, timeout: LOOKUP_TIMEOUT.min(deadline / 2), lookups: Lookups::new(lookups) }
    }

    async fn addresses(self, name: Name) -> Result<Arc<[SocketAddr]>, ResolveError> {
        let found = self.lookups.look_up(name.as_str(), ask_the_system);
        let found = match tokio::time::timeout(self.timeout, found).await {
            Ok(found) => found,
            Err(_) => Err(self.lookups.gave_up(name.as_str())),
        };
        judge(found?, self.private)
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = BoxFuture<'static, Result<Self::Response, ResolveError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let addresses = self.clone().addresses(name);
        Box::pin(async { Ok(addresses.await?.to_vec().into_iter()) })
    }
}

async fn ask_the_system(name: String) -> Found {
    // A panic of the resolver is no answer.
    tokio::task::spawn_blocking(move || ask(&name)).await.unwrap_or(Err(Miss::NoAnswer))
}

/// Unlike the standard library's, this lookup tells a name that does not exist from a resolver that
/// cannot say.
fn ask(name: &str) -> Found {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = dns_lookup::getaddrinfo(Some(name), None, Some(hints)).map_err(|error| miss(&error))?;
    let addresses: io::Result<Vec<_>> = found.map(|found| found.map(|found| found.sockaddr)).collect();
    addresses.map(Arc::from).map_err(|_| Miss::NoAnswer)
}

fn miss(error: &LookupError) -> Miss {
    use LookupErrorKind::{Again, Memory, System};
    // The system's own errors are those of sockets that could not be opened.
    if matches!(error.kind(), Again | Memory | System) { Miss::NoAnswer } else { Miss::Unknown }
}

/// One address inside is enough to refuse all: who mixes them is up to something.
fn judge(addresses: Arc<[SocketAddr]>, private: bool) -> Result<Arc<[SocketAddr]>, ResolveError> {
    if addresses.is_empty() {
        return Err(ResolveError::NotFound);
    }
    if !private && addresses.iter().any(|found| !ip::is_global(found.ip())) {
        return Err(ResolveError::Blocked);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Arc<[SocketAddr]> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn one_address_inside_refuses_all() {
        let public = addresses(&["8.8.8.8", "2606:4700:4700::1111"]);
        assert_eq!(judge(public.clone(), false), Ok(public));
        for mixed in [["8.8.8.8", "10.0.0.1"], ["::1", "8.8.8.8"], ["8.8.8.8", "::ffff:127.0.0.1"]] {
            assert_eq!(judge(addresses(&mixed), false), Err(ResolveError::Blocked));
            assert_eq!(judge(addresses(&mixed), true), Ok(addresses(&mixed)));
        }
        assert_eq!(judge(addresses(&[]), true), Err(ResolveError::NotFound));
    }

    #[tokio::test]
    async fn names_of_this_machine_are_refused() {
        let resolver = |private| Resolver::new(private, Duration::from_secs(10), 4);
        let resolve = |private, name: &str| resolver(private).addresses(name.parse().unwrap());
        assert_eq!(resolve(false, "localhost").await, Err(ResolveError::Blocked));
        assert!(resolve(true, "localhost").await.is_ok());
        assert_eq!(resolve(true, "no-such-host.reprise.example").await, Err(ResolveError::NotFound));
    }
}
