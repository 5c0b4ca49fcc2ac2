//! Who asks: API keys, how they are made and looked up, and what failed logins may cost.

mod caller;
pub mod issue_keys;
mod key_lookup;
pub(crate) mod login_throttle;
mod logins;

pub use caller::{Caller, Login};
pub use logins::Logins;
