//! Writes down what was published and how attempts ended.
//!
//! A commit costs the same for one row as for a thousand, so all that has come
//! together shares one. SQLite has one writer: there a single writer does both, in one
//! transaction. PostgreSQL writes side by side: there one writer records what is
//! published, and another one settles.
//!
//! No caller is answered before its events are on disk. Nobody waits for outcomes: for a
//! moment after some were written, others gather, or go with the next events. Outcomes
//! that the database does not take are kept and tried again; senders wait with their
//! results meanwhile, and claiming stops by itself.

pub(crate) mod inbox;
mod ingest;
pub(crate) mod settle;
mod work;

use std::time::Duration;

use fail::fail_point;

use crate::app::{App, Wakeup, log};
use crate::clock::Clock;
use crate::db::{Db, Transaction, Tries};
use crate::delivery::buffer::Buffer;
use crate::delivery::writer::inbox::{Inbox, Next};
use crate::delivery::writer::ingest::{Ingest, Recorded};
use crate::delivery::writer::settle::Settling;
use crate::delivery::writer::work::Work;
use crate::error::{Error, Result, report};
use crate::rules::target_status;
use crate::store::settlement::Change;

/// How many events are worth being drafted ahead: few had better be written with those that are still to come.
const WORTH_A_DRAFT: usize = 250;

/// Writes down. It holds no [`App`], which it would keep alive for ever: what is published after the
/// engine has stopped waits for the next.
#[derive(Debug)]
pub(super) struct Writer {
    inbox: Inbox,
    context: Context,
    /// How long the database is left alone that has not taken outcomes.
    pause: Duration,
    /// What was taken, and mostly drafted, while the transaction before was on its way to the disk.
    ahead: Option<Work>,
}

/// What it writes with.
#[derive(Debug)]
struct Context {
    db: Db,
    clock: Clock,
    wakeup: Wakeup,
    buffer: Option<Buffer>,
    ingest: Ingest,
    settling: Settling,
}

/// What has been written, and has to be committed.
#[derive(Debug)]
struct Written {
    tx: Transaction,
    recorded: Recorded,
    /// Whose status has changed.
    changes: Vec<Change>,
}

impl Writer {
    /// A writer that hands over what it can to the buffer. Without one nothing is sent from here.
    pub(super) fn new(app: &App, buffer: Option<Buffer>, inbox: Inbox) -> Self {
        let context = Context {
            db: app.db.clone(),
            clock: app.clock.clone(),
            wakeup: app.wakeup.clone(),
            ingest: Ingest::new(app, buffer.clone()),
            settling: Settling::new(app),
            buffer,
        };
        Self { inbox, context, pause: app.settings.pause, ahead: None }
    }

    /// Works until nobody can bring anything any more.
    pub(super) async fn run(mut self) {
        loop {
            let mut work = match self.inbox.next(self.ahead.take()).await {
                Next::Work(work) => work,
                Next::Retry(outcomes) => Work::settling(outcomes),
                Next::Closed => return,
            };
            let mut tries = Tries::default();
            while let Err(error) = self.write_down(&mut work).await {
                if !tries.again(&error).await {
                    work.refuse(&error);
                    self.owe(work, &error);
                    break;
                }
            }
        }
    }

    /// Writes, commits and tells. While the commit is on its way, the next transaction is drafted.
    async fn write_down(&mut self, work: &mut Work) -> Result<()> {
        let Self { inbox, context, ahead, .. } = self;
        let Written { tx, recorded, changes } = context.write(work).await?;
        let commit_and_tell = async {
            // From here on an error does not say any more that nothing was recorded.
            tx.commit().await.map_err(Error::in_doubt)?;
            fail_point!("before-answer", |_| Err(Error::Unknown(anyhow::anyhow!("a fault was injected"))));
            context.tell(work, recorded, &changes);
            Ok(())
        };
        let look_ahead = async {
            // What is owed gets its turn: it is not looked at while there is work ahead.
            if ahead.is_none() && !inbox.owes() {
                *ahead = context.look_ahead(inbox).await;
            }
        };
        let (committed, ()) = tokio::join!(commit_and_tell, look_ahead);
        if let Some(ahead) = ahead.as_mut().filter(|_| have_deactivated(&changes)) {
            ahead.invalidate();
        }
        if !work.outcomes.is_empty() {
            inbox.gather();
        }
        committed
    }

    fn owe(&mut self, work: Work, error: &Error) {
        if !work.outcomes.is_empty() {
            report("outcomes could not be written down; trying again", error);
            self.inbox.owe(work.outcomes, self.pause);
        }
    }
}

impl Context {
    /// Writes all in a transaction that is still to be committed. Settles first: a target that is
    /// deactivated by it hears of nothing that is published with it.
    async fn write(&self, work: &mut Work) -> Result<Written> {
        work.draft(&self.ingest, self.db.reader(), self.clock.now()).await?;
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let changes = self.settling.settle(&tx, &work.outcomes, now).await?;
        if have_deactivated(&changes) {
            work.invalidate();
        }
        let recorded = work.record(&self.ingest, &tx, now).await?;
        fail_point!("before-commit", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        Ok(Written { tx, recorded, changes })
    }

    /// Tells everybody, now that it is on the disk.
    fn tell(&self, work: &mut Work, recorded: Recorded, changes: &[Change]) {
        changes.iter().for_each(log::status_changed);
        if have_deactivated(changes) {
            self.wakeup.wake_everywhere();
        }
        work.answer(recorded.hand_over(&self.wakeup));
        if let Some(buffer) = self.buffer.as_ref().filter(|_| !work.outcomes.is_empty()) {
            buffer.settled(work.outcomes.deliveries());
        }
    }

    /// Takes the calls that wait, and drafts what is to be recorded of them if they are many. A draft that does
    /// not come about is made once more when it is needed.
    async fn look_ahead(&self, inbox: &mut Inbox) -> Option<Work> {
        let mut work = Work::default();
        inbox.take_calls(&mut work);
        if work.events() >= WORTH_A_DRAFT {
            work.draft(&self.ingest, self.db.reader(), self.clock.now()).await.ok();
        }
        Some(work).filter(|work| !work.is_empty())
    }
}

/// Whether what waits for a target has to be skipped.
fn have_deactivated(changes: &[Change]) -> bool {
    changes.iter().any(|change| target_status::ends_what_waits(change.target.status))
}
