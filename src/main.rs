//! The `reprise` command.

use std::process::ExitCode;

/// Small blocks come and go with each delivery, on other threads than they came from. It goes without
/// huge pages, which would make an idle server twice as large. It is version 2, which gives freed
/// memory back after 10 ms: version 3 keeps it for a second, and so takes more with each burst.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    reprise::cli::main()
}
