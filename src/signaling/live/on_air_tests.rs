//! Guests on air on virtual time.
