//! The texts that prove something: API keys (G1, G13) and signing secrets (K4).
//!
//! Nothing here keeps one. Randomness comes from the caller; an API key is known
//! again by its hash.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use entity::Environment;
use sha2::{Digest, Sha256};

/// How many characters of a redacted key are shown at either end.
const SHOWN: usize = 4;

/// How long an API key is behind its prefix: 256 bits in base64url.
const KEY_CHARS: usize = 43;

/// A new API key: `sk_test_…` or `sk_live_…` with 43 characters.
pub fn key(environment: Environment, random: [u8; 32]) -> String {
    format!("sk_{}_{}", environment.word(), BASE64_URL_SAFE_NO_PAD.encode(random))
}

/// Whether a text has the form of an API key. What has not cannot be one, so nobody needs to look for it.
pub fn has_form_of_key(text: &str) -> bool {
    let secret = text.strip_prefix("sk_test_").or_else(|| text.strip_prefix("sk_live_"));
    secret.is_some_and(|secret| {
        secret.len() == KEY_CHARS
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

/// What an API key is found by: its SHA-256 as hex digits. A key is too random to be guessed,
/// so it needs no salt.
pub fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

/// An API key with its middle left out, `sk_test_abcd...wxyz`, for people to recognize it.
pub fn redact(key: &str) -> String {
    let secret_at = key.match_indices('_').nth(1).map_or(0, |(at, _)| at + 1);
    let (prefix, secret) = key.split_at(secret_at);
    // Of a short text the two ends would be too much to show.
    if secret.len() < 4 * SHOWN || !secret.is_ascii() {
        return format!("{prefix}...");
    }
    format!("{prefix}{}...{}", &secret[..SHOWN], &secret[secret.len() - SHOWN..])
}

/// The API key in an `Authorization` header: the user name of Basic authentication, with an
/// empty password. `base64("key")` without the colon will do, and so will missing padding.
pub fn basic(header_value: &str) -> Option<String> {
    let (scheme, credentials) = header_value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = credentials.trim_matches(' ').trim_end_matches('=');
    let text = String::from_utf8(BASE64_STANDARD_NO_PAD.decode(credentials).ok()?).ok()?;
    let (key, password) = text.split_once(':').unwrap_or((&text, ""));
    (!key.is_empty() && password.is_empty()).then(|| key.to_owned())
}

/// A new signing secret: 43 base64url characters, which are used as they stand (W5).
pub fn signing_secret(random: [u8; 32]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(random)
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    const TEST_KEY: &str = "sk_test_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

    #[test]
    fn keys_and_secrets_are_base64url_of_32_bytes() {
        assert_eq!(key(Environment::Test, [1; 32]), TEST_KEY);
        let live = key(Environment::Live, [255; 32]);
        assert_eq!(live, "sk_live___________________________________________8");
        assert_eq!(signing_secret([0; 32]), "A".repeat(43));
    }

    #[test]
    fn text_of_another_form_is_no_key() {
        assert!(has_form_of_key(TEST_KEY));
        assert!(has_form_of_key(&key(Environment::Live, [255; 32])));
        for text in [
            "",
            "sk_test_",
            "sk_test_x",
            &TEST_KEY[1..],
            &TEST_KEY[..TEST_KEY.len() - 1],
            &format!("{TEST_KEY}A"),
            &TEST_KEY.replace("test", "both"),
            &TEST_KEY.replace("AQE", "A+E"),
            &TEST_KEY.replace("AQE", "A\0E"),
            &TEST_KEY.replace("AQE", "é="),
        ] {
            assert!(!has_form_of_key(text), "{text}");
        }
    }

    #[test]
    fn a_hash_is_sha_256_in_hex() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_redacted_key_shows_its_ends_only() {
        for (key, redacted) in [
            (TEST_KEY, "sk_test_AQEB...BAQE"),
            ("sk_live_abcd_efgh_ijkl_wxyz", "sk_live_abcd...wxyz"),
            ("sk_test_short", "sk_test_..."),
            ("short", "..."),
            ("", "..."),
            ("_", "..."),
            ("__", "__..."),
            ("sk_test_ééééééééééééééé", "sk_test_..."),
        ] {
            assert_eq!(redact(key), redacted, "{key}");
        }
    }

    #[test]
    fn the_key_is_the_user_name_of_basic_authentication() {
        let key = |text: &str| Some(text.to_owned());
        for (value, expected) in [
            ("Basic a2V5Og==", key("key")),
            ("basic a2V5Og==", key("key")),
            ("BASIC  a2V5Og== ", key("key")),
            ("Basic a2V5Og", key("key")),
            ("Basic a2V5", key("key")),
            ("Basic a2V5OnB3", None),
            ("Basic a2V5Ojo=", None),
            ("Basic Og==", None),
            ("Basic ", None),
            ("Basic", None),
            ("Basic a2V5Og==,", None),
            ("Basic a2V5 Og==", None),
            ("Basic /w==", None),
            ("Basic\ta2V5", None),
            ("Bearer a2V5Og==", None),
            ("a2V5Og==", None),
            ("", None),
        ] {
            assert_eq!(basic(value), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(value: String, key: String) {
            basic(&value);
            redact(&key);
            has_form_of_key(&key);
            basic(&format!("Basic {value}"));
        }

        #[test]
        fn every_key_comes_back_from_its_header(random: [u8; 32]) {
            let key = key(Environment::Live, random);
            let header = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
            prop_assert!(has_form_of_key(&key));
            prop_assert_eq!(basic(&header), Some(key));
        }
    }
}
