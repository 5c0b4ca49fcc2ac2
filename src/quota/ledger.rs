//! What organizations have used of their rates (G12), and what one request uses.
//!
//! A request is counted before its document is parsed, its points before anything of it is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use crate::clock::Clock;
use crate::quota::limits::{ApiLimits, Rate, WINDOW};
use crate::rules::quota::{Quota, Used};
use crate::store::Scope;

/// How many scopes are remembered before those are forgotten whose windows have ended.
const REMEMBERED: usize = 10_000;

/// What a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestClass {
    /// Whatever is not publishing.
    Api,
    /// An operation that does nothing but publish events.
    Publishing,
}

/// What was used, by scope.
#[derive(Debug)]
pub struct Ledger {
    used: Mutex<HashMap<(Scope, RequestClass), Usage>>,
    clock: Clock,
    api: Option<Rate>,
    publishing: Option<Rate>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    count: Used,
    complexity: Used,
}

/// What one request uses of its organization's rates.
#[derive(Debug, Clone)]
pub struct RateCharge(Arc<Mutex<Charged>>);

#[derive(Debug)]
struct Charged {
    ledger: Arc<Ledger>,
    scope: Scope,
    class: RequestClass,
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

impl Ledger {
    /// A ledger in which nothing is used yet.
    pub fn new(limits: &ApiLimits, clock: Clock) -> Self {
        Self { used: Mutex::default(), clock, api: limits.api, publishing: limits.publishing }
    }
}

impl RateCharge {
    /// The charge of a request by a caller of this scope.
    pub fn of(ledger: &Arc<Ledger>, scope: &Scope) -> Self {
        let (ledger, scope) = (Arc::clone(ledger), scope.clone());
        let (class, events, cost, refused) = (RequestClass::Api, 0, None, None);
        Self(Arc::new(Mutex::new(Charged { ledger, scope, class, events, cost, refused })))
    }

    /// Counts the request as one of a class.
    ///
    /// # Errors
    /// When there were too many.
    pub fn enter(&self, class: RequestClass) -> Result<(), Refused> {
        let mut charged = self.charged();
        charged.class = class;
        let Some(rate) = charged.rate() else { return Ok(()) };
        let taken = charged.take(What::Requests, 1, rate.count());
        if let Err(refused) = taken {
            charged.refused = Some(refused);
        }
        taken
    }

    /// What the request is counted as.
    pub fn class(&self) -> RequestClass {
        self.charged().class
    }

    /// Adds the price of events that are published.
    pub fn add_events(&self, events: usize) {
        self.charged().events = u32::try_from(events).unwrap_or(u32::MAX);
    }

    /// Pays for an operation of this complexity.
    ///
    /// # Errors
    /// When there are too few points left. Nothing was paid.
    pub fn pay(&self, complexity: usize) -> Result<(), Unpaid> {
        let mut charged = self.charged();
        let cost = u32::try_from(complexity).unwrap_or(u32::MAX).saturating_add(charged.events);
        if let Some(rate) = charged.rate() {
            if cost > rate.points {
                return Err(Unpaid::Never(rate.points));
            }
            if let Err(refused) = charged.take(What::Points, cost, rate.complexity()) {
                charged.refused = Some(refused);
                return Err(Unpaid::Refused);
            }
        }
        charged.cost = Some(cost);
        Ok(())
    }

    /// Where the scope stands; none where nothing is limited.
    pub fn standing(&self) -> Option<Standing> {
        let charged = self.charged();
        let (rate, now) = (charged.rate()?, charged.ledger.clock.now());
        let usage = charged.usage(now, |usage| *usage);
        Some(Standing {
            cost: charged.cost,
            requests: rate.requests,
            requests_left: usage.count.remaining(rate.count(), now),
            points: rate.points,
            points_left: usage.complexity.remaining(rate.complexity(), now),
            refused: charged.refused,
        })
    }

    fn charged(&self) -> MutexGuard<'_, Charged> {
        self.0.lock()
    }
}

impl Charged {
    fn rate(&self) -> Option<Rate> {
        match self.class {
            RequestClass::Api => Some(self.ledger.api?.of(self.scope.environment)),
            RequestClass::Publishing => self.ledger.publishing,
        }
    }

    fn take(&self, what: What, amount: u32, quota: Quota) -> Result<(), Refused> {
        let now = self.ledger.clock.now();
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
        let mut used = self.ledger.used.lock();
        if used.len() >= REMEMBERED {
            used.retain(|_, usage| !usage.has_ended(now));
        }
        look(used.entry((self.scope.clone(), self.class)).or_default())
    }
}

impl Usage {
    fn has_ended(&self, now: Timestamp) -> bool {
        let any = Quota { limit: 0, per: WINDOW };
        self.count.has_ended(any, now) && self.complexity.has_ended(any, now)
    }
}
