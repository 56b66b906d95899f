//! The one integration binary: whole-program tests, and checks of the house itself. Media-plane scenarios run on virtual time: see
//! `support`.

mod config_docs;
mod join;
mod layering;
mod metrics_docs;
mod support;
