//! Figures: what was found, in the one form that all benchmarks share (`docs/benchmarks.md`), as a table or as JSON.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use super::options::LoadOptions;
use super::tally::{Findings, Moment, Tally, quantile};
use super::timeline;

/// Server CPU per packet, in floors: the aim.
const FLOORS_AIM: f64 = 2.0;
/// Memory per viewer, bytes: aim and gate.
const MEMORY_AIM_BYTES: f64 = 65_536.0;

/// Figures of calls that have an aim: everybody is in, no packet of a voice is lost, no picture stands for longer than this, ms.
pub(super) const MEMBERS_MISSING: &str = "members_missing";
pub(super) const VOICE_PACKETS_LOST: &str = "voice_packets_lost";
pub(super) const FACE_FREEZE_LONGEST: &str = "face_freeze_longest";
const FREEZE_LONGEST: &str = "freeze_longest";
const FREEZE_AIM_MS: f64 = 500.0;

/// One figure.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// The largest value that counts as met.
    pub(super) aim: Option<f64>,
    /// Whether the run fails when it is not met.
    pub(super) gate: bool,
    pub(super) conditions: String,
}

impl Figure {
    pub(super) fn met(&self) -> Option<bool> {
        self.aim.map(|aim| self.value <= aim)
    }
}

/// The server's CPU per packet as a multiple of the floor, where both are known.
pub(super) fn in_floors(figures: &[Figure], name: &'static str, floor: &str, gate: bool) -> Option<Figure> {
    let of = |name: &str| figures.iter().find(|figure| figure.name == name);
    let (server, floor) = (of("server_cpu_per_packet")?, of(floor)?);
    Some(Figure {
        name,
        value: server.value / floor.value.max(1.0),
        unit: "x",
        aim: Some(FLOORS_AIM),
        gate,
        conditions: server.conditions.clone(),
    })
}

/// What the measured seconds gave.
pub(super) struct Measured {
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) elapsed: Duration,
    pub(super) server_cpu: Duration,
    pub(super) own_cpu: Duration,
    pub(super) server_rss: u64,
    pub(super) empty_rss: u64,
}

/// The figures of one number of viewers, who are `who` in words; `more` is what they found beside the picture of the broadcast.
///
/// # Errors
/// Nobody received media.
pub(super) fn report(
    options: &LoadOptions,
    (who, count): (&str, usize),
    tally: &Tally,
    measured: &Measured,
    more: Vec<Row>,
) -> anyhow::Result<Vec<Figure>> {
    let findings = tally.findings();
    if let Some(path) = &options.timeline {
        timeline::write(path, findings.finished.iter().map(|viewer| &viewer.timeline))?;
    }
    let now = measured.to;
    for (reason, viewers) in &findings.failures {
        eprintln!("{viewers} viewers failed: {reason}");
    }
    ensure!(!findings.joins.is_empty(), "no viewer received media ({} connected, {} failed)", now.connected, now.failed);
    let picture = match &options.publish {
        Some(super::options::Publish::File(path)) => path.display().to_string(),
        Some(super::options::Publish::Synthetic) | None => {
            format!("{} packets/s in the top layer, {} layers", options.packets_per_second, options.layers)
        }
    };
    let churn = options.churn.map_or_else(String::new, |churn| format!(", churn {churn}"));
    let attack = options
        .attack
        .map_or_else(String::new, |attack| format!(", {} villains, {attack:?} {}", options.villains, options.attack_rate).to_lowercase());
    let conditions = format!(
        "{who} {}, {picture}, {} s, ramp {}{churn}{attack}, {}",
        if options.broadcasts == 1 { "a broadcast".to_owned() } else { format!("{} broadcasts", options.broadcasts) },
        options.seconds,
        options.ramp,
        options.network()
    );
    let packets = now.packets - measured.from.packets;
    let per_packet = |cpu: Duration| cpu.as_nanos() as f64 / packets.max(1) as f64;
    let mut rows = joins(&findings, now);
    rows.extend([
        ("packets_received", packets as f64, "packets"),
        ("packets_per_second", packets as f64 / measured.elapsed.as_secs_f64(), "packets/s"),
        ("megabits_per_second", (now.bytes - measured.from.bytes) as f64 * 8e-6 / measured.elapsed.as_secs_f64(), "Mbit/s"),
    ]);
    rows.extend(quality(&findings, now));
    for (name, share) in [("forward_latency_p50", 0.5), ("forward_latency_p95", 0.95), ("forward_latency_p99", 0.99)] {
        if let Some(ns) = quantile(&findings.latencies_ns, share) {
            rows.push((name, ns as f64 / 1e3, "us"));
        }
    }
    rows.extend(more);
    rows.push(("loadgen_cores", measured.own_cpu.as_secs_f64() / measured.elapsed.as_secs_f64(), "cores"));
    rows.push(("loadgen_cpu_per_packet", per_packet(measured.own_cpu), "ns"));
    if options.server_pid.is_some() {
        rows.push(("server_cpu_per_packet", per_packet(measured.server_cpu), "ns"));
        rows.push(("server_cores", measured.server_cpu.as_secs_f64() / measured.elapsed.as_secs_f64(), "cores"));
        rows.push(("server_memory", measured.server_rss as f64, "bytes"));
        let grown = measured.server_rss.saturating_sub(measured.empty_rss);
        rows.push(("server_memory_per_viewer", grown as f64 / count as f64, "bytes"));
    }
    let figure = |(name, value, unit)| {
        let (aim, gate) = aim_of(options, name).unzip();
        Figure { name, value, unit, aim, gate: gate.unwrap_or(false), conditions: conditions.clone() }
    };
    Ok(rows.into_iter().map(figure).collect())
}

/// The largest value that counts as met, and whether it must be.
fn aim_of(options: &LoadOptions, name: &str) -> Option<(f64, bool)> {
    let has_calls = !options.calls.is_empty();
    match name {
        // Our own aims are for our own benchmark, which is the one with a floor.
        "server_memory_per_viewer" if options.floor => Some((MEMORY_AIM_BYTES, true)),
        MEMBERS_MISSING => Some((0.0, true)),
        VOICE_PACKETS_LOST => Some((0.0, false)),
        FACE_FREEZE_LONGEST => Some((FREEZE_AIM_MS, false)),
        FREEZE_LONGEST if has_calls => Some((FREEZE_AIM_MS, false)),
        _ => None,
    }
}

/// Name, value and unit.
pub(super) type Row = (&'static str, f64, &'static str);

/// In per cent; of nothing, none.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

/// Per second; in no time, none.
pub(super) fn rate(count: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

fn joins(findings: &Findings, now: Moment) -> Vec<Row> {
    let mut rows = vec![
        ("viewers_connected", now.connected as f64, "viewers"),
        ("viewers_with_media", now.joined as f64, "viewers"),
        ("viewers_failed", findings.failures.values().sum::<u64>() as f64, "viewers"),
    ];
    for (name, share) in [("join_p50", 0.5), ("join_p95", 0.95), ("join_p99", 0.99)] {
        rows.push((name, quantile(&findings.joins, share).unwrap_or_default().as_secs_f64() * 1e3, "ms"));
    }
    rows
}

/// What the viewers saw, over their whole time.
fn quality(findings: &Findings, now: Moment) -> Vec<Row> {
    let sum = |of: &dyn Fn(&super::tally::Finished) -> f64| findings.finished.iter().map(of).sum::<f64>();
    let lost = sum(&|viewer| viewer.counts.lost as f64);
    let expected = lost + sum(&|viewer| viewer.counts.received as f64);
    let frozen = sum(&|viewer| viewer.seen.frozen.as_secs_f64());
    let played = sum(&|viewer| viewer.seen.played.as_secs_f64());
    let longest = findings.finished.iter().map(|viewer| viewer.seen.longest).max().unwrap_or_default();
    let mut rates: Vec<f64> = findings.finished.iter().map(|viewer| viewer.bits_per_second).collect();
    rates.sort_unstable_by(f64::total_cmp);
    let mut rows = vec![
        ("frames_per_second", rate(sum(&|viewer| viewer.seen.frames as f64), played), "frames/s"),
        ("freeze_ratio", share(frozen, played), "%"),
        ("freezes", sum(&|viewer| viewer.seen.freezes as f64), "freezes"),
        (FREEZE_LONGEST, longest.as_secs_f64() * 1e3, "ms"),
        ("viewers_frozen", sum(&|viewer| f64::from(u8::from(viewer.seen.freezes > 0))), "viewers"),
        ("packets_lost", lost, "packets"),
        ("loss_ratio", share(lost, expected), "%"),
        ("packets_repaired", sum(&|viewer| viewer.seen.repaired as f64), "packets"),
        ("packets_asked_again", now.asked_again as f64, "packets"),
        ("key_frames_asked", now.key_frames_asked as f64, "requests"),
        ("packets_duplicated", sum(&|viewer| viewer.counts.duplicated as f64), "packets"),
        ("retransmissions_received", now.retransmissions as f64, "packets"),
        ("packets_of_unknown_ssrc", now.strangers as f64, "packets"),
        ("packets_decrypted", now.decrypted as f64, "packets"),
        ("decrypt_failures", now.not_decrypted as f64, "packets"),
    ];
    for (name, part) in [("viewer_bitrate_p5", 0.05), ("viewer_bitrate_p50", 0.5)] {
        rows.push((name, quantile(&rates, part).unwrap_or_default() / 1e3, "kbit/s"));
    }
    rows
}

/// To standard output: a table, or an object a line.
pub(super) fn print(figures: &[Figure], as_json: bool) {
    if !as_json && let Some(first) = figures.first() {
        println!("{}", first.conditions);
    }
    for figure in figures {
        let value = (figure.value * 1000.0).round() / 1000.0;
        let Figure { name, unit, aim, gate, conditions, .. } = figure;
        let met = figure.met();
        if as_json {
            println!(
                "{}",
                json!({ "name": name, "value": value, "unit": unit, "aim": aim, "met": met, "gate": gate, "conditions": conditions })
            );
        } else {
            let verdict = match (aim, met) {
                (Some(aim), Some(true)) => format!("  (aim {aim}: met)"),
                (Some(aim), _) => format!("  (aim {aim}: missed)"),
                (None, _) => String::new(),
            };
            println!("  {name:<28} {value:>14} {unit}{verdict}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::playback::Seen;
    use super::super::reception::Counts;
    use super::super::tally::Finished;
    use super::*;

    fn figure(name: &'static str, value: f64) -> Figure {
        Figure { name, value, unit: "ns", aim: None, gate: false, conditions: String::new() }
    }

    #[test]
    fn a_server_is_judged_in_floors() {
        let figures = [figure("server_cpu_per_packet", 900.0), figure("floor_cpu_per_packet", 400.0)];
        let judged = in_floors(&figures, "server_cpu_in_floors", "floor_cpu_per_packet", true).expect("both are known");
        assert_eq!((judged.gate, judged.met()), (true, Some(false)));
        assert!(in_floors(&figures[..1], "server_cpu_in_floors", "floor_cpu_per_packet", true).is_none());
    }

    #[test]
    fn quality_is_summed_over_viewers() {
        let viewer = |freezes, frozen_ms, lost| Finished {
            counts: Counts { received: 1000 - lost, lost, duplicated: 0 },
            seen: Seen {
                frames: 300,
                freezes,
                frozen: Duration::from_millis(frozen_ms),
                played: Duration::from_secs(10),
                ..Seen::default()
            },
            bits_per_second: 1e6,
            timeline: timeline::Timeline::default(),
        };
        let findings = Findings { finished: vec![viewer(0, 0, 0), viewer(2, 1000, 20)], ..Findings::default() };
        let rows = quality(&findings, Moment::default());
        let row = |name: &str| rows.iter().find(|row| row.0 == name).expect("a row").1;
        assert_eq!((row("freeze_ratio"), row("loss_ratio"), row("viewers_frozen")), (5.0, 1.0, 1.0));
        assert_eq!((row("frames_per_second"), row("viewer_bitrate_p50")), (30.0, 1000.0));
    }
}
