//! Starts logging and the metrics recorder. Both are process-wide and set once.

use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use super::names::{METRICS, MetricKind, PROCESS_START_TIME};
use crate::config::{LogConfig, LogFormat};

/// Warns once for every unknown extension of every client's hello: anybody could fill the log, and nobody learns anything. Comes before the
/// operator's filter, which can therefore undo it.
const QUIET_DEPENDENCIES: &str = "rtc_dtls=error";

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("logging was set up twice")]
    LogsTwice,
    #[error("the log filter is not right: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] BuildError),
}

/// Sends logs to standard error, as text or as one JSON object a line.
///
/// # Errors
/// [`TelemetryError`].
pub fn init_logs(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(format!("{QUIET_DEPENDENCIES},{}", config.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::LogsTwice)
}

/// The recorder, for the `/metrics` route.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// A recorder that is not installed: it renders nothing of this process. For tests that start several servers.
    pub fn detached() -> Self {
        Self { handle: PrometheusBuilder::new().build_recorder().handle() }
    }

    /// The text that Prometheus scrapes (exposition format 0.0.4).
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds histogram samples together; call every few seconds, or they pile up until the next scrape.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// Installs the recorder of this process and describes every metric.
///
/// # Errors
/// `Metrics` when a recorder is installed already.
pub fn init_metrics() -> Result<Metrics, TelemetryError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let MetricKind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets.bounds())?;
        }
    }
    let handle = builder.install_recorder()?;
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => {
                metrics::describe_counter!(metric.name, metric.unit, metric.help);
                // What has no labels is there from the start, so that "absent" never looks like "zero".
                if metric.labels.is_empty() {
                    metrics::counter!(metric.name).absolute(0);
                }
            }
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            MetricKind::Histogram(_) => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
    #[expect(clippy::disallowed_methods, reason = "a shell: tells when the process started")]
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    metrics::gauge!(PROCESS_START_TIME).set(started.as_secs_f64());
    Ok(Metrics { handle })
}
