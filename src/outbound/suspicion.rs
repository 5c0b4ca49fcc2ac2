//! What is wrong with the certificates of receivers, for whoever reads the log.
//!
//! An attempt says only that TLS failed. Why is said here: once in a while for each host, on one short
//! line, because what stands in a certificate was written by a stranger.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// For how long the same host is not told again, and how many are remembered.
const WHILE: Duration = Duration::from_secs(600);
const REMEMBERED: usize = 1_000;

/// How many characters of a reason are told.
const LONGEST: usize = 200;

/// The hosts that were told.
#[derive(Debug, Default)]
pub(super) struct Suspicions(Mutex<HashMap<String, Instant>>);

impl Suspicions {
    /// Tells why the host is not trusted, unless it was told lately.
    pub(super) fn note(&self, host: &str, error: &rustls::Error) {
        if self.is_news(host, Instant::now()) {
            let (reason, remedy) = (reason(error), remedy(error));
            tracing::warn!(host, reason, remedy, "no secure connection to a receiver");
        }
    }

    fn is_news(&self, host: &str, now: Instant) -> bool {
        let mut told = self.0.lock();
        if told.len() >= REMEMBERED {
            told.retain(|_, at| now - *at < WHILE);
        }
        if told.len() >= REMEMBERED || told.get(host).is_some_and(|at| now - *at < WHILE) {
            return false;
        }
        told.insert(host.to_owned(), now);
        true
    }
}

/// The reason on one line.
fn reason(error: &rustls::Error) -> String {
    error.to_string().escape_debug().take(LONGEST).collect()
}

/// What helps, where that is not plain.
fn remedy(error: &rustls::Error) -> Option<&'static str> {
    use rustls::CertificateError::{NotValidForName, NotValidForNameContext, UnknownIssuer};
    use rustls::Error::InvalidCertificate;
    match error {
        InvalidCertificate(UnknownIssuer) => {
            Some("it has to send its intermediate certificates, or its authority belongs into --extra-ca")
        }
        InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            Some("the host has to be one of the certificate's subjectAltName; its common name does not count")
        }
        InvalidCertificate(error) if format!("{error:?}").contains("CaUsedAsEndEntity") => Some(
            "it shows the certificate of an authority as its own: make it with \
             -addext basicConstraints=critical,CA:FALSE, or let the authority sign another one",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn each_host_is_logged_once_per_interval() {
        let (suspicions, now) = (Suspicions::default(), Instant::now());
        assert_eq!(["a", "b", "a"].map(|host| suspicions.is_news(host, now)), [true, true, false]);
        let later = now + WHILE;
        assert!(suspicions.is_news("a", later));
        // However many they are, they are not told without end.
        let hosts = (0..2 * REMEMBERED).map(|host| host.to_string());
        assert!(hosts.filter(|host| suspicions.is_news(host, later)).count() < REMEMBERED);
    }

    #[test]
    fn text_of_strangers_stays_on_one_short_log_line() {
        let forged = "x\n2026-11-28T00:00:00Z  INFO reprise: all is well\u{1b}[31m".repeat(1_000);
        let expected = ServerName::try_from("localhost").unwrap().to_owned();
        let error = rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected,
            presented: vec![forged.clone(), forged],
        });
        let reason = reason(&error);
        assert!(reason.chars().count() == LONGEST && !reason.contains(['\n', '\u{1b}']), "{reason}");
        assert!(remedy(&error).unwrap().contains("subjectAltName"));
    }
}
