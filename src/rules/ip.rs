//! Which addresses are on the public internet.
//!
//! A target must not reach into the network that the server stands in, so all
//! that the registries of special purposes name is refused, and of IPv6 all that
//! is not global unicast to begin with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// The networks of IPv4 that are not, or not simply, the public internet.
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),        // this host
    v4([10, 0, 0, 0], 8),       // private
    v4([100, 64, 0, 0], 10),    // shared by customers of a carrier
    v4([127, 0, 0, 0], 8),      // loopback
    v4([168, 63, 129, 16], 32), // a cloud's host, seen by its guests only
    v4([169, 254, 0, 0], 16),   // link-local, and metadata of clouds
    v4([172, 16, 0, 0], 12),    // private
    v4([192, 0, 0, 0], 24),     // protocol assignments
    v4([192, 0, 2, 0], 24),     // documentation
    v4([192, 88, 99, 0], 24),   // 6to4 relays
    v4([192, 168, 0, 0], 16),   // private
    v4([198, 18, 0, 0], 15),    // benchmarks
    v4([198, 51, 100, 0], 24),  // documentation
    v4([203, 0, 113, 0], 24),   // documentation
    v4([224, 0, 0, 0], 4),      // multicast
    v4([240, 0, 0, 0], 4),      // class E, broadcast
];

/// Global unicast of IPv6. Outside of it lie loopback, v4-compatible addresses, NAT64,
/// unique-local, link-local and site-local addresses, and multicast.
const UNICAST_V6: Ipv6Net = v6([0x2000, 0], 3);

/// The exceptions within global unicast.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    v6([0x2001, 0xdb8], 32), // documentation
    v6([0x2002, 0], 16),     // 6to4
    v6([0x3fff, 0], 20),     // documentation
];

/// Whether an address is on the public internet. An IPv4 address in the clothes of IPv6
/// (`::ffff:10.0.0.1`) is judged as what it is.
pub(crate) fn is_global(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            UNICAST_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([first, second]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks each of the addresses, which blanks separate.
    #[track_caller]
    fn check(global: bool, addresses: &str) {
        for address in addresses.split(' ') {
            assert_eq!(is_global(address.parse().expect(address)), global, "{address}");
        }
    }

    #[test]
    fn public_addresses_are_global() {
        check(true, "1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0");
        check(true, "126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0");
        check(true, "191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255");
        check(true, "192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255");
        check(true, "203.0.114.0 223.255.255.255 168.63.129.15 168.63.129.17");
        check(true, "2001:200::1 2001:db7::1 2001:db9::1 2003::1 2606:4700:4700::1111 2a00::1");
        check(true, "2001:4860:4860::8888 3ffe:ffff::1 3fff:1000::1");
    }

    #[test]
    fn special_ipv4_addresses_are_not_global() {
        check(false, "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255");
        check(false, "127.0.0.1 127.255.255.255 168.63.129.16 169.254.169.254 172.16.0.0 172.31.255.255");
        check(false, "192.0.0.0 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255");
        check(false, "192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255");
        check(false, "203.0.113.0 203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255");
    }

    #[test]
    fn special_ipv6_addresses_are_not_global() {
        check(false, ":: ::1 ::8.8.8.8 ::127.0.0.1 ::ffff:0:8.8.8.8 100::1 100:0:0:1::1 1fff:ffff::1");
        check(false, "64:ff9b::8.8.8.8 64:ff9b::10.0.0.1 64:ff9b:1::1 2002::1 2002:a00:1::1 2002:ffff::1");
        check(false, "2001::1 2001:0:4136:e378::1 2001:2::1 2001:10::1 2001:20::1 2001:30::1 2001:1ff::1");
        check(false, "2001:db8::1 2001:db8:ffff::1 3fff::1 3fff:fff::1 4000::1 5f00::1");
        check(false, "fc00::1 fd00:ec2::254 fe80::1 febf::1 fec0::1 feff::1 ff02::1 ff0e::1");
    }

    #[test]
    fn mapped_addresses_are_judged_as_ipv4() {
        check(true, "::ffff:8.8.8.8 ::ffff:808:808");
        check(false, "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe ::ffff:0.0.0.0");
    }
}
