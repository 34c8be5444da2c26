//! All integration tests, as one binary: it is linked once, and its modules share `site`.
