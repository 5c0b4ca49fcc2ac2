//! Secrets stay secret: the real program at its most talkative, and what is left of
//! it afterwards. And the exchange of the key that they are encrypted with.

mod belonging;
mod exchange;
mod silence;
pub(crate) mod site;

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
