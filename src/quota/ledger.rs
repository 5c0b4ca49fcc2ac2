//! What organizations have used of their rates (G12), and what one request uses.
//!
//! A request is counted before its document is parsed, its points before anything of it is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::Timestamp;
use parking_lot::Mutex;

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
#[derive(Debug)]
pub struct RateCharge {
    ledger: Arc<Ledger>,
    scope: Scope,
    /// What the request is counted as, when it is.
    class: Option<RequestClass>,
    /// The points that it has paid.
    cost: Option<u32>,
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
    Refused(Refused),
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
}

impl Ledger {
    /// A ledger in which nothing is used yet.
    pub fn new(limits: &ApiLimits, clock: Clock) -> Self {
        Self { used: Mutex::default(), clock, api: limits.api, publishing: limits.publishing }
    }
}

impl RateCharge {
    /// The charge of a request by a caller of this scope: nothing yet.
    pub fn of(ledger: &Arc<Ledger>, scope: &Scope) -> Self {
        Self { ledger: Arc::clone(ledger), scope: scope.clone(), class: None, cost: None }
    }

    /// Counts the request as one of a class, unless it is counted as such already.
    ///
    /// # Errors
    /// When there were too many.
    pub fn enter(&mut self, class: RequestClass) -> Result<(), Refused> {
        if self.class.replace(class) == Some(class) {
            return Ok(());
        }
        let Some(rate) = self.rate(class) else { return Ok(()) };
        self.take(class, What::Requests, 1, rate.count())
    }

    /// Pays for an operation of this complexity, and a point for each event that it publishes. The request was
    /// counted before.
    ///
    /// # Errors
    /// When there are too few points left. Nothing was paid.
    pub fn pay(&mut self, complexity: usize, events: usize) -> Result<(), Unpaid> {
        let cost = u32::try_from(complexity.saturating_add(events)).unwrap_or(u32::MAX);
        if let Some((class, rate)) = self.class.and_then(|class| Some((class, self.rate(class)?))) {
            if cost > rate.points {
                return Err(Unpaid::Never(rate.points));
            }
            self.take(class, What::Points, cost, rate.complexity()).map_err(Unpaid::Refused)?;
        }
        self.cost = Some(cost);
        Ok(())
    }

    /// Where the scope stands; none where nothing is limited.
    pub fn standing(&self) -> Option<Standing> {
        let class = self.class?;
        let (rate, now) = (self.rate(class)?, self.ledger.clock.now());
        let usage = self.usage(class, now, |usage| *usage);
        Some(Standing {
            cost: self.cost,
            requests: rate.requests,
            requests_left: usage.count.remaining(rate.count(), now),
            points: rate.points,
            points_left: usage.complexity.remaining(rate.complexity(), now),
        })
    }

    fn rate(&self, class: RequestClass) -> Option<Rate> {
        match class {
            RequestClass::Api => Some(self.ledger.api?.of(self.scope.environment)),
            RequestClass::Publishing => self.ledger.publishing,
        }
    }

    fn take(&self, class: RequestClass, what: What, amount: u32, quota: Quota) -> Result<(), Refused> {
        let now = self.ledger.clock.now();
        self.usage(class, now, |usage| {
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

    fn usage<T>(&self, class: RequestClass, now: Timestamp, look: impl FnOnce(&mut Usage) -> T) -> T {
        let mut used = self.ledger.used.lock();
        if used.len() >= REMEMBERED {
            used.retain(|_, usage| !usage.has_ended(now));
        }
        look(used.entry((self.scope.clone(), class)).or_default())
    }
}

impl Usage {
    fn has_ended(&self, now: Timestamp) -> bool {
        let any = Quota { limit: 0, per: WINDOW };
        self.count.has_ended(any, now) && self.complexity.has_ended(any, now)
    }
}

#[cfg(test)]
mod tests {
    use RequestClass::{Api, Publishing};
    use entity::{Environment, OrganizationId};

    use super::*;

    #[test]
    fn a_request_is_counted_once_in_each_class_and_pays_what_there_is() {
        let (api, publishing) = (Rate { requests: 2, points: 10 }, Rate { requests: 1, points: 5 });
        let limits = ApiLimits { api: Some(api), publishing: Some(publishing), ..ApiLimits::default() };
        let clock = Clock::system();
        let organization = OrganizationId::new(clock.now());
        let scope = Scope { organization, environment: Environment::Live };
        let ledger = Arc::new(Ledger::new(&limits, clock));
        let mut first = RateCharge::of(&ledger, &scope);
        assert_eq!(first.standing(), None);
        assert_eq!([Publishing, Publishing, Api, Api].map(|class| first.enter(class)), [Ok(()); 4]);
        assert_eq!(first.pay(11, 0), Err(Unpaid::Never(10)));
        assert_eq!(first.pay(5, 2), Ok(()));
        let standing = Standing { cost: Some(7), requests: 2, requests_left: 1, points: 10, points_left: 3 };
        assert_eq!(first.standing(), Some(standing));
        let mut second = RateCharge::of(&ledger, &scope);
        assert_eq!(second.enter(Publishing).map_err(|refused| refused.what), Err(What::Requests));
        assert_eq!(second.enter(Api), Ok(()));
        let Err(Unpaid::Refused(refused)) = second.pay(4, 0) else { panic!("only 3 are left") };
        assert_eq!((refused.what, refused.quota.limit, refused.remaining), (What::Points, 10, 3));
        assert_eq!(second.standing(), Some(Standing { cost: None, requests_left: 0, ..standing }));
    }
}
