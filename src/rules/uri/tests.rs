//! What may be a target's URI and what may not, in every spelling that somebody has thought of.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

const STRICT: Policy = policy(false, false);
const LOCAL: Policy = policy(true, true);

const fn policy(http: bool, private: bool) -> Policy {
    Policy { http, private }
}

#[track_caller]
fn refuse_one(policy: Policy, why: &str, uri: &str) {
    let violation = policy.check(uri).expect_err(uri);
    assert_eq!(violation.code, Code::InvalidUri);
    assert!(violation.description.contains(why), "{uri:?}: {violation:?}");
}

/// Refuses each of the URIs, which blanks separate.
#[track_caller]
fn refuse(policy: Policy, why: &str, uris: &str) {
    uris.split(' ').for_each(|uri| refuse_one(policy, why, uri));
}

#[track_caller]
fn accept(policy: Policy, uris: &str) {
    uris.split(' ').for_each(|uri| drop(policy.check(uri).expect(uri)));
}

#[test]
fn public_https_uris_are_accepted() {
    accept(STRICT, "https://company.com https://company.com. https://company.com:8443/");
    accept(STRICT, "HTTPS://Company.COM/Hooks?a=b&c=@d https://company.com/@a https://example.com/%20");
    accept(STRICT, "https://straße.de/ä https://my_host.company.com/ https://xn--strae-oqa.de");
    accept(STRICT, "https://8.8.8.8/ https://[2606:4700:4700::1111]/ https://[::ffff:8.8.8.8]/");
    accept(STRICT, "https://mytest.com/ https://localhost.company.com/ https://test.company.com");
}

#[test]
fn the_parsed_uri_is_what_the_client_will_use() {
    let url = STRICT.check("HTTPS://Company.COM:443/Hooks").unwrap();
    assert_eq!(url.as_str(), "https://company.com/Hooks");
}

#[test]
fn length_is_counted_in_characters() {
    let uri = |chars: usize| format!("https://company.com/{}", "é".repeat(chars - 20));
    accept(STRICT, &uri(2_048));
    refuse(STRICT, "longer than 2048", &uri(2_049));
}

#[test]
fn malformed_uris_are_refused() {
    refuse_one(STRICT, "cannot be read", "");
    refuse(STRICT, "cannot be read", "company.com /hooks //company.com/ https:// https: https://:443");
    refuse(STRICT, "cannot be read", "https://company.com:99999/ https://a<b.com/ https://%00/");
    refuse(STRICT, "cannot be read", "https://[::1 https://1.2.3.256/ https://[fe80::1%25eth0]/");
    refuse(STRICT, "not absolute", "https:company.com https:/company.com https:///company.com");
    refuse(STRICT, "backslash", r"https:\\company.com https://company.com\@10.0.0.1/ https://a.com/\");
    refuse(STRICT, "looked up", "https://company..com/ https://company.com../ https://.company.com");
    refuse(STRICT, "looked up", "https://a{b}.com https://a,b.com https://*.company.com https://a'.com");
}

#[test]
fn unencoded_characters_are_refused_in_every_part() {
    for character in ['"', '<', '>', '^', '`', '{', '|', '}'] {
        for rest in ["/", "/a?b=", "?"] {
            refuse(STRICT, "the character", &format!("https://company.com{rest}{character}"));
        }
    }
    refuse(LOCAL, "the character", "http://localhost/{id} https://localhost/hooks?id=<id>");
    refuse(STRICT, "hex digits", "https://company.com/% https://company.com/%2 https://company.com/%zz");
    refuse(STRICT, "hex digits", "https://company.com/%2g?a https://company.com/?a=100% https://a.com/%%20");
    accept(STRICT, "https://company.com/%7Bid%7D?a=%22%3c https://company.com/!$&'()*+,;=:@-._~%25%32%35");
    accept(STRICT, "https://company.com/?a[]=1&b=/?");
}

#[test]
fn hosts_that_cannot_be_looked_up_are_refused_wherever_they_are() {
    for policy in [STRICT, LOCAL] {
        refuse(policy, "looked up", "https://-a.company.com/ https://a-.company.com/ https://-.company.com/");
        refuse(policy, "looked up", "https://company.com-/ https://company.-com/ https://a.--.company.com/");
        refuse(policy, "looked up", &format!("https://{}.com/", "a".repeat(64)));
    }
    accept(STRICT, "https://a-b.company.com/ https://a--b.company.com/ https://1.company.com/");
    accept(STRICT, &format!("https://{}.com/", "a".repeat(63)));
}

#[test]
fn a_host_has_at_most_253_characters() {
    let host = |length: usize| format!("{}{}", "a.".repeat((length - 3) / 2), "com");
    accept(STRICT, &format!("https://{}/", host(253)));
    for policy in [STRICT, LOCAL] {
        refuse(policy, "at most 253", &format!("https://{}/", host(255)));
        refuse(policy, "at most 253", &format!("https://{}./", host(253)));
        refuse(policy, "at most 253", &format!("https://{}.com/", ["a".repeat(60).as_str(); 5].join(".")));
    }
}

#[test]
fn characters_that_nobody_sees_are_refused() {
    for uri in [
        "https://com\u{ad}pany.com/",
        "https://company.com/\u{200b}",
        "https://company.com/\u{feff}",
        "https://company.com/\u{ffff}",
        "https://company.com/a\u{200d}b",
        "https://company.com/\u{e0041}",
        "https://company.com/\u{378}",
    ] {
        refuse_one(STRICT, "nobody sees", uri);
    }
}

#[test]
fn blanks_and_control_characters_are_refused() {
    for uri in [
        " https://company.com",
        "https://company.com ",
        "https://a b.com/",
        "https://company.com/\n",
        "ht\ttps://company.com/",
        "https://company.com/\0",
        "https://company.com/\u{a0}",
        "https://company.com/\u{85}",
        "https://company.com/\u{2028}",
        "https://company.com/\u{202e}",
    ] {
        refuse_one(STRICT, "blanks or control characters", uri);
    }
}

#[test]
fn other_parts_than_host_port_path_and_query_are_refused() {
    refuse(STRICT, "user info", "https://a@company.com/ https://a:b@company.com/ https://:b@company.com");
    refuse(STRICT, "user info", "https://@company.com/ https://:@company.com https://a@b@company.com");
    refuse(STRICT, "fragment", "https://company.com/# https://company.com#a https://company.com/?a#@b");
    refuse(STRICT, "port", "https://company.com:0/ https://company.com:000");
}

#[test]
fn only_https_will_do() {
    refuse(STRICT, "scheme", "http://company.com/ ftp://company.com/ ws://company.com/ file:///a");
    refuse(STRICT, "scheme", "javascript:alert(1) data:,a mailto:a@b.co unix:/run/a.sock");
    refuse(LOCAL, "scheme", "ftp://company.com/ file:///a");
}

#[test]
fn no_spelling_of_a_private_address_gets_through() {
    let why = "not on the public internet";
    refuse(STRICT, why, "https://127.0.0.1/ https://127.1/ https://127.0.1 https://2130706433/");
    refuse(STRICT, why, "https://0x7f.1/ https://0x7f000001/ https://017700000001/ https://0177.0.0.1");
    refuse(STRICT, why, "https://127.0.0.1./ https://127.1. https://0/ https://0x/ https://0.0.0.0");
    refuse(STRICT, why, "https://１２７.0.0.1/ https://①②⑦.0.0.1 https://127。0。0。1/ https://127．1");
    refuse(STRICT, why, "https://%31%32%37.0.0.1/ https://127%2e0.0.1/ https://0X7F.0x0.0.0X1:8443/");
    refuse(STRICT, why, "https://[::1]/ https://[::] https://[::ffff:127.0.0.1] https://[::127.0.0.1]");
    refuse(STRICT, why, "https://[::ffff:7f00:1]/ https://[64:ff9b::7f00:1] https://[2002:7f00:1::]/");
    refuse(STRICT, why, "https://[fd00:ec2::254]/ https://[fe80::1]/ https://169.254.169.254/latest");
    refuse(STRICT, why, "https://10.0.0.1 https://192.168.1.1:8443 https://2852039166 https://100.64.0.1");
}

/// What is read, and what is connected to.
#[test]
fn every_spelling_of_a_public_address_is_that_address() {
    for (uri, host) in [
        ("https://8.8.8.8./", "8.8.8.8"),
        ("https://134744072/", "8.8.8.8"),
        ("https://0x8.0x8.0x8.0X8/", "8.8.8.8"),
        ("https://010.8.8.8/", "8.8.8.8"),
        ("https://8.8.2056/", "8.8.8.8"),
        ("https://0x08080808", "8.8.8.8"),
        ("https://８.8.8.8/", "8.8.8.8"),
        ("https://8。8。8。8/", "8.8.8.8"),
        ("https://%38.8.8.8/", "8.8.8.8"),
        ("https://[2606:4700:4700:0:0:0:0:1111]/", "[2606:4700:4700::1111]"),
    ] {
        assert_eq!(STRICT.check(uri).unwrap().host_str(), Some(host), "{uri}");
    }
    refuse(
        STRICT,
        "cannot be read",
        "https://8.8.8.8.8/ https://4294967296/ https://08.8.8.8 https://0x1g.8",
    );
}

#[test]
fn local_uris_are_refused_with_the_two_flags_that_allow_them() {
    let told = |uri: &str| STRICT.check(uri).unwrap_err().description;
    for host in ["localhost", "receiver.local", "127.0.0.1", "[::1]"] {
        assert!(told(&format!("http://{host}:8080/")).ends_with("with `--allow-http-targets`."), "{host}");
        assert!(
            told(&format!("https://{host}:8080/")).ends_with("with `--allow-private-targets`."),
            "{host}"
        );
    }
    assert!(!told("ftp://localhost/").contains("--allow"));
}

#[test]
fn names_that_are_not_public_are_refused() {
    refuse(STRICT, "not a full name", "https://localhost/ https://intranet https://LOCALHOST./ https://com");
    let why = "not on the public internet";
    refuse(STRICT, why, "https://a.localhost/ https://a.LOCAL https://a.internal. https://home.arpa");
    refuse(STRICT, why, "https://a.home.arpa/ https://a.test https://a.invalid https://a.b.example");
    refuse(STRICT, why, "https://a.onion/ https://metadata.google.internal/ https://a.ｌocal/");
    refuse(
        STRICT,
        why,
        "https://localhost.localdomain https://localhost6.localdomain6/ https://a.LocalDomain.",
    );
    refuse(
        STRICT,
        why,
        "https://kubernetes.default.svc https://a.b.svc.cluster.local https://vault.service.consul",
    );
    refuse(STRICT, why, "https://host.docker.internal https://ipv4only.arpa https://1.0.0.127.in-addr.arpa");
    refuse(
        STRICT,
        why,
        "https://router.lan https://nas.home https://intra.corp https://a.private https://a.alt",
    );
    refuse(STRICT, why, &super::SPECIAL_NAMES.map(|name| format!("https://a.{name}/")).join(" "));
}

#[test]
fn names_that_only_look_like_those_inside_are_accepted() {
    accept(STRICT, "https://svc.company.com https://localdomain.company.com https://company.homes");
    accept(STRICT, "https://mysvc.com https://company.local.de https://internal-company.com https://lan.com");
    accept(STRICT, "https://company.email https://company.network https://company.dev https://company.zip");
    accept(STRICT, &super::SPECIAL_NAMES.map(|name| format!("https://a.b{name}/")).join(" "));
}

/// A number in one of the three ways in which parts of an address are written.
fn spelling(number: u64) -> impl Strategy<Value = String> {
    let zeros = "0{0,3}";
    prop_oneof![
        Just(number.to_string()),
        zeros.prop_map(move |zeros| format!("0{zeros}{number:o}")),
        zeros.prop_map(move |zeros| format!("0x{zeros}{number:x}")),
        zeros.prop_map(move |zeros| format!("0X{zeros}{number:X}")),
    ]
}

/// An address as one to four numbers, of which the last takes what the others leave.
fn address_spelling(address: Ipv4Addr) -> impl Strategy<Value = String> {
    let [a, b, c, d] = address.octets().map(u64::from);
    let part = |number: u64| spelling(number).boxed();
    prop_oneof![
        part(u64::from(address.to_bits())),
        (part(a), part((b << 16) | (c << 8) | d)).prop_map(|(a, b)| format!("{a}.{b}")),
        (part(a), part(b), part((c << 8) | d)).prop_map(|(a, b, c)| format!("{a}.{b}.{c}")),
        (part(a), part(b), part(c), part(d)).prop_map(|(a, b, c, d)| format!("{a}.{b}.{c}.{d}")),
        Just(format!("[::ffff:{address}]")),
        Just(format!("[64:ff9b::{address}]")),
        Just(format!("[2002:{:x}:{:x}::]", (a << 8) | b, (c << 8) | d)),
    ]
}

fn private_address() -> impl Strategy<Value = Ipv4Addr> {
    let inside = prop_oneof![
        Just((0x7f00_0000, 8)),
        Just((0x0a00_0000, 8)),
        Just((0xac10_0000, 12)),
        Just((0xc0a8_0000, 16)),
        Just((0xa9fe_0000, 16)),
        Just((0x6440_0000, 10)),
        Just((0, 8)),
    ];
    (inside, any::<u32>())
        .prop_map(|((network, prefix), host)| Ipv4Addr::from_bits(network | (host >> prefix)))
}

/// The pieces that URIs and attacks on them are made of.
fn plausible() -> impl Strategy<Value = String> {
    let piece =
        "https?|://?|[a-z]{1,4}|[.:/?#@%\\\\\\[\\]_-]|[0-9]{1,4}|0x|\\PC|\\p{C}|localhost|127|xn--|。|com";
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("https://{}", pieces.concat()))
}

proptest! {
    #[test]
    fn accepted_uris_obey_the_rules(uri in prop_oneof![any::<String>(), plausible()]) {
        let Ok(url) = STRICT.check(&uri) else { return Ok(()) };
        prop_assert_eq!(url.scheme(), "https");
        prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
        prop_assert!(!uri.contains(text::is_unprintable));
        match url.host().unwrap() {
            Host::Domain(name) => prop_assert!(name.contains('.') && !name.ends_with(".localhost")),
            Host::Ipv4(host) => prop_assert!(ip::is_global(host.into())),
            Host::Ipv6(host) => prop_assert!(ip::is_global(host.into())),
        }
        // The client can send it, and means the same host by it.
        let sent: axum::http::Uri = url.as_str().parse().unwrap();
        prop_assert_eq!(sent.host(), url.host_str());
        prop_assert_eq!(STRICT.check(url.as_str()).unwrap(), url);
    }

    #[test]
    fn no_spelling_of_an_address_inside_gets_through(
        (address, text) in private_address().prop_flat_map(|address| (Just(address), address_spelling(address))),
    ) {
        let uri = format!("https://{text}/hooks");
        prop_assert!(STRICT.check(&uri).is_err(), "{uri} is {address}");
        prop_assert!(LOCAL.check(&uri).is_ok(), "{uri} is {address}");
    }

    #[test]
    fn no_address_of_ipv6_is_more_global_than_its_rule(bits: u128) {
        let host = std::net::Ipv6Addr::from_bits(bits);
        let accepted = STRICT.check(&format!("https://[{host}]/")).is_ok();
        prop_assert_eq!(accepted, ip::is_global(host.into()));
    }
}

#[test]
fn local_work_may_be_let_through() {
    accept(LOCAL, "http://localhost:8080/ https://127.0.0.1:1/ http://[::1]/ https://receiver/");
    accept(policy(true, false), "http://company.com/");
    refuse(policy(true, false), "full name", "http://localhost/");
    refuse(policy(false, true), "scheme", "http://localhost/");
    refuse(LOCAL, "user info", "http://a@localhost/");
    refuse(LOCAL, "port", "http://localhost:0/");
}
