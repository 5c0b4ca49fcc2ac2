//! What the client's errors say. They are nested; what lies deepest tells most.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::iter::successors;

use entity::FailureReason;
use h2::Reason;
use hyper_util::client::legacy::connect::Connected;
use hyper_util::client::legacy::{Error, pool};
use rustix::io::Errno;

use crate::outbound::resolver::ResolveError;
use crate::outbound::routes;
use crate::outbound::trouble::{NoAuthorities, NoRoom, Trouble};

/// What an error of the client means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No more connections can be kept; one that is not kept will do.
    NoRoom,
    /// The request was certainly not read, so it can be sent again.
    Unread,
    /// The same, because the receiver has said goodbye to its connection.
    Goodbye,
    /// We could not even begin.
    Ours(Trouble),
    /// It is the receiver's.
    Theirs(FailureReason),
}

/// Judges how a request ended that was not answered.
pub(super) fn judge(error: &Error) -> Fault {
    if error.is_connect() {
        return connecting(error);
    }
    let Some(cause) = error.source().and_then(<dyn StdError>::downcast_ref::<hyper::Error>) else {
        return Fault::Theirs(reason(error));
    };
    // Taken back from a connection that had closed before it began on it, or never was open.
    if cause.is_canceled() || cause.is_closed() {
        return Fault::Unread;
    }
    // Dropped by a connection of HTTP/2 that has ended, before it might open a stream for it.
    if cause.is_user() && error.connect_info().is_some_and(Connected::is_negotiated_h2) {
        return Fault::Goodbye;
    }
    match cause.source().and_then(<dyn StdError>::downcast_ref) {
        Some(error) if is_goodbye(error) => Fault::Goodbye,
        Some(error) if is_refused(error) => Fault::Unread,
        _ => Fault::Theirs(reason(error)),
    }
}

fn connecting(error: &Error) -> Fault {
    let causes = || successors(Some(error as &(dyn StdError + 'static)), |&cause| cause.source());
    if causes().any(<dyn StdError>::is::<NoRoom>) {
        return Fault::NoRoom;
    }
    // It waited for the connection of another request, which came to nothing.
    if causes().any(<dyn StdError>::is::<pool::Error>) {
        return Fault::Unread;
    }
    match causes().find_map(trouble) {
        Some(trouble) => Fault::Ours(trouble),
        None => Fault::Theirs(reason(error)),
    }
}

/// What we lack, if it is that.
fn trouble(cause: &(dyn StdError + 'static)) -> Option<Trouble> {
    if cause.is::<NoAuthorities>() {
        return Some(Trouble::Authorities);
    }
    if let Some(ResolveError::NoAnswer) = cause.downcast_ref() {
        return Some(Trouble::Resolver);
    }
    local(cause.downcast_ref::<io::Error>()?.raw_os_error()?)
}

/// What an error of the system says about our side. One who cannot be reached is a receiver's matter, unless
/// there is no way to anybody.
fn local(errno: i32) -> Option<Trouble> {
    match Errno::from_raw_os_error(errno) {
        Errno::MFILE | Errno::NFILE => Some(Trouble::Files),
        Errno::NOBUFS | Errno::NOMEM => Some(Trouble::Memory),
        Errno::ADDRNOTAVAIL => Some(Trouble::Ports),
        Errno::NETUNREACH | Errno::NETDOWN if !routes::are_there() => Some(Trouble::Network),
        Errno::HOSTUNREACH if routes::are_lost() => Some(Trouble::Network),
        _ => None,
    }
}

/// Sorts an error into the classes that attempts tell (X3).
pub(super) fn reason(error: &(dyn StdError + 'static)) -> FailureReason {
    let causes = successors(Some(error), |&cause| cause.source());
    causes.filter_map(class).last().unwrap_or(FailureReason::Protocol)
}

/// The receiver has taken leave before the stream: whatever its reason, it has not processed it (RFC 9113, 6.8).
fn is_goodbye(error: &h2::Error) -> bool {
    error.is_remote() && error.is_go_away()
}

/// The receiver says that it has not processed the stream (RFC 9113, 8.7).
fn is_refused(error: &h2::Error) -> bool {
    error.is_remote() && error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM)
}

/// Whether a certificate was refused because nobody is known who signed it.
pub(super) fn is_of_nobody_known(error: &(dyn StdError + 'static)) -> bool {
    use rustls::CertificateError::UnknownIssuer;
    tls(error).is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(UnknownIssuer)))
}

/// The error of TLS among the causes.
pub(super) fn tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    successors(Some(error), |&cause| cause.source()).find_map(tls_itself)
}

/// Errors of TLS come wrapped into errors of I/O, which do not name them as their source.
fn tls_itself<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause.downcast_ref().or_else(|| wrapped.and_then(|inner| tls_itself(inner)))
}

/// What one error says, without its causes.
fn class(cause: &(dyn StdError + 'static)) -> Option<FailureReason> {
    if let Some(refusal) = cause.downcast_ref() {
        return Some(match refusal {
            ResolveError::Blocked => FailureReason::BlockedAddress,
            ResolveError::NotFound | ResolveError::NoAnswer => FailureReason::Dns,
        });
    }
    if tls_itself(cause).is_some() {
        return Some(FailureReason::Tls);
    }
    if is_timeout(cause) {
        return Some(FailureReason::Timeout);
    }
    let is_connect = cause.downcast_ref().is_some_and(Error::is_connect);
    is_connect.then_some(FailureReason::Connect)
}

fn is_timeout(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref().is_some_and(hyper::Error::is_timeout)
        || cause.downcast_ref().is_some_and(|error: &io::Error| error.kind() == ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For memory this table is the proof: a machine that has none left for connections has none for tests.
    #[test]
    fn our_own_trouble_is_distinguished_from_a_receivers_fault() {
        for (errno, expected) in [
            (Errno::MFILE, Some(Trouble::Files)),
            (Errno::NFILE, Some(Trouble::Files)),
            (Errno::NOBUFS, Some(Trouble::Memory)),
            (Errno::NOMEM, Some(Trouble::Memory)),
            (Errno::ADDRNOTAVAIL, Some(Trouble::Ports)),
            (Errno::CONNREFUSED, None),
            (Errno::CONNRESET, None),
            (Errno::TIMEDOUT, None),
        ] {
            assert_eq!(local(errno.raw_os_error()), expected, "{errno}");
        }
    }
}
