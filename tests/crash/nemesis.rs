//! Breaks things, one after the other, and notes when.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use entity::Timestamp;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use reprise::clock::Clock;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::api::Addresses;
use crate::database::{Break, Database};
use crate::faults::{Faults, Interruption, Kind};
use crate::observer::{Eye, Promises};
use crate::pair::Manner;
use crate::server::{LEASE, Server, Site, is_ready};
use world::small_disk::limit;

/// Between one break and the next, in milliseconds.
const PAUSE: Range<u64> = 50..3_000;
/// How long the database is away, in milliseconds.
const AWAY: Range<u64> = 100..4_000;
/// How many bytes can still be written when the disk takes nothing more.
const LEFT: Range<u64> = 0..256 * 1_024;
/// For how long it takes nothing after the server met it, in milliseconds, and how long that may take to come.
const FULL: Range<u64> = 0..1_500;
const MEETING: Duration = Duration::from_secs(5);
/// Between one cut of connections and the next, in milliseconds.
const CUTS: Range<u64> = 5..60;
/// How much longer than a lease a server is held.
const BEYOND: Range<u64> = 500..3_000;
/// Within this time everything is broken once, however slow the machine is.
const LONG: Duration = Duration::from_secs(45);
/// How often a server is killed while it starts, and within how many milliseconds.
const STUMBLE: f64 = 0.2;
const STUMBLES: Range<u64> = 1..60;
/// How long servers may take to be ready once their database is back. The longest is told, for people to judge.
const READY: Duration = Duration::from_secs(60);

/// Whoever breaks things.
pub(crate) struct Nemesis {
    site: Arc<Site>,
    database: Arc<Database>,
    addresses: Addresses,
    replicas: Vec<Option<Server>>,
    held: Option<Held>,
    /// What was acknowledged, and who looks for it.
    past: (Eye, Promises),
    /// What is to be broken next, from the end.
    deck: Vec<Kind>,
    dice: StdRng,
    faults: Faults,
    /// How often the database was broken.
    breaks: usize,
}

/// A server that does not run at the moment, though it lives.
struct Held {
    replica: usize,
    from: Timestamp,
    end: Instant,
}

impl Nemesis {
    pub(crate) async fn start(
        site: Arc<Site>,
        database: Arc<Database>,
        past: (Eye, Promises),
        mut dice: StdRng,
    ) -> Self {
        let (addresses, faults) = (Addresses::default(), Faults::default());
        let replicas = (0..database.servers()).map(|_| None).collect();
        let breaks = dice.random_range(0..Manner::ALL.len());
        let (held, deck) = (None, Vec::new());
        let mut nemesis =
            Self { site, database, addresses, replicas, held, past, deck, dice, faults, breaks };
        nemesis.mend().await;
        nemesis
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    /// Breaks things for so long; in the end everything runs again.
    pub(crate) async fn rage(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.faults.intended = self.intentions(time);
        while Instant::now() < end {
            self.pause(PAUSE).await;
            if self.held.as_ref().is_some_and(|held| held.end <= Instant::now()) {
                self.release();
            }
            self.count_the_fallen();
            self.mend().await;
            match self.draw() {
                Kind::Database => self.break_the_database().await,
                Kind::Disk => self.break_the_disk().await,
                Kind::Cut => self.cut().await,
                Kind::Hold if self.held.is_none() => self.hold(),
                Kind::Hold | Kind::Kill => self.kill(),
            }
            if self.dice.random_bool(STUMBLE) {
                self.stumble().await;
            }
            self.mend().await;
            self.look_back().await;
        }
        if let Some(held) = &self.held {
            sleep_until(held.end).await;
            self.release();
        }
    }

    /// What must have been broken in the end, or the run has shown nothing.
    fn intentions(&self, time: Duration) -> Vec<Kind> {
        match &*self.database {
            Database::Sqlite(_) if time >= LONG => vec![Kind::Kill, Kind::Disk],
            Database::Postgres(_) if time >= LONG => vec![Kind::Kill, Kind::Hold, Kind::Database, Kind::Cut],
            Database::Sqlite(_) | Database::Postgres(_) => vec![Kind::Kill],
            Database::Pair(_) if time >= LONG => vec![Kind::Database, Kind::Kill],
            Database::Pair(_) => vec![Kind::Database],
        }
    }

    /// Ends the servers as an operator would.
    pub(crate) async fn end(mut self) -> Faults {
        self.count_the_fallen();
        for server in self.replicas.drain(..).flatten() {
            self.faults.bad_ends += u32::from(!server.end().await);
        }
        self.faults
    }

    /// What comes next: each kind once, then as chance will have it.
    fn draw(&mut self) -> Kind {
        if self.deck.is_empty() {
            let mixture = self.database.mixture();
            self.deck = mixture.to_vec();
            self.deck.shuffle(&mut self.dice);
            if self.faults.interruptions.is_empty() {
                let kinds = [Kind::Database, Kind::Hold, Kind::Cut, Kind::Disk, Kind::Kill];
                self.deck.extend(kinds.into_iter().filter(|kind| mixture.contains(kind)));
            }
        }
        self.deck.pop().expect("it was just filled")
    }

    fn kill(&mut self) {
        let mut replica = self.dice.random_range(0..self.replicas.len());
        // Who is held stays so until its lease is over.
        if self.held.as_ref().is_some_and(|held| held.replica == replica) {
            replica = (replica + 1) % self.replicas.len();
        }
        let Some(server) = self.replicas[replica].take() else { return };
        let (number, from) = (server.number, now());
        drop(server);
        self.addresses.set(replica, None);
        self.note(Kind::Kill, Some(number), from);
    }

    /// Kills a server that may not even listen yet.
    async fn stumble(&mut self) {
        let Some(replica) = self.replicas.iter().position(Option::is_none) else { return };
        let time = Duration::from_millis(self.dice.random_range(STUMBLES));
        let from = now();
        match tokio::time::timeout(time, self.site.start()).await {
            Ok(Some(server)) => self.open(replica, server),
            Ok(None) => self.faults.gave_up += 1,
            Err(_) => {
                self.faults.stumbles += 1;
                self.note(Kind::Kill, Some(self.site.last_number()), from);
            }
        }
    }

    /// Only where others go on meanwhile. Callers are not told: to them it looks like a network that swallows everything.
    fn hold(&mut self) {
        if self.replicas.len() == 1 {
            return self.kill();
        }
        let replica = self.dice.random_range(0..self.replicas.len());
        let Some(server) = &self.replicas[replica] else { return };
        let time = LEASE + Duration::from_millis(self.dice.random_range(BEYOND));
        self.held = Some(Held { replica, from: now(), end: Instant::now() + time });
        server.signal("STOP");
    }

    /// Lets go who is held.
    fn release(&mut self) {
        let Some(held) = self.held.take() else { return };
        let Some(server) = &self.replicas[held.replica] else { return };
        server.signal("CONT");
        self.note(Kind::Hold, Some(server.number), held.from);
    }

    /// Every second time a server is killed meanwhile, so that another starts without a database.
    async fn break_the_database(&mut self) {
        let database = self.database.clone();
        let manner = Manner::ALL[self.breaks % Manner::ALL.len()];
        let how = Break { away: Duration::from_millis(self.dice.random_range(AWAY)), manner };
        self.breaks += 1;
        let from = now();
        database.crash(how);
        if self.breaks.is_multiple_of(2) {
            self.kill();
        }
        let missing = self.replicas.iter().position(Option::is_none);
        let site = self.site.clone();
        let start = async { if missing.is_some() { Some(site.start().await) } else { None } };
        let (started, recovered) = tokio::join!(start, database.recover(how));
        match (missing, started) {
            (Some(replica), Some(Some(server))) => self.open(replica, server),
            // A server waits for its database.
            (Some(_), _) => self.faults.gave_up += 1,
            (None, _) => {}
        }
        self.wait_until_ready(recovered).await;
        database.heal().await;
        self.note(Kind::Database, None, from);
    }

    /// The disk is full, or the server may not write on it. Every second time the server is killed before that is
    /// over; it would not start then, since whoever starts has to write.
    async fn break_the_disk(&mut self) {
        let (database, Some(server)) = (self.database.clone(), &self.replicas[0]) else { return };
        let Database::Sqlite(disk) = &*database else { return };
        let (pid, address, left) = (server.pid(), server.address, self.dice.random_range(LEFT));
        let (is_full, is_killed) = (self.breaks.is_multiple_of(2), self.breaks / 2 % 2 == 1);
        self.breaks += 1;
        let from = now();
        if is_full {
            disk.spoil(pid, left);
        } else {
            limit(pid, &left.to_string());
        }
        let meet = async {
            while is_ready(address).await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        self.faults.refusals += u64::from(timeout(MEETING, meet).await.is_ok());
        self.pause(FULL).await;
        if is_killed {
            self.kill();
        }
        let server = (!is_killed).then_some(pid);
        match server {
            _ if is_full => disk.heal(server),
            Some(pid) => limit(pid, "unlimited"),
            None => {}
        }
        let healed = Instant::now();
        self.mend().await;
        self.wait_until_ready(healed).await;
        self.note(Kind::Disk, None, from);
    }

    /// Connections to the database are cut for a while, wherever their statements are.
    async fn cut(&mut self) {
        let database = self.database.clone();
        let Database::Postgres(postgres) = &*database else { return };
        let (from, time) = (now(), Duration::from_millis(self.dice.random_range(AWAY)));
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.faults.cuts += postgres.cut().await;
            self.pause(CUTS).await;
        }
        self.wait_until_ready(end).await;
        self.note(Kind::Cut, None, from);
    }

    /// Whatever was broken: what had been acknowledged is there.
    async fn look_back(&mut self) {
        let (eye, promises) = &self.past;
        let (seen, missing) = promises.look(eye).await;
        self.faults.looked_for += seen;
        self.faults.missing += missing;
    }

    /// Servers come back by themselves.
    async fn wait_until_ready(&mut self, recovered: Instant) {
        let servers = self.replicas.iter().flatten().filter(|server| !self.is_held(server));
        let addresses: Vec<_> = servers.map(|server| server.address).collect();
        for address in addresses {
            while !is_ready(address).await {
                if recovered.elapsed() > READY {
                    self.faults.never_ready += 1;
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        self.faults.slowest_return = self.faults.slowest_return.max(recovered.elapsed());
    }

    fn is_held(&self, server: &Server) -> bool {
        let held = self.held.as_ref().and_then(|held| self.replicas[held.replica].as_ref());
        held.is_some_and(|held| held.number == server.number)
    }

    fn count_the_fallen(&mut self) {
        for (replica, place) in self.replicas.iter_mut().enumerate() {
            if place.as_mut().is_some_and(Server::has_ended) {
                *place = None;
                self.addresses.set(replica, None);
                self.faults.gave_up += 1;
            }
        }
    }

    /// Starts who is missing, as whatever watches over processes does.
    async fn mend(&mut self) {
        for replica in 0..self.replicas.len() {
            while self.replicas[replica].is_none() {
                let start = Instant::now();
                match self.site.start().await {
                    Some(server) => self.open(replica, server),
                    None => self.faults.gave_up += 1,
                }
                self.faults.slowest_start = self.faults.slowest_start.max(start.elapsed());
            }
        }
    }

    fn open(&mut self, replica: usize, server: Server) {
        self.addresses.set(replica, Some(server.address));
        self.replicas[replica] = Some(server);
    }

    fn note(&mut self, kind: Kind, server: Option<u32>, from: Timestamp) {
        let broken = Interruption { kind, server, from, until: now() };
        self.site.log(&format!("{broken:?}"));
        self.faults.interruptions.push(broken);
    }

    async fn pause(&mut self, millis: Range<u64>) {
        sleep(Duration::from_millis(self.dice.random_range(millis))).await;
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}
