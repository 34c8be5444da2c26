//! The `evac` binary: parse, call, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    evac::cli::main(std::env::args_os()).into()
}
