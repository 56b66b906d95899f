//! The load generator's command line; everything else is in `courtside::loadgen`.

use std::process::ExitCode;

use clap::Parser;
use courtside::loadgen::{LoadOptions, run};

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    match run(&LoadOptions::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("courtside-loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}
