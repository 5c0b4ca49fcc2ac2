//! Sends the mails that wait (D3): at least once, never inline.
//!
//! A mail is leased while it is sent and removed when the server has taken it. One that was given
//! up is noted with its target, so that its owner sees it.

use std::time::Duration;

use anyhow::anyhow;
use entity::mail;
use futures_util::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::{App, MailServer};
use crate::error::{Result, causes, report};
use crate::rules::retry::Backoff;
use crate::store::{mails, targets};

/// How many mails are claimed at a time, and for how long. They are sent side by side, and what takes longer
/// than `SENDING` has failed: so none is sent beyond its lease.
const BATCH: u64 = 10;
const LEASE: Duration = Duration::from_secs(300);
const SENDING: Duration = Duration::from_secs(120);
const _: () = assert!(2 * SENDING.as_secs() < LEASE.as_secs(), "there is time left to write it down");
/// When a mail that the server did not take is tried again: over about a day and a half.
const RETRIES: Backoff = Backoff { attempts: 12, first: Duration::from_secs(60), factor: 2, jitter: 0.2 };

/// Sends what is due, again and again, until the engine stops.
pub(super) async fn run(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(app.settings.look_interval)).await.is_some() {
        if let Err(error) = send_due(&app).await {
            report("mails could not be sent", &error);
        }
    }
}

/// Sends every mail that is due.
pub(super) async fn send_due(app: &App) -> Result<()> {
    let Some(server) = &app.mail else { return Ok(()) };
    loop {
        let now = app.now();
        let tx = app.db.begin().await?;
        let mails = mails::claim(&tx, BATCH, now, now + LEASE).await?;
        tx.commit().await?;
        if mails.is_empty() {
            return Ok(());
        }
        let ends = join_all(mails.iter().map(|mail| send(app, server, mail))).await;
        ends.into_iter().collect::<Result<()>>()?;
    }
}

async fn send(app: &App, server: &MailServer, mail: &mail::Model) -> Result<()> {
    let sent = timeout(SENDING, server.send(mail)).await;
    let sent = sent.unwrap_or_else(|_| Err(anyhow!("it took longer than two minutes")));
    let pause = RETRIES.after(mail.attempts.unsigned_abs(), rand::random());
    let tx = app.db.begin().await?;
    match (&sent, pause) {
        (Ok(()), _) => mails::remove(&tx, &mail.id).await?,
        (Err(_), Some(pause)) => mails::postpone(&tx, &mail.id, app.now() + pause).await?,
        (Err(_), None) => {
            mails::remove(&tx, &mail.id).await?;
            if let Some(target) = &mail.target_id {
                targets::note_email_failure(&tx, target, &mail.recipient, app.now()).await?;
            }
        }
    }
    tx.commit().await?;
    if let Err(error) = sent {
        let (mail_id, error, target_id) =
            (&mail.id, causes(&error), mail.target_id.as_ref().map(tracing::field::display));
        if pause.is_some() {
            tracing::warn!(%mail_id, target_id, error, "the mail server did not take a mail; trying again");
        } else {
            tracing::error!(%mail_id, target_id, error, "the mail server did not take a mail; giving up");
        }
    }
    Ok(())
}
