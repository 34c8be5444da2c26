//! All integration tests, as one binary: it is linked once, and its modules share `site`.

#[cfg(test)]
mod lies;
#[cfg(test)]
mod site;
#[cfg(test)]
mod tidy;
