//! The stories: what users of the server can rely on, told at its outer edge —
//! GraphQL over HTTP in, HTTPS out — on both databases.
//!
//! Nothing sleeps and nothing polls: the clock is moved by hand, and the engine
//! is waited for.

mod world;

mod activation;
