//! What processes have used so far, read from `/proc`.

use std::fs;

/// The ticks of the processor clock in a second; the same on every Linux.
const TICKS: f64 = 100.0;
const KIB_PER_MIB: f64 = 1_024.0;

/// CPU seconds, user and system, of one process with all its threads.
pub(crate) fn cpu(pid: u32) -> f64 {
    times(pid)[..2].iter().sum::<f64>() / TICKS
}

/// CPU seconds of a process and its children, also of those that have ended.
pub(crate) fn cpu_of_family(pid: u32) -> f64 {
    let own = times(pid).iter().sum::<f64>() / TICKS;
    own + children(pid).into_iter().map(cpu_of_family).sum::<f64>()
}

/// CPU seconds of all processors that were not idle, whoever used them.
pub(crate) fn cpu_of_machine() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    let times: Vec<f64> =
        first.split_whitespace().skip(1).take(8).filter_map(|time| time.parse().ok()).collect();
    // The fourth is idleness, the fifth is waiting for disks.
    let idle: f64 = times.iter().skip(3).take(2).sum();
    (times.iter().sum::<f64>() - idle) / TICKS
}

/// What a process has in memory now, in MiB.
pub(crate) fn memory(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

/// The most that a process ever had in memory, in MiB.
pub(crate) fn most_memory(pid: u32) -> f64 {
    status(pid, "VmHWM:")
}

/// The memory of a process and its children in MiB; what they share is counted once.
pub(crate) fn memory_of_family(pid: u32) -> f64 {
    let own = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    kib(&own, "Pss:") / KIB_PER_MIB + children(pid).into_iter().map(memory_of_family).sum::<f64>()
}

fn status(pid: u32, name: &str) -> f64 {
    kib(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), name) / KIB_PER_MIB
}

fn kib(lines: &str, name: &str) -> f64 {
    let value = lines
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok());
    value.unwrap_or(f64::NAN)
}

/// User and system time, its own, then that of children that have ended.
fn times(pid: u32) -> [f64; 4] {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, which stands in parentheses, may hold anything.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let mut times = fields.split(' ').skip(11).map_while(|field| field.parse().ok());
    std::array::from_fn(|_| times.next().unwrap_or_default())
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
