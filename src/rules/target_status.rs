//! The life of a target as one table: which status follows when something happens, and what each status means.
//!
//! Nothing else decides by the name of a status. Who wants to know something of one asks here, and no question has a case
//! for "all others", so a new status is answered for before it compiles. `docs/state-machines.md` shows the
//! same table as a picture.

use entity::TargetStatus::{self, ActivationFailed, Active, Deactivated, PendingVerification};

/// The status of a target that was just added (T3).
pub(crate) const FIRST: TargetStatus = PendingVerification;

/// What can happen to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// Its owner wants to have it activated.
    ActivatedByHand,
    /// It answered its activation with a 2xx.
    Verified,
    /// Its activation failed all its attempts.
    Unverified {
        /// Whether the target was `ACTIVE` at any time before.
        was_active: bool,
    },
    /// An event failed all its attempts.
    Exhausted,
    /// Its owner wants to have it deactivated.
    DeactivatedByHand,
}

/// The status that follows, which may be the same. `None`: what happens means nothing for such a target.
pub(crate) fn after(status: TargetStatus, happening: Happening) -> Option<TargetStatus> {
    use Happening::{ActivatedByHand, DeactivatedByHand, Exhausted, Unverified, Verified};
    match status {
        PendingVerification => match happening {
            // Without a success it stays pending and can be activated by hand (T4).
            ActivatedByHand | Unverified { was_active: false } => Some(PendingVerification),
            Verified => Some(Active),
            Unverified { was_active: true } => Some(ActivationFailed),
            DeactivatedByHand => Some(Deactivated),
            Exhausted => None,
        },
        Active => match happening {
            DeactivatedByHand | Exhausted => Some(Deactivated),
            ActivatedByHand | Verified | Unverified { .. } => None,
        },
        Deactivated => match happening {
            ActivatedByHand => Some(PendingVerification),
            Verified | Unverified { .. } | Exhausted | DeactivatedByHand => None,
        },
        ActivationFailed => match happening {
            ActivatedByHand => Some(PendingVerification),
            DeactivatedByHand => Some(Deactivated),
            Verified | Unverified { .. } | Exhausted => None,
        },
    }
}

/// What becomes of a published event for a target that subscribes to it (D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    /// It has a delivery that is due at once.
    Sent,
    /// It has a delivery that ends at once, without being sent.
    Skipped,
    /// It has no delivery.
    Nothing,
}

/// What becomes of the events that are published while a target has this status (D1).
pub(crate) fn reception(status: TargetStatus) -> Reception {
    match status {
        Active => Reception::Sent,
        Deactivated => Reception::Skipped,
        PendingVerification | ActivationFailed => Reception::Nothing,
    }
}

/// Whether events are sent to such a target, replayed ones too (D1, R1).
pub(crate) fn receives_events(status: TargetStatus) -> bool {
    reception(status) == Reception::Sent
}

/// Whether its owner may send it a ping test (X2).
pub(crate) fn may_be_pinged(status: TargetStatus) -> bool {
    match status {
        Active => true,
        PendingVerification | Deactivated | ActivationFailed => false,
    }
}

/// Whether it counts towards the limit of targets that are or may become active (T7).
pub(crate) fn counts_towards_limit(status: TargetStatus) -> bool {
    match status {
        PendingVerification | Active => true,
        Deactivated | ActivationFailed => false,
    }
}

/// Whether what waits for such a target ends without being sent (D4). To become so begins an epoch.
pub(crate) fn ends_what_waits(status: TargetStatus) -> bool {
    match status {
        Deactivated => true,
        PendingVerification | Active | ActivationFailed => false,
    }
}

/// Whether a target that stays so for long is removed (T11).
pub(crate) fn is_removed_in_time(status: TargetStatus) -> bool {
    match status {
        Deactivated => true,
        PendingVerification | Active | ActivationFailed => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sea_orm::{ActiveEnum, Iterable};

    use super::*;

    const HAPPENINGS: [Happening; 6] = [
        Happening::ActivatedByHand,
        Happening::Verified,
        Happening::Unverified { was_active: false },
        Happening::Unverified { was_active: true },
        Happening::Exhausted,
        Happening::DeactivatedByHand,
    ];

    #[test]
    fn each_status_has_its_successors() {
        const PENDING: Option<TargetStatus> = Some(PendingVerification);
        const STOPPED: Option<TargetStatus> = Some(Deactivated);
        for (status, successors) in [
            (PendingVerification, [PENDING, Some(Active), PENDING, Some(ActivationFailed), None, STOPPED]),
            (Active, [None, None, None, None, STOPPED, STOPPED]),
            (Deactivated, [PENDING, None, None, None, None, None]),
            (ActivationFailed, [PENDING, None, None, None, None, STOPPED]),
        ] {
            assert_eq!(HAPPENINGS.map(|happening| after(status, happening)), successors, "{status:?}");
        }
    }

    #[test]
    fn each_status_means_something() {
        for (status, events, ping, counts, skips, removed) in [
            (PendingVerification, Reception::Nothing, false, true, false, false),
            (Active, Reception::Sent, true, true, false, false),
            (Deactivated, Reception::Skipped, false, false, true, true),
            (ActivationFailed, Reception::Nothing, false, false, false, false),
        ] {
            assert_eq!(reception(status), events, "{status:?}");
            assert_eq!(receives_events(status), events == Reception::Sent, "{status:?}");
            let answers = [may_be_pinged, counts_towards_limit, ends_what_waits, is_removed_in_time]
                .map(|question| question(status));
            assert_eq!(answers, [ping, counts, skips, removed], "{status:?}");
        }
    }

    fn words(happening: Happening) -> &'static str {
        match happening {
            Happening::ActivatedByHand => "activated by hand",
            Happening::Verified => "2xx to the activation",
            Happening::Unverified { was_active: false } => "activation failed, never active before",
            Happening::Unverified { was_active: true } => "activation failed, active before",
            Happening::Exhausted => "an event failed all its attempts",
            Happening::DeactivatedByHand => "deactivated by hand",
        }
    }

    const PAGE: &str = include_str!("../../docs/state-machines.md");

    /// What the page says of targets: the picture, and below it the table.
    fn of_targets() -> &'static str {
        let section = PAGE.split_once("\n## Target\n").unwrap().1;
        section.split("\n## ").next().unwrap()
    }

    #[test]
    fn the_picture_of_the_documents_is_this_table() {
        let arrows = of_targets().lines().filter(|line| line.contains(" --> "));
        let drawn: BTreeSet<String> = arrows.map(|line| line.trim().to_owned()).collect();
        let mut decided = BTreeSet::from([format!("[*] --> {}: added", FIRST.to_value())]);
        for status in TargetStatus::iter() {
            let from = status.to_value();
            for happening in HAPPENINGS {
                let to = after(status, happening).map(|to| to.to_value());
                decided.extend(to.map(|to| format!("{from} --> {to}: {}", words(happening))));
            }
            if is_removed_in_time(status) {
                decided.insert(format!("{from} --> [*]: 30 days have passed"));
            }
        }
        assert_eq!(drawn, decided);
    }

    #[test]
    fn the_table_of_the_documents_is_what_each_status_means() {
        let rows: Vec<&str> = of_targets().lines().filter(|line| line.starts_with("| `")).collect();
        let decided: Vec<String> = TargetStatus::iter()
            .map(|status| {
                let events = match reception(status) {
                    Reception::Sent => "a delivery",
                    Reception::Skipped => "a delivery that ends at once as SKIPPED",
                    Reception::Nothing => "no delivery",
                };
                let waits = if ends_what_waits(status) { "ends as SKIPPED" } else { "is sent" };
                let word = |yes| if yes { "yes" } else { "no" };
                let (ping, counts) = (word(may_be_pinged(status)), word(counts_towards_limit(status)));
                format!("| `{}` | {events} | {waits} | {ping} | {counts} |", status.to_value())
            })
            .collect();
        assert_eq!(rows, decided);
    }
}
