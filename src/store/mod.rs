//! Chunks at rest: packs, index, manifests.
