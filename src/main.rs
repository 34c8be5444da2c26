//! The `evac` binary: parse, call, exit code.

fn main() {}
