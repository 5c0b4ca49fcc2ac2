//! The mail server that mails go out by.

use std::fmt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use url::Url;

use crate::app::settings::Smtp;
use crate::rules::email;

const FORMS: &str = "the URL of the mail server cannot be read: give smtps://USER:PASSWORD@HOST, \
                     smtp://HOST:587?tls=required or smtp://HOST";

/// Sends mails through one server, over pooled connections.
pub struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl MailServer {
    /// Prepares to talk to the server; no connection is made yet. `extra_ca` is trusted besides the system's
    /// authorities.
    ///
    /// # Errors
    /// When its URL, the sender's address or the extra authority cannot be read.
    pub fn new(smtp: &Smtp, extra_ca: Option<&Path>) -> anyhow::Result<Self> {
        let from: Mailbox = smtp.from.parse().map_err(|_| {
            anyhow!("--mail-from is {:?}: give an address such as reprise@company.com, or \"Company, Ltd\" <reprise@company.com>", smtp.from)
        })?;
        let address = in_ascii(&from.email).context("the sender of mails cannot be sent as it is")?;
        let url = smtp.url.expose_secret();
        check_parameters(url)?;
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).context(FORMS)?;
        if let Some(tls) = extra_ca.map(|file| tls(url, file)).transpose()?.flatten() {
            transport = transport.tls(tls);
        }
        let name = smtp.ehlo_name.clone().unwrap_or_else(|| address.domain().to_owned());
        let transport = transport.hello_name(ClientId::Domain(name)).build();
        Ok(Self { transport, from: Mailbox::new(from.name, address) })
    }

    /// Hands a mail to the server. It is the server's from then on.
    ///
    /// # Errors
    /// When the address is malformed, or the server cannot be reached or refuses the mail.
    pub async fn send(&self, mail: &entity::mail::Model) -> anyhow::Result<()> {
        let recipient: Address = mail.recipient.parse().context("the recipient is no address")?;
        let recipient = in_ascii(&recipient).context("the recipient's domain cannot be looked up")?;
        let written_at = UNIX_EPOCH + Duration::from_millis(mail.created_at.as_millis().unsigned_abs());
        // It would be read out of the headers otherwise, where quoted names and addresses of machines are not found.
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![recipient.clone()])?;
        let message = Message::builder()
            .envelope(envelope)
            .from(self.from.clone())
            .to(Mailbox::new(None, recipient))
            .subject(mail.subject.as_str())
            .date(written_at)
            // The same each time it is tried, so that who gets it twice sees it once.
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .header(MIME_VERSION_1_0)
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())?;
        self.transport.send(message).await?;
        Ok(())
    }
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer").field("from", &self.from).finish_non_exhaustive()
    }
}

fn in_ascii(address: &Address) -> Option<Address> {
    email::in_ascii(address)
}

/// A mistyped parameter would be passed over, and a password sent in the clear. The error does not repeat it: it
/// may be a part of a password that is not encoded.
fn check_parameters(url: &str) -> anyhow::Result<()> {
    let url = Url::parse(url).context(FORMS)?;
    let is_known = |name: &str, value: &str| name == "tls" && ["required", "opportunistic"].contains(&value);
    let are_known =
        url.query_pairs().all(|(name, value)| is_known(&name, &value)) && url.fragment().is_none();
    ensure!(
        are_known,
        "the URL of the mail server has a parameter that is not known; give ?tls=required, or none"
    );
    Ok(())
}

/// The TLS that the URL asks for, with more authorities; none if it asks for none.
fn tls(url: &str, extra_ca: &Path) -> anyhow::Result<Option<Tls>> {
    let url = Url::parse(url).context(FORMS)?;
    let mode = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, mode)| mode.into_owned());
    let kind = match (url.scheme(), mode.as_deref()) {
        ("smtps", _) => Tls::Wrapper,
        ("smtp", Some("required")) => Tls::Required,
        ("smtp", Some("opportunistic")) => Tls::Opportunistic,
        _ => return Ok(None),
    };
    let place = || format!("{} could not be read", extra_ca.display());
    let authorities =
        Certificate::from_pem(&std::fs::read(extra_ca).with_context(place)?).with_context(place)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let parameters = TlsParameters::builder(host).add_root_certificate(authorities).build();
    Ok(Some(kind(parameters.context("TLS to the mail server cannot be set up")?)))
}

/// Says that no person wrote it, so that nobody's absence answers (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_parameter_that_is_not_known_is_refused_without_being_repeated() {
        let server = |url: &str| {
            let smtp = Smtp { url: url.into(), from: "a@company.com".to_owned(), ehlo_name: None };
            MailServer::new(&smtp, None)
        };
        for known in ["smtp://host", "smtps://u:p@host", "smtp://host:587?tls=required"] {
            assert!(server(known).is_ok(), "{known}");
        }
        for unknown in [
            "smtp://u:secret@host?tsl=required",
            "smtp://u:secret@host?TLS=required",
            "smtp://u:secret@host?tls=required&secret=1",
            "smtp://u:p?secret@host",
            "smtp://u:p#secret@host",
            "smtp://u:secret@host?tls=secret",
        ] {
            let error = server(unknown).map(drop).unwrap_err();
            assert!(!format!("{error:#}").contains("secret"), "{error:#}");
        }
    }
}
