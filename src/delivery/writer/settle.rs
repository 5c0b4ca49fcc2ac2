//! Settles: outcomes of attempts, and what was claimed in vain.

use std::time::Duration;

use entity::{Timestamp, delivery};
use sea_orm::ConnectionTrait;

use crate::app::App;
use crate::error::Result;
use crate::rules::mail::Conditions;
use crate::rules::retry::Schedules;
use crate::rules::settlement::Outcome;
use crate::store::claims;
use crate::store::settlement::{self, Change, Terms};

/// For how long a delivery is put off that could not be attempted.
const PUT_OFF: Duration = Duration::from_secs(15);

/// What has become of a claimed delivery.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was attempted, or skipped.
    Attempted(Outcome),
    /// It was not finished in time by a server that stops.
    GivenBack(delivery::Model),
    /// We lacked something, so that it could not be attempted.
    PutOff(delivery::Model),
    /// Its event or its target is gone.
    Gone(delivery::Model),
}

/// Outcomes, sorted by what has to be done with them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    attempted: Vec<Outcome>,
    given_back: Vec<delivery::Model>,
    put_off: Vec<delivery::Model>,
    gone: Vec<delivery::Model>,
}

impl Batch {
    /// Takes one more in.
    pub(crate) fn add(&mut self, ended: Ended) {
        match ended {
            Ended::Attempted(outcome) => self.attempted.push(outcome),
            Ended::GivenBack(delivery) => self.given_back.push(delivery),
            Ended::PutOff(delivery) => self.put_off.push(delivery),
            Ended::Gone(delivery) => self.gone.push(delivery),
        }
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.attempted.len() + self.given_back.len() + self.put_off.len() + self.gone.len()
    }

    /// There is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The claims that they were made under.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = &delivery::Model> {
        let attempted = self.attempted.iter().map(|outcome| &outcome.delivery);
        attempted.chain(&self.given_back).chain(&self.put_off).chain(&self.gone)
    }
}

/// What settling goes by.
#[derive(Debug)]
pub(crate) struct Settling {
    schedules: Schedules,
    mails: Option<Conditions>,
}

impl Settling {
    /// By the settings of the server.
    pub(crate) fn new(app: &App) -> Self {
        let settings = &app.settings;
        let conditions = Conditions {
            deadline: settings.outbound.deadline,
            retention: settings.retention,
            removal_after: settings.removal_after,
        };
        Self { schedules: settings.schedules.clone(), mails: app.mail.is_some().then_some(conditions) }
    }

    /// Settles, in a transaction that is still to be committed. Answers whose status has changed.
    pub(crate) async fn settle(
        &self,
        tx: &impl ConnectionTrait,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Vec<Change>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let Self { schedules, mails } = self;
        let terms = Terms { schedules, mails: *mails, random: rand::random, now };
        let changes = settlement::settle(tx, &batch.attempted, &terms).await?;
        claims::give_back(tx, &batch.given_back, now).await?;
        claims::give_back(tx, &batch.put_off, now + PUT_OFF).await?;
        claims::remove(tx, &batch.gone).await?;
        Ok(changes)
    }
}
