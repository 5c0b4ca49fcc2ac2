//! Texts that people give: names of targets, keys and organizations, and
//! idempotency keys.
//!
//! They are shown in lists, logs, mails and terminals, so they may not contain
//! what moves a cursor, turns the direction of writing, or is not seen at all.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::error::{Code, Violation};

const MAX_CHARS: usize = 255;

/// A name: 1 to 255 printable characters, counted as Unicode scalar values, of which one at least is
/// seen (T2).
pub(crate) fn name(text: &str) -> Result<(), Violation> {
    let violation = |description| Err(Violation::new(Code::InvalidName, description));
    if text.chars().all(is_blank) {
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
    if text.contains(|character| is_unseen(character) && !shapes_others(character)) {
        return violation("The name contains characters that nobody sees. Leave them out.");
    }
    Ok(())
}

/// An idempotency key: 1 to 255 characters other than control characters (X1).
pub(crate) fn idempotency_key(text: &str) -> Result<(), Violation> {
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
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

/// Whether nobody sees a character: what text is shown without (soft hyphens, zero-width spaces, fillers),
/// and what is no character at all, or none yet.
pub(crate) fn is_unseen(character: char) -> bool {
    // Of ASCII there are none, and it is what nearly all texts are made of.
    !character.is_ascii()
        && (CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
            || CodePointMapData::<GeneralCategory>::new().get(character) == GeneralCategory::Unassigned)
}

/// Whether a character that is not seen itself changes how its neighbours are: joiners, marks of the
/// direction of what follows, the variants of a character, and what makes flags of regions.
fn shapes_others(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}'..='\u{200f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}'
    )
}

fn is_blank(character: char) -> bool {
    const BRAILLE_BLANK: char = '\u{2800}';
    character.is_whitespace() || character == BRAILLE_BLANK || is_unseen(character)
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
        for good in [
            "a",
            " a ",
            "Zahlungen – Büro 🏦",
            "שלום",
            "a\u{200f}b",
            "می\u{200c}خواهم",
            "👩\u{200d}💻 ☎\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "e\u{301}",
            "\u{fffd}",
            "\u{e000}",
            &longest,
        ] {
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
            // Nothing is seen of these.
            "\u{200b}",
            "\u{ffff}",
            "\u{200b} \u{200d}",
            "\u{200f}",
            "\u{fe0f}",
            "\u{2800}",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{feff}",
            // Nor of some of these.
            "a\u{200b}b",
            "a\u{ad}b",
            "\u{feff}a",
            "a\u{2060}b",
            "a\u{2064}",
            "a\u{3164}",
            "a\u{ffa0}",
            "a\u{180e}",
            "a\u{17b4}",
            "a\u{1d173}",
            "a\u{e0001}",
            // No characters, or none yet.
            "a\u{ffff}",
            "a\u{fffe}",
            "a\u{fdd0}",
            "a\u{10ffff}",
            "a\u{378}",
            "a\u{e0fff}",
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
