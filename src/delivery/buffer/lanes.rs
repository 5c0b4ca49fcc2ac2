//! Who may have how much: requests in flight, and deliveries that are held in
//! memory to be sent next. A slow target fills its own lane and nothing else.
//!
//! The fuller the whole is, the less may a single lane take, and a lane that has
//! been quiet always finds room (`lane`). What does not fit stays in the database.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use entity::{TargetId, Timestamp};
use hashlink::LinkedHashSet;
use tokio::time::Instant;

use crate::delivery::buffer::holding::{Holding, Stage};
use crate::delivery::buffer::lane::{Lane, Stocked};
use crate::delivery::buffer::part::OneIn;
use crate::delivery::buffer::window::Feedback;
use crate::store::claims::Demand;

/// How many requests, and how many deliveries of 2 KiB, fit into what is held in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most requests that one lane may have in flight.
    pub per_lane: usize,
    /// The most requests that all lanes may have in flight.
    pub in_flight: usize,
    /// The most that all lanes may hold, in units of weight.
    pub held: usize,
    /// The least time between two attempts of one lane.
    pub pace: Duration,
}

/// The part that a lane may have in flight of the requests that are free.
const SHARE_IN_FLIGHT: OneIn = OneIn(16);
/// The part of a lane that what is new may fill while something waits in the database.
const SHARE_OF_NEW: OneIn = OneIn(2);
/// The part of a lane that is still full when it is worth refilling: more often, it would be refilled in
/// crumbs, a claim for each.
const REFILLED_AT: OneIn = OneIn(2);
/// How many lanes, and how many deliveries, one claim is made for: more would keep others from
/// writing for too long.
const LANES_PER_CLAIM: usize = 16;
const DELIVERIES_PER_CLAIM: usize = 256;
/// How many are claimed of a lane whose deliveries may be of any size.
const FIRST_CLAIM: usize = 64;

/// The lanes of all targets that have something due, held or in flight.
#[derive(Debug)]
pub(crate) struct Lanes<T> {
    limits: Limits,
    /// What all of them together hold.
    all: Holding,
    /// Nothing more is let in.
    is_closed: bool,
    by_target: HashMap<TargetId, Lane<T>>,
    /// Whose lanes have something due in the database, longest waiting first.
    hungry: LinkedHashSet<TargetId>,
    /// Whose lanes have something in stock, and perhaps room to send it; next one first. A lane without room
    /// stands here again when one of its requests has ended.
    ready: LinkedHashSet<TargetId>,
}

/// What is to be sent, its weight, and how long it has to wait for its turn.
pub(crate) type Next<T> = (T, usize, Duration);

impl<T> Lanes<T> {
    /// Lanes that are empty.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            all: Holding::default(),
            is_closed: false,
            by_target: HashMap::new(),
            hungry: LinkedHashSet::new(),
            ready: LinkedHashSet::new(),
        }
    }

    /// Something is due for the target in the database.
    pub(crate) fn feed(&mut self, target: TargetId) {
        self.lane(&target);
        stand_in(&mut self.hungry, target);
    }

    /// What to claim now: for lanes that have something due, and room that is worth a claim; since when it may
    /// be due, others know.
    pub(crate) fn demands(&self) -> Vec<Demand> {
        let mut free = self.free();
        // Many that are hungry at once divide what is free.
        let portion = free / self.hungry.len().max(1);
        let (mut demands, mut left) = (Vec::new(), DELIVERIES_PER_CLAIM);
        for target in &self.hungry {
            let Some(lane) = self.by_target.get(target) else { continue };
            let size = self.demand(lane, free, portion).min(left);
            if size > 0 {
                (free, left) = (free.saturating_sub(size * lane.weight()), left - size);
                demands.push(Demand {
                    target: target.clone(),
                    size: size as u64,
                    since: Timestamp::default(),
                });
            }
            if demands.len() == LANES_PER_CLAIM || left == 0 {
                break;
            }
        }
        demands
    }

    /// A claim was made for these demands and brought this. A lane that was not filled has nothing
    /// more due.
    pub(crate) fn claimed(
        &mut self,
        demands: &[Demand],
        brought: impl Iterator<Item = (TargetId, Stocked<T>)>,
    ) {
        let mut counts: HashMap<TargetId, u64> = HashMap::new();
        for (target, (item, weight)) in brought {
            self.stock(&target, item, weight, None);
            *counts.entry(target).or_default() += 1;
        }
        for Demand { target, .. } in demands {
            self.hungry.remove(target);
        }
        for demand in demands {
            // First attempts, or retries, may be more than were let in.
            if counts.get(&demand.target).is_some_and(|count| *count >= demand.retries()) {
                self.feed(demand.target.clone());
            }
            self.forget_if_quiet(&demand.target);
        }
    }

    /// Promises a place to something new, unless the lane is full. Half of it is left to what waits in
    /// the database, if something does.
    pub(crate) fn promise(&mut self, target: &TargetId, weight: usize) -> bool {
        let free = self.free();
        let has_room = match self.by_target.get(target) {
            Some(lane) => {
                let share = lane.share(free);
                let most = if self.hungry.contains(target) { SHARE_OF_NEW.of(share) } else { share };
                lane.holding.weight() + weight <= most
            }
            None => weight <= Lane::<T>::new(self.limits.per_lane).share(free),
        };
        if self.is_closed || !has_room {
            return false;
        }
        self.pass(target, weight, None, Some(Stage::Promised));
        true
    }

    /// The promised place is not needed.
    pub(crate) fn release(&mut self, target: &TargetId, weight: usize) {
        self.pass(target, weight, Some(Stage::Promised), None);
        self.forget_if_quiet(target);
    }

    /// Takes in what was promised a place.
    pub(crate) fn put(&mut self, target: &TargetId, item: T, weight: usize) {
        self.stock(target, item, weight, Some(Stage::Promised));
    }

    /// What is to be sent next; lanes take turns.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Next<T>> {
        while self.all.in_flight.count < self.limits.in_flight {
            let target = self.ready.pop_front()?;
            let Some(lane) = self.by_target.get_mut(&target) else { continue };
            let free = self.limits.in_flight - self.all.in_flight.count;
            let most = lane.window.get().min(SHARE_IN_FLIGHT.of(free).max(1));
            if lane.holding.in_flight.count >= most {
                continue;
            }
            let Some((item, weight)) = lane.stock.pop_front() else { continue };
            lane.pass(&mut self.all, weight, Some(Stage::Stocked), Some(Stage::InFlight));
            let turn = lane.next_turn.max(now);
            lane.next_turn = turn + self.limits.pace;
            if !lane.stock.is_empty() {
                self.ready.insert(target);
            }
            return Some((item, weight, turn - now));
        }
        None
    }

    /// A request of the target has ended.
    pub(crate) fn freed(&mut self, target: &TargetId, weight: usize, feedback: Feedback) {
        if let Some(lane) = self.by_target.get_mut(target) {
            lane.pass(&mut self.all, weight, Some(Stage::InFlight), None);
            lane.learn(feedback);
            if !lane.stock.is_empty() {
                stand_in(&mut self.ready, target.clone());
            }
            self.forget_if_quiet(target);
        }
    }

    /// The targets of what may still have to be sent: it is in stock, or waits for its turn.
    pub(crate) fn unsent(&self) -> Vec<TargetId> {
        let is_paced = !self.limits.pace.is_zero();
        let is_unsent =
            |lane: &Lane<T>| !lane.stock.is_empty() || (is_paced && lane.holding.in_flight.count > 0);
        let unsent = self.by_target.iter().filter(|(_, lane)| is_unsent(lane));
        unsent.map(|(target, _)| target.clone()).collect()
    }

    /// What the lane of the target has in stock.
    pub(crate) fn stock_of(&mut self, target: &TargetId) -> impl Iterator<Item = &mut T> {
        let lane = self.by_target.get_mut(target);
        lane.into_iter().flat_map(|lane| &mut lane.stock).map(|(item, _)| item)
    }

    /// Takes out of the stock of a lane what is not to wait there any longer, if its target does not keep up:
    /// up to so many, those first that would be sent first.
    pub(crate) fn withdraw(
        &mut self,
        target: &TargetId,
        is_out: impl Fn(&T) -> bool,
        limit: usize,
    ) -> Vec<T> {
        let is_slow = self.by_target.get(target).is_some_and(|lane| lane.is_slow);
        if is_slow { self.take_out(target, is_out, limit) } else { Vec::new() }
    }

    /// Lets nothing more in, and hands out what is in stock.
    pub(crate) fn close(&mut self) -> Vec<T> {
        self.is_closed = true;
        let targets: Vec<TargetId> = self.by_target.keys().cloned().collect();
        targets.iter().flat_map(|target| self.take_out(target, |_| true, usize::MAX)).collect()
    }

    /// Whether somebody was promised a place and has not come yet.
    pub(crate) fn are_expecting(&self) -> bool {
        self.all.promised.count > 0
    }

    /// There is more due than can be taken.
    pub(crate) fn are_overfed(&self) -> bool {
        self.hungry() > 0
    }

    /// How many lanes have something due in the database.
    pub(crate) fn hungry(&self) -> usize {
        self.hungry.len()
    }

    /// The targets that have more due than their lanes can take.
    pub(crate) fn overfed(&self) -> HashSet<TargetId> {
        self.hungry.iter().cloned().collect()
    }

    /// Nothing is due, as far as is known, nothing held and nothing in flight.
    pub(crate) fn are_quiet(&self) -> bool {
        let are_quiet = self.by_target.is_empty();
        debug_assert!(
            !are_quiet || (self.all.is_empty() && self.hungry.is_empty() && self.ready.is_empty()),
            "{:?} of no lane",
            self.all
        );
        are_quiet
    }

    /// How much more may be held, in units of weight.
    fn free(&self) -> usize {
        self.limits.held.saturating_sub(self.all.weight())
    }

    /// The lane of the target, and the counts of all.
    fn lane(&mut self, target: &TargetId) -> (&mut Lane<T>, &mut Holding) {
        let most = self.limits.per_lane;
        let lane = self.by_target.entry(target.clone()).or_insert_with(|| Lane::new(most));
        (lane, &mut self.all)
    }

    /// How many deliveries to claim for a lane, while so much is free in all and so much its portion of that.
    fn demand(&self, lane: &Lane<T>, free: usize, portion: usize) -> usize {
        let (held, share, weight) = (lane.holding.weight(), lane.share(free), lane.weight());
        if self.is_closed || held > REFILLED_AT.of(share) {
            return 0;
        }
        let most = if lane.usual_weight.is_none() { FIRST_CLAIM } else { DELIVERIES_PER_CLAIM };
        ((share - held).min(portion.max(weight)) / weight).min(most)
    }

    fn pass(&mut self, target: &TargetId, weight: usize, from: Option<Stage>, to: Option<Stage>) {
        let (lane, all) = self.lane(target);
        lane.pass(all, weight, from, to);
    }

    fn stock(&mut self, target: &TargetId, item: T, weight: usize, from: Option<Stage>) {
        let (lane, all) = self.lane(target);
        lane.pass(all, weight, from, Some(Stage::Stocked));
        lane.put(item, weight);
        stand_in(&mut self.ready, target.clone());
    }

    fn take_out(&mut self, target: &TargetId, is_out: impl Fn(&T) -> bool, limit: usize) -> Vec<T> {
        let Some(lane) = self.by_target.get_mut(target) else { return Vec::new() };
        let out = lane.withdraw(is_out, limit);
        for (_, weight) in &out {
            lane.pass(&mut self.all, *weight, Some(Stage::Stocked), None);
        }
        if lane.stock.is_empty() {
            self.ready.remove(target);
        }
        self.forget_if_quiet(target);
        out.into_iter().map(|(item, _)| item).collect()
    }

    fn forget_if_quiet(&mut self, target: &TargetId) {
        let holds_nothing = self.by_target.get(target).is_some_and(|lane| lane.holding.is_empty());
        if holds_nothing && !self.hungry.contains(target) {
            self.by_target.remove(target);
        }
    }
}

/// Stands in line. Who does already keeps its place; with `insert` it would go to the end.
fn stand_in(line: &mut LinkedHashSet<TargetId>, target: TargetId) {
    line.replace(target);
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
