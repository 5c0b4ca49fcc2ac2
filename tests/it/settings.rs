//! What the program is told, and what it says: settings from the environment, files with secrets,
//! signals, and the first keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use receiver::{Answer, Gate};
use rstest::rstest;
use serde_json::{Value, json};

use world::On;
use world::program::{Server, Site};

/// Every variable that `reprise serve` says it knows.
fn variables(site: &Site) -> Vec<String> {
    let help = String::from_utf8(site.run(&["serve", "--help"]).stdout).unwrap();
    let named = help.split("[env: ").skip(1);
    named.map(|rest| rest.split(['=', ']']).next().unwrap().to_owned()).collect()
}

fn mode(file: &Path) -> u32 {
    file.metadata().unwrap().permissions().mode() & 0o777
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_empty_is_as_good_as_none(#[values("", "  ")] nothing: &str) {
    let site = Site::new(On::Sqlite).await.unwrap();
    let variables = variables(&site);
    assert!(variables.len() > 30, "{variables:?}");
    let secrets = ["REPRISE_ENCRYPTION_KEY", "REPRISE_SMTP_URL"];
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().map(String::as_str).chain(secrets).map(|name| (name, nothing)));
    let mut server = Server::start(command);
    server.wait().await;
    server.stop().await;

    for words in [&["keys", "list"][..], &["organizations", "list"], &["migrate"]] {
        let output = site.command(words).env("DATABASE_URL", nothing).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[tokio::test]
async fn a_switch_is_turned_by_any_of_the_usual_words() {
    let site = Site::new(On::Sqlite).await.unwrap();
    for name in ["REPRISE_PAUSED", "REPRISE_ALLOW_HTTP_TARGETS", "REPRISE_ALLOW_PRIVATE_TARGETS"] {
        let complaint = |value: &str| {
            let output = site.command(&["serve", "--lease", "1s"]).env(name, value).output().unwrap();
            String::from_utf8(output.stderr).unwrap()
        };
        for word in ["1", "true", "True", "yes", "on", "0", "false", "FALSE", "no", "off", ""] {
            assert!(complaint(word).contains("error: --lease is 1s"), "{name}={word}: {}", complaint(word));
        }
        for word in ["2", "maybe", "tru e"] {
            assert!(complaint(word).contains("invalid value"), "{name}={word}: {}", complaint(word));
        }
    }
}

#[rstest]
#[case("on", true)]
#[case("1", true)]
#[case("off", false)]
#[case("0", false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_paused_by_a_word_that_says_so(#[case] word: &str, #[case] is_paused: bool) {
    let mut site = Site::new(On::Sqlite).await.unwrap();
    site.set("REPRISE_PAUSED", word);
    let (log, _) = site.serve().await.stop().await;
    assert_eq!(log.contains("nothing is delivered, mailed or removed"), is_paused, "{log}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_is_named_is_made_when_it_is_missing(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut site) = Site::new(on).await else { return };
    let file = site.folder.path().join("my.key");
    site.set("REPRISE_ENCRYPTION_KEY_FILE", file.to_str().unwrap());
    site.serve().await.stop().await;
    assert_eq!(mode(&file), 0o600);
    assert!(!site.folder.path().join("reprise.key").exists());
    let key = fs::read(&file).unwrap();
    site.serve().await.stop().await;
    assert_eq!(fs::read(&file).unwrap(), key);
}

#[rstest]
#[case("nowhere/my.key", "could not be written")]
#[case("ca.pem", "holds no encryption key")]
#[tokio::test]
async fn a_start_without_a_key_leaves_no_database_behind(#[case] file: &str, #[case] why: &str) {
    let mut site = Site::new(On::Sqlite).await.unwrap();
    site.set("REPRISE_ENCRYPTION_KEY_FILE", file);
    let complaint = site.complaint(&["serve"]);
    assert!(complaint.contains(why), "{complaint}");
    let databases = fs::read_dir(site.folder.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        ["reprise.db", "reprise.db-wal", "reprise.key"].iter().any(|other| name == *other)
    });
    assert_eq!(databases.count(), 0);
}

#[rstest]
#[case(0o644, true)]
#[case(0o604, true)]
#[case(0o640, false)]
#[case(0o400, false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_everybody_can_read_is_warned_of(#[case] mode: u32, #[case] is_told: bool) {
    let site = Site::new(On::Sqlite).await.unwrap();
    let [key, database] = ["reprise.key", "reprise.db"].map(|name| site.folder.path().join(name));
    fs::write(&key, "07".repeat(32)).unwrap();
    fs::write(&database, []).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
    fs::set_permissions(&database, Permissions::from_mode(mode | 0o600)).unwrap();
    let (log, _) = site.serve().await.stop().await;
    for what in ["a file that holds a secret", "the database"] {
        let told = format!("everybody on this machine can read {what}");
        assert_eq!(log.contains(&told), is_told, "{log}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_first_keys_are_in_a_file_where_nobody_watches(#[values("text", "json")] format: &'static str) {
    let mut site = Site::new(On::Sqlite).await.unwrap();
    site.set("REPRISE_LOG_FORMAT", format);
    let mut server = site.begin_to_serve();
    let told = server.hear("this is the first start").await;
    assert!(told.contains("reprise.first-keys"), "{told}");
    let file = site.folder.path().join("reprise.first-keys");
    assert_eq!(mode(&file), 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let key = text.split_whitespace().find(|word| word.starts_with("sk_test_")).unwrap().to_owned();
    let address = text.split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let api = world::Api::new(&format!("http://{address}"), &key);
    assert_eq!(api.ok("{ ping }", json!({})).await["ping"], "pong");
    let (log, stdout) = server.stop().await;
    assert!(stdout.is_empty() && !log.contains(&key), "{stdout}{log}");
    if format == "json" {
        for line in log.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        }
    }
    // Once, and another first start does not write over them.
    let (log, _) = site.serve().await.stop().await;
    assert!(!log.contains("first start"), "{log}");
    fs::remove_file(site.folder.path().join("reprise.db")).unwrap();
    let mut server = site.begin_to_serve();
    server.hear("this is the first start").await;
    server.stop().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let entries = fs::read_dir(site.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(entries.filter(|name| name.to_str().unwrap().starts_with("reprise.first-keys")).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_keys_are_in_a_file_where_there_is_no_standard_output() {
    let site = Site::new(On::Sqlite).await.unwrap();
    let serve = site.command(&["serve"]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"exec "$0" serve >&-"#]).arg(serve.get_program()).current_dir(site.folder.path());
    command.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = Server::start(command);
    let told = server.hear("this is the first start").await;
    assert!(told.contains("reprise.first-keys"), "{told}");
    server.stop().await;
    let text = fs::read_to_string(site.folder.path().join("reprise.first-keys")).unwrap();
    assert!(text.contains("sk_test_") && text.contains("sk_live_"));
}

#[tokio::test]
async fn words_may_be_written_in_capitals() {
    let mut site = Site::new(On::Sqlite).await.unwrap();
    site.set("REPRISE_LOG_FORMAT", "JSON");
    site.set("REPRISE_RATE_LIMIT", "OFF");
    site.set("REPRISE_ACTIVATIONS", "Off");
    site.set("REPRISE_PAUSED", "TRUE");
    let complaint = site.complaint(&["serve", "--lease", "1s"]);
    let line: Value = serde_json::from_str(&complaint).unwrap_or_else(|_| panic!("{complaint}"));
    assert!(line["message"].as_str().unwrap().starts_with("--lease is 1s"), "{line}");
    let output = site.run(&["organizations", "create", "Customers", "--json"]);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let organization = made[0]["organization"].as_str().unwrap_or_else(|| panic!("{made}"));
    let create = ["keys", "create", "--environment", "LIVE", "--kind", "Platform", "--name", "a", "--json"];
    let output = site.run(&[&create[..], &["--organization", organization]].concat());
    let made: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((&made[0]["environment"], &made[0]["kind"]), (&"live".into(), &"platform".into()), "{made}");
    let unknown = site.complaint(&["serve", "--log-format", "xml"]);
    assert!(unknown.contains("text") && unknown.contains("json"), "{unknown}");
}

#[tokio::test]
async fn a_folder_in_place_of_the_database_is_refused_with_the_reason() {
    let site = Site::new(On::Sqlite).await.unwrap();
    let folder = site.folder.path().join("data");
    fs::create_dir(&folder).unwrap();
    for url in ["sqlite://data", "sqlite://data/", "sqlite://missing/"] {
        for words in [
            &["migrate"][..],
            &["serve"],
            &["keys", "list"],
            &["organizations", "list"],
            &["organizations", "create", "A"],
            &["backup", "b.db"],
            &["restore", "ca.pem"],
        ] {
            let output = site.command(words).env("DATABASE_URL", url).output().unwrap();
            let complaint = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{words:?}");
            let is_missing = url.contains("missing") && complaint.contains("no database at missing");
            let is_told = complaint.contains("is a folder: name a file in it") || is_missing;
            assert!(is_told, "{url} {words:?}: {complaint}");
        }
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert!(!site.folder.path().join("missing").exists());
}

#[tokio::test]
async fn a_failed_start_is_a_json_line_of_the_log() {
    let site = Site::new(On::Sqlite).await.unwrap();
    let complaint = site.complaint(&["serve", "--log-format", "json", "--lease", "1s"]);
    let lines: Vec<Value> = complaint.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = &lines[..] else { panic!("{complaint}") };
    assert_eq!(line["level"], "ERROR");
    assert!(line["message"].as_str().unwrap().starts_with("--lease is 1s"), "{line}");
}

/// A server that waits for an answer, which comes when the gate is opened.
async fn busy_server(site: &Site, gate: &Gate) -> Server {
    let [_, key] = site.make_keys();
    let server = site.serve().await;
    site.receiver.script("/hook", [Answer::Held(gate.clone())]);
    let input = json!({ "name": "Slow", "uri": site.receiver.uri("/hook"), "subscriptions": [] });
    server.api(&key).target("addWebhookNotificationTarget", input).await;
    site.receiver.next("/hook").await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn two_signals_at_once_are_one() {
    let site = Site::new(On::Sqlite).await.unwrap();
    let gate = Gate::new();
    let mut server = busy_server(&site, &gate).await;
    server.signal("TERM");
    server.signal("INT");
    server.hear("stopping").await;
    gate.open();
    let (log, _) = server.stop().await;
    assert!(log.contains("stopped") && !log.contains("at once"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_server_that_takes_its_time() {
    let site = Site::new(On::Sqlite).await.unwrap();
    let mut server = busy_server(&site, &Gate::new()).await;
    while !server.has_ended() {
        server.signal("TERM");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    server.hear("stopped at once; what was in flight is repeated after the next start").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exchange_of_the_encryption_key_is_told_to_scripts() {
    let site = Site::new(On::Sqlite).await.unwrap();
    let gate = Gate::new();
    gate.open();
    busy_server(&site, &gate).await.stop().await;
    let output = site.run(&["keys", "rotate-encryption", "--new-key", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told, json!({ "encrypted": 1, "unopened": [], "hasEarlierKeys": true }));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_could_not_be_shown_are_reported() {
    let site = Site::new(On::Sqlite).await.unwrap();
    site.make_keys();
    let organization = {
        let output = site.run(&["organizations", "list", "--json"]);
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        rows[0]["id"].as_str().unwrap().to_owned()
    };
    let create =
        ["keys", "create", "--environment", "test", "--kind", "platform", "--name", "a", "--organization"];
    let create = [&create[..], &[organization.as_str()]].concat();
    for (words, told) in [
        (&["organizations", "create", "A"][..], "reprise keys create --organization org_"),
        (&create, "reprise keys revoke key_"),
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = site.command(words).stdout(full).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && complaint.contains(told), "{complaint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_folder_is_told_and_left_as_it_was() {
    let site = Site::new(On::Sqlite).await.unwrap();
    let folder = site.folder.path().join("wrong");
    fs::create_dir(&folder).unwrap();
    for words in [
        &["keys", "list"][..],
        &["keys", "rotate-encryption"],
        &["keys", "rotate-encryption", "--new-key"],
        &["organizations", "list"],
        &["backup", "b.db"],
    ] {
        let mut command = site.command(words);
        command.env("DATABASE_URL", "sqlite://reprise.db").env_remove("REPRISE_EXTRA_CA");
        let output = command.current_dir(&folder).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && complaint.contains("no database at reprise.db"), "{complaint}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{words:?}");
    }
}
