//! Looks up the names of receivers, and lets those pass that lead to the public
//! internet. What has passed is exactly what is dialled.
//!
//! However many requests wait for a name, it is looked up once: a name server that
//! never answers holds one thread of the system's resolver, not one a request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::rules::address;

/// Why a name is not dialled. It names no address: what is inside is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// At least one of its addresses is not on the public internet.
    #[error("the host has an address that notifications are not sent to")]
    Blocked,
    /// It has no address.
    #[error("the host could not be resolved")]
    NotFound,
}

type Found = Result<Arc<[SocketAddr]>, Refusal>;
type Lookup = Shared<BoxFuture<'static, Found>>;

/// The resolver of the HTTP client.
#[derive(Debug, Clone)]
pub struct Resolver {
    private: bool,
    under_way: UnderWay,
}

impl Resolver {
    /// A resolver that lets addresses inside our own network pass only if `private`.
    pub fn new(private: bool) -> Self {
        Self { private, under_way: UnderWay::default() }
    }

    /// The lookup of the name that is under way, or a new one.
    fn look_up(&self, name: &str) -> Lookup {
        let mut lookups = self.under_way.lock();
        lookups.entry(name.to_owned()).or_insert_with(|| self.begin(name.to_owned())).clone()
    }

    fn begin(&self, name: String) -> Lookup {
        let private = self.private;
        let end = End { under_way: self.under_way.clone(), name };
        // A task of its own, because it goes on when those who wait for it have given up.
        let task = tokio::spawn(async move {
            let found = tokio::net::lookup_host((end.name.as_str(), 0)).await;
            judge(found.map_err(|_| Refusal::NotFound)?.collect(), private)
        });
        task.map(|ended| ended.unwrap_or(Err(Refusal::NotFound))).boxed().shared()
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.look_up(name.as_str());
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup.await?.iter().copied().collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// One address inside is enough to refuse all: who mixes them is up to something.
fn judge(addresses: Arc<[SocketAddr]>, private: bool) -> Found {
    if addresses.is_empty() {
        return Err(Refusal::NotFound);
    }
    if !private && addresses.iter().any(|found| !address::is_global(found.ip())) {
        return Err(Refusal::Blocked);
    }
    Ok(addresses)
}

/// The lookups that have not ended, by name.
#[derive(Debug, Clone, Default)]
struct UnderWay(Arc<Mutex<HashMap<String, Lookup>>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Lookup>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

/// Takes a lookup off the list, however it ends.
struct End {
    under_way: UnderWay,
    name: String,
}

impl Drop for End {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.name);
    }
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
            assert_eq!(judge(addresses(&mixed), false), Err(Refusal::Blocked));
            assert_eq!(judge(addresses(&mixed), true), Ok(addresses(&mixed)));
        }
        assert_eq!(judge(addresses(&[]), true), Err(Refusal::NotFound));
    }

    #[tokio::test]
    async fn names_of_this_machine_are_refused() {
        assert_eq!(Resolver::new(false).look_up("localhost").await, Err(Refusal::Blocked));
        assert!(Resolver::new(true).look_up("localhost").await.is_ok());
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_all_who_wait() {
        let resolver = Resolver::new(true);
        let (first, second) = (resolver.look_up("localhost"), resolver.look_up("localhost"));
        let other = resolver.look_up("no-such-host.reprise.example");
        assert!(first.ptr_eq(&second) && !first.ptr_eq(&other));
        assert!(first.await.is_ok() && second.await.is_ok());
        assert_eq!(other.await, Err(Refusal::NotFound));
        assert!(resolver.under_way.lock().is_empty());
    }
}
