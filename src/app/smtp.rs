//! The mail server that mails go out by.

use std::fmt;

use anyhow::Context;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use crate::app::settings::Smtp;

/// Sends mails through one server, over pooled connections.
pub struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl MailServer {
    /// Prepares to talk to the server; no connection is made yet.
    ///
    /// # Errors
    /// When its URL or the sender's address cannot be read.
    pub fn new(smtp: &Smtp) -> anyhow::Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp.url.expose_secret())
            .context("the URL of the mail server cannot be read")?
            .build();
        let from = smtp.from.parse().context("the sender of mails is no address")?;
        Ok(Self { transport, from })
    }

    /// Hands a mail to the server. It is the server's from then on.
    ///
    /// # Errors
    /// When the address is malformed, or the server cannot be reached or refuses the mail.
    pub async fn send(&self, mail: &entity::mail::Model) -> anyhow::Result<()> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(mail.recipient.parse().context("the recipient is no address")?)
            .subject(mail.subject.as_str())
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
