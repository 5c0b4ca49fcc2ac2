//! What processes have used so far, read from `/proc`.

use std::fs;

/// The ticks of the processor clock in a second; the same on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds that a process and its children, living and dead, have used.
pub fn cpu_seconds(pid: u32) -> f64 {
    let own: f64 = ticks(pid).iter().sum::<f64>() / TICKS;
    own + children(pid).into_iter().map(cpu_seconds).sum::<f64>()
}

/// The memory of a process and its children, in MiB, without what they share.
pub fn memory(pid: u32) -> f64 {
    let own = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kib =
        own.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0.0) / 1_024.0 + children(pid).into_iter().map(memory).sum::<f64>()
}

/// User and system time, own and of children that have ended.
fn ticks(pid: u32) -> Vec<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').skip(11).take(4).filter_map(|field| field.parse().ok()).collect()
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
