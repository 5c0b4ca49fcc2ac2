//! Filters by time: what the operators of a timestamp filter mean (G10).
//!
//! A value is a span: a date is its whole day in UTC, a timestamp is one
//! millisecond. All operators of a filter hold together.

use std::time::Duration;

use chrono::DateTime;
use entity::Timestamp;

use crate::error::Error;

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_hours(24);

/// How much of an unreadable value is shown.
const SHOWN_CHARS: usize = 40;

/// A stretch of time that includes both of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    /// Its first millisecond.
    pub start: Timestamp,
    /// Its last millisecond.
    pub end: Timestamp,
}

/// Reads a date such as `2022-03-31`, or a timestamp of RFC 3339, which is cut to milliseconds.
pub(crate) fn read(text: &str) -> Result<Span, String> {
    date(text).or_else(|| timestamp(text)).ok_or_else(|| {
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        format!(
            "{shown:?} is neither a date such as 2022-03-31 nor a timestamp such as 2022-03-31T21:21:39.732Z"
        )
    })
}

/// A timestamp filter as the caller wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
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
pub(crate) struct Bounds {
    /// The first of them; open if none.
    pub from: Option<Timestamp>,
    /// The last of them; open if none.
    pub until: Option<Timestamp>,
    /// What is left out in between.
    pub except: Option<Span>,
}

impl Filter {
    /// All operators joined. Bounds that nothing can lie within are no error: the list is empty.
    pub(crate) fn bounds(&self) -> Result<Bounds, Error> {
        let between = self.between.as_ref();
        let start = operand("between.start", between.and_then(|(start, _)| start.as_deref()))?;
        let end = operand("between.end", between.and_then(|(_, end)| end.as_deref()))?;
        let equals = operand("equals", self.equals.as_deref())?;
        let above = operand("greaterThan", self.greater_than.as_deref())?;
        let at_least = operand("greaterThanOrEquals", self.greater_than_or_equals.as_deref())?;
        let below = operand("lessThan", self.less_than.as_deref())?;
        let at_most = operand("lessThanOrEquals", self.less_than_or_equals.as_deref())?;

        let starts = [start, equals, at_least].map(|span| Some(span?.start));
        let ends = [end, equals, at_most].map(|span| Some(span?.end));
        let after = above.map(|span| span.end + MILLISECOND);
        let before = below.map(|span| span.start - MILLISECOND);
        Ok(Bounds {
            from: starts.into_iter().flatten().chain(after).max(),
            until: ends.into_iter().flatten().chain(before).min(),
            except: operand("notEquals", self.not_equals.as_deref())?,
        })
    }
}

fn operand(operator: &str, value: Option<&str>) -> Result<Option<Span>, Error> {
    let span = value.map(read).transpose();
    span.map_err(|problem| Error::BadArgument(format!("`{operator}`: {problem}.")))
}

fn date(text: &str) -> Option<Span> {
    let start = timestamp(&format!("{text}T00:00:00Z"))?.start;
    let end = start + DAY - MILLISECOND;
    Some(Span { start, end })
}

fn timestamp(text: &str) -> Option<Span> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc().into();
    Some(Span { start: at, end: at })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn other_dates_are_errors() {
        let texts = "now 2022 2022-03 2022-3-31 2022-03-1 +2022-03-1 -2022-3-01 02022-3-31 2022-02-30 \
            2022-13-01 2022-00-01 31.03.2022 03/31/2022 2022-03-31Z 20220331 2022-W13-4 1648761699732 \
            ２０２２-03-31 2022-03-é";
        for text in
            texts.split(' ').chain(["", " ", " 2022-03-31", "2022-03-31 ", "2022-03-31\0", "2022- 3-31"])
        {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn other_timestamps_are_errors() {
        let texts = "2022-03-31T21:21Z 2022-03-31T21:21:39.732 2022-03-31T21:21:39.Z 2022-03-31T25:00:00Z \
            2022-03-31T21:21:39+99:99 2022-03-31T21:21:39+0200 2022-03-31T21:60:00Z 12022-03-31T21:21:39Z";
        for text in texts.split(' ').chain(["2022-03-31T21:21:39Z\0", " 2022-03-31T21:21:39Z"]) {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    fn filter(operator: &str, value: &str) -> Filter {
        let mut filter = Filter::default();
        let field = match operator {
            "equals" => &mut filter.equals,
            "notEquals" => &mut filter.not_equals,
            "lessThan" => &mut filter.less_than,
            "lessThanOrEquals" => &mut filter.less_than_or_equals,
            "greaterThan" => &mut filter.greater_than,
            "greaterThanOrEquals" => &mut filter.greater_than_or_equals,
            _ => panic!("there is no operator {operator}"),
        };
        *field = Some(value.to_owned());
        filter
    }

    fn between(start: Option<&str>, end: Option<&str>) -> Filter {
        let between = Some((start.map(str::to_owned), end.map(str::to_owned)));
        Filter { between, ..Filter::default() }
    }

    fn bounds(from: Option<i64>, until: Option<i64>) -> Bounds {
        let (from, until) = (from.map(Timestamp::from_millis), until.map(Timestamp::from_millis));
        Bounds { from, until, except: None }
    }

    fn message(filter: &Filter) -> String {
        match filter.bounds() {
            Err(Error::BadArgument(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_operator_speaks_of_a_whole_day_or_of_one_millisecond() {
        let (day, at) = ("2022-03-31", "2022-03-31T21:21:39.732Z");
        for (operator, value, from, until) in [
            ("equals", day, Some(START), Some(END)),
            ("lessThan", day, None, Some(START - 1)),
            ("lessThanOrEquals", day, None, Some(END)),
            ("greaterThan", day, Some(END + 1), None),
            ("greaterThanOrEquals", day, Some(START), None),
            ("equals", at, Some(AT), Some(AT)),
            ("lessThan", at, None, Some(AT - 1)),
            ("lessThanOrEquals", at, None, Some(AT)),
            ("greaterThan", at, Some(AT + 1), None),
            ("greaterThanOrEquals", at, Some(AT), None),
        ] {
            let read = filter(operator, value).bounds().unwrap();
            assert_eq!(read, bounds(from, until), "{operator} {value}");
        }
    }

    #[test]
    fn between_includes_both_ends_and_a_missing_one_is_open() {
        let (day, next, at) = (Some("2022-03-31"), Some("2022-04-01"), Some("2022-03-31T21:21:39.732Z"));
        for (start, end, from, until) in [
            (day, next, Some(START), Some(END + 86_400_000)),
            (day, day, Some(START), Some(END)),
            (day, at, Some(START), Some(AT)),
            (day, None, Some(START), None),
            (None, day, None, Some(END)),
            (None, None, None, None),
        ] {
            let read = between(start, end).bounds().unwrap();
            assert_eq!(read, bounds(from, until), "{start:?} {end:?}");
        }
    }

    #[test]
    fn not_equals_leaves_out_and_no_operator_bounds_nothing() {
        let (start, end) = (Timestamp::from_millis(START), Timestamp::from_millis(END));
        let except = filter("notEquals", "2022-03-31").bounds().unwrap().except;
        assert_eq!(except, Some(Span { start, end }));
        assert_eq!(Filter::default().bounds().unwrap(), Bounds::default());
    }

    #[test]
    fn all_operators_hold_together() {
        let filter = Filter {
            equals: filter("equals", "2022-03-31").equals,
            greater_than: filter("greaterThan", "2022-03-30").greater_than,
            less_than: filter("lessThan", "2022-03-31T21:21:39.732Z").less_than,
            ..between(Some("2022-01-01"), Some("2022-04-01"))
        };
        assert_eq!(filter.bounds().unwrap(), bounds(Some(START), Some(AT - 1)));

        let nothing = Filter { less_than: filter.less_than, ..between(Some("2022-04-01"), None) };
        assert_eq!(nothing.bounds().unwrap(), bounds(Some(END + 1), Some(AT - 1)));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_to_be_answered(
            text in prop_oneof![any::<String>(), "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,12}(Z|[+-][0-9:]{5})?)?"],
        ) {
            for operator in ["equals", "notEquals", "lessThan", "lessThanOrEquals", "greaterThan"] {
                if let Err(error) = filter(operator, &text).bounds() {
                    prop_assert!(matches!(error, Error::BadArgument(_)), "{error:?}");
                }
            }
        }

        #[test]
        fn displayed_ids_parse_again(millis in 0..4_102_444_800_000_i64) {
            let shown = Timestamp::from_millis(millis).to_string();
            let read = filter("equals", &shown).bounds().unwrap();
            prop_assert_eq!(&read, &bounds(Some(millis), Some(millis)));
            let day = filter("equals", &shown[..10]).bounds().unwrap();
            prop_assert!(day.from <= read.from && read.until <= day.until);
        }
    }

    #[test]
    fn an_error_names_operator_and_value() {
        for operator in ["equals", "notEquals", "lessThan", "lessThanOrEquals", "greaterThan"] {
            let message = message(&filter(operator, "to\nmorrow"));
            let start = format!("`{operator}`: \"to\\nmorrow\" is neither a date");
            assert!(message.starts_with(&start), "{message}");
        }
        let long = "x".repeat(9_999);
        assert!(message(&between(Some(&long), None)).starts_with("`between.start`: "));
        assert!(message(&between(None, Some(&long))).starts_with("`between.end`: "));
        assert!(message(&between(None, Some(&long))).len() < 200);
    }
}
