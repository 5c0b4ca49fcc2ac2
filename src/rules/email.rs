//! Email addresses of targets: whether every mail server could take one.
//!
//! A domain in other letters is sent in the form that mail servers know. What stands before the `@` has
//! no such form: only some servers take other letters there, so it is refused where somebody sees it.
//! Whether anybody reads what is sent there is not asked.

use lettre::Address;

use crate::error::{Code, Violation};
use crate::rules::text;

/// The longest address that mail servers can carry (RFC 5321).
const MAX_CHARS: usize = 254;

/// A plausible email address.
pub(crate) fn check(address: &str) -> Result<(), Violation> {
    let violation = |description| Err(Violation::new(Code::InvalidEmail, description));
    if address.chars().count() > MAX_CHARS {
        return violation("The email address is longer than 254 characters.");
    }
    let Some(parsed) = parse(address) else {
        return violation("The email address is malformed. Give one such as `name@company.com`.");
    };
    if !parsed.user().is_ascii() {
        return violation(
            "Not every mail server takes what stands before the `@`. Give an address with ASCII there.",
        );
    }
    let is_found = |ascii: &Address| ascii.to_string().len() <= MAX_CHARS && is_full(ascii.domain());
    if !in_ascii(&parsed).is_some_and(|ascii| is_found(&ascii)) {
        return violation("The domain of the email address is none that a mail server could look up.");
    }
    Ok(())
}

/// Whether a domain is a full name, or an address in brackets. What ends with a number is no name of a
/// host, and one without a dot is known to its own network at best.
fn is_full(domain: &str) -> bool {
    let is_top = |label: &str| !label.bytes().all(|byte| byte.is_ascii_digit());
    domain.starts_with('[') || domain.rsplit_once('.').is_some_and(|(_, label)| is_top(label))
}

fn parse(address: &str) -> Option<Address> {
    let is_hidden = |character| text::is_unprintable(character) || text::is_unseen(character);
    address.parse().ok().filter(|_| !address.contains(is_hidden))
}

/// The address with its domain in ASCII, as mail servers take it (RFC 5891).
pub(crate) fn in_ascii(address: &Address) -> Option<Address> {
    if address.domain().is_ascii() {
        return Some(address.clone());
    }
    let domain = idna::domain_to_ascii_strict(address.domain()).ok()?;
    Address::new(address.user(), domain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_sent_in_ascii() {
        for (address, sent) in [
            ("a@b.co", "a@b.co"),
            ("a@STRASSE.de", "a@STRASSE.de"),
            ("a@straße.de", "a@xn--strae-oqa.de"),
            ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
            ("a@[127.0.0.1]", "a@[127.0.0.1]"),
        ] {
            assert_eq!(in_ascii(&address.parse().unwrap()).unwrap().to_string(), sent);
        }
    }

    #[test]
    fn addresses_are_plausible() {
        let too_long = format!("a@{}com", "abcdefgh.".repeat(28));
        for good in [
            "a@b.co",
            "a@[127.0.0.1]",
            "a@1.co",
            "a@b.xn--p1ai",
            "first.last+tag@mail.company.com",
            "buero@straße.de",
            "a@例え.jp",
            "\"a b\"@c.de",
        ] {
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
            "büro@straße.de",
            "a@b\u{200d}.co",
            "a@ab--cdé.co",
            "a@localhost",
            "a@é",
            "a@127.0.0.1",
            "a@b.123",
            &too_long,
        ] {
            assert_eq!(check(bad).unwrap_err().code, Code::InvalidEmail, "{bad:?}");
        }
    }
}
