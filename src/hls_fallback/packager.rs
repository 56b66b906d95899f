//! The task of one broadcast: packets from the tap and time into the pipeline, its steps into the store, sound to the encoder and back.
//! Ends when the broadcast does, when nobody has asked for anything for a while, or when it is told to.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use metrics::counter;
use tokio::time::{Instant as TokioInstant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;

use super::child::{Place, Supervised};
use super::crew::Crew;
use super::depay::Losses;
use super::duet::Made;
use super::ladder::Rungs;
use super::pipeline::{Encoders, Pipeline};
use super::seamless::Sound;
use super::shelf::Store;
use super::sound::Aac;
use super::{GuestOnAir, HlsParts, Need, mix};
use crate::ids::BroadcastId;
use crate::limits::{HLS_GUEST_LOOK, HLS_IDLE, HLS_TAP_QUEUE};
use crate::sfu::tap::{Tap, TapRun};
use crate::telemetry::{HLS_ENCODER_DROPPED, HLS_FRAMES_LEFT_OUT, HLS_LOSSES, HLS_PARTS};

/// What HTTP and the packager share of one broadcast.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) store: Store,
    last: Mutex<Last>,
    pub(super) stop: CancellationToken,
}

/// When somebody last asked.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// For anything.
    asked: Instant,
    /// For something to play: every rendition may be the next that is played.
    played: Option<Instant>,
}

impl Channel {
    pub(super) fn new(part_ms: u32, now: Instant, need: Need, stop: CancellationToken) -> Self {
        let played = (need == Need::Play).then_some(now);
        Self { store: Store::new(part_ms), last: Mutex::new(Last { asked: now, played }), stop }
    }

    /// Somebody asks for it: to play, or merely that it be ready.
    pub(super) fn touch(&self, now: Instant, need: Need) {
        let mut last = self.last.lock().expect("never poisoned: no panic while held");
        last.asked = now;
        if need == Need::Play {
            last.played = Some(now);
        }
    }

    fn last(&self) -> Last {
        *self.last.lock().expect("never poisoned: no panic while held")
    }
}

impl Last {
    fn idle_at(self) -> Instant {
        self.asked + HLS_IDLE
    }

    fn is_played(self, now: Instant) -> bool {
        self.played.is_some_and(|played| now < played + HLS_IDLE)
    }
}

/// Why a packager ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Idle,
    /// The broadcast was closed.
    Closed,
    Stopped,
}

/// Runs until there is nobody left to do it for. Segments get numbers from `first_msn` on, or from where the recording of an earlier run ends;
/// the number after the last one is returned.
#[expect(clippy::disallowed_methods, reason = "the shell stamps what it hands to the core")]
pub(super) async fn run(broadcast: BroadcastId, mut tap: Tap, channel: &Channel, parts: &HlsParts, first_msn: u64) -> (Ended, u64) {
    let mut sound = parts.encoder.clone().map(|command| Supervised::start(broadcast, command, Aac, None));
    // All of these cost nothing until there is something for them.
    let place = Place::among(Arc::clone(&parts.pictures));
    let mut crew = Crew::new(broadcast, parts.encoder.clone(), Some(Arc::clone(&place)));
    let mut mixing = Crew::new(broadcast, parts.encoder.clone(), None);
    let laddered = parts.encoder.clone().filter(|_| parts.makes_ladders);
    let mut ladder = laddered.map(|command| Supervised::start(broadcast, command, Rungs, Some(place)));
    let mut recorder = parts.dvr.as_ref().and_then(|dvr| dvr.begin(broadcast, first_msn));
    let first_msn = recorder.as_ref().map_or(first_msn, |recorder| recorder.first());
    let encoders = Encoders { sound: sound.is_some(), ladder: ladder.is_some(), programme: parts.encoder.is_some() };
    let mut pipeline = Pipeline::new(first_msn, parts.part_ms, encoders);
    let mut told = Told::default();
    let (mut guest, mut guest_tap) = (None, None);
    let mut look = tokio::time::interval(HLS_GUEST_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut origin_ms = None;
    let ended = loop {
        let now = Instant::now();
        let last = channel.last();
        let idle_at = last.idle_at();
        // What is recorded is recorded whole.
        tap.set_wants_all(recorder.is_some() || last.is_played(now));
        if now >= idle_at {
            break Ended::Idle;
        }
        let wake = pipeline.wake_at(now).map_or(idle_at, |wake| wake.min(idle_at));
        tokio::select! {
            () = channel.stop.cancelled() => break Ended::Stopped,
            run = tap.recv() => {
                let Some(run) = run else { break Ended::Closed };
                let now = Instant::now();
                pipeline.handle_run(now, &run);
                for _ in 0..HLS_TAP_QUEUE {
                    let Ok(run) = tap.try_recv() else { break };
                    pipeline.handle_run(now, &run);
                }
            }
            (line, frame) = Supervised::next(&mut sound) => pipeline.handle_encoded(Instant::now(), line, frame),
            (line, (rung, frame)) = Supervised::next(&mut ladder) => pipeline.handle_rung(Instant::now(), line, rung, frame),
            run = next_of(&mut guest_tap) => match run {
                Some(run) => pipeline.handle_guest_run(Instant::now(), &run),
                // Their source is gone; another look finds another one.
                None => (guest, guest_tap) = (None, None),
            },
            (child, made) = crew.next() => match made {
                Made::Frame { rung, frame } => pipeline.handle_made(Instant::now(), child, rung, frame),
                Made::Ended(_) => pipeline.handle_ended(Instant::now(), child),
            },
            (child, made) = mixing.next() => match made {
                Made::Frame { rung, frame } => {
                    if let Some(sound) = Sound::ALL.get(rung) {
                        pipeline.handle_mixed(Instant::now(), child, *sound, frame);
                    }
                }
                Made::Ended(_) => pipeline.handle_mix_ended(Instant::now(), child),
            },
            _ = look.tick(), if encoders.programme => {
                let found = (parts.guest)(broadcast);
                if found != guest {
                    let source = |guest: Option<GuestOnAir>| guest.map(|guest| guest.source);
                    if source(found) != source(guest) {
                        pipeline.set_guest(Instant::now(), None);
                        guest_tap = match found {
                            Some(found) => parts.sfu.tap(found.source).await,
                            None => None,
                        };
                    }
                    // Without a tap it is looked for again.
                    guest = found.filter(|_| guest_tap.is_some());
                    pipeline.set_guest(Instant::now(), guest.map(|guest| guest.layout));
                }
            }
            () = sleep_until(TokioInstant::from_std(wake)) => pipeline.handle_timeout(Instant::now()),
        }
        for rendition in pipeline.take_renditions() {
            tracing::info!(%broadcast, rendition = rendition.name, "rendition begins");
            channel.store.add_rendition(&rendition.name, rendition.kind);
        }
        if pipeline.origin_ms() != origin_ms
            && let Some(origin) = pipeline.origin_ms()
        {
            origin_ms = Some(origin);
            channel.store.set_origin(origin, pipeline.expects_picture());
        }
        let steps = pipeline.take_steps();
        counter!(HLS_PARTS).increment(steps.iter().filter(|(_, step)| matches!(step, super::segment::Step::Part(_))).count() as u64);
        let closed = channel.store.publish(steps);
        if let Some(recorder) = &mut recorder {
            recorder.take(closed);
        }
        let frames = pipeline.take_sound();
        if let Some(sound) = &mut sound {
            sound.feed(frames);
        }
        let pictures = pipeline.take_pictures();
        if let Some(ladder) = &mut ladder {
            ladder.feed(pictures);
        }
        for child in crew.carry_out(pipeline.take_orders()).await {
            pipeline.handle_ended(Instant::now(), child);
        }
        for child in mixing.carry_out(pipeline.take_mixes()).await {
            pipeline.handle_mix_ended(Instant::now(), child);
        }
        let unmixed = pipeline.take_unmixed();
        if unmixed > 0 {
            counter!(HLS_ENCODER_DROPPED, "of" => mix::LABEL).increment(unmixed);
        }
        if let Some(codec) = pipeline.take_unfit()
            && !std::mem::replace(&mut told.is_unfit, true)
        {
            tracing::warn!(%broadcast, codec = codec.rtpmap_name(), "no player takes this codec in MP4: the picture is not packaged");
        }
        told.count(pipeline.losses());
    };
    if let Some(sound) = sound {
        sound.stop().await;
    }
    if let Some(ladder) = ladder {
        ladder.stop().await;
    }
    crew.stop().await;
    mixing.stop().await;
    (ended, pipeline.next_msn())
}

/// The next run of a guest; never comes where there is none.
async fn next_of(tap: &mut Option<Tap>) -> Option<TapRun> {
    match tap {
        Some(tap) => tap.recv().await,
        None => std::future::pending().await,
    }
}

/// What the metrics know already.
#[derive(Debug, Default)]
struct Told {
    losses: Losses,
    left_out: u64,
    is_unfit: bool,
}

impl Told {
    fn count(&mut self, (losses, left_out): (Losses, u64)) {
        for (kind, now, before) in
            [("late", losses.late, self.losses.late), ("gap", losses.gaps, self.losses.gaps), ("frame", losses.frames, self.losses.frames)]
        {
            if now > before {
                counter!(HLS_LOSSES, "kind" => kind).increment(now - before);
            }
        }
        if left_out > self.left_out {
            counter!(HLS_FRAMES_LEFT_OUT).increment(left_out - self.left_out);
        }
        (self.losses, self.left_out) = (losses, left_out);
    }
}
