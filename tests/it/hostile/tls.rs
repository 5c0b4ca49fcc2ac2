//! Receivers whose TLS is not what it should be.

use receiver::{Act, Certificate, Protocols, Receiver, Rogue};
use rstest::rstest;

use super::{SHORT, failure, first_contact, success};
use world::{On, World, authority};

#[rstest]
#[tokio::test]
async fn certificates_must_be_valid_now_and_for_the_name(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    for (certificate, end) in [
        (Certificate::Valid, success()),
        (Certificate::Expired, failure(None, "TLS")),
        (Certificate::Premature, failure(None, "TLS")),
        (Certificate::Misnamed, failure(None, "TLS")),
    ] {
        let receiver = Receiver::start_as(authority(), certificate, Protocols::Both).await.unwrap();
        assert_eq!(first_contact(&world, &receiver.uri("/hook")).await, end, "{certificate:?}");
        assert_eq!(receiver.count("/hook"), usize::from(end == success()), "{certificate:?}");
    }
}

#[rstest]
#[tokio::test]
async fn protocols_before_tls_1_2_are_refused(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let hasty = World::with(on, |settings| settings.outbound.deadline = SHORT).await.unwrap();
    // What a server that knows TLS 1.1 at best answers to a greeting: its hello, or an alert.
    let hello = [&[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 47, 0]].concat();
    let alert = vec![21, 3, 1, 0, 2, 2, 70];
    for (act, end) in [
        (Act::say(hello), failure(None, "TLS")),
        (Act::say(alert), failure(None, "TLS")),
        (Act::say("SSH-2.0-OpenSSH_9.2\r\n"), failure(None, "TLS")),
        (Act::say("HTTP/1.1 400 Bad Request\r\n\r\n"), failure(None, "TLS")),
        (Act::say(""), failure(None, "TIMEOUT")),
        (Act::flood("", vec![22, 3, 3]), failure(None, "TLS")),
        (Act::SayAndClose(Vec::new().into()), failure(None, "CONNECT")),
    ] {
        let rogue = Rogue::start_bare([act.clone()]).await.unwrap();
        let world = if end == failure(None, "TIMEOUT") { &hasty } else { &world };
        assert_eq!(first_contact(world, &rogue.uri("/hook")).await, end, "{act:?}");
        rogue.ended(1).await;
    }
}

#[rstest]
#[tokio::test]
async fn either_http_will_do(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    for (protocols, version) in [(Protocols::Http1, "HTTP/1.1"), (Protocols::Http2, "HTTP/2.0")] {
        let receiver = Receiver::start_as(authority(), Certificate::Valid, protocols).await.unwrap();
        assert_eq!(first_contact(&world, &receiver.uri("/hook")).await, success());
        assert_eq!(format!("{:?}", receiver.next("/hook").await.version), version);
    }
}
