//! Proves that what is committed is there: one connection counts up, another one reads the count.

use anyhow::{Context, anyhow};
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use crate::db::{Db, Reader};
use crate::error::Result;

/// Counts up, in a transaction of its own, and answers the count.
pub(super) async fn write(db: &Db) -> Result<i64> {
    let tx = db.begin().await?;
    let count = "INSERT INTO write_probe (id, writes) VALUES (1, 1)
                 ON CONFLICT (id) DO UPDATE SET writes = write_probe.writes + 1 RETURNING writes";
    let row = tx.query_one_raw(Statement::from_string(tx.get_database_backend(), count)).await?;
    let count = count_of(row)?;
    tx.commit().await?;
    Ok(count)
}

/// Fails when the count is less than what was written: then it was not committed. Other servers count, too.
pub(super) async fn find(reader: &Reader, written: i64) -> Result<()> {
    let count = "SELECT writes FROM write_probe";
    let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), count)).await?;
    if count_of(row)? < written {
        return Err(anyhow!("what was committed is not there").into());
    }
    Ok(())
}

fn count_of(row: Option<QueryResult>) -> Result<i64> {
    Ok(row.context("the probe of the database is missing")?.try_get("", "writes")?)
}
