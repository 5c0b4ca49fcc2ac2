//! Filters by time: what the operators of a timestamp filter mean (G10).
//!
//! A value is a span: a date is its whole day in UTC, a timestamp is one
//! millisecond. All operators of a filter hold together.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime};
use entity::Timestamp;

use crate::error::Error;

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_hours(24);

/// How much of an unreadable value is shown.
const SHOWN_CHARS: usize = 40;

/// A stretch of time that includes both of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// Its first millisecond.
    pub start: Timestamp,
    /// Its last millisecond.
    pub end: Timestamp,
}

/// Reads a date such as `2022-03-31`, or a timestamp of RFC 3339, which is cut to milliseconds.
pub fn read(text: &str) -> Result<Span, String> {
    date(text).or_else(|| timestamp(text)).ok_or_else(|| {
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        format!(
            "{shown:?} is neither a date such as 2022-03-31 nor a timestamp such as 2022-03-31T21:21:39.732Z"
        )
    })
}

/// A timestamp filter as the caller wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Within the value.
    pub equals: Option<String>,
    /// Not within the value.
    pub not_equals: Option<String>,
    /// Before the value begins.
    pub less_than: Option<String>,
    /// Before the value ends.
    pub less_than_or_equals: Option<String>,
    /// After the value ends.
    pub greater_than: Option<String>,
    /// After the value begins.
    pub greater_than_or_equals: Option<String>,
    /// From where the first begins until where the second ends; a missing end is open.
    pub between: Option<(Option<String>, Option<String>)>,
}

/// The times that a filter lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// The first of them; open if none.
    pub from: Option<Timestamp>,
    /// The last of them; open if none.
    pub until: Option<Timestamp>,
    /// What is left out in between.
    pub except: Option<Span>,
}

impl Filter {
    /// All operators joined. Bounds that nothing can lie within are no error: the list is empty.
    pub fn bounds(&self) -> Result<Bounds, Error> {
        let (start, end) = self.between.as_ref().map_or((&None, &None), |(start, end)| (start, end));
        let start = operand("between.start", start)?;
        let end = operand("between.end", end)?;
        let equals = operand("equals", &self.equals)?;
        let above = operand("greaterThan", &self.greater_than)?.map(|span| span.end + MILLISECOND);
        let below = operand("lessThan", &self.less_than)?.map(|span| span.start - MILLISECOND);
        let at_least = operand("greaterThanOrEquals", &self.greater_than_or_equals)?;
        let at_most = operand("lessThanOrEquals", &self.less_than_or_equals)?;

        let starts = [equals, start, at_least].into_iter().flatten().map(|span| span.start);
        let ends = [equals, end, at_most].into_iter().flatten().map(|span| span.end);
        Ok(Bounds {
            from: starts.chain(above).max(),
            until: ends.chain(below).min(),
            except: operand("notEquals", &self.not_equals)?,
        })
    }
}

fn operand(operator: &str, value: &Option<String>) -> Result<Option<Span>, Error> {
    let span = value.as_deref().map(read).transpose();
    span.map_err(|problem| Error::BadArgument(format!("`{operator}`: {problem}.")))
}

fn date(text: &str) -> Option<Span> {
    // chrono would also read `2022-3-1` and `+2022-03-01`.
    if text.len() != "2022-03-31".len() || text.starts_with(['+', '-']) {
        return None;
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let start = Timestamp::from(day.and_time(NaiveTime::MIN).and_utc());
    Some(Span { start, end: start + DAY - MILLISECOND })
}

fn timestamp(text: &str) -> Option<Span> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc().into();
    Some(Span { start: at, end: at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_648_684_800_000;
    const END: i64 = START + 86_399_999;
    const AT: i64 = 1_648_761_699_732;

    #[test]
    fn dates_and_timestamps_are_read() {
        for (text, start, end) in [
            ("2022-03-31", START, END),
            ("1970-01-01", 0, 86_399_999),
            ("2024-02-29", 1_709_164_800_000, 1_709_251_199_999),
            ("2022-03-31T21:21:39.732Z", AT, AT),
            ("2022-03-31T23:21:39.732+02:00", AT, AT),
            ("2022-04-01T00:51:39.732999999+03:30", AT, AT),
            ("2022-03-31T21:21:39.7329Z", AT, AT),
            ("2022-03-31T21:21:39.7Z", AT - 32, AT - 32),
            ("2022-03-31T21:21:39Z", AT - 732, AT - 732),
            ("2022-03-31t21:21:39z", AT - 732, AT - 732),
            ("1969-12-31T23:59:59.9999Z", -1, -1),
        ] {
            let (start, end) = (Timestamp::from_millis(start), Timestamp::from_millis(end));
            assert_eq!(read(text), Ok(Span { start, end }), "{text}");
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        for text in [
            "", " ", "now", "2022", "2022-03", "2022-3-31", "2022-03-1", "+2022-03-1", "-2022-3-01", "02022-3-31",
            "2022-02-30", "2022-13-01", "2022-03-31 ", " 2022-03-31", "31.03.2022", "03/31/2022", "2022-03-31Z",
            "2022-03-31T21:21Z", "2022-03-31T21:21:39.732", "2022-03-31T21:21:39.Z", "2022-03-31T25:00:00Z",
            "2022-03-31T21:21:39+99:99", "1648761699732", "2022-03-31T21:21:39Z\0", "２０２２-03-31", "2022-03-é",
        ] {
            assert!(read(text).is_err(), "{text:?} was read as {:?}", read(text));
        }
    }

    #[test]
    fn the_error_names_operator_and_value() {
        let filter = Filter { less_than: Some("to\nmorrow".to_owned()), ..Filter::default() };
        let Error::BadArgument(message) = filter.bounds().unwrap_err() else { panic!("another error") };
        assert!(message.starts_with(r#"`lessThan`: "to\nmorrow" is neither"#), "{message}");

        let filter = Filter { between: Some((None, Some("x".repeat(9_999)))), ..Filter::default() };
        let Error::BadArgument(message) = filter.bounds().unwrap_err() else { panic!("another error") };
        assert!(message.starts_with("`between.end`: ") && message.len() < 200, "{message}");
    }

    fn day() -> Option<String> {
        Some("2022-03-31".to_owned())
    }

    fn next_day() -> Option<String> {
        Some("2022-04-01".to_owned())
    }

    #[test]
    fn operators_of_a_date_speak_of_its_whole_day() {
        let none = Filter::default;
        for (filter, from, until) in [
            (none(), None, None),
            (Filter { equals: day(), ..none() }, Some(START), Some(END)),
            (Filter { less_than: day(), ..none() }, None, Some(START - 1)),
            (Filter { less_than_or_equals: day(), ..none() }, None, Some(END)),
            (Filter { greater_than: day(), ..none() }, Some(END + 1), None),
            (Filter { greater_than_or_equals: day(), ..none() }, Some(START), None),
            (Filter { between: Some((day(), next_day())), ..none() }, Some(START), Some(END + 86_400_000)),
            (Filter { between: Some((day(), day())), ..none() }, Some(START), Some(END)),
            (Filter { between: Some((day(), None)), ..none() }, Some(START), None),
            (Filter { between: Some((None, day())), ..none() }, None, Some(END)),
            (Filter { between: Some((None, None)), ..none() }, None, None),
        ] {
            let (from, until) = (from.map(Timestamp::from_millis), until.map(Timestamp::from_millis));
            assert_eq!(filter.bounds().unwrap(), Bounds { from, until, except: None }, "{filter:?}");
        }
    }

    #[test]
    fn operators_of_a_timestamp_speak_of_its_millisecond() {
        let at = || Some("2022-03-31T21:21:39.732Z".to_owned());
        let none = Filter::default;
        for (filter, from, until) in [
            (Filter { equals: at(), ..none() }, Some(AT), Some(AT)),
            (Filter { less_than: at(), ..none() }, None, Some(AT - 1)),
            (Filter { less_than_or_equals: at(), ..none() }, None, Some(AT)),
            (Filter { greater_than: at(), ..none() }, Some(AT + 1), None),
            (Filter { greater_than_or_equals: at(), ..none() }, Some(AT), None),
        ] {
            let (from, until) = (from.map(Timestamp::from_millis), until.map(Timestamp::from_millis));
            assert_eq!(filter.bounds().unwrap(), Bounds { from, until, except: None }, "{filter:?}");
        }
    }

    #[test]
    fn all_operators_hold_together() {
        let filter = Filter {
            not_equals: day(),
            greater_than_or_equals: day(),
            greater_than: Some("2022-03-30".to_owned()),
            less_than: Some("2022-04-03".to_owned()),
            less_than_or_equals: next_day(),
            between: Some((Some("2022-01-01".to_owned()), None)),
            ..Filter::default()
        };
        let (start, end) = (Timestamp::from_millis(START), Timestamp::from_millis(END));
        let bounds = Bounds { from: Some(start), until: Some(end + DAY), except: Some(Span { start, end }) };
        assert_eq!(filter.bounds().unwrap(), bounds);
    }
}
