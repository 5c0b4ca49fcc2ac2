//! One time for a database and all who serve it.
//!
//! It follows the clock of the PostgreSQL server that replicas share, so it does not matter whether
//! theirs agree, and with SQLite that of the system. When that clock is set, the time goes on as it
//! was, and makes up for it slowly (`clock::Steady`). By how much it is away stands in the database:
//! a replica or a restart goes on with the same time.

use std::time::Duration;

use entity::Timestamp;

use crate::clock::{Clock, Detour, Jump, Runner, Steady, TOLERANCE};
use crate::db::Db;
use crate::error::{Result, report};
use crate::store::timekeeping;

/// How often to look whether the clock was set: the system's costs nothing to look at.
const OWN_INTERVAL: Duration = Duration::from_secs(1);
const SHARED_INTERVAL: Duration = Duration::from_secs(10);

/// What a clock is only away by that was never set, as on a machine that starts in 1970.
const FAR: Duration = Duration::from_hours(24);

/// An answer within this time is prompt.
const PROMPT: Duration = Duration::from_millis(50);
/// How often to ask for a prompt one.
const TRIES: usize = 5;

/// Keeps the time of one database.
#[derive(Debug, Clone)]
pub struct Timekeeper {
    db: Db,
    source: Source,
    steady: Steady,
}

/// The clock that is followed.
#[derive(Debug, Clone)]
pub enum Source {
    /// The database's.
    Database,
    /// One of this machine.
    Own(Clock),
}

/// What a clock showed.
#[derive(Debug, Clone, Copy)]
struct Sight {
    shows: Timestamp,
    /// How many milliseconds the runner had run then.
    running: i64,
    /// By how many milliseconds that may be wrong.
    error: i64,
    /// How the time is away from the clock, as the database knows it; none if that was not asked.
    known: Option<Detour>,
}

/// The clock to go by, kept from now on.
pub async fn clock(db: &Db) -> Result<Clock> {
    let keeper = Timekeeper::of(db).await?;
    let clock = keeper.clock();
    tokio::spawn(async move { keeper.keep().await });
    Ok(clock)
}

/// The time, for who needs it once.
pub async fn now(db: &Db) -> Result<Timestamp> {
    Ok(Timekeeper::of(db).await?.clock().now())
}

impl Timekeeper {
    /// Goes by the clock of a shared database, or else by the system's.
    async fn of(db: &Db) -> Result<Self> {
        let source = if db.is_shared() { Source::Database } else { Source::Own(Clock::system()) };
        Self::begin(db, source, Runner::Machine).await
    }

    /// Finds out what time it is. It is not before anything that the database knows of: a clock
    /// that shows less was set back.
    pub async fn begin(db: &Db, source: Source, runner: Runner) -> Result<Self> {
        let sight = source.look(db, &runner).await?;
        let known = timekeeping::detour(db.reader()).await?;
        let newest = timekeeping::newest(db.reader()).await?.unwrap_or_default();
        let mut detour = known;
        if !db.is_shared() && was_put_right(known, newest, sight.shows) {
            detour = Detour::between(sight.shows, sight.shows);
        }
        if newest.millis_after(detour.time(sight.shows)) > TOLERANCE + sight.error {
            detour = Detour::between(newest, sight.shows);
            warn_of(-detour.ahead);
        }
        let steady = Steady::new(runner, sight.running, sight.shows, detour);
        let keeper = Self { db: db.clone(), source, steady };
        if detour != known {
            keeper.note(known, detour).await?;
        }
        Ok(keeper)
    }

    /// The clock that it keeps.
    pub fn clock(&self) -> Clock {
        Clock::Steady(self.steady.clone())
    }

    /// Keeps it for ever.
    async fn keep(&self) {
        let interval = if matches!(self.source, Source::Database) { SHARED_INTERVAL } else { OWN_INTERVAL };
        // What the database knows, if that is not asked each time.
        let mut noted = self.steady.detour();
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.look(&mut noted).await {
                report("the time could not be compared with the clock; it goes on as it is", &error);
            }
        }
    }

    /// Compares it with the clock once, and notes in the database what has changed. `noted` is what stands there.
    pub async fn look(&self, noted: &mut Detour) -> Result<()> {
        let sight = self.source.look(&self.db, self.steady.runner()).await?;
        let known = match sight.known {
            Some(known) => {
                *noted = known;
                known
            }
            None => self.steady.detour(),
        };
        if let Some(Jump { by, .. }) = self.steady.look(sight.running, sight.shows, sight.error, known)
            && by.abs() > TOLERANCE
        {
            warn_of(by);
        }
        let detour = self.steady.detour();
        if detour != *noted && self.note(*noted, detour).await? {
            *noted = detour;
        }
        Ok(())
    }

    /// Notes it, unless a replica has noted something meanwhile, which counts then.
    async fn note(&self, old: Detour, new: Detour) -> Result<bool> {
        let tx = self.db.begin().await?;
        let is_noted = timekeeping::set_detour(&tx, old, new).await?;
        tx.commit().await?;
        Ok(is_noted)
    }
}

/// Whether a clock that was far behind has passed all that the database knows of, so that it was put right while
/// no server ran. Its old distance would lead as far into the future.
fn was_put_right(known: Detour, newest: Timestamp, shows: Timestamp) -> bool {
    known.ahead > millis(FAR) && shows >= newest
}

fn warn_of(jump: i64) {
    let (seconds, direction) = (jump.unsigned_abs() / 1_000, if jump < 0 { "back" } else { "forward" });
    tracing::warn!(
        seconds,
        direction,
        "the clock was set; the time of the server goes on as before, and makes up for it by a tenth of what passes"
    );
}

impl Source {
    /// What it shows. It was read half-way between question and answer, as far as anybody knows. An
    /// answer that took long says little: the question may have waited for a connection, or this process
    /// was held meanwhile. So the promptest of a few answers counts.
    async fn look(&self, db: &Db, runner: &Runner) -> Result<Sight> {
        let mut promptest = self.ask(db, runner).await?;
        for _ in 1..TRIES {
            if promptest.error <= millis(PROMPT) / 2 {
                break;
            }
            let sight = self.ask(db, runner).await?;
            if sight.error < promptest.error {
                promptest = sight;
            }
        }
        Ok(promptest)
    }

    async fn ask(&self, db: &Db, runner: &Runner) -> Result<Sight> {
        let asked_at = runner.millis();
        let (shows, known) = match self {
            Self::Own(clock) => (clock.now(), None),
            Self::Database => {
                let (time, detour) = timekeeping::shared_time(db.reader()).await?;
                (time, Some(detour))
            }
        };
        let answered_at = runner.millis();
        let error = (answered_at - asked_at + 1) / 2;
        Ok(Sight { shows, running: asked_at.midpoint(answered_at), error, known })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
