//! The ledger's truth as a page and as JSON.
