//! Logs and metrics: set up once by the shell; [`names`] has every metric. No logic of the product.

pub mod names;
mod setup;

pub use names::*;
pub use setup::{Metrics, TelemetryError, init_logs, init_metrics};
