//! Who may have how much: requests in flight, and deliveries that are held in
//! memory to be sent next. A slow target fills its own lane and nothing else.
//!
//! The fuller the whole is, the less may a single lane take, and a lane that has
//! been quiet always finds room (`lane`). What does not fit stays in the database.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use entity::{TargetId, Timestamp};
use tokio::time::Instant;

use crate::delivery::buffer::lane::{Lane, Stocked};
use crate::delivery::buffer::window::Feedback;
use crate::store::claims::Demand;

/// How many requests, and how many deliveries of 2 KiB, fit into what is held in all.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most requests that one lane may have in flight.
    pub per_lane: usize,
    /// The most requests that all lanes may have in flight.
    pub in_flight: usize,
    /// The most that all lanes may hold, in units of weight.
    pub held: usize,
    /// The least time between two attempts of one lane.
    pub pace: Duration,
}

/// Of the requests that are free, a lane may have one part in so many.
const SHARE_IN_FLIGHT: usize = 16;
/// How many lanes, and how many deliveries, one claim is made for: more would keep others from
/// writing for too long.
const LANES_PER_CLAIM: usize = 16;
const DELIVERIES_PER_CLAIM: usize = 256;
/// How many are claimed of a lane whose deliveries may be of any size.
const FIRST_CLAIM: usize = 64;

/// The lanes of all targets that have something due, held or in flight.
#[derive(Debug)]
pub struct Lanes<T> {
    limits: Limits,
    in_flight: usize,
    /// The weight of all that is in flight, in stock, or promised a place.
    held: usize,
    /// How many places are promised.
    promised: usize,
    /// Nothing more is let in.
    is_closed: bool,
    by_target: HashMap<TargetId, Lane<T>>,
    /// The lanes that have something due in the database, longest waiting first.
    hungry: VecDeque<TargetId>,
    /// The lanes that have something in stock, and perhaps room to send it; next one first.
    ready: VecDeque<TargetId>,
}

/// What is to be sent, its weight, and how long it has to wait for its turn.
pub type Next<T> = (T, usize, Duration);

impl<T> Lanes<T> {
    /// Lanes that are empty.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            in_flight: 0,
            held: 0,
            promised: 0,
            is_closed: false,
            by_target: HashMap::new(),
            hungry: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    /// Something is due for the target in the database.
    pub fn feed(&mut self, target: TargetId) {
        let lane = self.lane(&target);
        if !lane.is_hungry {
            lane.is_hungry = true;
            self.hungry.push_back(target);
        }
    }

    /// What to claim now: for lanes that have something due, and room that is worth a claim; since when it may
    /// be due, others know.
    pub fn demands(&self) -> Vec<Demand> {
        let mut free = self.limits.held.saturating_sub(self.held);
        // Many that are hungry at once divide what is free.
        let portion = free / self.hungry.len().max(1);
        let mut demands = Vec::new();
        let mut asked = 0;
        for target in &self.hungry {
            let Some(lane) = self.by_target.get(target) else { continue };
            let weight = lane.weight();
            let size = self.room(lane, free).min(portion.max(weight)) / weight;
            let size = size.min(DELIVERIES_PER_CLAIM - asked);
            let size = if lane.usual_weight.is_none() { size.min(FIRST_CLAIM) } else { size };
            if size > 0 {
                (free, asked) = (free.saturating_sub(size * weight), asked + size);
                demands.push(Demand {
                    target: target.clone(),
                    size: size as u64,
                    since: Timestamp::default(),
                });
            }
            if demands.len() == LANES_PER_CLAIM || asked == DELIVERIES_PER_CLAIM {
                break;
            }
        }
        demands
    }

    /// A claim was made for these demands and brought this. A lane that was not filled has nothing
    /// more due.
    pub fn claimed(&mut self, demands: &[Demand], brought: impl Iterator<Item = (TargetId, Stocked<T>)>) {
        let mut counts: HashMap<TargetId, u64> = HashMap::new();
        for (target, (item, weight)) in brought {
            self.hold(&target, weight);
            self.stock(&target, item, weight);
            *counts.entry(target).or_default() += 1;
        }
        let asked: HashSet<&TargetId> = demands.iter().map(|demand| &demand.target).collect();
        self.hungry.retain(|target| !asked.contains(target));
        for demand in demands {
            // First attempts, or retries, may be more than were let in.
            let is_filled = counts.get(&demand.target).is_some_and(|count| *count >= demand.retries());
            self.lane(&demand.target).is_hungry = is_filled;
            if is_filled {
                self.hungry.push_back(demand.target.clone());
            }
            self.forget_if_quiet(&demand.target);
        }
    }

    /// Promises a place to something new, unless the lane is full. Half of it is left to what waits in
    /// the database, if something does.
    pub fn promise(&mut self, target: &TargetId, weight: usize) -> bool {
        let free = self.limits.held.saturating_sub(self.held);
        let has_room = match self.by_target.get(target) {
            Some(lane) => lane.held + weight <= lane.share(free) / if lane.is_hungry { 2 } else { 1 },
            None => weight <= Lane::<T>::new(self.limits.per_lane).share(free),
        };
        if self.is_closed || !has_room {
            return false;
        }
        self.hold(target, weight);
        self.promised += 1;
        true
    }

    /// The promised place is not needed.
    pub fn release(&mut self, target: &TargetId, weight: usize) {
        self.promised -= 1;
        self.let_go(target, weight);
        self.forget_if_quiet(target);
    }

    /// Takes in what was promised a place.
    pub fn put(&mut self, target: &TargetId, item: T, weight: usize) {
        self.promised -= 1;
        self.stock(target, item, weight);
    }

    /// What is to be sent next; lanes take turns.
    pub fn next(&mut self, now: Instant) -> Option<Next<T>> {
        while self.in_flight < self.limits.in_flight {
            let target = self.ready.pop_front()?;
            let share = ((self.limits.in_flight - self.in_flight) / SHARE_IN_FLIGHT).max(1);
            // What a lane had in stock may have been withdrawn, and the lane forgotten.
            let Some(lane) = self.by_target.get_mut(&target) else { continue };
            lane.is_ready = false;
            if lane.in_flight < lane.window.get().min(share)
                && let Some((item, weight)) = lane.stock.pop_front()
            {
                let turn = lane.next_turn.max(now);
                lane.next_turn = turn + self.limits.pace;
                lane.in_flight += 1;
                self.in_flight += 1;
                self.get_ready(&target);
                return Some((item, weight, turn - now));
            }
        }
        None
    }

    /// A request of the target has ended.
    pub fn freed(&mut self, target: &TargetId, weight: usize, feedback: Feedback) {
        if let Some(lane) = self.by_target.get_mut(target) {
            lane.in_flight -= 1;
            lane.learn(feedback);
            self.in_flight -= 1;
            self.let_go(target, weight);
            self.get_ready(target);
            self.forget_if_quiet(target);
        }
    }

    /// The targets of what may still have to be sent: it is in stock, or waits for its turn.
    pub fn unsent(&self) -> Vec<TargetId> {
        let is_paced = !self.limits.pace.is_zero();
        let is_unsent = |lane: &Lane<T>| !lane.stock.is_empty() || (is_paced && lane.in_flight > 0);
        let unsent = self.by_target.iter().filter(|(_, lane)| is_unsent(lane));
        unsent.map(|(target, _)| target.clone()).collect()
    }

    /// What the lane of the target has in stock.
    pub fn stock_of(&mut self, target: &TargetId) -> impl Iterator<Item = &mut T> {
        let lane = self.by_target.get_mut(target);
        lane.into_iter().flat_map(|lane| &mut lane.stock).map(|(item, _)| item)
    }

    /// Takes out of the stock of lanes whose targets do not keep up what is not to wait there any longer:
    /// up to so many, those first that would be sent first.
    pub fn withdraw(&mut self, is_out: impl Fn(&T) -> bool, limit: usize) -> Vec<T> {
        let mut out = Vec::new();
        let mut quiet = Vec::new();
        for (target, lane) in self.by_target.iter_mut().filter(|(_, lane)| lane.is_slow) {
            while out.len() < limit
                && let Some((item, weight)) = lane.stock.pop_front_if(|(item, _)| is_out(item))
            {
                lane.held -= weight;
                self.held -= weight;
                out.push(item);
            }
            if lane.is_quiet() {
                quiet.push(target.clone());
            }
        }
        for target in quiet {
            self.by_target.remove(&target);
        }
        out
    }

    /// Lets nothing more in, and hands out what is in stock.
    pub fn close(&mut self) -> Vec<T> {
        self.is_closed = true;
        let stock = self.by_target.values_mut().flat_map(|lane| lane.stock.drain(..));
        stock.map(|(item, _)| item).collect()
    }

    /// Whether somebody was promised a place and has not come yet.
    pub fn are_expecting(&self) -> bool {
        self.promised > 0
    }

    /// There is more due than can be taken.
    pub fn are_overfed(&self) -> bool {
        self.hungry() > 0
    }

    /// How many lanes have something due in the database.
    pub fn hungry(&self) -> usize {
        self.hungry.len()
    }

    /// The targets that have more due than their lanes can take.
    pub fn overfed(&self) -> HashSet<TargetId> {
        self.hungry.iter().cloned().collect()
    }

    /// Nothing is due, as far as is known, nothing held and nothing in flight.
    pub fn are_quiet(&self) -> bool {
        self.by_target.is_empty()
    }

    fn lane(&mut self, target: &TargetId) -> &mut Lane<T> {
        let most = self.limits.per_lane;
        self.by_target.entry(target.clone()).or_insert_with(|| Lane::new(most))
    }

    fn room(&self, lane: &Lane<T>, free: usize) -> usize {
        if self.is_closed {
            return 0;
        }
        let share = lane.share(free);
        // A lane that is more than half full would be refilled in crumbs, a claim for each.
        if lane.held * 2 > share { 0 } else { share - lane.held }
    }

    fn hold(&mut self, target: &TargetId, weight: usize) {
        self.held += weight;
        self.lane(target).held += weight;
    }

    fn let_go(&mut self, target: &TargetId, weight: usize) {
        self.held -= weight;
        self.lane(target).held -= weight;
    }

    fn stock(&mut self, target: &TargetId, item: T, weight: usize) {
        let lane = self.lane(target);
        lane.usual_weight = Some(lane.usual_weight.map_or(weight, |usual| (usual * 7 + weight).div_ceil(8)));
        lane.stock.push_back((item, weight));
        self.get_ready(target);
    }

    fn get_ready(&mut self, target: &TargetId) {
        if let Some(lane) = self.by_target.get_mut(target)
            && !lane.is_ready
            && !lane.stock.is_empty()
        {
            lane.is_ready = true;
            self.ready.push_back(target.clone());
        }
    }

    fn forget_if_quiet(&mut self, target: &TargetId) {
        if self.by_target.get(target).is_some_and(Lane::is_quiet) {
            self.by_target.remove(target);
        }
    }
}

#[cfg(test)]
mod tests;
