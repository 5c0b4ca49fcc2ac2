//! Numbers and durations as text, with one way to say what would be right.

use std::str::FromStr;
use std::time::Duration;

/// Longer than anybody waits, and short enough that a time so far ahead can be written down.
const LONGEST: Duration = Duration::from_hours(24 * 36_500);

/// A number and a unit, or several of them.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let remedy = "give a number and a unit, such as 250ms, 10s, 1h 30m or 30d";
    let duration = humantime::parse_duration(text.trim()).map_err(|_| remedy.to_owned())?;
    if duration > LONGEST { Err("give 36500d or less".to_owned()) } else { Ok(duration) }
}

/// A whole number.
pub(crate) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| "give a whole number above 0, such as 64".to_owned())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn durations_have_units_and_an_end() {
        for (text, expected) in [
            ("250ms", Some(Duration::from_millis(250))),
            (" 1h 30m ", Some(Duration::from_mins(90))),
            ("0", Some(Duration::ZERO)),
            ("36500d", Some(LONGEST)),
            ("36501d", None),
            ("99999999999y", None),
            ("", None),
            ("10", None),
            ("-5s", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let read = duration(text);
            assert_eq!(read.clone().ok(), expected, "{text:?}");
            assert!(read.is_ok() || read.unwrap_err().starts_with("give "), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_whole() {
        assert_eq!(number::<usize>(" 64 "), Ok(64));
        for text in ["", "-1", "1e3", "1.5", "many", "0", "99999999999999999999"] {
            assert!(number::<NonZeroU32>(text).unwrap_err().contains("such as 64"), "{text:?}");
        }
    }
}
