//! What every call of the database goes through: a bound on how long it may take, and a place where
//! tests make it fail.

use std::pin::pin;
use std::time::Duration;

use fail::fail_point;
use futures_util::future::poll_immediate;
use sea_orm::{DbErr, RuntimeErr};
use tokio::time::Instant;

use crate::db::trust::Trust;

/// How long a statement may take. What takes longer is not slow, it is stuck.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(8);
/// How often whoever waits looks whether others have given up their connections meanwhile, its own among them.
const LOOK: Duration = Duration::from_secs(1);

/// Waits for a call of the database, but not for ever. Where one is not answered, none of the connections is
/// trusted any more: that is said before this one is given up, and tested.
pub(super) async fn bounded<T>(
    trust: &Trust,
    call: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    fail_point!("database", |_| Err(failed("a fault was injected")));
    if is_impatient() {
        return poll_immediate(call).await.unwrap_or_else(|| Err(stuck()));
    }
    let Some(ended) = in_time(trust, call, [STATEMENT_TIMEOUT, LOOK]).await else { return Err(stuck()) };
    fail_point!("database-answer", |_| Err(failed("a fault was injected")));
    ended
}

/// The answer to a call; none, if it does not come in time. A call that was under way when the trust in its
/// connection ended is not waited for to the end: those who asked last would hold up the return of a database
/// that has moved.
async fn in_time<T>(
    trust: &Trust,
    call: impl Future<Output = T>,
    [patience, look]: [Duration; 2],
) -> Option<T> {
    let (mut call, start) = (pin!(call), Instant::now());
    while start.elapsed() < patience {
        if let Ok(ended) = tokio::time::timeout(look, &mut call).await {
            return Some(ended);
        }
        if !trust.covers(start.elapsed()) {
            return None;
        }
    }
    trust.end();
    None
}

/// Tests let a call be made and then nobody wait for it.
fn is_impatient() -> bool {
    fail_point!("database-impatience", |_| true);
    false
}

pub(super) fn stuck() -> DbErr {
    failed("the database did not answer in time")
}

fn failed(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_wait_on_a_distrusted_connection_is_given_up() {
        let trust = Trust::in_a_server();
        let waits = in_time(&trust, pending::<()>(), [Duration::MAX, SOON]);
        let other = in_time(&trust, pending::<()>(), [SOON * 10, SOON]);
        assert_eq!(tokio::join!(waits, other), (None, None));
        assert!(!trust.covers(Duration::from_secs(3_600)));
        let answered = in_time(&trust, async { "an answer" }, [STATEMENT_TIMEOUT, LOOK]).await;
        assert_eq!(answered, Some("an answer"));
    }

    #[tokio::test]
    async fn a_wait_for_a_file_is_not_cut_short_by_others() {
        let trust = Trust::default();
        assert_eq!(in_time(&trust, pending::<()>(), [SOON, SOON]).await, None);
        let slow = async { tokio::time::sleep(SOON * 20).await };
        assert_eq!(in_time(&trust, slow, [Duration::MAX, SOON]).await, Some(()));
    }
}
