//! The agent protocol: no sockets, no runtime.
