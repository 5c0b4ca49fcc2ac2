//! What is left of the real program, and what stories of it begin with.

use std::fs;

use receiver::Receiver;
use reprise::db::Db;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;

use super::ISSUED;
use world::Api;
use world::program::Site;

/// All that is in the database, and in files beside it but for the key.
pub(crate) async fn remains(site: &Site) -> Vec<u8> {
    let mut remains = Vec::new();
    for file in fs::read_dir(site.folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "key") {
            remains.extend(fs::read(path).unwrap());
        }
    }
    if site.url.starts_with("postgres") {
        let db = Db::open(&site.url).await.unwrap();
        let tables = "SELECT tablename::text AS it FROM pg_tables WHERE schemaname = 'public'";
        for table in rows(&db, tables).await {
            remains.extend(
                rows(&db, &format!("SELECT t::text AS it FROM {table} t")).await.concat().into_bytes(),
            );
        }
        db.close().await.unwrap();
    }
    remains
}

async fn rows(db: &Db, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.reader().get_database_backend(), sql);
    let rows = db.reader().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "it").unwrap()).collect()
}

/// A target of this receiver that is active.
pub(crate) async fn active_target(api: &Api, receiver: &Receiver, path: &str) -> String {
    let input = json!({ "name": "A target", "uri": receiver.uri(path), "subscriptions": [ISSUED], "email": "owner@example.com" });
    let target = api.target("addWebhookNotificationTarget", input).await["id"].as_str().unwrap().to_owned();
    while api.status(&target).await != "ACTIVE" {
        tokio::task::yield_now().await;
    }
    target
}
