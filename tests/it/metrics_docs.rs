//! `docs/operations.md` names every metric, as the program does.

use std::fmt::Write;

use courtside::telemetry::{METRICS, names::MetricKind};

use crate::support::docs::hold_table;

#[test]
fn every_metric_is_documented() {
    let mut table = String::from("| Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n");
    for metric in METRICS {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram(_) => "histogram",
        };
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        writeln!(table, "| `{}` | {kind} | {labels} | {} |", metric.name, metric.help).unwrap();
    }
    hold_table("docs/operations.md", "metrics", &table);
}
