//! What the tasks of the engine tell each other.

use entity::TargetId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::delivery::buffer::window::Feedback;
use crate::delivery::writer::settle::Ended;

/// What the other tasks tell the dispatcher.
#[derive(Debug)]
pub(super) enum Signal {
    /// A request has ended, or its task has; the lane has room for another.
    Freed { target: TargetId, weight: usize, feedback: Feedback },
    /// Something was put into the buffer, or will not be.
    Stocked,
    /// Outcomes were written down.
    Settled,
}

/// Where attempts report to.
#[derive(Debug, Clone)]
pub(super) struct Reports {
    /// Their outcomes, to the writer.
    pub outcomes: mpsc::Sender<Ended>,
    /// Their ends, to the dispatcher.
    pub signals: mpsc::UnboundedSender<Signal>,
}

/// The two steps of stopping.
#[derive(Debug, Clone, Default)]
pub(super) struct Stopping {
    /// Nothing more is claimed.
    pub claims: CancellationToken,
    /// What is in flight is given back.
    pub attempts: CancellationToken,
}
