//! Certificates as operators make them for their own receivers: what will do, and what the log says of what
//! will not.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::world::On;
use crate::world::cluster::run;
use crate::world::nginx::{self, Nginx};
use crate::world::program::Site;

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
            let line = server.hear("no secure connection to a receiver").await;
            assert!(line.contains("CaUsedAsEndEntity") && line.contains(remedy), "{line}");
        }
        let (log, _) = server.stop().await;
        assert!(!log.contains("ERROR"), "{log}");
    }
}
