//! All open connections: how many there are, and who has to leave.
//!
//! When there is no more room, a newcomer is not turned away: those leave who made us wait the
//! longest, first those from the address with the most connections. So neither silence nor
//! dripping keeps others out, however many take part in it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use parking_lot::{Mutex, MutexGuard};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::login_throttle::network;
use crate::quota::limits::Timeouts;
use crate::server::connection::Protocol;
use crate::server::connection::activity::Activity;

/// Which part of all connections leaves when there is no more room. Leaving together is cheaper than
/// one by one, since all are looked at to find who it is.
const SHARE: usize = 16;

/// The open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    protocol: Protocol,
    router: Router,
    /// After it each connection ends with its request.
    shutdown: CancellationToken,
    tasks: TaskTracker,
    open: Mutex<Open>,
    /// A connection has ended.
    left: Notify,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    by_id: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    network: IpAddr,
    activity: Arc<Activity>,
    leave: CancellationToken,
    /// None for the moment before it runs.
    task: Option<AbortHandle>,
}

impl Connections {
    /// No connections yet, and at most so many.
    pub(crate) fn new(most: usize, router: Router, shutdown: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            protocol: Protocol::new(),
            router,
            shutdown,
            tasks: TaskTracker::new(),
            open: Mutex::default(),
            left: Notify::new(),
        })
    }

    /// Begins to serve a connection.
    pub(crate) fn admit(self: &Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let (address, activity) = (from.ip().to_canonical(), Arc::new(Activity::new(Instant::now())));
        let leave = self.shutdown.child_token();
        let entry = Entry {
            network: network(address),
            activity: Arc::clone(&activity),
            leave: leave.clone(),
            task: None,
        };
        // Before the task begins, which may end at once.
        let open = OpenConnection::take(self, entry);
        let id = open.id;
        let serving = self.protocol.clone().serve((stream, address), activity, self.router.clone(), leave);
        let task = self.tasks.spawn(async move {
            let _open = open;
            serving.await;
        });
        if let Some(entry) = self.open().by_id.get_mut(&id) {
            entry.task = Some(task.abort_handle());
        }
    }

    /// Waits until there is room for one more.
    pub(crate) async fn make_room(&self) {
        loop {
            let left = self.left.notified();
            {
                let open = self.open();
                if open.by_id.len() < self.most {
                    return;
                }
                open.send_away(self.most.div_ceil(SHARE));
            }
            left.await;
        }
    }

    /// Sends away who was waited for too long, again and again.
    pub(crate) async fn watch(&self, timeouts: Timeouts) {
        let mut ticks = tokio::time::interval(precision(timeouts));
        loop {
            ticks.tick().await;
            self.open().tell_overdue(timeouts);
        }
    }

    /// Waits for the requests under way. Those that are not even asked for yet are not waited for.
    pub(crate) async fn end(&self) {
        self.tasks.close();
        let asking = |entry: &Entry| entry.activity.is_asking();
        self.open().by_id.values().filter(|entry| asking(entry)).for_each(Entry::cut_off);
        self.tasks.wait().await;
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock()
    }
}

/// How often it is looked for clients that are overdue.
fn precision(timeouts: Timeouts) -> Duration {
    let least = timeouts.header.min(timeouts.idle).min(timeouts.write);
    (least / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

impl Entry {
    fn cut_off(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Open {
    /// Tells those who are overdue to leave, and cuts off those who were told before.
    fn tell_overdue(&self, timeouts: Timeouts) {
        let now = Instant::now();
        for entry in self.by_id.values().filter(|entry| entry.activity.is_overdue(timeouts, now)) {
            if entry.leave.is_cancelled() {
                entry.cut_off();
            } else {
                entry.leave.cancel();
            }
        }
    }

    /// Cuts off so many of those who only make us wait.
    fn send_away(&self, number: usize) {
        let mut crowds: HashMap<IpAddr, usize> = HashMap::new();
        for entry in self.by_id.values() {
            *crowds.entry(entry.network).or_default() += 1;
        }
        let waiting = self.by_id.values().filter_map(|entry| Some((entry.activity.waiting_since()?, entry)));
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_by_key(|(since, entry)| (std::cmp::Reverse(crowds[&entry.network]), *since));
        waiting.iter().take(number).for_each(|(_, entry)| entry.cut_off());
    }
}

/// One of the open connections; it is open until this is dropped.
struct OpenConnection {
    connections: Arc<Connections>,
    id: u64,
}

impl OpenConnection {
    fn take(connections: &Arc<Connections>, entry: Entry) -> Self {
        let mut open = connections.open();
        open.last += 1;
        let id = open.last;
        open.by_id.insert(id, entry);
        drop(open);
        Self { connections: Arc::clone(connections), id }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.open().by_id.remove(&self.id);
        self.connections.left.notify_one();
    }
}
