//! How many requests a lane may have in flight: more while its target keeps up,
//! half as many when it does not.
//!
//! It begins narrow and doubles with each round of successes until something goes
//! wrong; from then on it widens by one request a round.

use crate::delivery::buffer::part::OneIn;

/// The part of the most requests that it may have with which a new lane begins.
const BEGINNING: OneIn = OneIn(16);

/// What the end of a request says about its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Feedback {
    /// It keeps up.
    Well,
    /// It has too much to do: it did not answer in time, or said so (429, 503).
    Overloaded,
    /// Nothing about its load.
    #[default]
    Otherwise,
}

/// The number of requests that may be in flight.
#[derive(Debug)]
pub(crate) struct Window {
    now: usize,
    most: usize,
    /// It has never gone wrong yet.
    is_beginning: bool,
    /// How many successes of this round there were.
    successes: usize,
    /// How many requests are still out that were sent before the window was halved. They say
    /// nothing new.
    old: usize,
}

impl Window {
    /// The window of a new lane.
    pub(crate) fn new(most: usize) -> Self {
        Self { now: BEGINNING.of(most).max(1), most, is_beginning: true, successes: 0, old: 0 }
    }

    /// How many it is now: at least one.
    pub(crate) fn get(&self) -> usize {
        self.now
    }

    /// A request has ended, and so many others are in flight.
    pub(crate) fn learn(&mut self, feedback: Feedback, in_flight: usize) {
        let is_old = self.old > 0;
        self.old = self.old.saturating_sub(1);
        match feedback {
            Feedback::Well => self.widen(),
            Feedback::Overloaded if !is_old => {
                self.now = (self.now / 2).max(1);
                (self.is_beginning, self.successes, self.old) = (false, 0, in_flight);
            }
            Feedback::Overloaded | Feedback::Otherwise => {}
        }
    }

    fn widen(&mut self) {
        self.successes += 1;
        if self.is_beginning || self.successes >= self.now {
            self.now = (self.now + 1).min(self.most);
            self.successes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the window is after each of these ends, with nothing else in flight.
    fn course(most: usize, ends: &[Feedback]) -> Vec<usize> {
        let mut window = Window::new(most);
        let mut after = |feedback: &Feedback| {
            window.learn(*feedback, 0);
            window.get()
        };
        ends.iter().map(&mut after).collect()
    }

    #[test]
    fn it_widens_with_each_success_until_something_goes_wrong_and_then_slowly() {
        use Feedback::{Otherwise, Overloaded, Well};
        assert_eq!(course(8, &[Well; 8]), [2, 3, 4, 5, 6, 7, 8, 8]);
        assert_eq!(course(32, &[Well, Well, Overloaded, Well, Well, Well]), [3, 4, 2, 2, 3, 3]);
        assert_eq!(course(32, &[Otherwise; 3]), [2, 2, 2], "a refused connection says nothing");
        assert_eq!(course(32, &[Overloaded; 3]), [1, 1, 1]);
        assert_eq!(Window::new(1).get(), 1);
    }

    #[test]
    fn a_round_that_ends_badly_halves_it_once() {
        let mut window = Window::new(32);
        (0..30).for_each(|_| window.learn(Feedback::Well, 31));
        assert_eq!(window.get(), 32);
        (0..32).rev().for_each(|in_flight| window.learn(Feedback::Overloaded, in_flight));
        assert_eq!(window.get(), 16);
        window.learn(Feedback::Overloaded, 15);
        assert_eq!(window.get(), 8);
    }
}
