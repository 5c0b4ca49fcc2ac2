//! A real webhook receiver for the demo, the tests and the benches.
//!
//! It listens on 127.0.0.1, speaks HTTP/1.1 and HTTP/2, records every request
//! and answers as the test scripted it, however rudely. It knows nothing of
//! Reprise: whatever it is sent came over a socket.

mod answer;
mod authority;
mod gate;
mod hear;
mod line;
mod rogue;
mod server;
mod state;

pub use answer::Answer;
pub use authority::{Authority, Certificate, Protocols};
pub use gate::Gate;
pub use rogue::{Act, Rogue};
pub use server::Receiver;
pub use state::Received;
