//! One lane: what waits for a target, and how much of the whole it may take.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::delivery::buffer::holding::{Holding, Stage};
use crate::delivery::buffer::part::OneIn;
use crate::delivery::buffer::window::{Feedback, Window};

/// The part that a lane may have of the room which it has and which is free.
const SHARE: OneIn = OneIn(2);
/// The same until its target has shown that it keeps up, and by how many units of weight it grows with
/// each success.
pub(crate) const SHARE_UNPROVEN: OneIn = OneIn(32);
const GROWTH: usize = 8;
/// For how many rounds of all the requests that it may have in flight a lane holds deliveries at most, and
/// for how many if its target has too much to do.
pub(crate) const ROUNDS: usize = 256;
const ROUNDS_IF_SLOW: usize = 1;

/// Something in stock, and its weight.
pub(crate) type Stocked<T> = (T, usize);

/// What is due for one target, in stock or in flight.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    /// What is to be sent, in this order.
    pub stock: VecDeque<Stocked<T>>,
    /// How much of it is promised a place, in stock, and in flight.
    pub holding: Holding,
    /// How many requests may be in flight.
    pub window: Window,
    /// How many requests have ended well since one showed that the target was overloaded.
    pub successes: usize,
    /// Nothing has ended well since.
    pub is_slow: bool,
    /// When the next attempt may be made.
    pub next_turn: Instant,
    /// What its deliveries weighed lately.
    pub usual_weight: Option<usize>,
}

impl<T> Lane<T> {
    /// An empty lane that may have so many requests in flight at most.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            stock: VecDeque::new(),
            holding: Holding::default(),
            window: Window::new(most),
            successes: 0,
            is_slow: false,
            next_turn: Instant::now(),
            usual_weight: None,
        }
    }

    /// How much it may hold while so much is free in all: one delivery at least, if that fits.
    pub(crate) fn share(&self, free: usize) -> usize {
        let room = self.holding.weight() + free;
        let part = SHARE.of(room).min(SHARE_UNPROVEN.of(room) + GROWTH * self.successes);
        let (one, rounds) = (self.weight(), if self.is_slow { ROUNDS_IF_SLOW } else { ROUNDS });
        part.max(one.min(room)).min(self.window.get() * rounds * one)
    }

    /// What one delivery weighs, as far as is known.
    pub(crate) fn weight(&self) -> usize {
        self.usual_weight.unwrap_or(1).max(1)
    }

    /// A delivery goes from one stage to another, in this lane and so among all. Nothing else changes these
    /// counts.
    pub(crate) fn pass(&mut self, all: &mut Holding, weight: usize, from: Option<Stage>, to: Option<Stage>) {
        self.holding.pass(weight, from, to);
        all.pass(weight, from, to);
    }

    /// Takes something into the stock.
    pub(crate) fn put(&mut self, item: T, weight: usize) {
        self.usual_weight = Some(self.usual_weight.map_or(weight, |usual| (usual * 7 + weight).div_ceil(8)));
        self.stock.push_back((item, weight));
    }

    /// Takes out of the stock what is to go, so many at most: what would be sent first goes first.
    pub(crate) fn withdraw(&mut self, is_out: impl Fn(&T) -> bool, limit: usize) -> Vec<Stocked<T>> {
        let (mut out, mut kept) = (Vec::new(), Vec::new());
        while out.len() < limit
            && let Some(stocked) = self.stock.pop_front()
        {
            if is_out(&stocked.0) { out.push(stocked) } else { kept.push(stocked) }
        }
        kept.into_iter().rev().for_each(|stocked| self.stock.push_front(stocked));
        out
    }

    /// A request has ended.
    pub(crate) fn learn(&mut self, feedback: Feedback) {
        self.window.learn(feedback, self.holding.in_flight.count);
        match feedback {
            Feedback::Well => (self.successes, self.is_slow) = (self.successes + 1, false),
            Feedback::Overloaded => (self.successes, self.is_slow) = (0, true),
            Feedback::Otherwise => {}
        }
    }
}
