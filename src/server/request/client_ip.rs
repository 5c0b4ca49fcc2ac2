//! Where a request comes from if proxies have passed it on.
//!
//! Each proxy appends to `x-forwarded-for` whom it had the request from. What was there before may
//! have been made up, so the list is read from its end, and only as far as those we trust.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the client.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    let values = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let mut hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    let mut client = peer;
    while is_proxy(client) {
        let Some(before) = hops.next().and_then(|hop| address(hop.trim())) else { break };
        client = before.to_canonical();
    }
    client
}

/// The address of a hop. Some proxies name the port as well, and put IPv6 in brackets for it.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let proxies = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/24".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7 ,10.0.0.2"], "198.51.100.7"),
            ("127.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3"),
            ("127.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("127.0.0.1", &["198.51.100.7, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7:5000"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9:1, 198.51.100.7:65535 , 10.0.0.2:80"], "198.51.100.7"),
            ("127.0.0.1", &["[2001:db8::8]:443"], "2001:db8::8"),
            ("127.0.0.1", &["[2001:db8::8]"], "2001:db8::8"),
            ("127.0.0.1", &["[::ffff:198.51.100.7]:443"], "198.51.100.7"),
            ("127.0.0.1", &["198.51.100.7:"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7:65536"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7:http"], "127.0.0.1"),
            ("127.0.0.1", &["[198.51.100.7"], "127.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
        ] {
            let name = HeaderName::from_static(X_FORWARDED_FOR);
            let values = forwarded.iter().map(|value| (name.clone(), HeaderValue::from_static(value)));
            let headers: HeaderMap = values.collect();
            let client = client(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
