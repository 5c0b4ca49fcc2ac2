//! Pages of lists: their size, and the cursors between them (G8).
//!
//! A cursor is sealed for one list of one caller. A cursor of another list, or one
//! that somebody made up, is an error and tells nothing.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;

use crate::error::Error;

/// The most that one page can have.
pub const MAX: u64 = 200;

/// How much most lists show unless asked for more or less.
pub const DEFAULT: u64 = 20;

/// How much of the seal a cursor bears: enough, because every guess costs a request.
const SEAL_BYTES: usize = 8;

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page {
    /// How many items, at most.
    pub first: u64,
    /// The id of the item that the page follows.
    pub after: Option<String>,
}

/// The size of a page, as asked for or by default.
pub fn size(first: Option<i32>, default: u64) -> Result<u64, Error> {
    let Some(first) = first else { return Ok(default) };
    u64::try_from(first)
        .ok()
        .filter(|size| (1..=MAX).contains(size))
        .ok_or_else(|| Error::BadArgument(format!("`first` is {first}. Give 1 to {MAX}.")))
}

/// Makes and reads cursors. All replicas of a server need the same keys.
#[derive(Debug, Clone)]
pub struct Cursors {
    keys: Arc<SecretBox<Vec<[u8; 32]>>>,
}

impl Cursors {
    /// Cursors that are sealed with the first of the keys, and known again by any.
    pub fn new(keys: Vec<[u8; 32]>) -> Self {
        Self { keys: Arc::new(SecretBox::new(Box::new(keys))) }
    }

    /// The cursor of the item `id` in `list`: a text without NUL that tells the list
    /// from all others, by kind, parent and scope.
    pub fn seal(&self, list: &str, id: &str) -> String {
        let seal = mac(self.first_key(), list, id.as_bytes()).finalize().into_bytes();
        let sealed = [id.as_bytes(), &seal[..SEAL_BYTES]].concat();
        BASE64_URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The id in a cursor that was sealed for this very list.
    pub fn open(&self, list: &str, cursor: &str) -> Result<String, Error> {
        self.unseal(list, cursor).ok_or_else(|| {
            Error::BadArgument("`after` is no cursor of this list. Give an `endCursor` of it.".to_owned())
        })
    }

    fn first_key(&self) -> &[u8; 32] {
        self.keys.expose_secret().first().expect("nobody makes cursors without a key")
    }

    fn unseal(&self, list: &str, cursor: &str) -> Option<String> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (id, seal) = sealed.split_last_chunk::<SEAL_BYTES>()?;
        let mut keys = self.keys.expose_secret().iter();
        keys.find(|key| mac(key, list, id).verify_truncated_left(seal).is_ok())?;
        String::from_utf8(id.to_vec()).ok()
    }
}

fn mac(key: &[u8; 32], list: &str, id: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(list.as_bytes());
    mac.update(&[0]);
    mac.update(id);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "nee_0190163d8694739b8a4f0123456789ab";

    fn cursors() -> Cursors {
        Cursors::new(vec![[7; 32]])
    }

    fn is_refused(list: &str, cursor: &str) -> bool {
        matches!(cursors().open(list, cursor), Err(Error::BadArgument(_)))
    }

    #[test]
    fn a_page_has_1_to_200_items() {
        for (first, expected) in [(None, 20), (Some(1), 1), (Some(20), 20), (Some(200), 200)] {
            assert_eq!(size(first, DEFAULT).unwrap(), expected);
        }
        for first in [0, -1, 201, i32::MIN, i32::MAX] {
            assert!(matches!(size(Some(first), DEFAULT), Err(Error::BadArgument(_))), "{first}");
        }
    }

    #[test]
    fn a_cursor_opens_only_the_list_that_it_was_sealed_for() {
        let cursor = cursors().seal("events of org_1", ID);
        assert_eq!(cursors().open("events of org_1", &cursor).unwrap(), ID);
        assert!(is_refused("events of org_2", &cursor));
        assert!(is_refused("", &cursor));
        assert!(Cursors::new(vec![[8; 32]]).open("events of org_1", &cursor).is_err());
    }

    #[test]
    fn cursors_of_others_are_refused() {
        let cursor = cursors().seal("list", ID);
        let padded = format!("{cursor}=");
        let bare = BASE64_URL_SAFE_NO_PAD.encode(ID);
        for bad in ["", "A", "AAAAAAAAAAA", "a cursor", "é", "\0", ID, &padded, &bare, &cursor[1..]] {
            assert!(is_refused("list", bad), "{bad:?}");
        }
    }

    #[test]
    fn a_seal_does_not_move_between_list_and_id() {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(cursors().seal("ab", "c")).unwrap();
        let moved = [b"b", sealed.as_slice()].concat();
        assert!(is_refused("a", &BASE64_URL_SAFE_NO_PAD.encode(moved)));
    }

    #[test]
    fn cursors_outlive_the_exchange_of_the_key() {
        let cursor = cursors().seal("list", ID);
        let exchanged = Cursors::new(vec![[8; 32], [7; 32]]);
        assert_eq!(exchanged.open("list", &cursor).unwrap(), ID);
        assert!(is_refused("list", &exchanged.seal("list", ID)));
    }

    #[test]
    fn the_key_is_not_in_debug_output() {
        assert!(!format!("{:?}", cursors()).contains('7'));
    }

    proptest! {
        #[test]
        fn sealed_values_open_again(list in "[^\0]*", id: String) {
            prop_assert_eq!(cursors().open(&list, &cursors().seal(&list, &id)).unwrap(), id);
        }

        #[test]
        fn no_text_is_a_cursor_by_chance(list: String, cursor: String, bytes: Vec<u8>) {
            prop_assert!(is_refused(&list, &cursor));
            prop_assert!(is_refused(&list, &BASE64_URL_SAFE_NO_PAD.encode(bytes)));
        }

        #[test]
        fn a_changed_cursor_is_refused(at in 0..58_usize, to in "[A-Za-z0-9_-]") {
            let cursor = cursors().seal("list", ID);
            let mut changed = cursor.clone();
            changed.replace_range(at..=at, &to);
            prop_assert!(changed == cursor || is_refused("list", &changed));
        }
    }
}
