#![doc = include_str!("ARCHITECTURE.md")]

pub mod ids;
pub mod limits;
pub mod timeline;

pub mod sfu;

pub mod accounts;
pub mod api;
pub mod cli;
pub mod config;
pub mod demo;
mod elementary;
pub mod hls_fallback;
pub mod linksim;
pub mod loadgen;
pub mod selftest;
pub mod server;
pub mod signaling;
pub mod social;
pub mod store;
pub mod telemetry;
pub mod websocket;
