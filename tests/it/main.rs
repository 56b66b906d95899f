//! The one integration binary: whole-program tests, and checks of the house itself.

mod config_docs;
mod layering;
mod metrics_docs;
mod support;
