//! Measures Reprise from outside, as its users meet it: a real server process,
//! a real sink process, real databases, everything on this machine.
//!
//! It prints Markdown: the goals, and every figure with median and spread. Nothing
//! is asserted: figures are for people to judge. `README.md` says what each means.

mod api;
mod backlog;
mod ceiling;
mod connection;
mod cpu;
mod database;
mod goals;
mod hanging;
mod idle;
mod installation;
mod latency;
mod machine;
mod memory;
mod options;
mod plan;
mod replicas;
mod report;
mod rows;
mod seed;
mod sink;
mod sql;
mod statistics;
mod table;
mod throughput;
mod usage;

use clap::Parser;
use tokio::runtime;

use options::{Options, What};

/// One thread: what measures must not take more of the processor than it has to.
fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match options.what {
        What::Sink => runtime.block_on(sink::process::run()),
        _ => runtime.block_on(plan::carry_out(&options)),
    }
}
