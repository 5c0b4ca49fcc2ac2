//! The `reprise` command.

use std::process::ExitCode;

/// Small blocks come and go with each delivery, on other threads than they came from. It goes without
/// huge pages, which would make an idle server twice as large. Of its two kept lines it is the second,
/// which gives memory back after 10 ms: the third keeps it for a second, and grows with each burst.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    reprise::cli::main()
}
