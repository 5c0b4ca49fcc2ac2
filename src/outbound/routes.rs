//! Whether there is a way out of this machine.
//!
//! A receiver whose address cannot be reached may be gone, or we are. The system's routes tell which,
//! without a packet: a datagram socket that is connected only looks its way up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Addresses for documents (RFC 5737, RFC 3849): nobody has them, and only a default route leads there.
const SOMEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

const DISCARD: u16 = 9;

/// Whether there has been one.
static WERE_THERE: AtomicBool = AtomicBool::new(false);

/// Whether there is a way to the internet.
pub(super) fn are_there() -> bool {
    let are_there = SOMEWHERE.into_iter().any(leads_to);
    WERE_THERE.fetch_or(are_there, Relaxed);
    are_there
}

/// Whether there was one when somebody looked before, and is none now. A machine in a network of its own
/// never had one, and its receivers can be gone all the same.
pub(super) fn are_lost() -> bool {
    WERE_THERE.load(Relaxed) && !are_there()
}

fn leads_to(address: IpAddr) -> bool {
    let here: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind(SocketAddr::new(here, 0))
        .and_then(|socket| socket.connect(SocketAddr::new(address, DISCARD)))
        .is_ok()
}
