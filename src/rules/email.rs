//! Email addresses of targets: whether a mail server could take one.
//!
//! Whether anybody reads what is sent there is not asked.

use lettre::Address;

use crate::error::{Code, Violation};
use crate::rules::text;

/// The longest address that mail servers can carry (RFC 5321).
const MAX_CHARS: usize = 254;

/// A plausible email address.
pub fn check(address: &str) -> Result<(), Violation> {
    let violation = |description| Err(Violation::new(Code::InvalidEmail, description));
    if address.chars().count() > MAX_CHARS {
        return violation("The email address is longer than 254 characters.");
    }
    let is_seen =
        !address.contains(|character| text::is_unprintable(character) || text::is_unseen(character));
    if !is_seen || address.parse::<Address>().is_err() {
        return violation("The email address is malformed. Give one such as `name@company.com`.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plausible() {
        let too_long = format!("a@{}com", "abcdefgh.".repeat(28));
        for good in ["a@b.co", "first.last+tag@mail.company.com", "büro@straße.de", "\"a b\"@c.de"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in [
            "",
            "a",
            "@b.co",
            "a@",
            "a@b@c.de",
            "a b@c.de",
            " a@b.co",
            "a@b.co ",
            "a@b.co\n",
            "a\0@b.co",
            "a@b.co\r\nBcc: c@d.de",
            "\"a\r\n\"@c.de",
            "\"a\t\"@b.co",
            "a\u{85}@b.co",
            "a\u{202e}@b.co",
            "a@b\u{ad}\u{202e}.co",
            "a\u{ad}@b.co",
            "a@b\u{ad}.co",
            "a\u{200b}@b.co",
            "a@b\u{200d}c.co",
            "a\u{fe0f}@b.co",
            "a@\u{feff}b.co",
            "a@b.co\u{3164}",
            "a\u{ffff}@b.co",
            "a\u{378}@b.co",
            "\"a\u{2028}\"@b.co",
            "<a@b.co>",
            "A <a@b.co>",
            "a@b.co,c@d.de",
            &too_long,
        ] {
            assert_eq!(check(bad).unwrap_err().code, Code::InvalidEmail, "{bad:?}");
        }
    }
}
