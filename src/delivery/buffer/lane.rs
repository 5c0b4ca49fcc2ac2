//! One lane: what waits for a target, and how much of the whole it may take.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::delivery::buffer::window::{Feedback, Window};

/// Of what may be held and is free, a lane may have one part in so many; and one in so many until its
/// target has shown that it keeps up, from then on so much more with each success.
const SHARE: usize = 2;
pub const SHARE_UNPROVEN: usize = 32;
const PER_SUCCESS: usize = 8;
/// A lane holds no more than for so many rounds of all the requests that it may have in flight; for one,
/// if its target has too much to do.
pub const ROUNDS: usize = 256;

/// Something in stock, and its weight.
pub type Stocked<T> = (T, usize);

/// What is due for one target, in stock or in flight.
#[derive(Debug)]
pub struct Lane<T> {
    /// What is to be sent, in this order.
    pub stock: VecDeque<Stocked<T>>,
    /// How many requests have been sent and not ended.
    pub in_flight: usize,
    /// The weight of what is in stock, in flight, or promised a place.
    pub held: usize,
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
    /// It stands among those that have something due in the database.
    pub is_hungry: bool,
    /// It stands among those that have something in stock.
    pub is_ready: bool,
}

impl<T> Lane<T> {
    /// An empty lane that may have so many requests in flight at most.
    pub fn new(most: usize) -> Self {
        Self {
            stock: VecDeque::new(),
            in_flight: 0,
            held: 0,
            window: Window::new(most),
            successes: 0,
            is_slow: false,
            next_turn: Instant::now(),
            usual_weight: None,
            is_hungry: false,
            is_ready: false,
        }
    }

    /// How much it may hold while so much is free in all: one delivery at least, if that fits.
    pub fn share(&self, free: usize) -> usize {
        let (rest, rounds) = (self.held + free, if self.is_slow { 1 } else { ROUNDS });
        let part = (rest / SHARE).min(rest / SHARE_UNPROVEN + PER_SUCCESS * self.successes);
        let one = self.weight();
        part.max(one.min(rest)).min(self.window.get() * rounds * one)
    }

    /// What one delivery weighs, as far as is known.
    pub fn weight(&self) -> usize {
        self.usual_weight.unwrap_or(1).max(1)
    }

    /// A request has ended.
    pub fn learn(&mut self, feedback: Feedback) {
        self.window.learn(feedback, self.in_flight);
        match feedback {
            Feedback::Well => (self.successes, self.is_slow) = (self.successes + 1, false),
            Feedback::Overloaded => (self.successes, self.is_slow) = (0, true),
            Feedback::Otherwise => {}
        }
    }

    /// Nothing is due, as far as is known, held or in flight.
    pub fn is_quiet(&self) -> bool {
        self.in_flight == 0 && self.held == 0 && !self.is_hungry
    }
}
