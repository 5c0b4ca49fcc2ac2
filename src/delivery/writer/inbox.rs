//! What waits to be written down, and when its turn comes.
//!
//! Calls never wait here for anything but the transaction before. Outcomes do: for others that
//! gather, and for a database that did not take the last ones.

use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::app::publisher::Calls;
use crate::delivery::writer::settle::{Batch, Ended};
use crate::delivery::writer::work::Work;

/// How many events, and how many outcomes, may share a transaction: more would keep others from
/// writing for too long.
const EVENTS: usize = 1_000;
const OUTCOMES: usize = 500;
/// For how long outcomes gather after the last were written.
const GATHERING: Duration = Duration::from_millis(10);

/// What a writer has to write down.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// What is published.
    calls: Calls,
    /// How attempts ended.
    ended: mpsc::Receiver<Ended>,
    /// Keeps the engine from having stopped before all that it did is written down.
    engine: Option<TaskTrackerToken>,
    gathering: Gathering,
    owing: Owing,
}

/// What a writer does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Something is to be written.
    Work(Work),
    /// Outcomes that the database did not take are due. They go alone: whoever publishes has nothing to do
    /// with their trouble.
    Retry(Batch),
    /// Nobody can bring anything any more.
    Closed,
}

impl Inbox {
    /// Of these channels; one that is closed brings nothing. `engine` comes with outcomes.
    pub(crate) fn new(calls: Calls, ended: mpsc::Receiver<Ended>, engine: Option<TaskTrackerToken>) -> Self {
        Self { calls, ended, engine, gathering: Gathering::over(), owing: Owing::default() }
    }

    /// Waits for something to do, unless there is work ahead, and takes what else is there, as long as it
    /// fits: outcomes too, even if they still gather.
    pub(crate) async fn next(&mut self, ahead: Option<Work>) -> Next {
        let mut work = ahead.unwrap_or_default();
        while work.is_empty() {
            let takes_outcomes = self.engine.is_some() && !self.owes();
            let gathers = takes_outcomes && self.gathering.goes_on(self.ended.len(), Instant::now());
            tokio::select! {
                Some(call) = self.calls.recv() => work.add(call),
                ended = self.ended.recv(), if takes_outcomes && !gathers => match ended {
                    Some(ended) => work.outcomes.add(ended),
                    None => self.engine = None,
                },
                () = self.gathering.end(), if gathers => {}
                outcomes = self.owing.due(), if self.owing.is_some() => return Next::Retry(outcomes),
                else => return Next::Closed,
            }
        }
        if !work.is_drafted() {
            self.take_calls(&mut work);
        }
        self.take_outcomes(&mut work);
        Next::Work(work)
    }

    /// Takes the calls that wait.
    pub(crate) fn take_calls(&mut self, work: &mut Work) {
        let mut events = work.events();
        while events < EVENTS
            && let Ok(call) = self.calls.try_recv()
        {
            events += call.events();
            work.add(call);
        }
    }

    /// None, while others are owed: they would be owed too.
    fn take_outcomes(&mut self, work: &mut Work) {
        while !self.owes()
            && work.outcomes.len() < OUTCOMES
            && let Ok(ended) = self.ended.try_recv()
        {
            work.outcomes.add(ended);
        }
    }

    /// Some outcomes were written: for a moment others gather.
    pub(crate) fn gather(&mut self) {
        self.gathering = Gathering::from(Instant::now());
    }

    /// The database did not take these outcomes; they are due after a pause.
    pub(crate) fn owe(&mut self, outcomes: Batch, pause: Duration) {
        self.owing.owe(outcomes, Instant::now() + pause);
    }

    /// Whether there are outcomes that the database did not take.
    pub(crate) fn owes(&self) -> bool {
        self.owing.is_some()
    }
}

/// The moment in which outcomes gather.
#[derive(Debug)]
struct Gathering {
    until: Instant,
}

impl Gathering {
    fn over() -> Self {
        Self { until: Instant::now() }
    }

    fn from(written_at: Instant) -> Self {
        Self { until: written_at + GATHERING }
    }

    /// Whether so many outcomes that wait had better wait for more.
    fn goes_on(&self, waiting: usize, now: Instant) -> bool {
        waiting < OUTCOMES && now < self.until
    }

    async fn end(&self) {
        sleep_until(self.until).await;
    }
}

/// Outcomes that the database did not take, and when they are due. None are taken meanwhile, so these are all.
#[derive(Debug, Default)]
struct Owing(Option<(Batch, Instant)>);

impl Owing {
    fn owe(&mut self, outcomes: Batch, due_at: Instant) {
        debug_assert!(self.0.is_none(), "what is owed already would be lost");
        self.0 = Some((outcomes, due_at));
    }

    fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Gives them back once they are due; dropped before, it keeps them. While nothing is owed, nothing becomes due.
    async fn due(&mut self) -> Batch {
        if let Some((_, due_at)) = &self.0 {
            sleep_until(*due_at).await;
        }
        match self.0.take() {
            Some((outcomes, _)) => outcomes,
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use entity::{DeliveryState, Environment, EventId, OrganizationId, Purpose, TargetId, Timestamp};
    use futures_util::FutureExt;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::app::Publisher;
    use crate::quota::limits::Waits;
    use crate::store::events::Publication;
    use crate::store::{Scope, deliveries};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const LONG: Duration = Duration::from_secs(3_600);

    fn ended() -> Ended {
        let row = deliveries::waiting(&EventId::new(NOW), &TargetId::new(NOW), Purpose::Event, 0, NOW);
        Ended::GivenBack(entity::delivery::Model { state: DeliveryState::Claimed, ..row })
    }

    fn outcomes(count: usize) -> Batch {
        let mut outcomes = Batch::default();
        (0..count).for_each(|_| outcomes.add(ended()));
        outcomes
    }

    /// An inbox, and who brings what is in it.
    fn inbox() -> (Inbox, Publisher, mpsc::Sender<Ended>) {
        let (publisher, (sender, ended)) = (Publisher::new(Waits::default()), mpsc::channel(2 * OUTCOMES));
        let inbox = Inbox::new(publisher.calls().unwrap(), ended, Some(TaskTracker::new().token()));
        (inbox, publisher, sender)
    }

    /// Hands in a call of no events. It stays there though nobody waits for its answer.
    fn publish(publisher: &Publisher) {
        let scope = Scope { organization: OrganizationId::new(NOW), environment: Environment::Test };
        let publication = Publication { scope, events: Vec::new() };
        assert!(publisher.publish(publication).now_or_never().is_none());
    }

    #[test]
    fn outcomes_gather_for_a_moment_unless_they_are_many() {
        let written_at = Instant::now();
        let gathering = Gathering::from(written_at);
        for (waiting, after, goes_on) in [
            (0, Duration::ZERO, true),
            (OUTCOMES - 1, GATHERING / 2, true),
            (OUTCOMES, Duration::ZERO, false),
            (0, GATHERING, false),
            (OUTCOMES, LONG, false),
        ] {
            assert_eq!(gathering.goes_on(waiting, written_at + after), goes_on, "{waiting} after {after:?}");
        }
        assert!(!Gathering::over().goes_on(0, Instant::now()));
    }

    #[tokio::test]
    async fn owed_outcomes_are_given_back_once_when_due() {
        let mut owing = Owing::default();
        assert!(!owing.is_some() && owing.due().now_or_never().is_none());
        owing.owe(outcomes(2), Instant::now() + LONG);
        assert!(owing.due().now_or_never().is_none());
        assert!(owing.is_some(), "who waits in vain takes nothing away");
        owing.0 = None;
        owing.owe(outcomes(3), Instant::now());
        assert_eq!(owing.due().await.len(), 3);
        assert!(!owing.is_some() && owing.due().now_or_never().is_none());
    }

    #[tokio::test]
    async fn waiting_calls_and_outcomes_share_a_transaction() {
        let (mut inbox, publisher, sender) = inbox();
        for _ in 0..=OUTCOMES {
            sender.try_send(ended()).unwrap();
        }
        publish(&publisher);
        let Next::Work(work) = inbox.next(None).await else { panic!("there is work") };
        assert!(!work.is_empty());
        assert_eq!((work.outcomes.len(), inbox.ended.len(), inbox.calls.len()), (OUTCOMES, 1, 0));
        let Next::Work(work) = inbox.next(None).await else { panic!("there is work") };
        assert_eq!((work.outcomes.len(), inbox.ended.len()), (1, 0));
    }

    #[tokio::test]
    async fn gathering_outcomes_go_with_the_next_call() {
        let (mut inbox, publisher, sender) = inbox();
        inbox.gathering = Gathering::from(Instant::now() + LONG);
        sender.try_send(ended()).unwrap();
        assert!(inbox.next(None).now_or_never().is_none());
        publish(&publisher);
        let Next::Work(work) = inbox.next(None).await else { panic!("there is work") };
        assert_eq!(work.outcomes.len(), 1);
    }

    #[tokio::test]
    async fn owed_outcomes_are_tried_alone_and_delay_no_call() {
        let (mut inbox, publisher, sender) = inbox();
        inbox.owe(outcomes(2), LONG);
        sender.try_send(ended()).unwrap();
        assert!(inbox.next(None).now_or_never().is_none(), "no outcome is taken before");
        publish(&publisher);
        let Next::Work(work) = inbox.next(None).await else { panic!("there is work") };
        assert_eq!(work.outcomes.len(), 0);
        inbox.owing.0 = Some((outcomes(2), Instant::now()));
        let Next::Retry(owed) = inbox.next(None).await else { panic!("it is due") };
        assert_eq!(owed.len(), 2);
        let Next::Work(work) = inbox.next(None).await else { panic!("there is work") };
        assert_eq!(work.outcomes.len(), 1);
    }

    #[tokio::test]
    async fn an_inbox_closes_when_nobody_sends_and_nothing_is_owed() {
        let (mut inbox, publisher, sender) = inbox();
        sender.try_send(ended()).unwrap();
        drop((publisher, sender));
        assert!(matches!(inbox.next(None).await, Next::Work(_)), "what was brought is still written");
        assert!(inbox.engine.is_some(), "until then the engine has not stopped");
        inbox.owe(outcomes(1), Duration::ZERO);
        assert!(matches!(inbox.next(None).await, Next::Retry(_)));
        assert!(matches!(inbox.next(None).await, Next::Closed) && inbox.engine.is_none());
    }
}
