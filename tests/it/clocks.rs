//! Clocks that are set: by an hour, by forty days, while the server runs and while it does not.
//!
//! Two hands are moved: that of the clock, and that of what runs evenly. And the real program is told a
//! wrong time.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use entity::Timestamp;
use receiver::Answer;
use reprise::app::timekeeper::{Source, Timekeeper};
use reprise::clock::{Clock, Detour, ManualClock, Runner};
use reprise::db::Db;
use rstest::rstest;
use serde_json::Value;
use tokio::time::timeout;

use world::program::{Server, Site};
use world::{On, START, World, faketime};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);
const FORTY_DAYS: Duration = Duration::from_hours(40 * 24);
/// Whoever waits longer waits for what does not come.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(120);

/// A server's view of the time.
struct Watch {
    wall: ManualClock,
    runner: ManualClock,
    keeper: Timekeeper,
    noted: Detour,
}

impl Watch {
    async fn begin(db: &Db, wall: Timestamp) -> Self {
        let (wall, runner) = (ManualClock::at(wall), ManualClock::at(Timestamp::from_millis(5_000)));
        let source = Source::Own(Clock::by_hand(&wall));
        let keeper = Timekeeper::begin(db, source, Runner::ByHand(runner.clone())).await.unwrap();
        Self { wall, runner, keeper, noted: Detour::default() }
    }

    async fn pass(&mut self, time: Duration) {
        self.wall.advance(time);
        self.runner.advance(time);
        self.keeper.look(&mut self.noted).await.unwrap();
    }

    fn now(&self) -> Timestamp {
        self.keeper.clock().now()
    }
}

/// A database whose newest row is of the start of all stories.
async fn database(on: On) -> Option<World> {
    let world = World::on(on).await?;
    world.live.publish(ISSUED).await;
    Some(world.without_engine().await)
}

#[rstest]
#[tokio::test]
async fn time_goes_on_when_the_clock_is_set_while_a_server_runs(
    #[values(On::Sqlite, On::Postgres)] on: On,
    #[values(true, false)] back: bool,
) {
    let Some(world) = database(on).await else { return };
    let mut watch = Watch::begin(&world.app.db, START).await;
    watch.pass(SECOND).await;
    if back {
        watch.wall.turn_back(HOUR);
    } else {
        watch.wall.advance(FORTY_DAYS);
    }
    watch.pass(SECOND).await;
    assert_eq!(watch.now(), START + SECOND * 2);
    assert_eq!(watch.keeper.clock().with_stamp().1, watch.wall.shows());
    watch.pass(SECOND * 10).await;
    assert_eq!(watch.now(), START + SECOND * 2 + if back { SECOND * 9 } else { SECOND * 11 });

    // Whoever starts now goes by the same time.
    let again = Watch::begin(&world.app.db, watch.wall.shows()).await;
    assert_eq!(again.now(), watch.now());
}

#[rstest]
#[tokio::test]
async fn time_goes_on_when_the_clock_was_set_back_while_no_server_ran(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = database(on).await else { return };
    let mut watch = Watch::begin(&world.app.db, START - HOUR).await;
    assert_eq!(watch.now(), START);
    watch.pass(SECOND * 10).await;
    assert_eq!(watch.now(), START + SECOND * 9);
    let mut again = Watch::begin(&world.app.db, START - HOUR + SECOND * 10).await;
    assert_eq!(again.now(), START + SECOND * 9);
    again.pass(HOUR * 10).await;
    assert_eq!(again.now(), again.wall.shows());
}

#[tokio::test]
async fn a_clock_that_was_put_right_while_no_server_ran_is_believed() {
    let world = database(On::Sqlite).await.unwrap();
    for years in [1, 50] {
        let mut lost = Watch::begin(&world.app.db, START - FORTY_DAYS * 9 * years).await;
        lost.pass(SECOND).await;
        assert!(lost.now() >= START, "{years}");
        let right = Watch::begin(&world.app.db, START + HOUR).await;
        assert_eq!(right.now(), START + HOUR, "{years}");
    }
}

#[tokio::test]
async fn replicas_agree_no_matter_which_notices_first() {
    let Some(world) = database(On::Postgres).await else { return };
    let mut one = Watch::begin(&world.app.db, START).await;
    let mut other = Watch::begin(&world.app.db, START).await;
    for watch in [&one, &other] {
        watch.wall.turn_back(HOUR);
    }
    one.pass(SECOND).await;
    let third = Watch::begin(&world.app.db, one.wall.shows()).await;
    other.pass(SECOND).await;
    assert_eq!((one.now(), third.now()), (START + SECOND, START + SECOND));
    assert_eq!(other.now(), one.now());
}

/// The real program, told the time by a file.
async fn site_with_a_clock(on: On) -> Option<(Site, PathBuf)> {
    let (library, mut site) = (faketime::library()?, Site::new(on).await?);
    let file = site.folder.path().join("clock");
    fs::write(&file, "+0").unwrap();
    for (name, value) in faketime::environment(&library, &file) {
        site.set(name, value);
    }
    site.set("REPRISE_LIVE_RETRIES", "attempts=1000,first=300ms,factor=1,jitter=0");
    site.set("REPRISE_MAINTENANCE_INTERVAL", "50ms");
    Some((site, file))
}

/// The key for LIVE of the first start.
fn live_key(site: &Site) -> String {
    let text = fs::read_to_string(site.folder.path().join("reprise.first-keys")).unwrap();
    text.split_whitespace().find(|word| word.starts_with("sk_live_")).unwrap().to_owned()
}

async fn arrive(site: &Site, notifications: usize) {
    for _ in 0..notifications {
        timeout(NOTIFICATION_TIMEOUT, site.receiver.next("/hook")).await.expect("a notification comes");
    }
}

async fn first_start(site: &Site) -> Server {
    let mut server = site.serve().await;
    server.hear("this is the first start").await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_stops_no_retry_also_after_a_restart() {
    let Some((site, clock)) = site_with_a_clock(On::Sqlite).await else { return };
    let mut server = first_start(&site).await;
    let api = server.api(&live_key(&site));
    crate::secrets::site::active_target(&api, &site.receiver, "/hook").await;
    site.receiver.script("/hook", [Answer::Status(500)]);
    api.publish(ISSUED).await;
    arrive(&site, 3).await;
    fs::write(&clock, "-3600").unwrap();
    let told = server.hear("the clock was set").await;
    assert!(told.contains("back") && told.contains("WARN"), "{told}");
    arrive(&site, 5).await;
    server.stop().await;
    let server = site.serve().await;
    arrive(&site, 5).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_forty_days_ahead_for_a_while_removes_nothing() {
    let Some((site, clock)) = site_with_a_clock(On::Sqlite).await else { return };
    let mut server = first_start(&site).await;
    let key = live_key(&site);
    let api = server.api(&key);
    crate::secrets::site::active_target(&api, &site.receiver, "/hook").await;
    let event = api.publish(ISSUED).await;
    arrive(&site, 2).await;
    fs::write(&clock, format!("+{}", FORTY_DAYS.as_secs())).unwrap();
    server.hear("the clock was set").await;
    // Long enough for many runs of what removes.
    tokio::time::sleep(SECOND).await;
    api.publish(ISSUED).await;
    arrive(&site, 1).await;
    assert_ne!(api.node(&event, "").await, Value::Null);
    server.stop().await;

    // Nor does a start that finds the clock ahead.
    let server = site.serve().await;
    let api = server.api(&key);
    tokio::time::sleep(SECOND).await;
    api.publish(ISSUED).await;
    arrive(&site, 1).await;
    assert_ne!(api.node(&event, "").await, Value::Null);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgres_does_not_mind_its_own_clock() {
    let Some((site, clock)) = site_with_a_clock(On::Postgres).await else { return };
    let mut server = first_start(&site).await;
    let key = live_key(&site);
    let api = server.api(&key);
    crate::secrets::site::active_target(&api, &site.receiver, "/hook").await;
    site.receiver.script("/hook", [Answer::Status(500)]);
    let event = api.publish(ISSUED).await;
    arrive(&site, 3).await;
    for seconds in ["-3600", "+3456000"] {
        fs::write(&clock, seconds).unwrap();
        arrive(&site, 5).await;
        let (log, _) = server.stop().await;
        assert!(!log.contains("the clock was set"), "{log}");
        server = site.serve().await;
        arrive(&site, 5).await;
        assert_ne!(server.api(&key).node(&event, "").await, Value::Null);
    }
    server.stop().await;
}
