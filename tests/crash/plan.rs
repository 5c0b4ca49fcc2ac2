//! How long, with which binary and with which dice: what the environment says.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

/// What a run without `CRASH_SECONDS` takes, on each database.
const SMOKE: Duration = Duration::from_secs(10);
/// Calls a second of all publishers together, of 5 events each on average.
const RATE: f64 = 20.0;

/// How many calls a round has at most, and how long it takes at most.
const CALLS: f64 = 12_000.0;
const ROUND: Duration = Duration::from_secs(600);

/// The plan of a run, or of one of its rounds.
#[derive(Clone)]
pub(crate) struct Plan {
    pub time: Duration,
    pub rate: f64,
    pub binary: PathBuf,
    seed: u64,
}

impl Plan {
    pub(crate) fn from_environment() -> Self {
        let seconds = variable("CRASH_SECONDS");
        let binary = env::var_os("REPRISE_BINARY").map(PathBuf::from);
        Self {
            time: seconds.map_or(SMOKE, Duration::from_secs),
            rate: variable("CRASH_RATE").unwrap_or(RATE),
            binary: binary.unwrap_or_else(|| if seconds.is_some() { release() } else { debug() }),
            seed: variable("CRASH_SEED").unwrap_or_else(rand::random),
        }
    }

    /// The rounds that the run is made of, with dice of their own.
    pub(crate) fn rounds(&self) -> Vec<Self> {
        let most = ROUND.min(Duration::from_secs_f64(CALLS / self.rate));
        let (mut rounds, mut left) = (Vec::new(), self.time);
        while !left.is_zero() {
            let seed = self.seed.wrapping_add(1_000 * rounds.len() as u64);
            let time = most.min(left);
            left -= time;
            rounds.push(Self { time, seed, ..self.clone() });
        }
        rounds
    }

    /// The dice of one player. The same seed gives everyone the same throws.
    pub(crate) fn dice(&self, player: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_add(player))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, binary) = (self.time.as_secs(), self.binary.display());
        write!(f, "{seconds} seconds of {binary}, CRASH_SEED={}", self.seed)
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}: give a number")))
}

fn debug() -> PathBuf {
    env!("CARGO_BIN_EXE_reprise").into()
}

/// The binary that is shipped, built if it is not there or not up to date.
fn release() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_reprise")).ancestors().nth(2).unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // What cargo says to a test about itself would make another build of the same look different.
    let told = env::vars_os().map(|(name, _)| name).filter(|name| is_told_by_cargo(&name.to_string_lossy()));
    for name in told {
        build.env_remove(name);
    }
    build.args(["build", "--release", "--locked", "--bin", "reprise", "--target-dir"]).arg(folder);
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success(), "{build:?}");
    folder.join("release/reprise")
}

fn is_told_by_cargo(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
