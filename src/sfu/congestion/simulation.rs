//! A bottleneck, what crosses it and what comes back, on virtual time: the controller and the allocator at work, without the rest of a server.
//!
//! The link is a queue that is served at a rate that varies, drops what it has no room for, and delays; feedback is written and read as on the
//! wire. Frames, losses, stalls and cross traffic are drawn from the seed, so that a run can be repeated.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::allocator::{Allocator, Picture, Rank};
use super::scenario::{LAYERS, Loss, Outcome, Rate, Scenario};
use super::{Cluster, Controller, PACING_MARGIN, SentPackets, SharedPath};
use crate::limits;
use crate::sfu::handle::LayerChoice;
use crate::sfu::ingest::twcc::TwccRecorder;
use crate::sfu::ladder::Offered;
use crate::sfu::rtp::id::Ssrc;
use crate::sfu::rtp::rtcp::{RtcpItem, parse_compound};
use crate::sfu::selection::Limit;

/// Microseconds since the beginning of the run.
type Us = u64;
const MS: Us = 1_000;
const SECOND: Us = 1_000_000;

/// Between two looks of the server at a viewer.
const WHEEL: Us = 25 * MS;
/// From wanting a layer to its key frame.
const KEYFRAME_WAIT: Us = 120 * MS;
const FRAME: Us = 33_333;
const GROUP_FRAMES: u32 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Viewer(usize),
    Constant,
    Tcp,
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    from: From,
    /// Transport-wide number.
    seq: u16,
    bytes: u32,
    queued: Us,
    frame: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Frame(usize),
    Pace(usize),
    Wheel(usize),
    Report(usize),
    Feedback(usize, Vec<u8>),
    Serve,
    Deliver(usize),
    Repaired(usize, u32),
    Constant,
    TcpAcked,
    TcpLost,
    Tcp,
}

struct Frame {
    expected: u32,
    got: u32,
}

struct Viewer {
    joined: Us,
    controller: Controller,
    allocator: Allocator,
    sent: SentPackets,
    recorder: TwccRecorder,
    rung: Option<usize>,
    /// A wanted layer, and when its key frame comes.
    pending: Option<(Option<usize>, Us)>,
    queue: VecDeque<(u32, u32)>,
    pace_from: Us,
    cluster: Option<Cluster>,
    /// Padding is a packet sent again: it has the size of one.
    last_bytes: u32,
    frames: VecDeque<Frame>,
    first_frame: u32,
    group_left: u32,
    shown_at: Us,
    outcome: Outcome,
    rng: StdRng,
}

struct World<'a> {
    scenario: &'a Scenario,
    start: Instant,
    now: Us,
    order: u64,
    events: BinaryHeap<Reverse<(Us, u64, Event)>>,
    viewers: Vec<Viewer>,
    shared: SharedPath,
    queue: VecDeque<Packet>,
    queued_bytes: u64,
    serving: bool,
    in_flight: Vec<Option<(Packet, bool)>>,
    free: Vec<usize>,
    stall: (Us, Us),
    in_burst: bool,
    walk: Vec<f64>,
    window: f64,
    threshold: f64,
    outstanding: f64,
    recovers_until: Us,
    rng: StdRng,
}

/// Runs a scenario under a seed.
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
pub(super) fn run(scenario: &Scenario, seed: u64) -> Vec<Outcome> {
    let start = Instant::now();
    let mut rng = StdRng::seed_from_u64(seed);
    let walk = walk(scenario, &mut rng);
    let mut world = World {
        scenario,
        start,
        now: 0,
        order: 0,
        events: BinaryHeap::new(),
        viewers: Vec::new(),
        shared: SharedPath::default(),
        queue: VecDeque::new(),
        queued_bytes: 0,
        serving: false,
        in_flight: Vec::new(),
        free: Vec::new(),
        stall: (0, 0),
        in_burst: false,
        walk,
        window: 10.0,
        threshold: f64::INFINITY,
        outstanding: 0.0,
        recovers_until: 0,
        rng,
    };
    for index in 0..scenario.viewers {
        world.join(index);
    }
    if let Some((from, ..)) = scenario.constant_cross {
        world.at(seconds(from), Event::Constant);
    }
    if let Some((from, _)) = scenario.tcp {
        world.at(seconds(from), Event::Tcp);
    }
    let end = scenario.seconds * SECOND;
    while let Some(Reverse((at, _, event))) = world.events.pop() {
        if at >= end {
            break;
        }
        world.now = at;
        world.handle(event);
    }
    let end = scenario.seconds as f64;
    world.viewers.into_iter().map(|viewer| Outcome { end, probes: viewer.controller.probes(), ..viewer.outcome }).collect()
}

fn walk(scenario: &Scenario, rng: &mut StdRng) -> Vec<f64> {
    let Rate::Walk(low, high) = scenario.rate else { return Vec::new() };
    let mut rate = (low * high).sqrt();
    let mut step = || {
        rate = (rate * f64::exp(rng.random_range(-0.35..0.35))).clamp(low, high);
        rate
    };
    (0..=scenario.seconds * 2).map(|_| step()).collect()
}

fn seconds(at: f64) -> Us {
    (at * SECOND as f64) as Us
}

impl World<'_> {
    fn instant(&self) -> Instant {
        self.start + Duration::from_micros(self.now)
    }

    fn at(&mut self, at: Us, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at.max(self.now), self.order, event)));
    }

    fn rate(&self) -> f64 {
        let now = self.now as f64 / SECOND as f64;
        match self.scenario.rate {
            Rate::Fixed(rate) => rate,
            Rate::Steps(steps) => steps.iter().rev().find(|(from, _)| *from <= now).map_or(1e6, |(_, rate)| *rate),
            Rate::Walk(..) => self.walk[(now * 2.0) as usize],
        }
    }

    fn within(&self, span: Option<(f64, f64)>) -> bool {
        span.is_some_and(|(from, to)| self.now >= seconds(from) && self.now < seconds(to))
    }

    fn top(&self) -> usize {
        let now = self.now as f64 / SECOND as f64;
        self.scenario.top.iter().rev().find(|(from, _)| *from <= now).map_or(0, |(_, top)| *top)
    }

    fn join(&mut self, index: usize) {
        self.shared.join();
        let joined = 100 * MS + index as u64 * self.scenario.stagger + self.rng.random_range(0..FRAME);
        let mut sent = SentPackets::default();
        let at = self.start + Duration::from_micros(joined);
        sent.reserve(at, LAYERS[0]);
        let report = self.rng.random_range(0..self.scenario.feedback);
        self.viewers.push(Viewer {
            joined,
            controller: Controller::default(),
            allocator: Allocator::default(),
            sent,
            recorder: TwccRecorder::new(self.start),
            rung: None,
            pending: None,
            queue: VecDeque::new(),
            pace_from: joined,
            cluster: None,
            last_bytes: 600,
            frames: VecDeque::new(),
            first_frame: 0,
            group_left: 0,
            shown_at: joined,
            outcome: Outcome { joined: joined as f64 / 1e6, ..Outcome::default() },
            rng: StdRng::seed_from_u64(self.rng.random()),
        });
        self.at(joined, Event::Wheel(index));
        self.at(joined + 1, Event::Frame(index));
        self.at(joined + report, Event::Report(index));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Frame(index) => self.make_frame(index),
            Event::Pace(index) => self.pace(index),
            Event::Wheel(index) => {
                self.at(self.now + WHEEL, Event::Wheel(index));
                self.tick(index);
            }
            Event::Report(index) => self.report(index),
            Event::Feedback(index, bytes) => self.take_feedback(index, &bytes),
            Event::Serve => self.serve(),
            Event::Deliver(slot) => self.deliver(slot),
            Event::Repaired(index, frame) => self.got(index, frame),
            Event::Constant => self.constant_cross(),
            Event::TcpAcked => {
                self.outstanding -= 1.0;
                self.window += if self.window < self.threshold { 1.0 } else { 1.0 / self.window };
                self.tcp();
            }
            Event::TcpLost => {
                self.outstanding -= 1.0;
                if self.now > self.recovers_until {
                    self.threshold = (self.window / 2.0).max(2.0);
                    self.window = self.threshold;
                    self.recovers_until = self.now + 2 * self.scenario.one_way + (self.queued_bytes as f64 * 8e6 / self.rate()) as Us;
                }
                self.tcp();
            }
            Event::Tcp => self.tcp(),
        }
    }

    // ---- The server ----

    fn allocate(&mut self, index: usize) {
        let (now, top) = (self.instant(), self.top());
        let offered: Vec<Offered> = LAYERS[..=top]
            .iter()
            .enumerate()
            .map(|(layer, bps)| Offered { layer: layer as u8, limit: Limit::NONE, bitrate_bps: *bps, active: true, is_new: false })
            .collect();
        let viewer = &mut self.viewers[index];
        let rung = viewer.pending.map_or(viewer.rung, |(rung, _)| rung);
        let mut pictures = [Picture {
            place: 0,
            offered: &offered,
            choice: LayerChoice::Auto,
            drawn_height: None,
            rank: Rank::Broadcast,
            rung: rung.filter(|_| self.now > viewer.joined),
        }];
        let budget = viewer.controller.budget(now);
        let demand = viewer.allocator.allocate(now, 0, &mut pictures, budget, viewer.controller.report().loss);
        viewer.controller.set_demand(now, demand, true, &mut self.shared);
        viewer.sent.reserve(now, demand.current_bps);
        let wanted = pictures[0].rung;
        if wanted != rung || self.now == viewer.joined {
            let wait = if self.now == viewer.joined || wanted.is_none() { 0 } else { KEYFRAME_WAIT };
            viewer.pending = Some((wanted, self.now + wait));
        }
    }

    fn tick(&mut self, index: usize) {
        self.allocate(index);
        let now = self.instant();
        let viewer = &mut self.viewers[index];
        if viewer.controller.handle_tick(now, &viewer.sent, true, &mut self.shared) {
            viewer.cluster = viewer.controller.cluster().copied();
            self.at(self.now, Event::Pace(index));
        }
    }

    fn make_frame(&mut self, index: usize) {
        self.at(self.now + FRAME, Event::Frame(index));
        let viewer = &mut self.viewers[index];
        if let Some((rung, at)) = viewer.pending
            && at <= self.now
        {
            viewer.pending = None;
            if rung < viewer.rung {
                viewer.pace_from = self.now;
                // What waits of the larger layer is not sent any more.
                for (_, frame) in viewer.queue.drain(..) {
                    if let Some(frame) = viewer.frames.get_mut((frame - viewer.first_frame) as usize) {
                        frame.expected -= 1;
                    }
                }
            }
            viewer.group_left = 0;
            viewer.rung = rung;
            viewer.outcome.layers.push((self.now as f64 / 1e6, rung));
        }
        let Some(rung) = viewer.rung else { return };
        let is_key = viewer.group_left == 0;
        if is_key {
            viewer.group_left = GROUP_FRAMES;
        }
        viewer.group_left -= 1;
        // A key frame is four times the others; sizes vary by a fifth.
        let mean = f64::from(LAYERS[rung]) * 2.0 / f64::from(GROUP_FRAMES + 3) / 8.0;
        let noise = 1.0 + 0.2 * (0..12).map(|_| viewer.rng.random::<f64>() - 0.5).sum::<f64>();
        let bytes = (mean * if is_key { 4.0 } else { 1.0 } * noise.clamp(0.4, 2.0)).max(100.0) as u32;
        let packets = bytes.div_ceil(1150);
        let frame = viewer.first_frame + viewer.frames.len() as u32;
        viewer.frames.push_back(Frame { expected: packets, got: 0 });
        if viewer.queue.is_empty() && viewer.cluster.is_none() {
            let from = viewer.pace_from.max(self.now);
            self.at(from, Event::Pace(index));
        }
        let viewer = &mut self.viewers[index];
        viewer.queue.extend((0..packets).map(|_| (bytes / packets + 40, frame)));
    }

    /// Sends what is due: media at a little more than the layer's rate, and during a probe at the probe's, filled up with padding.
    fn pace(&mut self, index: usize) {
        let now = self.instant();
        let viewer = &mut self.viewers[index];
        if let Some(cluster) = viewer.cluster {
            let due = cluster.due_bytes(now, viewer.sent.totals());
            if due > 0 {
                let (bytes, frame) = viewer.queue.pop_front().map_or((viewer.last_bytes, None), |(bytes, frame)| (bytes, Some(frame)));
                self.send(index, bytes, frame);
            }
            let viewer = &mut self.viewers[index];
            let totals = viewer.sent.totals();
            if cluster.is_complete(totals) {
                viewer.cluster = None;
                viewer.controller.handle_cluster_sent(&viewer.sent);
                viewer.pace_from = self.now;
                if !viewer.queue.is_empty() {
                    self.at(self.now + 1, Event::Pace(index));
                }
            } else {
                let wake = (cluster.wake_at(totals) - self.start).as_micros() as Us;
                self.at(wake.max(self.now + 50), Event::Pace(index));
            }
            return;
        }
        if self.now < viewer.pace_from {
            return;
        }
        let Some((bytes, frame)) = viewer.queue.pop_front() else { return };
        // A bucket like the server's.
        let rate = f64::from(viewer.controller.pacing_bps()).max(PACING_MARGIN * f64::from(LAYERS[viewer.rung.unwrap_or(0)]));
        let burst = limits::PACE_BURST.as_micros() as Us;
        viewer.pace_from = viewer.pace_from.max(self.now.saturating_sub(burst)) + (f64::from(bytes) * 8e6 / rate) as Us;
        let (more, next) = (!viewer.queue.is_empty(), viewer.pace_from);
        self.send(index, bytes, Some(frame));
        if more {
            self.at(next, Event::Pace(index));
        }
    }

    fn send(&mut self, index: usize, bytes: u32, frame: Option<u32>) {
        let now = self.instant();
        let viewer = &mut self.viewers[index];
        let seq = viewer.sent.next(now);
        viewer.sent.set_size(bytes as usize);
        viewer.outcome.sent += 1;
        viewer.last_bytes = bytes;
        if frame.is_none() {
            viewer.controller.handle_padding_sent(bytes as usize);
        }
        *(if frame.is_some() { &mut viewer.outcome.media_bytes } else { &mut viewer.outcome.padding_bytes }) += u64::from(bytes);
        self.enqueue(Packet { from: From::Viewer(index), seq, bytes, queued: self.now, frame });
    }

    fn take_feedback(&mut self, index: usize, bytes: &[u8]) {
        let now = self.instant();
        let viewer = &mut self.viewers[index];
        parse_compound(bytes, &mut |item| {
            let RtcpItem::TransportCc(view) = item else { panic!("{item:?}") };
            viewer.controller.handle_feedback(now, &mut viewer.sent, view.iter(), &mut self.shared);
        });
        viewer.outcome.estimates.push((self.now as f64 / 1e6, viewer.controller.budget(now).estimate_bps));
        self.allocate(index);
    }

    // ---- The link ----

    fn enqueue(&mut self, packet: Packet) {
        let room = (self.rate() * self.scenario.queue_ms / 8000.0).max(6000.0) as u64;
        if self.queued_bytes + u64::from(packet.bytes) > room {
            let turn = 2 * self.scenario.one_way;
            match packet.from {
                From::Viewer(index) => {
                    self.viewers[index].outcome.dropped += 1;
                    let wait = (self.queued_bytes as f64 * 8e6 / self.rate()) as Us;
                    if let Some(frame) = packet.frame {
                        self.at(self.now + turn + 60 * MS + wait, Event::Repaired(index, frame));
                    }
                }
                From::Tcp => self.at(self.now + turn, Event::TcpLost),
                From::Constant => {}
            }
            return;
        }
        self.queued_bytes += u64::from(packet.bytes);
        self.queue.push_back(packet);
        if !self.serving {
            self.serving = true;
            self.serve_next();
        }
    }

    /// Begins with the packet at the head of the queue.
    fn serve_next(&mut self) {
        let Some(packet) = self.queue.front().copied() else {
            self.serving = false;
            return;
        };
        let stalled = self.scenario.stall.filter(|_| self.within(self.scenario.stall)).map_or(self.now, |(_, to)| seconds(to));
        if let From::Viewer(index) = packet.from {
            self.viewers[index].outcome.queued_ms.push((self.now - packet.queued) as f32 / 1e3);
        }
        let takes = (f64::from(packet.bytes) * 8e6 / self.rate()) as Us;
        self.at(stalled + takes, Event::Serve);
    }

    fn serve(&mut self) {
        let packet = self.queue.pop_front().expect("being served");
        self.queued_bytes -= u64::from(packet.bytes);
        let mut arrives = self.now + self.scenario.one_way;
        if self.scenario.wifi {
            if arrives >= self.stall.1 {
                let until = arrives + self.rng.random_range(0..40 * MS);
                self.stall = (until, until + 20 * MS + self.rng.random_range(0..160 * MS));
            }
            arrives = arrives.max(self.stall.0);
        }
        let draw: f64 = self.rng.random();
        let lost = match self.scenario.loss {
            Loss::None => false,
            Loss::Random(share) => draw < share,
            Loss::Bursts(into, out) => {
                self.in_burst ^= draw < if self.in_burst { out } else { into };
                self.in_burst
            }
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.in_flight.push(None);
            self.in_flight.len() - 1
        });
        self.in_flight[slot] = Some((packet, lost && matches!(packet.from, From::Viewer(_))));
        self.at(arrives, Event::Deliver(slot));
        self.serve_next();
    }

    fn constant_cross(&mut self) {
        let Some((_, to, rate)) = self.scenario.constant_cross else { return };
        if self.now < seconds(to) {
            self.enqueue(Packet { from: From::Constant, seq: 0, bytes: 1200, queued: self.now, frame: None });
            self.at(self.now + (1200.0 * 8e6 / rate) as Us, Event::Constant);
        }
    }

    fn tcp(&mut self) {
        if !self.within(self.scenario.tcp) {
            return;
        }
        for _ in 0..4 {
            if self.outstanding >= self.window {
                return;
            }
            self.outstanding += 1.0;
            self.enqueue(Packet { from: From::Tcp, seq: 0, bytes: 1200, queued: self.now, frame: None });
        }
        self.at(self.now + MS, Event::Tcp);
    }

    // ---- The receivers ----

    fn deliver(&mut self, slot: usize) {
        let (packet, lost) = self.in_flight[slot].take().expect("under way");
        self.free.push(slot);
        let index = match packet.from {
            From::Constant => return,
            From::Tcp => return self.at(self.now + self.scenario.one_way, Event::TcpAcked),
            From::Viewer(index) => index,
        };
        if lost {
            if let Some(frame) = packet.frame {
                self.at(self.now + 2 * self.scenario.one_way + 60 * MS, Event::Repaired(index, frame));
            }
            return;
        }
        let clock = self.start + Duration::from_micros(self.now) + Duration::from_millis(self.scenario.clock_ms);
        self.viewers[index].recorder.on_packet(clock, packet.seq);
        if let Some(frame) = packet.frame {
            self.got(index, frame);
        }
    }

    fn got(&mut self, index: usize, frame: u32) {
        let viewer = &mut self.viewers[index];
        if let Some(frame) = frame.checked_sub(viewer.first_frame).and_then(|at| viewer.frames.get_mut(at as usize)) {
            frame.got += 1;
        }
        while viewer.frames.front().is_some_and(|frame| frame.got >= frame.expected) {
            let gap = self.now - viewer.shown_at;
            if gap > 250 * MS && viewer.first_frame > 30 {
                viewer.outcome.frozen_ms += gap / MS;
            }
            viewer.shown_at = self.now;
            viewer.frames.pop_front();
            viewer.first_frame += 1;
        }
    }

    fn report(&mut self, index: usize) {
        self.at(self.now + self.scenario.feedback, Event::Report(index));
        let clock = self.start + Duration::from_micros(self.now) + Duration::from_millis(self.scenario.clock_ms);
        let mut bytes = Vec::new();
        while self.viewers[index].recorder.poll_feedback(clock, Ssrc(1), Ssrc(2), &mut bytes) {}
        let arrives = !self.within(self.scenario.feedback_outage) && self.rng.random::<f64>() >= self.scenario.feedback_loss;
        if arrives && !bytes.is_empty() {
            self.at(self.now + self.scenario.one_way, Event::Feedback(index, bytes));
        }
    }
}
