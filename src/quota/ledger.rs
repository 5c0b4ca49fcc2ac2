//! What organizations have used of their rates (G12), and what one request uses.
//!
//! A request is counted before its document is parsed, its points before anything of it is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::Timestamp;

use crate::app::App;
use crate::quota::limits::Rate;
use crate::rules::quota::{Quota, Used};
use crate::store::Scope;

/// How many scopes are remembered before those are forgotten whose windows have ended.
const REMEMBERED: usize = 10_000;

/// What a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Whatever is not publishing.
    Api,
    /// An operation that does nothing but publish events.
    Publishing,
}

/// What was used, by scope.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<(Scope, Lane), Usage>>);

#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    count: Used,
    complexity: Used,
}

/// What one request uses of its organization's rates.
#[derive(Debug, Clone)]
pub struct Toll(Arc<Mutex<Receipt>>);

#[derive(Debug)]
struct Receipt {
    app: App,
    scope: Scope,
    lane: Lane,
    /// How many events it publishes: a point each.
    events: u32,
    cost: Option<u32>,
    refused: Option<Refused>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What is used up.
    pub quota: Quota,
    /// How much of it is left, which is too little.
    pub remaining: u32,
    /// After how long it is there again.
    pub retry_after: Duration,
    /// Whether it is requests or points.
    pub what: What,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Requests.
    Requests,
    /// Points.
    Points,
}

/// Why points were not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpaid {
    /// There will be enough later.
    Refused,
    /// There will never be enough: this is all that there is.
    Never(u32),
}

/// Where a scope stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The points of this request, if they were paid.
    pub cost: Option<u32>,
    /// How many requests there are in a window.
    pub requests: u32,
    /// How many of them are left.
    pub requests_left: u32,
    /// How many points there are in a window.
    pub points: u32,
    /// How many of them are left.
    pub points_left: u32,
    /// Why the request was refused, if it was.
    pub refused: Option<Refused>,
}

impl Toll {
    /// The toll of a request by a caller of this scope.
    pub fn of(app: &App, scope: &Scope) -> Self {
        let (app, scope) = (app.clone(), scope.clone());
        let (lane, events, cost, refused) = (Lane::Api, 0, None, None);
        Self(Arc::new(Mutex::new(Receipt { app, scope, lane, events, cost, refused })))
    }

    /// Counts the request in a lane.
    ///
    /// # Errors
    /// When there were too many.
    pub fn enter(&self, lane: Lane) -> Result<(), Refused> {
        let mut receipt = self.receipt();
        receipt.lane = lane;
        let Some(rate) = receipt.rate() else { return Ok(()) };
        let taken = receipt.take(What::Requests, 1, rate.count());
        if let Err(refused) = taken {
            receipt.refused = Some(refused);
        }
        taken
    }

    /// What the request is counted as.
    pub fn lane(&self) -> Lane {
        self.receipt().lane
    }

    /// Adds the price of events that are published.
    pub fn add_events(&self, events: usize) {
        self.receipt().events = u32::try_from(events).unwrap_or(u32::MAX);
    }

    /// Pays for an operation of this complexity.
    ///
    /// # Errors
    /// When there are too few points left. Nothing was paid.
    pub fn pay(&self, complexity: usize) -> Result<(), Unpaid> {
        let mut receipt = self.receipt();
        let cost = u32::try_from(complexity).unwrap_or(u32::MAX).saturating_add(receipt.events);
        if let Some(rate) = receipt.rate() {
            if cost > rate.points {
                return Err(Unpaid::Never(rate.points));
            }
            if let Err(refused) = receipt.take(What::Points, cost, rate.complexity()) {
                receipt.refused = Some(refused);
                return Err(Unpaid::Refused);
            }
        }
        receipt.cost = Some(cost);
        Ok(())
    }

    /// Where the scope stands; none where nothing is limited.
    pub fn standing(&self) -> Option<Standing> {
        let receipt = self.receipt();
        let (rate, now) = (receipt.rate()?, receipt.app.now());
        let usage = receipt.usage(now, |usage| *usage);
        Some(Standing {
            cost: receipt.cost,
            requests: rate.requests,
            requests_left: usage.count.remaining(rate.count(), now),
            points: rate.points,
            points_left: usage.complexity.remaining(rate.complexity(), now),
            refused: receipt.refused,
        })
    }

    fn receipt(&self) -> MutexGuard<'_, Receipt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipt {
    fn rate(&self) -> Option<Rate> {
        let door = &self.app.settings.door;
        match self.lane {
            Lane::Api => Some(door.api?.of(self.scope.environment)),
            Lane::Publishing => door.publishing,
        }
    }

    fn take(&self, what: What, amount: u32, quota: Quota) -> Result<(), Refused> {
        let now = self.app.now();
        self.usage(now, |usage| {
            let used = match what {
                What::Requests => &mut usage.count,
                What::Points => &mut usage.complexity,
            };
            let remaining = |used: &Used| used.remaining(quota, now);
            used.take(amount, quota, now).map_err(|retry_after| Refused {
                quota,
                remaining: remaining(used),
                retry_after,
                what,
            })
        })
    }

    fn usage<T>(&self, now: Timestamp, look: impl FnOnce(&mut Usage) -> T) -> T {
        let mut rates = self.app.rates.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= REMEMBERED {
            rates.retain(|_, usage| !usage.has_ended(now));
        }
        look(rates.entry((self.scope.clone(), self.lane)).or_default())
    }
}

impl Usage {
    fn has_ended(&self, now: Timestamp) -> bool {
        let any = Quota { limit: 0, per: crate::quota::limits::WINDOW };
        self.count.has_ended(any, now) && self.complexity.has_ended(any, now)
    }
}
