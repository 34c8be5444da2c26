//! Parse, resolve, call, print.
