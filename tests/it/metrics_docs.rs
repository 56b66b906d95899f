//! `docs/operations.md` names every metric, and the program records every one.

use std::fmt::Write;

use courtside::telemetry::{METRICS, names::MetricKind};

use crate::support::docs::{hold_table, sources};

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

#[test]
fn every_metric_is_recorded_somewhere() {
    let names = std::fs::read_to_string(crate::support::docs::repository("src/telemetry/names.rs")).unwrap();
    let others: String =
        sources().iter().filter(|file| !file.ends_with("telemetry/names.rs")).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for metric in METRICS {
        let quoted = format!("\"{}\"", metric.name);
        let line = names.lines().find(|line| line.contains(&quoted)).unwrap();
        let constant = line.split_whitespace().next().unwrap();
        assert!(others.contains(constant), "nothing records {constant}");
    }
}
