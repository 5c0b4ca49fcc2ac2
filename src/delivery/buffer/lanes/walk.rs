//! A random walk through the lanes. After each step their counts are what is really there; and in the end
//! nothing was lost, sent twice, or stuck.

use std::iter::repeat_with;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::delivery::buffer::holding::Load;

const LIMITS: Limits = Limits { per_lane: 4, in_flight: 6, held: 96, pace: Duration::ZERO };
const TARGETS: usize = 4;
const HEAVIEST: usize = 24;

/// What may happen to lanes. Targets go by number; of what is promised or in flight chance picks one.
#[derive(Debug, Clone)]
enum Step {
    Feed(usize),
    Promise(usize, usize),
    Put(Index),
    Release(Index),
    BeginClaim,
    /// The claim brings this part of what it was made for, each of this weight.
    EndClaim(OneIn, usize),
    Next,
    Freed(Index, Feedback),
    /// Of what is odd, so many at most.
    Withdraw(usize, usize),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let (target, weight) = (0..TARGETS, 1..=HEAVIEST);
    let part = select(vec![OneIn(1), OneIn(2), OneIn(usize::MAX)]);
    let feedback = select(vec![Feedback::Well, Feedback::Well, Feedback::Overloaded, Feedback::Otherwise]);
    prop_oneof![
        20 => target.clone().prop_map(Step::Feed),
        30 => (target.clone(), weight.clone()).prop_map(|(target, weight)| Step::Promise(target, weight)),
        20 => any::<Index>().prop_map(Step::Put),
        10 => any::<Index>().prop_map(Step::Release),
        15 => Just(Step::BeginClaim),
        15 => (part, weight).prop_map(|(part, weight)| Step::EndClaim(part, weight)),
        50 => Just(Step::Next),
        40 => (any::<Index>(), feedback).prop_map(|(which, feedback)| Step::Freed(which, feedback)),
        15 => (target, 0..4_usize).prop_map(|(target, limit)| Step::Withdraw(target, limit)),
        1 => Just(Step::Close),
    ]
}

/// A delivery, by a number of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    number: usize,
    target: TargetId,
    weight: usize,
}

/// The lanes, and what must be in them.
struct Walk {
    lanes: Lanes<Item>,
    targets: Vec<TargetId>,
    promised: Vec<Item>,
    stocked: Vec<Item>,
    in_flight: Vec<Item>,
    claim: Option<Vec<Demand>>,
    numbers: std::ops::RangeFrom<usize>,
}

impl Walk {
    fn new() -> Self {
        Self {
            lanes: Lanes::new(LIMITS),
            targets: repeat_with(|| TargetId::new(Timestamp::default())).take(TARGETS).collect(),
            promised: Vec::new(),
            stocked: Vec::new(),
            in_flight: Vec::new(),
            claim: None,
            numbers: 0..,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Feed(target) => self.lanes.feed(self.targets[*target].clone()),
            Step::Promise(target, weight) => {
                let item = self.item(&self.targets[*target].clone(), *weight);
                if self.lanes.promise(&item.target, *weight) {
                    self.promised.push(item);
                    assert!(
                        self.lanes.all.weight() <= LIMITS.held,
                        "more was promised than there is room for"
                    );
                }
            }
            Step::Put(which) => {
                if let Some(item) = pick(&mut self.promised, *which) {
                    self.lanes.put(&item.target, item.clone(), item.weight);
                    self.stocked.push(item);
                }
            }
            Step::Release(which) => {
                if let Some(item) = pick(&mut self.promised, *which) {
                    self.lanes.release(&item.target, item.weight);
                }
            }
            Step::BeginClaim => self.claim = self.claim.take().or_else(|| Some(self.lanes.demands())),
            Step::EndClaim(part, weight) => self.end_claim(*part, *weight),
            Step::Next => drop(self.send()),
            Step::Freed(which, feedback) => {
                if let Some(item) = pick(&mut self.in_flight, *which) {
                    self.lanes.freed(&item.target, item.weight, *feedback);
                }
            }
            Step::Withdraw(target, limit) => {
                let out = self.lanes.withdraw(&self.targets[*target], |item| item.number % 2 == 1, *limit);
                assert!(out.len() <= *limit);
                assert!(out.iter().all(|item| item.number % 2 == 1 && item.target == self.targets[*target]));
                for item in &out {
                    remove(&mut self.stocked, item);
                }
            }
            Step::Close => {
                for item in self.lanes.close() {
                    remove(&mut self.stocked, &item);
                }
                assert!(self.stocked.is_empty());
            }
        }
        self.check();
    }

    fn item(&mut self, target: &TargetId, weight: usize) -> Item {
        Item { number: self.numbers.next().unwrap(), target: target.clone(), weight }
    }

    fn end_claim(&mut self, part: OneIn, weight: usize) {
        let Some(demands) = self.claim.take() else { return };
        let mut brought = Vec::new();
        for Demand { target, size, .. } in &demands {
            let count = part.of(usize::try_from(*size).unwrap());
            brought.extend((0..count).map(|_| self.item(target, weight)));
        }
        self.stocked.extend(brought.iter().cloned());
        let brought = brought.into_iter().map(|item| (item.target.clone(), (item, weight)));
        self.lanes.claimed(&demands, brought);
    }

    fn send(&mut self) -> Option<Item> {
        let (item, weight, wait) = self.lanes.next(Instant::now())?;
        assert_eq!((weight, wait), (item.weight, Duration::ZERO));
        remove(&mut self.stocked, &item);
        self.in_flight.push(item.clone());
        Some(item)
    }

    /// The counts are those of what is there, and who can be served stands in line.
    fn check(&self) {
        self.lanes.check();
        for target in &self.targets {
            let expected = Holding {
                promised: load(&self.promised, target),
                stocked: load(&self.stocked, target),
                in_flight: load(&self.in_flight, target),
            };
            let held = self.lanes.by_target.get(target).map(|lane| lane.holding).unwrap_or_default();
            assert_eq!(held, expected);
        }
    }

    /// Whatever has happened, all that is held can be sent, and nothing stays behind.
    fn end(mut self) {
        self.end_claim(OneIn(1), HEAVIEST);
        for item in std::mem::take(&mut self.promised) {
            self.lanes.release(&item.target, item.weight);
        }
        loop {
            while self.send().is_some() {}
            if self.in_flight.is_empty() {
                break;
            }
            for item in std::mem::take(&mut self.in_flight) {
                self.lanes.freed(&item.target, item.weight, Feedback::Well);
            }
            self.check();
        }
        assert_eq!(self.stocked, []);
        while !self.lanes.is_closed && self.lanes.are_overfed() {
            let demands = self.lanes.demands();
            assert!(!demands.is_empty(), "nothing is held, and nothing is asked for");
            self.lanes.claimed(&demands, std::iter::empty());
        }
        assert!(self.lanes.is_closed || self.lanes.are_quiet());
    }
}

fn pick(items: &mut Vec<Item>, which: Index) -> Option<Item> {
    (!items.is_empty()).then(|| items.swap_remove(which.index(items.len())))
}

fn remove(items: &mut Vec<Item>, item: &Item) {
    let place = items.iter().position(|other| other == item);
    items.swap_remove(place.expect("it is there once"));
}

fn load(items: &[Item], target: &TargetId) -> Load {
    let of_target = items.iter().filter(|item| item.target == *target);
    of_target
        .fold(Load::default(), |load, item| Load { count: load.count + 1, weight: load.weight + item.weight })
}

impl<T> Lanes<T> {
    /// What is counted or stands in line is what there is.
    fn check(&self) {
        let mut all = Holding::default();
        for (target, lane) in &self.by_target {
            let Holding { promised, stocked, in_flight } = lane.holding;
            for (sum, load) in
                [(&mut all.promised, promised), (&mut all.stocked, stocked), (&mut all.in_flight, in_flight)]
            {
                *sum = Load { count: sum.count + load.count, weight: sum.weight + load.weight };
            }
            let weight = lane.stock.iter().map(|(_, weight)| weight).sum();
            assert_eq!(stocked, Load { count: lane.stock.len(), weight });
            let is_ready = self.ready.contains(target);
            assert!(!is_ready || stocked.count > 0, "it has nothing to send");
            assert!(is_ready || stocked.count == 0 || in_flight.count > 0, "nothing brings it back in line");
            assert!(!lane.holding.is_empty() || self.hungry.contains(target), "a quiet lane is forgotten");
            assert!(in_flight.count <= self.limits.per_lane);
        }
        assert_eq!(self.all, all);
        assert!(all.in_flight.count <= self.limits.in_flight);
        assert!(self.hungry.iter().chain(&self.ready).all(|target| self.by_target.contains_key(target)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_the_counts_are_true_and_nothing_is_lost_or_stuck(steps in vec(step(), 1..300)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.take(step);
        }
        walk.end();
    }
}
