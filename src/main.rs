//! The `tlscope` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tlscope::cli::main()
}
