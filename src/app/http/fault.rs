//! What the client's errors say. They are nested; what lies deepest tells most.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::iter::successors;

use entity::FailureReason;
use h2::Reason;
use hyper_util::client::legacy::Error;

use crate::app::resolver::Refusal;

/// Sorts an error into the classes that attempts tell (X3).
pub fn reason(error: &(dyn StdError + 'static)) -> FailureReason {
    let causes = successors(Some(error), |&cause| cause.source());
    causes.filter_map(class).last().unwrap_or(FailureReason::Protocol)
}

/// Whether HTTP/2 says that the request was not processed: its stream was refused, or the
/// receiver took leave before it.
pub fn is_unprocessed(error: &Error) -> bool {
    let cause = error.source().and_then(StdError::source);
    let Some(error) = cause.and_then(|cause| cause.downcast_ref::<h2::Error>()) else { return false };
    error.is_remote()
        && match error.reason() {
            Some(Reason::REFUSED_STREAM) => error.is_reset(),
            Some(Reason::NO_ERROR) => error.is_go_away(),
            _ => false,
        }
}

/// What one error says, without its causes.
fn class(cause: &(dyn StdError + 'static)) -> Option<FailureReason> {
    if let Some(refusal) = cause.downcast_ref() {
        return Some(match refusal {
            Refusal::Blocked => FailureReason::BlockedAddress,
            Refusal::NotFound => FailureReason::Dns,
        });
    }
    if is_tls(cause) {
        return Some(FailureReason::Tls);
    }
    if is_timeout(cause) {
        return Some(FailureReason::Timeout);
    }
    let is_connect = cause.downcast_ref().is_some_and(Error::is_connect);
    is_connect.then_some(FailureReason::Connect)
}

/// Errors of TLS come wrapped into errors of I/O, which do not name them as their source.
fn is_tls(cause: &(dyn StdError + 'static)) -> bool {
    let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}

fn is_timeout(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref().is_some_and(hyper::Error::is_timeout)
        || cause.downcast_ref().is_some_and(|error: &io::Error| error.kind() == ErrorKind::TimedOut)
}
