//! What the dispatcher has to do in the database, each as a task of its own.
//!
//! When the database fails, a task ends after a pause, so that nothing spins.

use entity::{TargetId, Timestamp};
use fail::fail_point;
use tokio::time::sleep;

use crate::app::App;
use crate::delivery::attempt::job::{self, Job};
use crate::delivery::attempt::recipients::{KnownRecipients, Recipients};
use crate::delivery::dispatcher::horizon::Reach;
use crate::error::{Result, report};
use crate::store::claims::Demand;
use crate::store::deliveries::{self, Backlog};
use crate::store::targets;

/// How many deliveries of one target are skipped or removed in one transaction.
const SWEEP: u64 = 500;

/// What is to be done.
#[derive(Debug)]
pub(super) enum DatabaseTask {
    /// Find what waits, and read the targets of what is held and not sent yet again.
    Look { reach: Reach, held: Vec<TargetId> },
    /// Claim what is due, for as many as there is room for.
    Claim(Vec<Demand>),
    /// End deliveries of the target that are not to be sent any more, a bounded number of them.
    Sweep(TargetId),
}

/// What has come of it.
#[derive(Debug)]
pub(super) enum Done {
    /// `full_at` tells when a full look began.
    Looked {
        backlogs: Vec<Backlog>,
        recipients: KnownRecipients,
        full_at: Option<Timestamp>,
    },
    Claimed {
        demands: Vec<Demand>,
        jobs: Vec<Job>,
    },
    Swept {
        target: TargetId,
        is_clean: bool,
    },
    Failed,
}

/// Does it.
pub(super) async fn run(app: App, recipients: Recipients, task: DatabaseTask) -> Done {
    let done = match task {
        DatabaseTask::Look { reach, held } => look(&app, &recipients, reach, held).await,
        DatabaseTask::Claim(demands) => claim(&app, &recipients, demands).await,
        DatabaseTask::Sweep(target) => sweep(&app, target).await,
    };
    match done {
        Ok(done) => done,
        Err(error) => {
            report("the delivery engine pauses", &error);
            sleep(app.settings.pause).await;
            Done::Failed
        }
    }
}

async fn look(app: &App, recipients: &Recipients, reach: Reach, held: Vec<TargetId>) -> Result<Done> {
    let (db, now) = (app.db.reader(), app.now());
    let (backlogs, full_at) = match reach {
        Reach::Full => (deliveries::backlogs(db).await?, Some(now)),
        Reach::Known(known) => (deliveries::due_backlogs(db, &known, now).await?, None),
    };
    let mut known = KnownRecipients::new();
    for ids in held.chunks(TARGETS_PER_READ) {
        let targets = targets::list(db, ids.to_vec()).await?;
        let mut found = recipients.find(db, targets, app.now()).await?;
        recipients.note_gone(ids, &mut found);
        known.extend(found);
    }
    Ok(Done::Looked { backlogs, recipients: known, full_at })
}

/// How many targets are read by one statement.
const TARGETS_PER_READ: usize = 1_000;

async fn claim(app: &App, recipients: &Recipients, demands: Vec<Demand>) -> Result<Done> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let jobs = job::claim(&tx, &demands, recipients, now, now + app.settings.lease).await?;
    tx.commit().await?;
    fail_point!("claimed", |_| Err(anyhow::anyhow!("a fault was injected").into()));
    Ok(Done::Claimed { demands, jobs })
}

async fn sweep(app: &App, id: TargetId) -> Result<Done> {
    let tx = app.db.begin().await?;
    let swept = match targets::list(&tx, vec![id.clone()]).await?.first() {
        Some(target) => deliveries::skip_missed(&tx, target, SWEEP, app.now()).await?,
        None => deliveries::remove_orphans(&tx, &id, SWEEP).await?,
    };
    tx.commit().await?;
    Ok(Done::Swept { target: id, is_clean: swept < SWEEP })
}
