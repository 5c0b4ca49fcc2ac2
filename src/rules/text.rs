//! Texts that people give: names of targets, keys and organizations, and
//! idempotency keys.
//!
//! They are shown in lists, logs, mails and terminals, so they may not contain
//! what moves a cursor or turns the direction of writing.

use crate::error::{Code, Violation};

const MAX_CHARS: usize = 255;

/// A name: 1 to 255 printable characters, counted as Unicode scalar values (T2).
pub fn name(text: &str) -> Result<(), Violation> {
    let violation = |description| Err(Violation::new(Code::InvalidName, description));
    if text.trim().is_empty() {
        return violation("The name is empty or blank. Give 1 to 255 characters.");
    }
    if is_too_long(text) {
        return violation("The name is longer than 255 characters. Give 1 to 255 characters.");
    }
    if text.contains(is_unprintable) {
        return violation(
            "The name contains control characters. Leave out line breaks, tabs, and characters \
             that change the direction of writing.",
        );
    }
    Ok(())
}

/// An idempotency key: 1 to 255 characters other than control characters (X1).
pub fn idempotency_key(text: &str) -> Result<(), Violation> {
    let violation = |description| Err(Violation::new(Code::InvalidIdempotencyKey, description));
    if text.is_empty() {
        return violation("The idempotency key is empty. Give 1 to 255 characters, or leave it out.");
    }
    if is_too_long(text) {
        return violation("The idempotency key is longer than 255 characters. Give 1 to 255.");
    }
    if text.contains(char::is_control) {
        return violation("The idempotency key contains control characters. Leave them out.");
    }
    Ok(())
}

/// Whether a character does something other than to be seen: control characters, line
/// breaks, what overrides or isolates the direction of writing, and what begins a remark
/// between the lines.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

fn is_too_long(text: &str) -> bool {
    text.chars().count() > MAX_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_1_to_255_printable_characters() {
        let (longest, too_long) = ("é".repeat(255), "é".repeat(256));
        for good in ["a", " a ", "Zahlungen – Büro 🏦", "שלום", "a\u{200f}b", &longest] {
            assert_eq!(name(good), Ok(()), "{good:?}");
        }
        for bad in [
            "",
            " ",
            "\u{a0}\u{3000}",
            "\t",
            "a\0",
            "a\rb",
            "a\nb",
            "a\u{7f}",
            "a\u{85}b",
            "\u{1b}[2J",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\u{202e}b",
            "a\u{202a}",
            "\u{2066}a",
            "a\u{2069}",
            "a\u{206b}b",
            "\u{fff9}a\u{fffa}b\u{fffb}",
            &too_long,
        ] {
            assert_eq!(name(bad).unwrap_err().code, Code::InvalidName, "{bad:?}");
        }
    }

    #[test]
    fn idempotency_keys_are_1_to_255_characters_other_than_controls() {
        let (longest, too_long) = ("é".repeat(255), "é".repeat(256));
        for good in ["a", " ", "0190163d-8694", "order:17/é", &longest] {
            assert_eq!(idempotency_key(good), Ok(()), "{good:?}");
        }
        for bad in ["", "a\0", "a\n", "\u{9f}", &too_long] {
            let violation = idempotency_key(bad).unwrap_err();
            assert_eq!(violation.code, Code::InvalidIdempotencyKey, "{bad:?}");
        }
    }
}
