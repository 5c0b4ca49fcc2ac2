//! Texts of strangers, which are read by people, terminals and mail programs.

use receiver::Answer;
use reprise::app::Settings;
use rstest::rstest;
use serde_json::json;

use super::{ISSUED, attempt};
use world::api::codes;
use world::mailbox::Mailbox;
use world::{On, World};

#[rstest]
#[tokio::test]
async fn names_and_uris_cannot_move_a_reader_s_cursor(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[]).await;
    for harm in [
        "\0",
        "\r\nX: y",
        "\n",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "\u{2066}",
        "\u{206b}",
    ] {
        let name = format!("a{harm}b");
        let input =
            json!({ "name": name, "uri": format!("https://company.com/{harm}"), "subscriptions": [] });
        let broken = [("INVALID_NAME", "input.name"), ("INVALID_URI", "input.uri")];
        let broken = broken.map(|(code, path)| (code.to_owned(), path.to_owned()));
        assert_eq!(world.live.codes("addWebhookNotificationTarget", input).await, broken, "{harm:?}");
        let input = json!({ "targetId": target, "name": name });
        assert_eq!(world.live.codes("renameNotificationTarget", input).await, broken[..1], "{harm:?}");
        let input = json!({ "secretKey": { "name": name } });
        let refused = world.live.call("createSecretAPIKey", input, ("APIKey", "id")).await;
        assert_eq!(codes(&refused)[0].0, "INVALID_NAME", "{harm:?}");
    }
}

#[rstest]
#[tokio::test]
async fn answers_are_kept_without_what_moves_a_cursor(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let body = "\u{1b}[31mno\u{202e} such\r\n\taccount\0\u{9b}\u{7}";
    world.receiver.script("/hook", [Answer::body(500, body)]);
    assert_eq!(attempt(&world).await["responseExcerpt"], "[31mno such\n\taccount");
}

#[rstest]
#[tokio::test]
async fn a_name_stays_within_its_header_of_a_mail(#[values(On::Sqlite, On::Postgres)] on: On) {
    let mailbox = Mailbox::open();
    let settings = |settings: &mut Settings| {
        settings.smtp = Some(mailbox.smtp());
        settings.schedules.live.attempts = 1;
    };
    let Some(world) = World::with(on, settings).await else { return };
    let name = "=?utf-8?q?=0D=0ABcc:_b@example.com?= é\": x".to_owned() + &"long ".repeat(40);
    let uri = world.receiver.uri("/hook?%0D%0ABcc:%20b@example.com");
    let input = json!({ "name": name, "uri": uri, "subscriptions": [ISSUED], "email": "owner@example.com" });
    world.live.target("addWebhookNotificationTarget", input).await;
    world.settle().await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.live.publish(ISSUED).await;
    world.settle().await;
    let mails = mailbox.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    let (head, _) = mail
        .replace("\r\n", "\n")
        .split_once("\n\n")
        .map(|(head, body)| (head.to_owned(), body.to_owned()))
        .unwrap();
    let lines: Vec<_> = head.lines().filter(|line| !line.starts_with([' ', '\t'])).collect();
    let names: Vec<_> = lines.iter().map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(names[..3], ["From", "To", "Subject"], "{head}");
    let rest =
        ["Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "Message-ID", "MIME-Version"];
    assert!(names[3..].iter().all(|name| rest.contains(name)), "{head}");
    assert!(!head.contains("=?utf-8?q?=0D"), "{head}");
    assert!(head.lines().all(|line| line.len() < 100), "{head}");
}
