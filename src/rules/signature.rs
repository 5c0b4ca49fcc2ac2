//! The signature of a notification: HMAC-SHA256 of the exact body bytes (W5).
//!
//! Receivers compute the same from the bytes that they got, so nothing may touch
//! a body between signing and sending.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The name of the header that bears the signatures.
pub const HEADER: &str = "highnote-signature";

/// One signature for each secret, in their order, which should be newest first.
pub fn header<'a>(body: &[u8], secrets: impl IntoIterator<Item = &'a str>) -> String {
    let signatures: Vec<_> = secrets.into_iter().map(|secret| sign(body, secret)).collect();
    signatures.join(",")
}

/// Whether one of the signatures in `header` is that of `body` under `secret`.
pub fn is_valid(header: &str, body: &[u8], secret: &str) -> bool {
    let expected = sign(body, secret);
    header.split(',').any(|signature| signature.as_bytes().ct_eq(expected.as_bytes()).into())
}

fn sign(body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    const JEFE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const BODY: &[u8] = b"what do ya want for nothing?";

    #[test]
    fn signatures_are_those_of_the_standard() {
        assert_eq!(header(BODY, ["Jefe"]), JEFE);
        assert_eq!(header(b"", [""]), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    }

    #[test]
    fn each_key_signs_and_the_order_is_kept() {
        let other = header(BODY, ["other"]);
        assert_eq!(header(BODY, ["other", "Jefe"]), format!("{other},{JEFE}"));
        assert_eq!(header(BODY, []), "");
    }

    #[test]
    fn only_an_exact_signature_is_valid() {
        let rotated = header(BODY, ["new", "Jefe"]);
        let upper = JEFE.to_uppercase();
        let spaced = format!(" {JEFE}");
        let cases = [
            (JEFE, BODY, "Jefe", true),
            (&rotated, BODY, "Jefe", true),
            (&rotated, BODY, "new", true),
            (&rotated, BODY, "gone", false),
            (JEFE, b"what do ya want for nothing!", "Jefe", false),
            (&JEFE[..63], BODY, "Jefe", false),
            (&upper, BODY, "Jefe", false),
            (&spaced, BODY, "Jefe", false),
            ("", BODY, "Jefe", false),
            (",", BODY, "Jefe", false),
            ("é", BODY, "Jefe", false),
        ];
        for (header, body, secret, valid) in cases {
            assert_eq!(is_valid(header, body, secret), valid, "{header:?} {secret:?}");
        }
    }
}
