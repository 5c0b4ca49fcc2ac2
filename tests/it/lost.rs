//! A machine that is cut off from the network, or whose resolver is: no receiver is charged with it.
//!
//! Each of these stories runs in a network of its own, which has no way out, and with a resolver of its
//! own: this program runs itself there. Where a machine lets nobody have that, they are skipped.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use receiver::Receiver;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::TcpStream;

use world::api::nodes;
use world::cluster::run;
use world::names::{Names, Say};
use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const NAME: &str = "hooks.example.com";

/// For how long what could not be attempted is put off.
const PUT_OFF: Duration = Duration::from_secs(15);

/// Says that a story was begun in a network of its own.
const ALONE: &str = "REPRISE_TEST_ALONE";

#[rstest]
#[case("a_machine_without_a_route_makes_no_failed_attempts")]
#[case("a_resolver_that_says_try_again_makes_no_failed_attempts")]
#[case("a_machine_without_a_free_port_makes_no_failed_attempts")]
#[case("a_busy_target_moves_with_its_name")]
fn alone(#[case] story: &str) {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "--net", "--mount"]);
        unshare
    };
    if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        return skip();
    }
    let resolver = NamedTempFile::new().unwrap();
    fs::write(&resolver, "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n").unwrap();
    let script = r#"ip link set lo up && mount --bind "$1" /etc/resolv.conf &&
        exec "$0" --ignored --exact "lost::$2""#;
    let mut itself = unshare();
    itself.args(["sh", "-c", script]).arg(env::current_exe().unwrap()).arg(resolver.path()).arg(story);
    let said = run(itself.env(ALONE, "yes"));
    assert!(said.contains("1 passed"), "{said}");
}

#[expect(clippy::print_stderr, reason = "what is skipped must be seen")]
fn skip() {
    eprintln!("SKIPPED: stories that need a network of their own, which this machine lets nobody have");
}

/// A world that is alone; none, if somebody runs what is to be ignored.
async fn world() -> Option<World> {
    env::var_os(ALONE)?;
    let change = |settings: &mut reprise::app::Settings| {
        settings.outbound.uris.http = true;
        settings.outbound.connection_age = Duration::from_millis(50);
    };
    World::with(On::Sqlite, change).await
}

async fn attempts(world: &World, target: &str) -> Vec<Value> {
    let fields = "... on WebhookNotificationTarget {
        deliveryAttempts(first: 200) { edges { node { deliveryAttemptStatus } } } }";
    nodes(&world.live.node(target, fields).await["deliveryAttempts"])
}

async fn readiness(world: &World) -> (u16, Value) {
    let answer = world.live.client().get(world.live.at("/readyz")).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

/// It was not attempted, and whoever runs the server is told why; then it comes through.
async fn waits_and_comes_through(world: &World, target: &str, why: &str, cure: impl AsyncFnOnce()) {
    for _ in 0..2 {
        assert_eq!(attempts(world, target).await, [] as [Value; 0]);
        assert_eq!(world.live.status(target).await, "PENDING_VERIFICATION");
        let (status, body) = readiness(world).await;
        assert_eq!((status, &body["status"]), (200, &json!("degraded")), "{body}");
        assert!(body["reason"].as_str().unwrap().contains(why), "{body}");
        world.pass(PUT_OFF).await;
    }
    cure().await;
    world.pass(PUT_OFF).await;
    assert_eq!(world.live.status(target).await, "ACTIVE");
    assert_eq!(attempts(world, target).await, [json!({ "deliveryAttemptStatus": "SUCCESS" })]);
}

#[tokio::test]
#[ignore = "`alone` runs it in a network of its own"]
async fn a_machine_without_a_route_makes_no_failed_attempts() {
    let Some(world) = world().await else { return };
    let there = SocketAddr::from(([192, 0, 2, 1], 8_080));
    let target = world.live.add_target(&format!("http://{there}/hook"), &[ISSUED]).await;
    world.settle().await;
    let mut receiver = None;
    waits_and_comes_through(&world, &target, "no route", async || {
        run(Command::new("ip").args(["address", "add", "192.0.2.1/32", "dev", "lo"]));
        receiver = Some(Receiver::start_plain_at(there).await.unwrap());
    })
    .await;
    // Now that it was there: when it is gone again, that is the receiver's.
    drop(receiver);
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.live.attempts(&event).await[0]["failureReason"], "CONNECT");
}

#[tokio::test]
#[ignore = "`alone` runs it in a network of its own"]
async fn a_machine_without_a_free_port_makes_no_failed_attempts() {
    let Some(world) = world().await else { return };
    let receiver = Receiver::start_plain().await.unwrap();
    let ports = "/proc/sys/net/ipv4/ip_local_port_range";
    let before = fs::read(ports).unwrap();
    // Others may still be called from these ports.
    fs::write(ports, "40000 40007").unwrap();
    let mut all = Vec::new();
    while let Ok(stream) = TcpStream::connect(receiver.address()).await {
        all.push(stream);
    }
    let uri = format!("http://{}/hook", receiver.address());
    let target = world.live.add_target(&uri, &[ISSUED]).await;
    world.settle().await;
    waits_and_comes_through(&world, &target, "no free port", async || fs::write(ports, before).unwrap())
        .await;
}

#[tokio::test]
#[ignore = "`alone` runs it in a network of its own"]
async fn a_resolver_that_says_try_again_makes_no_failed_attempts() {
    let Some(world) = world().await else { return };
    let names = Names::start().await;
    names.say(NAME, Say::TryAgain);
    let receiver = Receiver::start_plain().await.unwrap();
    let uri = receiver.uri("/hook").replace("localhost", NAME);
    let target = world.live.add_target(&uri, &[ISSUED]).await;
    world.settle().await;
    waits_and_comes_through(&world, &target, "resolver", async || {
        names.say(NAME, Say::Address(Ipv4Addr::LOCALHOST));
    })
    .await;
    // A name that does not exist is the receiver's.
    let target = world.live.add_target("http://no.example.com/", &[]).await;
    world.settle().await;
    assert_eq!(attempts(&world, &target).await, [json!({ "deliveryAttemptStatus": "FAILURE" })]);
}

#[tokio::test]
#[ignore = "`alone` runs it in a network of its own"]
async fn a_busy_target_moves_with_its_name() {
    let Some(world) = world().await else { return };
    let names = Names::start().await;
    let old = Receiver::start_plain().await.unwrap();
    let new = Ipv4Addr::new(127, 0, 0, 2);
    names.say(NAME, Say::Address(Ipv4Addr::LOCALHOST));
    let target = world.live.add_target(&old.uri("/hook").replace("localhost", NAME), &[ISSUED]).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    let there = Receiver::start_plain_at(SocketAddr::new(new.into(), old.address().port())).await.unwrap();
    names.say(NAME, Say::Address(new));
    while there.count("/hook") == 0 {
        world.live.publish(ISSUED).await;
        world.settle().await;
    }
    // The old one is not asked any more.
    let before = old.count("/hook");
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.live.publish_many(ISSUED, 20).await;
    world.settle().await;
    assert_eq!(old.count("/hook"), before);
}
