//! The delivery engine: brings due notifications to their targets.
//!
//! ```text
//!   app::publisher ──calls──► writer ──jobs──► buffer ──jobs──► dispatcher ──job──► attempt::task
//!                             inbox            lanes             │      ▲            waits, then
//!                             work             leases            task   done         attempt::send
//!                             ingest                             ▼      │               │     │
//!                             settle                             database_tasks         │     │
//!                               ▲                                claim, look, sweep     │     │
//!                               ├───────────── signal::Reports: outcomes ───────────────┘     │
//!                               │                                                             │
//!   app::wakeup ────────────────┼──► dispatcher ◄── signals: attempts have ended ─────────────┘
//!     used by the writer, by mutations, by other replicas; buffer and writer send signals too
//! ```
//!
//! What a claim has brought, the dispatcher puts into the buffer; what was published just now, the writer does.
//!
//! A delivery stays in the database until it is settled, so a crash loses nothing: the lease runs out and
//! another worker takes it. A receiver may see a notification twice (D7).
//!
//! `buffer::renewal` keeps leases from running out. `mailer` sends mails, and `maintenance` removes what has
//! expired, beside all this. `watch` notices when one of these tasks ends too early, by a panic or by itself: the process ends then.

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
