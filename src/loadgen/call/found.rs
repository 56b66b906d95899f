//! What the members of all calls found, and what of it becomes figures.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;

use crate::limits::LOADGEN_SAMPLES_MAX;
use crate::loadgen::reception::Counts;
use crate::loadgen::report::{FACE_FREEZE_LONGEST, MEMBERS_MISSING, Row, VOICE_PACKETS_LOST, rate, share};
use crate::loadgen::tally::{Finished, quantile};

/// One voice of a friend, as one member heard it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct VoiceFound {
    pub(super) counts: Counts,
    /// Times that it was not there for longer than `limits::LOADGEN_VOICE_GAP`.
    pub(super) gaps: u64,
    pub(super) longest: Duration,
    pub(super) bits_per_second: f64,
}

/// What one member found, at its end.
#[derive(Debug, Default)]
pub(super) struct MemberFound {
    /// From asking to join until another member was seen, and until one was heard; of those who did not begin the call.
    pub(super) joined: Option<(Duration, Duration)>,
    /// Another member was seen and heard.
    pub(super) has_friends: bool,
    pub(super) the_match: Option<Finished>,
    /// By m-line, whoever was on it.
    pub(super) faces: Vec<Finished>,
    pub(super) voices: Vec<VoiceFound>,
}

/// Shared by all members of a run. The match is in the viewers' tally.
#[derive(Debug, Default)]
pub(super) struct CallTally {
    /// Members who have seen and heard another.
    complete: watch::Sender<usize>,
    refusals: AtomicU64,
    voice_latencies_ns: Mutex<Vec<u64>>,
    members: Mutex<Vec<MemberFound>>,
}

impl CallTally {
    /// One more member has seen and heard another.
    pub(super) fn complete(&self) {
        self.complete.send_modify(|count| *count += 1);
    }

    /// Waits until so many have.
    pub(super) async fn completed(&self, members: usize) {
        let mut complete = self.complete.subscribe();
        // Fails only when the sender is gone, which is ours.
        let _count = complete.wait_for(|count| *count >= members).await;
    }

    /// The server refused something that nobody waits for.
    pub(super) fn refused(&self) {
        self.refusals.fetch_add(1, Relaxed);
    }

    pub(super) fn voice_latency(&self, ns: u64) {
        let mut latencies = self.voice_latencies_ns.lock().expect("nothing panics while it holds the list");
        if latencies.len() < LOADGEN_SAMPLES_MAX {
            latencies.push(ns);
        }
    }

    /// Forgets the latencies of joining; what follows is the measurement.
    pub(super) fn begin_measurement(&self) {
        self.voice_latencies_ns.lock().expect("nothing panics while it holds the list").clear();
    }

    pub(super) fn finished(&self, found: MemberFound) {
        self.members.lock().expect("nothing panics while it holds the list").push(found);
    }

    /// The figures of `calls` calls of `each` members.
    pub(super) fn rows(&self, calls: usize, each: usize) -> Vec<Row> {
        let members = std::mem::take(&mut *self.members.lock().expect("nothing panics while it holds the list"));
        let mut latencies = std::mem::take(&mut *self.voice_latencies_ns.lock().expect("nothing panics while it holds the list"));
        latencies.sort_unstable();
        let in_call = members.iter().filter(|member| member.has_friends).count();
        let mut rows = vec![
            ("calls", calls as f64, "calls"),
            (MEMBERS_MISSING, (calls * each).saturating_sub(in_call) as f64, "members"),
            ("call_refusals", self.refusals.load(Relaxed) as f64, "refusals"),
        ];
        rows.extend(joins(&members));
        rows.extend(voices(&members));
        for (name, share) in [("voice_latency_p50", 0.5), ("voice_latency_p95", 0.95), ("voice_latency_p99", 0.99)] {
            if let Some(ns) = quantile(&latencies, share) {
                rows.push((name, ns as f64 / 1e3, "us"));
            }
        }
        rows.extend(faces(&members));
        rows
    }
}

fn joins(members: &[MemberFound]) -> Vec<Row> {
    let sorted = |of: &dyn Fn((Duration, Duration)) -> Duration| {
        let mut times: Vec<Duration> = members.iter().filter_map(|member| member.joined).map(of).collect();
        times.sort_unstable();
        times
    };
    let (both, seen, heard) = (sorted(&|(seen, heard)| seen.max(heard)), sorted(&|(seen, _)| seen), sorted(&|(_, heard)| heard));
    let row = |name, times: &[Duration], share| (name, quantile(times, share).unwrap_or_default().as_secs_f64() * 1e3, "ms");
    vec![
        row("call_join_p50", &both, 0.5),
        row("call_join_p95", &both, 0.95),
        row("call_join_max", &both, 1.0),
        row("call_join_seen_p50", &seen, 0.5),
        row("call_join_heard_p50", &heard, 0.5),
    ]
}

fn voices(members: &[MemberFound]) -> Vec<Row> {
    let voices = || members.iter().flat_map(|member| &member.voices);
    let lost: u64 = voices().map(|voice| voice.counts.lost).sum();
    let received: u64 = voices().map(|voice| voice.counts.received).sum();
    let longest = voices().map(|voice| voice.longest).max().unwrap_or_default();
    vec![
        ("voices_received", voices().count() as f64, "voices"),
        ("voice_packets_received", received as f64, "packets"),
        (VOICE_PACKETS_LOST, lost as f64, "packets"),
        ("voice_loss_ratio", share(lost as f64, (lost + received) as f64), "%"),
        ("voice_gaps", voices().map(|voice| voice.gaps).sum::<u64>() as f64, "gaps"),
        ("voice_gap_longest", longest.as_secs_f64() * 1e3, "ms"),
        ("voices_bitrate_p50", per_member(members, |member| member.voices.iter().map(|voice| voice.bits_per_second).sum()), "kbit/s"),
    ]
}

fn faces(members: &[MemberFound]) -> Vec<Row> {
    let faces = || members.iter().flat_map(|member| &member.faces);
    let sum = |of: &dyn Fn(&Finished) -> f64| faces().map(of).sum::<f64>();
    let (frozen, played) = (sum(&|face| face.seen.frozen.as_secs_f64()), sum(&|face| face.seen.played.as_secs_f64()));
    let longest = faces().map(|face| face.seen.longest).max().unwrap_or_default();
    let lost = sum(&|face| face.counts.lost as f64);
    vec![
        ("faces_received", faces().count() as f64, "faces"),
        ("face_frames_per_second", rate(sum(&|face| face.seen.frames as f64), played), "frames/s"),
        ("face_freeze_ratio", share(frozen, played), "%"),
        ("face_freezes", sum(&|face| face.seen.freezes as f64), "freezes"),
        (FACE_FREEZE_LONGEST, longest.as_secs_f64() * 1e3, "ms"),
        ("face_loss_ratio", share(lost, lost + sum(&|face| face.counts.received as f64)), "%"),
        ("faces_bitrate_p50", per_member(members, |member| member.faces.iter().map(|face| face.bits_per_second).sum()), "kbit/s"),
    ]
}

/// The median over members, in thousands.
fn per_member(members: &[MemberFound], of: impl Fn(&MemberFound) -> f64) -> f64 {
    let mut values: Vec<f64> = members.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    quantile(&values, 0.5).unwrap_or_default() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loadgen::playback::Seen;
    use crate::loadgen::timeline::Timeline;

    #[test]
    fn voices_and_faces_of_all_members_are_summed() {
        let tally = CallTally::default();
        for member in 0..3_u64 {
            let face = Finished {
                counts: Counts { received: 95, lost: 5, duplicated: 0 },
                seen: Seen {
                    frames: 300,
                    freezes: member,
                    frozen: Duration::from_millis(500 * member),
                    longest: Duration::from_millis(250 * member),
                    played: Duration::from_secs(10),
                    ..Seen::default()
                },
                bits_per_second: 100e3,
                timeline: Timeline::default(),
            };
            let counts = Counts { received: 499, lost: 1, duplicated: 0 };
            let voice = VoiceFound { counts, gaps: member, longest: Duration::from_millis(20), bits_per_second: 40e3 };
            tally.finished(MemberFound {
                joined: (member > 0).then(|| (Duration::from_millis(100 * member), Duration::from_millis(50 * member))),
                has_friends: true,
                the_match: None,
                faces: vec![face.clone(), face],
                voices: vec![voice; 2],
            });
        }
        tally.refused();
        let rows = tally.rows(1, 4);
        let row = |name: &str| rows.iter().find(|row| row.0 == name).expect("a row").1;
        assert_eq!((row("calls"), row("members_missing"), row("call_refusals"), row("call_join_max")), (1.0, 1.0, 1.0, 200.0));
        assert_eq!(
            (row("voice_packets_lost"), row("voice_loss_ratio"), row("voice_gaps"), row("voices_bitrate_p50")),
            (6.0, 0.2, 6.0, 80.0)
        );
        assert_eq!((row("face_freezes"), row("face_freeze_ratio"), row("face_freeze_longest")), (6.0, 5.0, 500.0));
        assert_eq!((row("face_frames_per_second"), row("face_loss_ratio"), row("faces_bitrate_p50")), (30.0, 5.0, 200.0));
    }
}
