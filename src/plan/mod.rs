//! In what order, how many at once, who will not make it. Pure and deterministic.
