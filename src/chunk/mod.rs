//! Bytes to named chunks to solid frames; CPU only.
