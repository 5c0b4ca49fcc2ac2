//! The mail that tells why a target was deactivated (D3).
//!
//! Names and URIs in it were written by strangers: nothing of them can begin a new
//! header or move the reader's cursor.

use std::time::Duration;

use entity::{EventId, FailureReason, TargetId, Timestamp};
use humantime::format_duration;

use crate::rules::text;

/// What a mail tells of the settings of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    /// How long an attempt may take.
    pub deadline: Duration,
    /// How long events are kept.
    pub retention: Duration,
    /// After how long a deactivated target is removed.
    pub removal_after: Duration,
}

/// A mail without its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// What there is to tell about a deactivation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deactivation<'a> {
    /// What the owner calls the target.
    pub target_name: &'a str,
    /// The target.
    pub target_id: &'a TargetId,
    /// Where its notifications went.
    pub uri: &'a str,
    /// The event that could not be delivered.
    pub event_id: &'a EventId,
    /// How many attempts failed.
    pub attempts: u32,
    /// Why the last one failed.
    pub reason: Option<FailureReason>,
    /// The HTTP status of the last answer, if there was one.
    pub response_code: Option<i32>,
    /// When the target was deactivated.
    pub at: Timestamp,
    /// What the settings of the server are.
    pub conditions: &'a Conditions,
}

/// The mail about a deactivation.
pub(crate) fn deactivated(what: &Deactivation<'_>) -> Mail {
    let name = printable(what.target_name);
    Mail {
        subject: format!("Notification target \"{name}\" was deactivated"),
        body: [story(&name, what), facts(what), advice(what.conditions)].join("\n"),
    }
}

fn story(name: &str, what: &Deactivation<'_>) -> String {
    let attempts = match what.attempts {
        1 => "the only attempt to deliver an event to it failed".to_owned(),
        attempts => format!("all {attempts} attempts to deliver an event to it failed"),
    };
    format!(
        "Hello,\n\n\
         your notification target \"{name}\" was deactivated, because {attempts}.\n\
         It gets no more notifications until you activate it again.\n"
    )
}

fn facts(what: &Deactivation<'_>) -> String {
    let Deactivation { target_id, uri, event_id, at, conditions, .. } = what;
    format!(
        "Target:            {target_id}\n\
         URI:               {}\n\
         Event:             {event_id}\n\
         Deactivated since: {at}\n\
         Last attempt:      {}\n",
        printable(uri),
        why(what.reason, what.response_code, conditions.deadline),
    )
}

fn advice(Conditions { deadline, retention, removal_after }: &Conditions) -> String {
    format!(
        "\
What you can do:

1. Mend the receiver. It must answer each notification with a 2xx status within
   {deadline}.
2. Activate the target again, with `activateNotificationTarget`. It becomes
   active as soon as it answers the activation notification.
3. Find the events that it missed, with `webhookNotificationTargetEvents` and the
   filter `hasSuccessfulDelivery: false`, and send them again, with
   `replayNotificationEvent`. Missed events are not sent again by themselves.

Events are kept for {retention}. A target that stays deactivated for more than
{removal_after} is removed.
",
        deadline = spelled(*deadline),
        retention = spelled(*retention),
        removal_after = spelled(*removal_after),
    )
}

/// A duration in the largest unit that it is a whole number of.
fn spelled(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let unit = units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match unit.filter(|_| duration.subsec_nanos() == 0) {
        Some((unit, name)) if seconds == unit => format!("1 {name}"),
        Some((unit, name)) => format!("{} {name}s", seconds / unit),
        None => format_duration(duration).to_string(),
    }
}

fn why(reason: Option<FailureReason>, response_code: Option<i32>, deadline: Duration) -> String {
    let reason = match (reason, response_code) {
        (Some(FailureReason::Status) | None, Some(code)) => {
            return format!("it answered with the status {code} instead of a 2xx");
        }
        (Some(FailureReason::Status), None) => "it answered with a status other than a 2xx",
        (Some(FailureReason::Dns), _) => "the name of its host could not be resolved",
        (Some(FailureReason::Connect), _) => "no connection could be made",
        (Some(FailureReason::Tls), _) => "no secure connection could be agreed on; look at its certificate",
        (Some(FailureReason::Timeout), _) => {
            return format!("no complete answer came within {}", spelled(deadline));
        }
        (Some(FailureReason::BlockedAddress), _) => "its host is not on the public internet",
        (Some(FailureReason::Protocol), _) => "the connection was cut off, or the answer was not valid HTTP",
        (None, None) => "it failed for a reason that is not known",
    };
    reason.to_owned()
}

/// What mail programs take for the beginning of an encoded word is torn apart, or they would
/// show what it hides.
fn printable(text: &str) -> String {
    text.replace(text::is_unprintable, "").replace("=?", "= ?")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONDITIONS: Conditions = Conditions {
        deadline: Duration::from_secs(10),
        retention: Duration::from_hours(30 * 24),
        removal_after: Duration::from_hours(36),
    };

    fn mail(name: &str, attempts: u32, reason: Option<FailureReason>, code: Option<i32>) -> Mail {
        deactivated(&Deactivation {
            target_name: name,
            target_id: &"ntt_0190163d8694739b8a4f0123456789ab".parse().unwrap(),
            uri: "https://company.com/hooks",
            event_id: &"nee_0190163d8694739b8a4f0123456789ab".parse().unwrap(),
            attempts,
            reason,
            response_code: code,
            at: Timestamp::from_millis(1_648_761_699_732),
            conditions: &CONDITIONS,
        })
    }

    #[test]
    fn it_tells_what_happened_and_what_to_do() {
        let Mail { subject, body } = mail("Payments", 10, Some(FailureReason::Status), Some(503));
        assert_eq!(subject, "Notification target \"Payments\" was deactivated");
        for part in [
            "your notification target \"Payments\" was deactivated, because all 10 attempts",
            "\nTarget:            ntt_0190163d8694739b8a4f0123456789ab\n",
            "\nURI:               https://company.com/hooks\n",
            "\nEvent:             nee_0190163d8694739b8a4f0123456789ab\n",
            "\nDeactivated since: 2022-03-31T21:21:39.732Z\n",
            "\nLast attempt:      it answered with the status 503 instead of a 2xx\n",
            "`activateNotificationTarget`",
            "`hasSuccessfulDelivery: false`",
            "`replayNotificationEvent`",
            "with a 2xx status within\n   10 seconds.",
            "Events are kept for 30 days. A target that stays deactivated for more than\n36 hours is removed.",
        ] {
            assert!(body.contains(part), "{part:?} is missing in:\n{body}");
        }
    }

    #[test]
    fn it_says_why_the_last_attempt_failed() {
        for (reason, code, part) in [
            (Some(FailureReason::Status), None, "a status other than a 2xx"),
            (None, Some(302), "the status 302"),
            (Some(FailureReason::Timeout), Some(200), "within 10 seconds"),
            (Some(FailureReason::Dns), None, "could not be resolved"),
            (Some(FailureReason::Connect), None, "no connection"),
            (Some(FailureReason::Tls), None, "certificate"),
            (Some(FailureReason::BlockedAddress), None, "public internet"),
            (Some(FailureReason::Protocol), None, "cut off"),
            (None, None, "not known"),
        ] {
            let body = mail("Payments", 10, reason, code).body;
            assert!(body.contains(part), "{part:?} is missing in:\n{body}");
        }
    }

    #[test]
    fn durations_are_spelled_out() {
        for (millis, text) in [
            (10_000, "10 seconds"),
            (1_000, "1 second"),
            (90_000, "90 seconds"),
            (120_000, "2 minutes"),
            (86_400_000, "1 day"),
            (30 * 86_400_000, "30 days"),
            (36 * 3_600_000, "36 hours"),
            (250, "250ms"),
            (1_500, "1s 500ms"),
        ] {
            assert_eq!(spelled(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_single_attempt_is_in_the_singular() {
        assert!(mail("Payments", 1, None, None).body.contains("the only attempt"));
    }

    #[test]
    fn an_encoded_word_is_shown_as_it_was_written() {
        let Mail { subject, .. } = mail(" =?utf-8?q?=0D=0ABcc:_b@c.de?= =\u{202e}?", 10, None, None);
        assert_eq!(subject, "Notification target \" = ?utf-8?q?=0D=0ABcc:_b@c.de?= = ?\" was deactivated");
    }

    #[test]
    fn a_hostile_name_stays_within_its_line() {
        let Mail { subject, body } = mail("a\r\nBcc: b@c.de\u{202e}\0", 10, None, None);
        assert_eq!(subject, "Notification target \"aBcc: b@c.de\" was deactivated");
        assert!(!body.contains(['\r', '\0', '\u{202e}']));
    }
}
