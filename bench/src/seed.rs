//! Fills tables fast: rows that the server wrote are multiplied by SQL, with only what
//! has to differ put in. So they are what the server writes, whatever columns there are.
//!
//! The server does not run meanwhile. All indexes exist.

use std::time::Duration;

use entity::{EventId, attempt, delivery, event};
use sea_orm::{IdenStatic, Iterable};

use crate::database::Database;
use crate::sink;
use crate::sql::Sql;

/// How many rows one transaction writes.
const CHUNK: u64 = 500_000;
/// Over how long a time the rows are spread; events are kept for thirty days.
const AGES: Duration = Duration::from_hours(20 * 24);
/// How old the last of them is: what the server wrote itself is newer.
const YOUNGEST: Duration = Duration::from_hours(1);

/// Which of all rows there will ever be are written: those from one number to another, and of those
/// every so manyth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// The number of the first.
    pub from: u64,
    /// The number behind the last.
    pub until: u64,
    /// How far apart they are.
    pub step: u64,
}

/// Writes rows that look like the one delivery that the server has made so far.
pub(crate) struct Seed {
    sql: Sql,
    /// Milliseconds since the epoch, of the first row.
    begin: u64,
    /// Milliseconds from one row to the next, times a thousand.
    pace: u64,
}

impl Seed {
    /// Prepares to write so many rows in all, spread over the days before now.
    pub(crate) async fn begin(sql: Sql, count: u64) -> anyhow::Result<Self> {
        let (now, ages) = (sink::now() / 1_000_000, u64::try_from(AGES.as_millis())?);
        let begin = now - u64::try_from(YOUNGEST.as_millis())? - ages;
        if !sql.is_postgres() {
            // Nothing that is here would be missed after a crash.
            sql.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144")
                .await?;
        }
        Ok(Self { sql, begin, pace: (ages * 1_000 / count.max(1)).max(1) })
    }

    /// Writes events.
    pub(crate) async fn events(&self, range: Range) -> anyhow::Result<()> {
        let columns = columns::<event::Column>(&[
            ("id", self.id("nee")),
            ("created_at", self.time()),
            ("idempotency_key", "NULL".to_owned()),
        ]);
        self.multiply("event", "id", &columns, range).await
    }

    /// Writes deliveries of those events to a target, like the one that there is.
    pub(crate) async fn deliveries(&self, range: Range, target: &str) -> anyhow::Result<()> {
        let columns = columns::<delivery::Column>(&[
            ("event_id", self.id("nee")),
            ("target_id", format!("'{target}'")),
            ("queued_at", self.time()),
        ]);
        self.multiply("delivery", "event_id", &columns, range).await
    }

    /// Writes deliveries of those events to a target that wait for their first attempt and are due.
    pub(crate) async fn waiting(&self, range: Range, target: &str) -> anyhow::Result<()> {
        let columns = columns::<delivery::Column>(&[
            ("event_id", self.id("nee")),
            ("target_id", format!("'{target}'")),
            ("queued_at", self.time()),
            ("due_at", self.time()),
            ("state", "'WAITING'".to_owned()),
            ("succeeded", "NULL".to_owned()),
            ("attempts", "0".to_owned()),
            ("claim", "0".to_owned()),
        ]);
        self.multiply("delivery", "event_id", &columns, range).await
    }

    /// Writes the attempts of those deliveries.
    pub(crate) async fn attempts(&self, range: Range, target: &str) -> anyhow::Result<()> {
        let columns = columns::<attempt::Column>(&[
            ("id", self.id("nda")),
            ("event_id", self.id("nee")),
            ("target_id", format!("'{target}'")),
            ("created_at", self.time()),
        ]);
        self.multiply("attempt", "event_id", &columns, range).await
    }

    /// Leaves the database as the server expects it, and as it would be after a while of work.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        if self.sql.is_postgres() {
            self.sql.run("VACUUM (ANALYZE)").await?;
            self.sql.run("CHECKPOINT").await?;
        } else {
            // The change is a commit, and with it everything goes to the disk, not while it is measured.
            self.sql.run("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL").await?;
        }
        self.sql.close().await
    }

    async fn multiply(
        &self,
        table: &str,
        event: &str,
        (names, values): &(String, String),
        range: Range,
    ) -> anyhow::Result<()> {
        let like = self.template().await?;
        let mut from = range.from.next_multiple_of(range.step);
        while from < range.until {
            let until = range.until.min(from + CHUNK * range.step);
            let step = range.step;
            self.sql
                .run(&format!(
                    "INSERT INTO {table} ({names})
                     WITH RECURSIVE series(n) AS (
                         SELECT CAST({from} AS bigint)
                         UNION ALL SELECT n + {step} FROM series WHERE n + {step} < {until})
                     SELECT {values} FROM series, {table} AS template WHERE template.{event} = '{like}'"
                ))
                .await?;
            from = (until).next_multiple_of(step);
        }
        Ok(())
    }

    /// The event whose rows are multiplied: the newest that was delivered.
    async fn template(&self) -> anyhow::Result<String> {
        let newest = "SELECT max(event_id) FROM delivery WHERE state = 'SUCCEEDED' AND purpose = 'EVENT'";
        let id: EventId = self.sql.value(newest).await?;
        Ok(id.to_string())
    }

    /// The id of a kind with the number `n`.
    fn id(&self, kind: &str) -> String {
        let time = self.time();
        if self.sql.is_postgres() {
            let hex = |value: &str, digits: u8| format!("lpad(to_hex({value}), {digits}, '0')");
            format!("'{kind}_' || {} || '70008' || {}", hex(&time, 12), hex("n", 15))
        } else {
            format!("printf('{kind}_%012x70008%015x', {time}, n)")
        }
    }

    /// The time of the row with the number `n`.
    fn time(&self) -> String {
        format!("({} + n * {} / 1000)", self.begin, self.pace)
    }

    /// The id of a kind with this number.
    pub(crate) fn id_of(&self, kind: &str, number: u64) -> String {
        id_of(kind, self.begin + number * self.pace / 1_000, number)
    }
}

/// As the ids of the server are made: the time, then what tells the ids of one time apart.
fn id_of(kind: &str, millis: u64, number: u64) -> String {
    format!("{kind}_{millis:012x}70008{number:015x}")
}

/// Names and values of all columns: what is put in, else what the template has.
fn columns<C: Iterable + IdenStatic>(put_in: &[(&str, String)]) -> (String, String) {
    let value = |name: &str| {
        let put_in = put_in.iter().find(|(column, _)| *column == name);
        put_in.map_or_else(|| format!("template.{name}"), |(_, value)| value.clone())
    };
    let names: Vec<String> = C::iter().map(|column| column.as_str().to_owned()).collect();
    let values: Vec<String> = names.iter().map(|name| value(name)).collect();
    (names.join(", "), values.join(", "))
}

/// How many rows the large tables have.
pub(crate) async fn counts(sql: &Sql) -> anyhow::Result<[(&'static str, i64); 3]> {
    let count = async |table: &str| sql.value(&format!("SELECT count(*) FROM {table}")).await;
    Ok([
        ("events", count("event").await?),
        ("deliveries", count("delivery").await?),
        ("attempts", count("attempt").await?),
    ])
}

/// The size of the database in MiB, where it says so itself.
pub(crate) async fn size(sql: &Sql, database: Database) -> anyhow::Result<i64> {
    let query = match database {
        Database::Sqlite => {
            "SELECT page_count * page_size / 1048576 FROM pragma_page_count, pragma_page_size"
        }
        Database::Postgres => "SELECT pg_database_size(current_database()) / 1048576",
    };
    sql.value(query).await
}
