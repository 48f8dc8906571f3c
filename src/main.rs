//! The `tlscope` program: everything is in the library.

use std::process::ExitCode;

/// A large capture is millions of small allocations, a fifth of all time with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tlscope::cli::main()
}
