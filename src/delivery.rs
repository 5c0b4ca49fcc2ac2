//! The delivery engine: brings due notifications to their targets.
//!
//! ```text
//!   publishers            the writer                    the dispatcher                 one task per attempt
//!                                                                                       
//!   app::publisher ─calls─► writer ──jobs──► buffer ◄──jobs── database_tasks            attempt::task
//!                          (ingest,         (lanes,          (claim, look,                waits, then
//!                           settle)          leases)          sweep; one at a time)       attempt::send
//!                             ▲                 │                   ▲                        │    │
//!                             │                 └─jobs─► dispatcher ┴─────────job──────────► │    │
//!                             │                              ▲                                    │
//!                             ├───────── outcomes ───────────┼──────── signal::Reports ───────────┤
//!                             │                              └───────── signals ──────────────────┘
//! ```
//!
//! A delivery stays in the database until it is settled, so a crash loses nothing: the lease runs out and
//! another worker takes it. A receiver may see a notification twice (D7).
//!
//! `buffer::renewal` keeps leases from running out. `mailer` sends mails, and `maintenance` removes what has
//! expired, beside all this. `watch` notices when one of these tasks ends by a panic: the process ends then.

mod attempt;
mod buffer;
mod dispatcher;
mod engine;
mod mailer;
mod maintenance;
mod signal;
mod watch;
mod writer;

pub use engine::Engine;
