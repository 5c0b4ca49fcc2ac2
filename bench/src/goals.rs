//! What has to be reached: for each figure that counts, the number that must be
//! reached and the one that is aimed at.

use crate::database::Database;
use crate::report::Figure;
use crate::statistics::median;

/// The share of what a bare client delivers.
pub(crate) const SHARE: &str = "share of the ceiling %";
/// What servers and database use.
pub(crate) const CPU: &str = "CPU s/1000: server + database";
/// What the server has in memory at most.
pub(crate) const MOST_MEMORY: &str = "server memory, most MiB";
/// What a measurement is to the one that it is compared with.
pub(crate) const RATIO: &str = "p99, ratio";

/// A goal for one figure.
#[derive(Debug)]
pub(crate) struct Goal {
    scenario: &'static str,
    figure: &'static str,
    is: Better,
    sqlite: Option<[f64; 2]>,
    postgres: Option<[f64; 2]>,
}

#[derive(Debug, Clone, Copy)]
enum Better {
    More,
    Less,
}

use Better::{Less, More};

/// In the order of the table in which they were set.
const GOALS: &[Goal] = &[
    goal("publish", SHARE, More, [25.0, 50.0], [15.0, 30.0]),
    goal("single", SHARE, More, [8.0, 15.0], [6.0, 10.0]),
    goal("fanout", SHARE, More, [25.0, 50.0], [15.0, 30.0]),
    goal("publish", CPU, Less, [0.15, 0.06], [0.30, 0.12]),
    goal("latency", "accepted to arrived p50 ms", Less, [3.0, 1.5], [5.0, 3.0]),
    goal("latency", "accepted to arrived p99 ms", Less, [15.0, 6.0], [25.0, 10.0]),
    goal("latency", "publish call p99 ms", Less, [8.0, 4.0], [15.0, 8.0]),
    goal("hanging", RATIO, Less, [1.2, 1.2], [1.2, 1.2]),
    goal("backlog", RATIO, Less, [1.5, 1.5], [1.5, 1.5]),
    goal("backlog", MOST_MEMORY, Less, [200.0, 200.0], [200.0, 200.0]),
    goal("memory", MOST_MEMORY, Less, [200.0, 200.0], [200.0, 200.0]),
    // "Flat", in numbers.
    goal("memory", "last third to first third, %", Less, [10.0, 5.0], [10.0, 5.0]),
    goal("idle", "server memory MiB", Less, [30.0, 30.0], [30.0, 30.0]),
    // "About none", in numbers.
    goal("idle", "server CPU %", Less, [1.0, 0.3], [1.0, 0.3]),
    goal("idle", "start to ready ms, existing database", Less, [80.0, 80.0], [95.0, 95.0]),
    goal("rows", "event by id p50, ratio", Less, [1.5, 1.2], [1.5, 1.2]),
    goal("rows", "attempt by id p50, ratio", Less, [1.5, 1.2], [1.5, 1.2]),
    goal("rows", "target by id p50, ratio", Less, [1.5, 1.2], [1.5, 1.2]),
    goal("rows", "page of a busy target p50, ratio", Less, [1.5, 1.2], [1.5, 1.2]),
    goal("rows", "page of a quiet target p50, ratio", Less, [1.5, 1.2], [1.5, 1.2]),
    Goal {
        scenario: "replicas",
        figure: "CPU, two to one, ratio",
        is: Less,
        sqlite: None,
        postgres: Some([1.15, 1.15]),
    },
];

const fn goal(
    scenario: &'static str,
    figure: &'static str,
    is: Better,
    sqlite: [f64; 2],
    postgres: [f64; 2],
) -> Goal {
    Goal { scenario, figure, is, sqlite: Some(sqlite), postgres: Some(postgres) }
}

/// What must be reached, and what is aimed at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// Must be reached.
    pub must: f64,
    /// Is aimed at.
    pub aim: f64,
    is: Better,
}

/// The marks for a figure, and where they stand among all.
pub(crate) fn marks(figure: &Figure) -> Option<(usize, Marks)> {
    let is_same = |goal: &Goal| goal.scenario == figure.scenario && goal.figure == figure.name;
    let place = GOALS.iter().position(is_same)?;
    let goal = &GOALS[place];
    let [must, aim] = match figure.database? {
        Database::Sqlite => goal.sqlite?,
        Database::Postgres => goal.postgres?,
    };
    Some((place, Marks { must, aim, is: goal.is }))
}

impl Marks {
    /// What is to be said of the median of such values.
    pub(crate) fn verdict(self, values: &[f64]) -> &'static str {
        let reaches = |mark: f64| match self.is {
            More => median(values) >= mark,
            Less => median(values) <= mark,
        };
        match (reaches(self.aim), reaches(self.must)) {
            (true, _) => "aim",
            (false, true) => "reached",
            (false, false) => "**missed**",
        }
    }

    /// The sign between a figure and its mark.
    pub(crate) fn sign(self) -> char {
        match self.is {
            More => '≥',
            Less => '≤',
        }
    }
}
