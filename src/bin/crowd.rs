//! The crowd's command line; everything else is in `courtside::loadgen`.

use std::process::ExitCode;

use clap::Parser;
use courtside::loadgen::{CrowdOptions, run_crowd};

fn main() -> ExitCode {
    match run_crowd(&CrowdOptions::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("courtside-crowd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
