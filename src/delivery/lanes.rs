//! Who may have how many requests in flight, so that a slow target fills its
//! own lane and nothing else.
//!
//! A lane may grow to the limit, and to a part of what is free in all: the
//! fuller the whole is, the less may a single lane take, and a lane that has
//! been quiet always finds room. What does not fit stays in the database.

use std::collections::{HashMap, HashSet, VecDeque};

use entity::TargetId;

use crate::store::deliveries::Room;

/// A lane may hold one part in so many of what is free.
const SHARE: usize = 16;
/// How many lanes, and how many deliveries, one claim is made for.
const LANES_PER_CLAIM: usize = 64;
const DELIVERIES_PER_CLAIM: usize = 512;

/// The lanes of all targets that have something in flight or something due.
#[derive(Debug)]
pub struct Lanes {
    /// The most that one lane may have in flight.
    limit: usize,
    /// The most that all lanes may have in flight.
    total: usize,
    in_flight: usize,
    by_target: HashMap<TargetId, Lane>,
    /// The lanes that have something due, longest waiting first.
    hungry: VecDeque<TargetId>,
}

#[derive(Debug, Default)]
struct Lane {
    in_flight: usize,
    is_hungry: bool,
}

impl Lanes {
    /// Lanes of at most `limit` each and `total` together.
    pub fn new(limit: usize, total: usize) -> Self {
        Self { limit, total, in_flight: 0, by_target: HashMap::new(), hungry: VecDeque::new() }
    }

    /// Something is due for the target.
    pub fn feed(&mut self, target: TargetId) {
        let lane = self.by_target.entry(target.clone()).or_default();
        if !lane.is_hungry {
            lane.is_hungry = true;
            self.hungry.push_back(target);
        }
    }

    /// What to claim now: for lanes that have something due, and room that is worth a claim.
    pub fn rooms(&self) -> Vec<Room> {
        let mut free = self.total - self.in_flight;
        let mut rooms = Vec::new();
        let mut asked = 0;
        for target in &self.hungry {
            let size = self.room(target, free).min(DELIVERIES_PER_CLAIM - asked);
            if size > 0 {
                (free, asked) = (free - size, asked + size);
                rooms.push(Room { target: target.clone(), size: size as u64 });
            }
            if rooms.len() == LANES_PER_CLAIM {
                break;
            }
        }
        rooms
    }

    /// A claim was made for these rooms and brought deliveries for these targets. A lane that
    /// was not filled has nothing more due.
    pub fn claimed<'a>(&mut self, rooms: &[Room], brought: impl Iterator<Item = &'a TargetId>) {
        let mut counts: HashMap<&TargetId, usize> = HashMap::new();
        for target in brought {
            *counts.entry(target).or_default() += 1;
        }
        for room in rooms {
            let count = counts.get(&room.target).copied().unwrap_or_default();
            let is_filled = count as u64 >= room.size;
            let lane = self.by_target.entry(room.target.clone()).or_default();
            lane.in_flight += count;
            lane.is_hungry = is_filled;
            self.in_flight += count;
            self.hungry.retain(|target| *target != room.target);
            if is_filled {
                self.hungry.push_back(room.target.clone());
            }
            self.forget_if_quiet(&room.target);
        }
    }

    /// A request of the target has ended.
    pub fn freed(&mut self, target: &TargetId) {
        if let Some(lane) = self.by_target.get_mut(target) {
            lane.in_flight -= 1;
            self.in_flight -= 1;
            self.forget_if_quiet(target);
        }
    }

    /// There is more due than can be taken.
    pub fn are_overfed(&self) -> bool {
        !self.hungry.is_empty()
    }

    /// The targets that have more due than their lanes can take.
    pub fn overfed(&self) -> HashSet<TargetId> {
        self.hungry.iter().cloned().collect()
    }

    /// Nothing is due, as far as is known, and nothing in flight.
    pub fn are_quiet(&self) -> bool {
        self.by_target.is_empty()
    }

    fn room(&self, target: &TargetId, free: usize) -> usize {
        let in_flight = self.by_target.get(target).map_or(0, |lane| lane.in_flight);
        let share = self.limit.min(free / SHARE).max(1);
        // A lane that is more than half full would be refilled in crumbs, a claim for each.
        if in_flight * 2 > share { 0 } else { free.min(share - in_flight) }
    }

    fn forget_if_quiet(&mut self, target: &TargetId) {
        if self.by_target.get(target).is_some_and(|lane| lane.in_flight == 0 && !lane.is_hungry) {
            self.by_target.remove(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use entity::Timestamp;

    use super::*;

    fn target() -> TargetId {
        TargetId::new(Timestamp::from_millis(1_700_000_000_000))
    }

    /// Claims whatever there is room for; everything asked for is there.
    fn fill(lanes: &mut Lanes) -> usize {
        let rooms = lanes.rooms();
        let brought: Vec<TargetId> = rooms
            .iter()
            .flat_map(|room| std::iter::repeat_n(room.target.clone(), usize::try_from(room.size).unwrap()))
            .collect();
        lanes.claimed(&rooms, brought.iter());
        brought.len()
    }

    #[test]
    fn a_lane_takes_no_more_than_its_limit() {
        let mut lanes = Lanes::new(8, 1_000);
        lanes.feed(target());
        assert_eq!(fill(&mut lanes), 8);
        assert_eq!(fill(&mut lanes), 0);
    }

    #[test]
    fn a_lane_is_refilled_when_half_of_it_is_free() {
        let (mut lanes, slow) = (Lanes::new(8, 1_000), target());
        lanes.feed(slow.clone());
        fill(&mut lanes);
        (0..3).for_each(|_| lanes.freed(&slow));
        assert_eq!(fill(&mut lanes), 0);
        lanes.freed(&slow);
        assert_eq!(fill(&mut lanes), 4);
    }

    #[test]
    fn fifty_targets_that_hang_leave_room_for_the_next() {
        let mut lanes = Lanes::new(32, 1_024);
        (0..50).for_each(|_| lanes.feed(target()));
        while fill(&mut lanes) > 0 {}
        let healthy = target();
        lanes.feed(healthy.clone());
        let rooms = lanes.rooms();
        assert!(rooms.iter().any(|room| room.target == healthy && room.size >= 2), "{rooms:?}");
    }

    #[test]
    fn a_lane_that_was_not_filled_waits_to_be_fed_again() {
        let (mut lanes, one) = (Lanes::new(8, 1_000), target());
        lanes.feed(one.clone());
        let rooms = lanes.rooms();
        lanes.claimed(&rooms, std::iter::once(&one));
        assert!(lanes.rooms().is_empty());
        lanes.freed(&one);
        assert!(lanes.are_quiet());
    }

    #[test]
    fn all_lanes_together_take_no_more_than_the_total() {
        let mut lanes = Lanes::new(32, 100);
        (0..500).for_each(|_| lanes.feed(target()));
        let mut taken = 0;
        loop {
            match fill(&mut lanes) {
                0 => break,
                more => taken += more,
            }
        }
        assert!(taken <= 100, "{taken}");
    }
}
