//! The `mixtura` command; everything it does is in the library beside it, which the Python package calls, too.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mixtura_cli::main_from(std::env::args_os()))
}
