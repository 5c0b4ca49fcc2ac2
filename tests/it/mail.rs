//! Mails about deactivations: that strict mail servers take them, what they say, and what becomes of one
//! that no server takes.

use std::time::Duration;

use receiver::Answer;
use reprise::app::Settings;
use reprise::app::settings::Smtp;
use rstest::rstest;
use serde_json::{Value, json};

use world::mailbox::{Mailbox, Transport};
use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const OWNER: &str = "owner@example.com";

/// A world that gives up after one attempt, and sends its mails there.
async fn world(on: On, smtp: Smtp, change: impl FnOnce(&mut Settings)) -> Option<World> {
    let settings = |settings: &mut Settings| {
        settings.smtp = Some(smtp);
        settings.schedules.live.attempts = 1;
        change(settings);
    };
    World::with(on, settings).await
}

/// A target of this address that is deactivated.
async fn deactivated(world: &World, email: &str) -> String {
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let input = json!({ "targetId": target, "email": email });
    world.live.target("setEmailForNotificationTarget", input).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.live.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "DEACTIVATED");
    target
}

async fn email_failed_at(world: &World, target: &str) -> Value {
    world.live.node(target, "... on WebhookNotificationTarget { emailFailedAt }").await["emailFailedAt"]
        .clone()
}

#[rstest]
#[tokio::test]
async fn strict_mail_servers_take_it(
    #[values(On::Sqlite, On::Postgres)] on: On,
    #[values(Transport::Plain, Transport::Tls, Transport::StartTls)] transport: Transport,
) {
    let mailbox = Mailbox::over(transport);
    let Some(world) = world(on, mailbox.smtp(), |_| {}).await else { return };
    let target = deactivated(&world, OWNER).await;
    let mails = mailbox.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    for part in [
        "Message-ID: <mail_",
        "@example.com>\r\n",
        "MIME-Version: 1.0\r\n",
        "Auto-Submitted: auto-generated\r\n",
    ] {
        assert!(mail.contains(part), "{part:?} is missing in {mail}");
    }
    assert!(mail.contains(&target), "{mail}");
    assert!(mailbox.greetings().iter().all(|name| name == "example.com"), "{:?}", mailbox.greetings());
    assert_eq!(email_failed_at(&world, &target).await, Value::Null);
}

#[tokio::test]
async fn the_server_greets_by_the_configured_name() {
    let mailbox = Mailbox::open();
    let smtp = Smtp { ehlo_name: Some("reprise.company.com".to_owned()), ..mailbox.smtp() };
    let world = world(On::Sqlite, smtp, |_| {}).await.unwrap();
    deactivated(&world, OWNER).await;
    assert_eq!((mailbox.mails().len(), mailbox.greetings()), (1, vec!["reprise.company.com".to_owned()]));
}

#[tokio::test]
async fn a_mail_server_of_an_unknown_authority_gets_nothing() {
    let mailbox = Mailbox::over(Transport::Tls);
    let world = world(On::Sqlite, mailbox.smtp(), |_| {}).await.unwrap();
    // What trusts the authority is the receiver's; for the mail server there is none.
    let strange = Smtp { from: "reprise@example.com".to_owned(), ..mailbox.smtp() };
    let server = reprise::app::MailServer::new(&strange, None).unwrap();
    let row = entity::mail::Model {
        id: entity::MailId::new(world.app.now()),
        recipient: OWNER.to_owned(),
        subject: "Hello".to_owned(),
        body: "Hello".to_owned(),
        due_at: world.app.now(),
        attempts: 1,
        created_at: world.app.now(),
        target_id: None,
    };
    assert!(server.send(&row).await.is_err());
    assert_eq!(mailbox.mails().len(), 0);
}

#[rstest]
#[tokio::test]
async fn it_tells_the_settings_in_force(#[values(On::Sqlite, On::Postgres)] on: On) {
    let mailbox = Mailbox::open();
    let change = |settings: &mut Settings| {
        settings.outbound.deadline = Duration::from_secs(7);
        settings.retention = Duration::from_hours(8 * 24);
        settings.removal_after = Duration::from_hours(36);
    };
    let Some(world) = world(on, mailbox.smtp(), change).await else { return };
    deactivated(&world, OWNER).await;
    // Long lines are broken on the way, and end in `=` there.
    let mail = mailbox.mails().concat().replace("=\r\n", "");
    for part in ["within\r\n   7 seconds.", "kept for 8 days.", "more than\r\n36 hours is removed"] {
        assert!(mail.contains(part), "{part:?} is missing in {mail}");
    }
}

#[rstest]
#[tokio::test]
async fn a_domain_in_other_letters_gets_its_mail(#[values(On::Sqlite, On::Postgres)] on: On) {
    let mailbox = Mailbox::open();
    let smtp = Smtp { from: "Reprise <reprise@straße.example>".to_owned(), ..mailbox.smtp() };
    let Some(world) = world(on, smtp, |_| {}).await else { return };
    let target = deactivated(&world, "owner@bücher.example").await;
    assert_eq!(mailbox.mails().len(), 1);
    assert!(mailbox.recipients()[0].contains("owner@xn--bcher-kva.example"), "{:?}", mailbox.recipients());
    let shown = world.live.node(&target, "... on WebhookNotificationTarget { email }").await;
    assert_eq!(shown["email"], "owner@bücher.example");

    for cannot_be_sent in ["büro@example.com", "owner@ab--cdé.example"] {
        let input = json!({ "targetId": target, "email": cannot_be_sent });
        let refused = [("INVALID_EMAIL".to_owned(), "input.email".to_owned())];
        assert_eq!(
            world.live.codes("setEmailForNotificationTarget", input).await,
            refused,
            "{cannot_be_sent}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn an_address_of_an_odd_form_gets_its_mail(
    #[values("a@[127.0.0.1]", "a@[IPv6:::1]", "-f@example.com", "a%b@example.com")] email: &str,
) {
    let mailbox = Mailbox::open();
    let world = world(On::Sqlite, mailbox.smtp(), |_| {}).await.unwrap();
    deactivated(&world, email).await;
    assert_eq!((mailbox.mails().len(), mailbox.recipients()), (1, vec![email.to_owned()]));
}

#[rstest]
#[tokio::test]
async fn a_mail_that_was_given_up_is_shown_at_its_target(#[values(On::Sqlite, On::Postgres)] on: On) {
    let mailbox = Mailbox::open();
    mailbox.refuse(usize::MAX);
    let Some(world) = world(on, mailbox.smtp(), |_| {}).await else { return };
    let target = deactivated(&world, OWNER).await;
    for _ in 1..12 {
        assert_eq!(email_failed_at(&world, &target).await, Value::Null);
        world.pass(Duration::from_hours(21)).await;
    }
    assert_eq!(email_failed_at(&world, &target).await, json!(world.app.now().to_string()));
    world.pass(Duration::from_hours(21)).await;
    assert_eq!((mailbox.recipients().len(), mailbox.mails().len()), (12, 0));

    let input = json!({ "targetId": target, "email": "another@example.com" });
    world.live.target("setEmailForNotificationTarget", input).await;
    assert_eq!(email_failed_at(&world, &target).await, Value::Null);
}

#[rstest]
#[tokio::test]
async fn deliveries_claimed_together_are_sent_concurrently(#[values(On::Sqlite, On::Postgres)] on: On) {
    const CLAIMED: usize = 10;
    let mailbox = Mailbox::open();
    let Some(world) = world(on, mailbox.smtp(), |_| {}).await else { return };
    for number in 0..CLAIMED {
        let path = format!("/hook/{number}");
        let target = world.active_target(&world.live, &path, &[ISSUED]).await;
        let input = json!({ "targetId": target, "email": OWNER });
        world.live.target("setEmailForNotificationTarget", input).await;
        world.receiver.script(&path, [Answer::Status(500)]);
    }
    // One after the other, the first would wait for the second for ever.
    mailbox.wait_for(CLAIMED);
    world.live.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(mailbox.mails().len(), CLAIMED);
}
