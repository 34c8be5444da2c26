//! From manifests and packs back to trees.
