//! Calls on virtual time.
