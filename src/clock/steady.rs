//! A time that follows a clock, but not its jumps.
//!
//! It runs with the machine. When the clock that it follows is set, it goes on as before, and makes
//! up for the difference by running a tenth faster or slower. So a schedule takes as long as it was
//! meant to, within a tenth, and time never goes back.

use std::fmt;
use std::sync::Arc;

use entity::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use crate::clock::Runner;

/// A difference up to this many milliseconds is no jump: clocks are corrected by little all the time, and
/// measuring takes a moment. It is followed at once.
pub const TOLERANCE: i64 = 1_000;

/// Of each millisecond that passes, one in so many makes up for a difference.
const ONE_IN: i64 = 10;

/// By how much a time is away from the clock that it follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detour {
    /// What the clock showed when this began.
    pub since: Timestamp,
    /// By how many milliseconds the time was ahead then.
    pub ahead: i64,
}

impl Detour {
    /// A time that goes on at `now` although the clock shows something else.
    pub fn between(now: Timestamp, clock: Timestamp) -> Self {
        Self { since: clock, ahead: now.millis_after(clock) }
    }

    /// The time when the clock shows this.
    pub fn time(&self, clock: Timestamp) -> Timestamp {
        let made_up_for = clock.millis_after(self.since).max(0) / ONE_IN;
        clock.later_by(self.ahead.signum() * (self.ahead.saturating_abs() - made_up_for).max(0))
    }
}

/// What was noticed of the clock that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// By how many milliseconds it was set forward; negative if it was set back.
    pub by: i64,
    /// How the time goes on.
    pub detour: Detour,
}

/// The time. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Steady {
    runner: Runner,
    course: Arc<Mutex<Course>>,
}

#[derive(Debug, Clone, Copy)]
struct Course {
    /// How many milliseconds the clock is ahead of the runner, as it was seen last.
    offset: i64,
    detour: Detour,
}

impl Course {
    fn followed(&self, running: i64) -> Timestamp {
        Timestamp::from_millis(running.saturating_add(self.offset))
    }

    fn time(&self, running: i64) -> Timestamp {
        self.detour.time(self.followed(running))
    }
}

impl Steady {
    /// A time that is away from its clock by `detour`; the clock showed `clock` when the runner had run so long.
    pub fn new(runner: Runner, running: i64, clock: Timestamp, detour: Detour) -> Self {
        let course = Course { offset: clock.as_millis() - running, detour };
        Self { runner, course: Arc::new(Mutex::new(course)) }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.course().time(self.runner.millis())
    }

    /// The time, and what the clock that it follows shows then, as it was seen last.
    pub fn with_followed(&self) -> (Timestamp, Timestamp) {
        let (course, running) = (self.course(), self.runner.millis());
        (course.time(running), course.followed(running))
    }

    /// The clock showed `clock` when the runner had run so long, give or take `error` milliseconds, and the time is
    /// known to be away from it by `known`. If it was set, the time goes on from where it is.
    pub fn look(&self, running: i64, clock: Timestamp, error: i64, known: Detour) -> Option<Jump> {
        let mut course = self.course();
        let (expected, was) = (course.time(running), course.followed(running));
        let is_jump = known.time(clock).millis_after(expected).abs() > TOLERANCE + error;
        let detour = if is_jump { Detour::between(expected, clock) } else { known };
        *course = Course { offset: clock.as_millis() - running, detour };
        is_jump.then(|| Jump { by: clock.millis_after(was), detour })
    }

    /// How the time is away from its clock.
    pub fn detour(&self) -> Detour {
        self.course().detour
    }

    /// What it runs by.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock()
    }
}

impl fmt::Debug for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Steady({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::ManualClock;

    const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: i64 = 3_600_000;

    /// A clock on the wall, a runner, and the time that goes by both.
    struct Room {
        wall: ManualClock,
        runner: ManualClock,
        steady: Steady,
    }

    impl Room {
        fn new() -> Self {
            let (wall, runner) = (ManualClock::at(START), ManualClock::at(Timestamp::from_millis(0)));
            let steady = Steady::new(Runner::ByHand(runner.clone()), 0, START, Detour::default());
            Self { wall, runner, steady }
        }

        fn set(&self, millis: i64) {
            let by = Duration::from_millis(millis.unsigned_abs());
            if millis < 0 { self.wall.turn_back(by) } else { self.wall.advance(by) }
        }

        fn pass(&self, time: Duration) -> Option<Jump> {
            self.wall.advance(time);
            self.runner.advance(time);
            let (running, known) = (self.runner.shows().as_millis(), self.steady.detour());
            self.steady.look(running, self.wall.shows(), 0, known)
        }

        /// By how much the time is ahead of the wall.
        fn ahead(&self) -> i64 {
            self.steady.now().millis_after(self.wall.shows())
        }
    }

    #[test]
    fn a_jump_is_made_up_for_by_a_tenth_of_the_time() {
        for by in [HOUR, -HOUR, 40 * 24 * HOUR, -40 * 24 * HOUR, 1_001, -1_001] {
            let room = Room::new();
            room.pass(SECOND);
            room.set(by);
            let jump = room.pass(SECOND).unwrap();
            assert_eq!((jump.by, room.ahead()), (by, -by));
            assert_eq!(room.steady.now().millis_after(START), 2_000);
            assert_eq!(room.steady.with_followed().1, room.wall.shows(), "stamps go by the clock");
            let whole = Duration::from_millis(by.unsigned_abs() * 10);
            assert_eq!(room.pass(whole / 2), None);
            assert!((room.ahead() + by / 2).abs() <= 1, "{by}: {}", room.ahead());
            assert_eq!(room.pass(whole / 2), None);
            assert_eq!(room.ahead(), 0);
        }
    }

    #[test]
    fn a_jump_there_and_back_leaves_nearly_nothing() {
        for by in [40 * 24 * HOUR, -HOUR] {
            let room = Room::new();
            room.set(by);
            room.pass(SECOND * 4);
            room.set(-by);
            room.pass(SECOND);
            assert!(room.ahead().abs() <= 400, "{by}: {}", room.ahead());
        }
    }

    #[test]
    fn few_outcomes_are_written_together_with_the_next_ones() {
        for by in [1, -1, 999, -999] {
            let room = Room::new();
            room.set(by);
            assert_eq!(room.pass(SECOND), None);
            assert_eq!(room.ahead(), 0);
        }
    }

    #[test]
    fn a_jump_that_another_replica_noticed_is_not_counted_again() {
        let room = Room::new();
        room.set(-HOUR);
        let clock = room.wall.shows();
        let known = Detour::between(START, clock);
        assert_eq!(room.steady.look(0, clock, 0, known), None);
        assert_eq!((room.steady.now(), room.steady.detour()), (START, known));
    }

    proptest! {
        #[test]
        fn time_never_goes_back_and_is_never_a_tenth_off(
            steps in prop::collection::vec((0_u64..3_600_000, prop_oneof![
                Just(0_i64), 1_001_i64..10_000_000_000, -10_000_000_000_i64..-1_001,
            ]), 1..50),
        ) {
            let room = Room::new();
            for (passed, by) in steps {
                let before = room.steady.now();
                room.set(by);
                room.pass(Duration::from_millis(passed));
                let went = room.steady.now().millis_after(before);
                let passed = i64::try_from(passed).unwrap();
                prop_assert!(went >= passed * 9 / 10 - 1 && went <= passed * 11 / 10 + 1, "{passed}: {went}");
            }
        }
    }
}
