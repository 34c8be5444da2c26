//! Progress on a terminal, plain lines elsewhere.
