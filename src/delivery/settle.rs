//! Writes outcomes down, as many in one transaction as have come together.
//!
//! While the database does not take them they are kept and tried again; senders
//! wait with their results, and claiming stops by itself.

use entity::delivery;
use tokio::sync::mpsc;

use crate::app::App;
use crate::delivery::dispatch::Signal;
use crate::delivery::leases::Leases;
use crate::error::{Result, report};
use crate::store::claims;
use crate::store::settlement::{self, Outcome, Terms};

/// How many outcomes share a transaction.
const BATCH: usize = 500;

/// What has become of a claimed delivery.
#[derive(Debug)]
pub enum Ended {
    /// It was attempted, or skipped.
    Attempted(Outcome),
    /// It was not finished in time by a server that stops.
    GivenBack(delivery::Model),
    /// Its event or its target is gone.
    Gone(delivery::Model),
}

/// Settles until all senders are gone.
pub async fn run(
    app: App,
    leases: Leases,
    mut ended: mpsc::Receiver<Ended>,
    signals: mpsc::UnboundedSender<Signal>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while ended.recv_many(&mut batch, BATCH).await > 0 {
        let batch = Batch::of(batch.drain(..));
        settle_surely(&app, &batch).await;
        leases.end(batch.deliveries());
        signals.send(Signal::Settled).ok();
    }
}

/// Outcomes, sorted by what has to be done with them.
#[derive(Debug, Default)]
struct Batch {
    attempted: Vec<Outcome>,
    given_back: Vec<delivery::Model>,
    gone: Vec<delivery::Model>,
}

impl Batch {
    fn of(ended: impl Iterator<Item = Ended>) -> Self {
        let mut batch = Self::default();
        for one in ended {
            match one {
                Ended::Attempted(outcome) => batch.attempted.push(outcome),
                Ended::GivenBack(delivery) => batch.given_back.push(delivery),
                Ended::Gone(delivery) => batch.gone.push(delivery),
            }
        }
        batch
    }

    fn deliveries(&self) -> impl Iterator<Item = &delivery::Model> {
        let attempted = self.attempted.iter().map(|outcome| &outcome.delivery);
        attempted.chain(&self.given_back).chain(&self.gone)
    }
}

async fn settle_surely(app: &App, batch: &Batch) {
    while let Err(error) = settle(app, batch).await {
        report("outcomes could not be written down; trying again", &error);
        tokio::time::sleep(app.settings.pause).await;
    }
}

async fn settle(app: &App, batch: &Batch) -> Result<()> {
    let terms = Terms {
        schedules: &app.settings.schedules,
        sends_mail: app.mail.is_some(),
        random: rand::random,
        now: app.now(),
    };
    let tx = app.db.begin().await?;
    let deactivated = settlement::settle(&tx, &batch.attempted, &terms).await?;
    claims::give_back(&tx, &batch.given_back, terms.now).await?;
    claims::remove(&tx, &batch.gone).await?;
    tx.commit().await?;
    if deactivated {
        app.bell.ring_everywhere();
    }
    Ok(())
}
