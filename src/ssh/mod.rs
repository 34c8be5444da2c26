//! Nothing but bytes to and from a remote process.
