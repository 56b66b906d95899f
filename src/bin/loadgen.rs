//! The load generator's command line; everything else is in `courtside::loadgen`.

use clap::Parser;
use courtside::loadgen::{LoadOptions, run};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    run(&LoadOptions::parse())
}
