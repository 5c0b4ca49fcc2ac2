//! What lanes let in, and in which order they send.

use entity::Timestamp;

use super::*;
use crate::delivery::buffer::lane::{ROUNDS, SHARE_UNPROVEN};

const LIMITS: Limits = Limits { per_lane: 32, in_flight: 1_024, held: 16_384, pace: Duration::ZERO };

fn target() -> TargetId {
    TargetId::new(Timestamp::from_millis(1_700_000_000_000))
}

/// Claims whatever there is room for; everything asked for is there, and weighs so much.
fn claim(lanes: &mut Lanes<()>, weight: usize) -> usize {
    let demands = lanes.demands();
    let brought: Vec<_> = demands
        .iter()
        .flat_map(|demand| std::iter::repeat_n(demand.target.clone(), usize::try_from(demand.size).unwrap()))
        .map(|target| (target, ((), weight)))
        .collect();
    let count = brought.len();
    lanes.claimed(&demands, brought.into_iter());
    count
}

fn claim_all(lanes: &mut Lanes<()>) -> usize {
    std::iter::repeat_with(|| claim(lanes, 1)).take_while(|count| *count > 0).sum()
}

/// Starts whatever may be started.
fn send(lanes: &mut Lanes<()>) -> usize {
    std::iter::from_fn(|| lanes.next(Instant::now())).count()
}

#[test]
fn a_lane_begins_narrow_and_widens_to_its_limit() {
    let (mut lanes, one) = (Lanes::new(LIMITS), target());
    lanes.feed(one.clone());
    claim(&mut lanes, 1);
    let mut widths = Vec::new();
    for _ in 0..5 {
        let sent = send(&mut lanes);
        widths.push(sent);
        (0..sent).for_each(|_| lanes.freed(&one, 1, Feedback::Well));
    }
    assert_eq!(widths, [2, 4, 8, 16, 32]);
}

#[test]
fn lanes_take_turns() {
    let (mut lanes, many, few) = (Lanes::new(LIMITS), target(), target());
    for (target, number) in [(&many, 1), (&many, 2), (&many, 3), (&few, 4)] {
        assert!(lanes.promise(target, 1));
        lanes.put(target, number, 1);
    }
    let order: Vec<i32> =
        std::iter::from_fn(|| lanes.next(Instant::now())).map(|(number, ..)| number).collect();
    assert_eq!(order, [1, 4, 2]);
}

#[test]
fn a_lane_with_a_pace_spreads_its_attempts() {
    let pace = Duration::from_millis(100);
    let (mut lanes, one, now) = (Lanes::new(Limits { pace, ..LIMITS }), target(), Instant::now());
    for _ in 0..3 {
        assert!(lanes.promise(&one, 1));
        lanes.put(&one, (), 1);
    }
    let mut wait = |now| lanes.next(now).map(|(.., wait)| wait.as_millis());
    let first = wait(now).unwrap();
    assert_eq!(wait(now), Some(first + 100));
    lanes.freed(&one, 1, Feedback::Well);
    assert_eq!(lanes.next(now + 2 * pace).map(|(.., wait)| wait.as_millis()), Some(first));
}

#[test]
fn fifty_targets_that_hang_leave_room_for_the_next() {
    let mut lanes = Lanes::new(LIMITS);
    (0..50).for_each(|_| lanes.feed(target()));
    while claim_all(&mut lanes) + send(&mut lanes) > 0 {}
    let healthy = target();
    assert!(lanes.promise(&healthy, 1));
    lanes.put(&healthy, (), 1);
    assert_eq!(send(&mut lanes), 1);
    (0..50).for_each(|_| assert!(lanes.promise(&healthy, 1)));
}

#[test]
fn a_lane_that_was_not_filled_waits_to_be_fed_again() {
    let (mut lanes, one) = (Lanes::new(LIMITS), target());
    lanes.feed(one.clone());
    let demands = lanes.demands();
    lanes.claimed(&demands, std::iter::once((one.clone(), ((), 1))));
    assert!(lanes.demands().is_empty());
    assert_eq!(send(&mut lanes), 1);
    lanes.freed(&one, 1, Feedback::Well);
    assert!(lanes.are_quiet());
}

#[test]
fn who_is_fed_again_keeps_its_place_in_line() {
    let (mut lanes, first, second) = (Lanes::<()>::new(LIMITS), target(), target());
    for target in [&first, &second, &first] {
        lanes.feed(target.clone());
    }
    let asked: Vec<_> = lanes.demands().into_iter().map(|demand| demand.target).collect();
    assert_eq!(asked, [first, second]);
}

#[test]
fn new_events_leave_half_of_a_lane_to_the_backlog() {
    let (mut lanes, one) = (Lanes::<()>::new(LIMITS), target());
    let promised = |lanes: &mut Lanes<()>| (0..LIMITS.held).take_while(|_| lanes.promise(&one, 1)).count();
    lanes.feed(one.clone());
    let half = SHARE_UNPROVEN.of(LIMITS.held) / 2;
    assert_eq!(promised(&mut lanes), half);
    let demands = lanes.demands();
    assert_eq!(demands[0].size, FIRST_CLAIM.min(half) as u64);
    lanes.claimed(&demands, std::iter::empty());
    assert_eq!(promised(&mut lanes), half, "nothing waits any more");
}

#[test]
fn all_lanes_together_hold_and_send_no_more_than_the_limits() {
    let limits = Limits { in_flight: 100, held: 1_000, ..LIMITS };
    let mut lanes = Lanes::new(limits);
    (0..500).for_each(|_| lanes.feed(target()));
    let held = claim_all(&mut lanes);
    assert!((500..=1_000).contains(&held), "{held}");
    let sent = send(&mut lanes);
    assert_eq!(sent, 100);
}

#[test]
fn heavy_deliveries_take_more_room() {
    let (mut lanes, one) = (Lanes::new(LIMITS), target());
    lanes.feed(one.clone());
    let first = claim(&mut lanes, 8);
    assert_eq!(first, FIRST_CLAIM, "they may be of any weight");
    send(&mut lanes);
    let mut claimed = first;
    while lanes.by_target[&one].holding.weight() * 2 > lanes.by_target[&one].share(lanes.free()) {
        lanes.next(Instant::now());
        lanes.freed(&one, 8, Feedback::Well);
    }
    claimed += claim(&mut lanes, 8);
    assert!(lanes.all.weight() <= lanes.by_target[&one].share(lanes.free()), "{claimed}");
}

#[test]
fn a_lane_of_an_overloaded_target_holds_little_until_an_attempt_succeeds() {
    let (mut lanes, one) = (Lanes::new(LIMITS), target());
    lanes.feed(one.clone());
    while claim_all(&mut lanes) > 0 {}
    lanes.next(Instant::now());
    lanes.next(Instant::now());
    let share = |lanes: &Lanes<()>| lanes.by_target[&one].share(lanes.free());
    lanes.freed(&one, 1, Feedback::Overloaded);
    assert_eq!(share(&lanes), lanes.by_target[&one].window.get());
    lanes.freed(&one, 1, Feedback::Well);
    assert_eq!(share(&lanes), lanes.by_target[&one].window.get() * ROUNDS);
}

#[test]
fn a_slow_target_gets_its_heavy_deliveries_one_by_one() {
    let (mut lanes, one) = (Lanes::new(Limits { per_lane: 1, ..LIMITS }), target());
    assert!(lanes.promise(&one, 200));
    lanes.put(&one, (), 200);
    lanes.feed(one.clone());
    lanes.next(Instant::now());
    lanes.freed(&one, 200, Feedback::Overloaded);
    assert_eq!(lanes.demands()[0].size, 1);
}

#[test]
fn deliveries_that_wait_too_long_for_a_slow_target_are_let_go() {
    let (mut lanes, one) = (Lanes::new(LIMITS), target());
    for (item, weight) in [("first", 5), ("old", 3), ("new", 1), ("old", 3)] {
        assert!(lanes.promise(&one, weight));
        lanes.put(&one, item, weight);
    }
    lanes.next(Instant::now());
    assert!(lanes.withdraw(&one, |_| true, 9).is_empty(), "it may keep up");
    lanes.freed(&one, 5, Feedback::Overloaded);
    assert_eq!(lanes.withdraw(&one, |item| *item == "old", 1), ["old"], "no more than was asked for");
    assert_eq!(lanes.withdraw(&one, |item| *item == "old", 9), ["old"]);
    assert_eq!((lanes.all.weight(), lanes.by_target[&one].holding.weight()), (1, 1));
    assert_eq!(lanes.withdraw(&one, |_| true, 9), ["new"]);
    assert!(lanes.are_quiet());
    assert!(lanes.withdraw(&one, |_| true, 9).is_empty());
}

#[test]
fn a_promise_that_is_not_kept_leaves_nothing_behind() {
    let (mut lanes, one) = (Lanes::<()>::new(LIMITS), target());
    assert!(lanes.promise(&one, 3));
    assert!(lanes.are_expecting() && !lanes.are_quiet());
    lanes.release(&one, 3);
    assert!(!lanes.are_expecting() && lanes.are_quiet());
    lanes.close();
    assert!(!lanes.promise(&one, 1));
}

#[test]
fn deliveries_that_wait_for_their_turn_are_not_sent_yet() {
    for (pace, unsent) in [(Duration::from_secs(1), 1), (Duration::ZERO, 0)] {
        let (mut lanes, one) = (Lanes::new(Limits { pace, ..LIMITS }), target());
        assert!(lanes.unsent().is_empty());
        assert!(lanes.promise(&one, 1));
        lanes.put(&one, (), 1);
        assert_eq!(lanes.unsent().first(), Some(&one), "it is in stock");
        send(&mut lanes);
        assert_eq!(lanes.unsent().len(), unsent);
        lanes.freed(&one, 1, Feedback::Well);
        assert!(lanes.unsent().is_empty());
    }
}
