//! The `reprise` command.

use std::process::ExitCode;

/// Small blocks come and go with each delivery, on other threads than they came from.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    reprise::cli::main()
}
