//! The signature of a notification: HMAC-SHA256 of the exact body bytes (W5).
//!
//! Receivers compute the same from the bytes that they got, so nothing may touch
//! a body between signing and sending.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The name of the header that bears the signatures.
pub const HEADER: &str = "highnote-signature";

/// Signs bodies with the secrets of one target. What HMAC makes of a secret before it sees a body
/// is kept; it is wiped from memory with the signer.
#[derive(Debug, Clone)]
pub struct Signer(Vec<Hmac<Sha256>>);

impl Signer {
    /// Signs with each of these secrets, in their order, which should be newest first.
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let keyed = |secret: &str| Hmac::new_from_slice(secret.as_bytes());
        Self(
            secrets.into_iter().map(|secret| keyed(secret).expect("HMAC takes keys of any length")).collect(),
        )
    }

    /// The value of the header: one signature for each secret.
    pub fn header(&self, body: &[u8]) -> String {
        let sign = |key: &Hmac<Sha256>| hex::encode(key.clone().chain_update(body).finalize().into_bytes());
        self.0.iter().map(sign).collect::<Vec<_>>().join(",")
    }
}

/// Whether one of the signatures in `header` is that of `body` under `secret`.
pub fn is_valid(header: &str, body: &[u8], secret: &str) -> bool {
    let expected = Signer::new([secret]).header(body);
    header.split(',').any(|signature| signature.as_bytes().ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    const JEFE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const BODY: &[u8] = b"what do ya want for nothing?";

    #[test]
    fn signatures_are_those_of_the_standard() {
        assert_eq!(Signer::new(["Jefe"]).header(BODY), JEFE);
        assert_eq!(
            Signer::new([""]).header(b""),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        );
    }

    #[test]
    fn each_key_signs_and_the_order_is_kept() {
        let other = Signer::new(["other"]).header(BODY);
        assert_eq!(Signer::new(["other", "Jefe"]).header(BODY), format!("{other},{JEFE}"));
        assert_eq!(Signer::new([]).header(BODY), "");
    }

    #[test]
    fn only_an_exact_signature_is_valid() {
        let rotated = Signer::new(["new", "Jefe"]).header(BODY);
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
