//! Receivers whose server takes few requests over one connection: a real nginx. What it did not read
//! is no attempt. And connections that become old.
//!
//! That is all between two sockets, so SQLite will do.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::api::nodes;
use crate::world::cluster::watchdog;
use crate::world::{On, World, authority};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const EVENTS: usize = 600;

/// An nginx on an address of its own. It ends with this value, however the process ends.
struct Nginx {
    folder: TempDir,
    uri: String,
    _watchdog: Child,
}

impl Nginx {
    /// Takes so many requests over a connection. None: there is no nginx on this machine.
    async fn start(listen: &str, requests: usize) -> Option<Self> {
        if !Command::new("nginx").arg("-v").output().is_ok_and(|output| output.status.success()) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no nginx on this machine, and CI=true");
            return None;
        }
        let address = Ipv4Addr::new(127, rand::random(), rand::random(), rand::random_range(1..=254));
        // Nobody else asks for a port of this address in between.
        let free = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap();
        let folder = TempDir::new().unwrap();
        let (certificate, key) = authority().identity(&[&address.to_string()]);
        fs::write(folder.path().join("cert.pem"), certificate).unwrap();
        fs::write(folder.path().join("key.pem"), key).unwrap();
        fs::write(folder.path().join("nginx.conf"), configuration(&format!("{free} {listen}"), requests))
            .unwrap();
        let script = r#"nginx -e error.log -p "$0" -c nginx.conf & cat; kill $!; wait"#;
        let watchdog = watchdog(script).arg(folder.path()).spawn().expect("there is a shell");
        while TcpStream::connect(free).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(Self { folder, uri: format!("https://{free}/hook"), _watchdog: watchdog })
    }

    /// The requests that it has answered, each with the status and the number of its connection.
    fn answered(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

fn configuration(listen: &str, requests: usize) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.map(|kind| format!("{kind}_temp_path {kind};\n")).concat();
    let user = if is_root() { "user root;" } else { "" };
    format!(
        "daemon off; pid nginx.pid; worker_processes 1; {user}
        events {{ worker_connections 4096; }}
        http {{
            {temporary}
            log_format short '$status $connection';
            access_log access.log short;
            server {{
                listen {listen};
                ssl_certificate cert.pem;
                ssl_certificate_key key.pem;
                keepalive_requests {requests};
                location / {{ return 200 ok; }}
            }}
        }}"
    )
}

/// Workers of an nginx that root has started are somebody else, who may not read the folder.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// All attempts at a target.
async fn attempts(world: &World, target: &str) -> Vec<Value> {
    let (mut attempts, mut after) = (Vec::new(), Value::Null);
    let query = "query($id: ID!, $after: String) { node(id: $id) { ... on WebhookNotificationTarget {
        deliveryAttempts(first: 200, after: $after) {
            edges { node { deliveryAttemptStatus } } pageInfo { endCursor hasNextPage } } } } }";
    loop {
        let mut page = world.live.ok(query, json!({ "id": target, "after": after })).await;
        let page = page["node"]["deliveryAttempts"].take();
        attempts.extend(nodes(&page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return attempts;
        }
    }
}

#[rstest]
#[case::few_over_http_2("ssl http2", 7)]
#[case::one_over_http_2("ssl http2", 1)]
#[case::few_over_http_1("ssl", 7)]
#[tokio::test]
async fn what_a_receiver_did_not_read_before_its_goodbye_is_no_attempt(
    #[case] listen: &str,
    #[case] requests: usize,
) {
    let Some(nginx) = Nginx::start(listen, requests).await else { return };
    // Nothing here is about time, and the machine may be slow.
    let world = World::with(On::Sqlite, |settings| settings.deadline = Duration::from_secs(120));
    let world = world.await.unwrap();
    let target = world.live.add_target(&nginx.uri, &[ISSUED]).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    world.live.publish_many(ISSUED, EVENTS).await;
    world.settle().await;
    let attempts = attempts(&world, &target).await;
    assert_eq!(attempts, vec![json!({ "deliveryAttemptStatus": "SUCCESS" }); 1 + EVENTS]);
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    // Each once, and none twice.
    let answered = nginx.answered();
    assert_eq!(answered.iter().filter(|line| line.starts_with("200 ")).count(), 1 + EVENTS);
    assert_eq!(answered.len(), 1 + EVENTS);
}

#[tokio::test]
async fn a_busy_connection_is_left_when_it_is_old() {
    let world = World::with(On::Sqlite, |settings| settings.connection_age = Duration::from_millis(30));
    let world = world.await.unwrap();
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    while world.receiver.connections() < 5 {
        world.live.publish(ISSUED).await;
        world.settle().await;
    }
}
