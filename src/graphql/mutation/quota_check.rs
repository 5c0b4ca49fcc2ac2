//! Whether one more target may be activated. What is sent before a target has proved itself goes to whom
//! a customer names, so it is little at a time (T7) and little in an hour.

use std::time::Duration;

use entity::Timestamp;
use sea_orm::ConnectionTrait;

use crate::app::App;
use crate::error::{Code, Error, Path, Result, Violation};
use crate::rules::limits;
use crate::store::{Scope, audit, organizations, targets};

/// In which time activations are counted.
const WINDOW: Duration = Duration::from_hours(1);

/// Sees to it that there may be one more target, and that it may become active. Others who want the same
/// wait until the transaction ends.
pub(super) async fn for_new_target(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    path: impl Into<Path>,
) -> Result<()> {
    organizations::lock(tx, &scope.organization).await?;
    let path = path.into();
    if targets::count(tx, scope).await? >= limits::TARGETS_IN_ALL {
        let most = limits::TARGETS_IN_ALL;
        let description = format!(
            "There are {most} targets, deactivated ones too, which is the most there can be. Remove one."
        );
        return Err(Error::invalid(Violation::new(Code::LimitExceeded, description), path));
    }
    for_target(tx, scope, path).await
}

/// Sees to it that one more target may become active (T7). Others who want the same wait until
/// the transaction ends.
pub(super) async fn for_target(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    path: impl Into<Path>,
) -> Result<()> {
    organizations::lock(tx, &scope.organization).await?;
    if targets::count_towards_limit(tx, scope).await? < limits::TARGETS {
        return Ok(());
    }
    let description = format!(
        "There are {} targets that are active or pending, which is the most there can be. Deactivate or remove one.",
        limits::TARGETS
    );
    Err(Error::invalid(Violation::new(Code::LimitExceeded, description), path))
}

/// Sees to it that one more activation may be begun. The organization is locked by the caller. The audit
/// trail is asked, which outlives targets and restarts and is the same for all replicas.
pub(super) async fn for_activation(
    tx: &impl ConnectionTrait,
    app: &App,
    scope: &Scope,
    path: impl Into<Path>,
    now: Timestamp,
) -> Result<()> {
    let Some(most) = app.settings.activations else { return Ok(()) };
    let Some(oldest) = audit::activation(tx, scope, most, now - WINDOW).await? else { return Ok(()) };
    let description = format!(
        "{most} activations were begun within an hour, which is the most there can be. Try again after {}.",
        oldest + WINDOW
    );
    Err(Error::invalid(Violation::new(Code::LimitExceeded, description), path))
}
