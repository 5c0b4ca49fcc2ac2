//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::options::Options;
use crate::sql::Sql;
use world::cluster;

/// Names and values.
pub(crate) type Facts = Vec<(&'static str, String)>;

/// Asks the machine.
pub(crate) async fn facts(options: &Options) -> anyhow::Result<Facts> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let server = options.server.to_string_lossy();
    let sqlite: String = Sql::connect("sqlite::memory:").await?.value("SELECT sqlite_version()").await?;
    Ok(vec![
        ("cores", cores.to_string()),
        ("processor", line("/proc/cpuinfo", "model name")),
        ("memory", line("/proc/meminfo", "MemTotal")),
        ("load before the run", first_words("/proc/loadavg", 3)),
        ("kernel", first_words("/proc/sys/kernel/osrelease", 1)),
        ("rustc", said_by("rustc", &["--version"])),
        ("server", said_by(&server, &["--version"])),
        ("commit", said_by("git", &["describe", "--always", "--dirty"])),
        ("build of the benchmark", if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned()),
        ("SQLite", format!("{sqlite} on {}", file_system(&options.folder()))),
        ("PostgreSQL", format!("{} on {}", postgres(), file_system(&std::env::temp_dir()))),
    ])
}

fn postgres() -> String {
    let binary = cluster::newest_binaries().map(|folder| folder.join("postgres"));
    binary.map_or_else(unknown, |binary| said_by(&binary.to_string_lossy(), &["--version"]))
}

/// What is "on disk" in memory is not on disk.
fn file_system(folder: &Path) -> String {
    said_by("stat", &["--file-system", "--format=%T", &folder.to_string_lossy()])
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| unknown(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn line(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    value.map_or_else(unknown, |(_, value)| value.trim().to_owned())
}

fn first_words(file: &str, count: usize) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

fn unknown() -> String {
    "unknown".to_owned()
}
