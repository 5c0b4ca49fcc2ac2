//! The clock of a PostgreSQL that servers go by is set while they run: by an hour back, by forty days ahead.

use std::fs;
use std::time::Duration;

use receiver::Answer;
use serde_json::Value;
use tokio::time::timeout;

use crate::endurance::ISSUED;
use crate::own::Own;
use world::program::Site;

/// Whoever waits longer waits for what does not come.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(120);

async fn arrive(site: &Site, notifications: usize) {
    for _ in 0..notifications {
        timeout(NOTIFICATION_TIMEOUT, site.receiver.next("/hook")).await.expect("a notification comes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_whose_clock_is_set_stops_no_retry_and_removes_nothing() {
    let Some((own, clock)) = Own::start_with_a_clock() else { return };
    let mut site = Site::at(&own.url()).await;
    site.set("REPRISE_TEST_RETRIES", "attempts=1000,first=300ms,factor=1,jitter=0");
    site.set("REPRISE_MAINTENANCE_INTERVAL", "50ms");
    let [key, _] = site.make_keys();
    let mut server = site.serve().await;
    let api = server.api(&key);
    let target = api.add_target(&site.receiver.uri("/hook"), &[ISSUED]).await;
    while api.status(&target).await != "ACTIVE" {
        tokio::task::yield_now().await;
    }
    site.receiver.script("/hook", [Answer::Status(500)]);
    let event = api.publish(ISSUED).await;
    arrive(&site, 3).await;
    for (seconds, direction) in [("-3600", "back"), ("+3456000", "forward")] {
        fs::write(&clock, seconds).unwrap();
        server.heard(&["the clock was set", direction]).await;
        arrive(&site, 5).await;
        server.stop().await;
        // Who starts now finds the clock as it is.
        server = site.serve().await;
        arrive(&site, 5).await;
        assert_ne!(server.api(&key).node(&event, "").await, Value::Null);
    }
    server.stop().await;
}
