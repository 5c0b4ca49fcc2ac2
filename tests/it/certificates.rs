//! Certificates as operators make them for their own receivers: what will do, and what the log says of what
//! will not.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use world::On;
use world::api::{Api, nodes};
use world::cluster::run;
use world::nginx::{self, Nginx};
use world::program::Site;

/// The certificate and the key that `openssl req -x509` makes for this host.
fn make(host: &str, more: &[&str]) -> (String, String) {
    let folder = TempDir::new().unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30".split(' '));
    openssl.args(["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=our own receiver"]);
    openssl.arg("-addext").arg(format!("subjectAltName=IP:{host}")).args(more);
    run(openssl.current_dir(&folder));
    let read = |file| fs::read_to_string(folder.path().join(file)).unwrap();
    (read("cert.pem"), read("key.pem"))
}

#[tokio::test]
async fn a_self_made_certificate_that_is_no_authority_can_vouch_for_itself() {
    let address = nginx::address();
    let remedy = "basicConstraints=critical,CA:FALSE";
    for (more, is_good) in [(&["-addext", remedy][..], true), (&[], false)] {
        let identity = make(&address.ip().to_string(), more);
        let site = Site::new(On::Sqlite).await.unwrap();
        fs::write(site.folder.path().join("ca.pem"), &identity.0).unwrap();
        let Some(nginx) = Nginx::start(address, "ssl", identity, "").await else { return };
        let [_, live] = site.make_keys();
        let mut server = site.serve().await;
        let api = server.api(&live);
        let target = api.add_target(&nginx.uri(), &[]).await;
        if is_good {
            while api.status(&target).await != "ACTIVE" {
                tokio::task::yield_now().await;
            }
        } else {
            let told = server.hear("no secure connection to a receiver").await;
            assert!(told.contains("CaUsedAsEndEntity") && told.contains(remedy), "{told}");
        }
        let (log, _) = server.stop().await;
        assert!(!log.contains("ERROR"), "{log}");
    }
}

async fn readiness(api: &Api) -> Value {
    let answer = api.client().get(api.at("/readyz")).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_system_without_authorities_is_not_blamed_on_receivers() {
    let mut site = Site::new(On::Sqlite).await.unwrap();
    site.set("SSL_CERT_FILE", "/nowhere");
    site.set("SSL_CERT_DIR", "/nowhere");
    let [_, live] = site.make_keys();
    let address = nginx::address();
    let identity = make(&address.ip().to_string(), &["-addext", "basicConstraints=critical,CA:FALSE"]);
    let Some(stranger) = Nginx::start(address, "ssl", identity, "").await else { return };
    let server = site.serve().await;
    let api = server.api(&live);
    let waiting = api.add_target(&stranger.uri(), &[]).await;
    while readiness(&api).await["status"] != "degraded" {
        tokio::task::yield_now().await;
    }
    let reason = readiness(&api).await["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("certificate authorities"), "{reason}");
    // Whom --extra-ca vouches for is sent to.
    let known = api.add_target(&site.receiver.uri("/hook"), &[]).await;
    while api.status(&known).await != "ACTIVE" {
        tokio::task::yield_now().await;
    }
    let fields = "... on WebhookNotificationTarget { deliveryAttempts { edges { node { id } } } }";
    assert!(nodes(&api.node(&waiting, fields).await["deliveryAttempts"]).is_empty());
    server.stop().await;
    // Without anybody to trust there is nothing to begin with.
    site.set("REPRISE_EXTRA_CA", "");
    let complaint = site.complaint(&["serve"]);
    assert!(complaint.contains("install ca-certificates, or name a file with --extra-ca"), "{complaint}");
}
