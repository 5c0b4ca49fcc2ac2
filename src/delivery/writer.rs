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

mod ingest;
pub mod settle;

use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::app::publisher::{Answer, Call, Calls};
use crate::app::{App, Wakeup, log};
use crate::clock::Clock;
use crate::db::{Db, Transaction, Tries};
use crate::delivery::buffer::Buffer;
use crate::delivery::writer::ingest::{Draft, Ingest, Recorded};
use crate::delivery::writer::settle::{Batch, Ended, Settling};
use crate::error::{Error, Result, report};
use crate::rules::target_status;
use crate::store::events::Publication;
use crate::store::settlement::Change;

/// How many events, and how many outcomes, may share a transaction: more would keep others from
/// writing for too long.
const EVENTS: usize = 1_000;
const OUTCOMES: usize = 500;
/// For how long outcomes gather after the last were written.
const GATHERING: Duration = Duration::from_millis(10);
/// How many events are worth being drafted ahead.
const WORTH_A_DRAFT: usize = 250;

/// What a writer writes down. A channel that is closed brings nothing.
#[derive(Debug)]
pub struct Inbox {
    /// What is published.
    pub calls: Calls,
    /// How attempts ended.
    pub ended: mpsc::Receiver<Ended>,
    /// Keeps the engine from having stopped before all that it did is written down.
    pub engine: Option<TaskTrackerToken>,
}

/// Writes down. It holds no [`App`], which it would keep alive for ever: what is published after the
/// engine has stopped waits for the next.
#[derive(Debug)]
pub struct Writer {
    inbox: Inbox,
    context: Context,
    pause: Duration,
    /// Until when outcomes gather.
    gather_until: Instant,
    /// What the database did not take, and when to try again.
    owed: Option<(Batch, Instant)>,
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

/// What is written in one transaction.
#[derive(Debug, Default)]
struct Work {
    publications: Vec<Publication>,
    answers: Vec<Answer>,
    /// What is to be recorded of the publications, once it is known.
    draft: Option<Draft>,
    batch: Batch,
    /// Whether it is being committed: an error does not say any more that nothing was recorded.
    is_committing: bool,
}

impl Writer {
    /// A writer that hands over what it can to the buffer. Without one nothing is sent from here.
    pub fn new(app: &App, buffer: Option<Buffer>, inbox: Inbox) -> Self {
        let context = Context {
            db: app.db.clone(),
            clock: app.clock.clone(),
            wakeup: app.wakeup.clone(),
            ingest: Ingest::new(app, buffer.clone()),
            settling: Settling::new(app),
            buffer,
        };
        Self { inbox, context, pause: app.settings.pause, gather_until: Instant::now(), owed: None }
    }

    /// Works until nobody can bring anything any more.
    pub async fn run(mut self) {
        let mut ahead = None;
        while let Some(mut work) = self.next(ahead.take()).await {
            let mut tries = Tries::default();
            while let Err(error) = self.write_down(&mut work, &mut ahead).await {
                if !tries.again(&error).await {
                    self.owe(work.batch, &error);
                    refuse(work.answers, error, work.is_committing);
                    break;
                }
            }
        }
    }

    /// Writes, and drafts the next transaction while this one is brought to the disk.
    async fn write_down(&mut self, work: &mut Work, ahead: &mut Option<Work>) -> Result<()> {
        let Self { inbox, context, gather_until, owed, .. } = self;
        work.is_committing = false;
        let (tx, written) = context.write(work).await?;
        work.is_committing = true;
        let is_stale = written.has_deactivated();
        let look_ahead = async {
            if ahead.is_none() && owed.is_none() {
                *ahead = context.look_ahead(inbox).await;
            }
        };
        let (committed, ()) = tokio::join!(context.commit(tx, written, work), look_ahead);
        if let Some(ahead) = ahead.as_mut().filter(|_| is_stale) {
            ahead.draft = None;
        }
        if !work.batch.is_empty() {
            *gather_until = Instant::now() + GATHERING;
        }
        committed
    }

    /// Waits for something to do, and takes what else is there, as long as it fits: outcomes too, even if
    /// they still gather. What is owed is tried alone, and others wait for it: whoever publishes has
    /// nothing to do with it.
    async fn next(&mut self, ahead: Option<Work>) -> Option<Work> {
        if let Some(mut work) = ahead {
            if work.draft.is_none() {
                self.inbox.take_calls(&mut work);
            }
            self.take_outcomes(&mut work);
            return Some(work);
        }
        let mut work = Work::default();
        loop {
            let due_at = self.owed.as_ref().map(|owed| owed.1);
            let takes_outcomes = self.inbox.engine.is_some() && due_at.is_none();
            let gathers = takes_outcomes && self.is_gathering();
            tokio::select! {
                Some(call) = self.inbox.calls.recv() => work.add(call),
                ended = self.inbox.ended.recv(), if takes_outcomes && !gathers => {
                    let Some(ended) = ended else {
                        self.inbox.engine = None;
                        continue;
                    };
                    work.batch.add(ended);
                }
                () = sleep_until(self.gather_until), if gathers => continue,
                () = sleep_until(due_at.unwrap_or_else(Instant::now)), if due_at.is_some() => {
                    return self.owed.take().map(|(batch, _)| Work { batch, ..Work::default() });
                }
                else => return None,
            }
            self.inbox.take_calls(&mut work);
            self.take_outcomes(&mut work);
            return Some(work);
        }
    }

    /// Whether outcomes that are there had better wait for more of them.
    fn is_gathering(&self) -> bool {
        self.inbox.ended.len() < OUTCOMES && Instant::now() < self.gather_until
    }

    /// None, while others are owed: they would be owed too.
    fn take_outcomes(&mut self, work: &mut Work) {
        while self.owed.is_none()
            && work.batch.len() < OUTCOMES
            && let Ok(ended) = self.inbox.ended.try_recv()
        {
            work.batch.add(ended);
        }
    }

    fn owe(&mut self, batch: Batch, error: &Error) {
        if !batch.is_empty() {
            report("outcomes could not be written down; trying again", error);
            self.owed = Some((batch, Instant::now() + self.pause));
        }
    }
}

impl Inbox {
    fn take_calls(&mut self, work: &mut Work) {
        let mut events = work.events();
        while events < EVENTS
            && let Ok(call) = self.calls.try_recv()
        {
            events += call.events();
            work.add(call);
        }
    }
}

impl Context {
    /// Takes the calls that wait, and drafts what is to be written of them if that is much: few had
    /// better be written with those that are still to come. A draft that does not come about is made
    /// once more when it is needed.
    async fn look_ahead(&self, inbox: &mut Inbox) -> Option<Work> {
        let mut work = Work::default();
        inbox.take_calls(&mut work);
        if work.events() >= WORTH_A_DRAFT {
            work.draft = self.draft(&work).await.ok();
        }
        Some(work).filter(|work| !work.publications.is_empty())
    }

    async fn draft(&self, work: &Work) -> Result<Draft> {
        self.ingest.draft(self.db.reader(), &work.publications, self.clock.now()).await
    }

    /// Writes all in a transaction that is still to be committed. Settles first: a target that is
    /// deactivated by it hears of nothing that is published with it.
    async fn write(&self, work: &mut Work) -> Result<(Transaction, Written)> {
        if work.draft.is_none() && !work.publications.is_empty() {
            work.draft = Some(self.draft(work).await?);
        }
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let changes = self.settling.settle(&tx, &work.batch, now).await?;
        let mut written = Written { recorded: Recorded::default(), changes };
        if let Some(mut draft) = work.draft.take() {
            if written.has_deactivated() {
                draft = self.ingest.draft(&tx, &work.publications, now).await?;
            }
            written.recorded = self.ingest.record(&tx, draft, now).await?;
        }
        fail_point!("before-commit", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        Ok((tx, written))
    }

    /// Brings it to the disk, and tells everybody.
    async fn commit(&self, tx: Transaction, written: Written, work: &mut Work) -> Result<()> {
        tx.commit().await?;
        fail_point!("before-answer", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        written.changes.iter().for_each(log::status_changed);
        if written.has_deactivated() {
            self.wakeup.wake_everywhere();
        }
        let events = written.recorded.hand_over(&self.wakeup);
        for (answer, events) in work.answers.drain(..).zip(events) {
            answer.send(Ok(events)).ok();
        }
        if let Some(buffer) = self.buffer.as_ref().filter(|_| !work.batch.is_empty()) {
            buffer.settled(work.batch.deliveries());
        }
        Ok(())
    }
}

/// What has been written, and has to be committed.
#[derive(Debug)]
struct Written {
    recorded: Recorded,
    changes: Vec<Change>,
}

impl Written {
    /// Whether what waits for a target has to be skipped.
    fn has_deactivated(&self) -> bool {
        self.changes.iter().any(|change| target_status::ends_what_waits(change.target.status))
    }
}

impl Work {
    /// A call that its caller has given up meanwhile is left out.
    fn add(&mut self, call: Call) {
        let Some((publication, answer)) = call.take() else { return };
        self.publications.push(publication);
        self.answers.push(answer);
    }

    fn events(&self) -> usize {
        self.publications.iter().map(|publication| publication.events.len()).sum()
    }
}

/// Tells the callers that their events were not recorded, or that this is not known.
fn refuse(answers: Vec<Answer>, error: Error, is_unknown: bool) {
    let (shared, kind) = (Arc::new(error), if is_unknown { Error::Unknown } else { Error::Internal });
    for answer in answers {
        let error = anyhow::anyhow!("events could not be recorded: {shared}");
        answer.send(Err(kind(error))).ok();
    }
}
