//! What a simulated run is made of, and what comes of it.

/// The ladder every viewer is offered, bits per second.
pub(super) const LAYERS: [u32; 3] = [150_000, 500_000, 2_500_000];

/// The bottleneck's rate over time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rate {
    Fixed(f64),
    /// From each second on, bits per second.
    Steps(&'static [(f64, f64)]),
    /// A random walk between two rates, a step every half second, as on a mobile network.
    Walk(f64, f64),
}

/// How packets get lost apart from the queue.
#[derive(Debug, Clone, Copy)]
pub(super) enum Loss {
    None,
    Random(f64),
    /// Gilbert: into and out of a state in which everything is lost.
    Bursts(f64, f64),
}

/// Everything about a run but its seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub name: &'static str,
    pub seconds: u64,
    pub rate: Rate,
    /// What the queue holds, ms at the present rate.
    pub queue_ms: f64,
    /// µs, as all times without a unit here.
    pub one_way: u64,
    pub loss: Loss,
    /// Stalls of up to 40 ms, several a second, after which everything comes at once.
    pub wifi: bool,
    /// The path stands still between these seconds.
    pub stall: Option<(f64, f64)>,
    /// Constant traffic of others: from, to (seconds), bits per second.
    pub constant_cross: Option<(f64, f64, f64)>,
    /// A TCP (Reno) download: from, to (seconds).
    pub tcp: Option<(f64, f64)>,
    pub viewers: usize,
    pub stagger: u64,
    pub feedback: u64,
    pub feedback_loss: f64,
    /// No feedback gets through between these seconds.
    pub feedback_outage: Option<(f64, f64)>,
    /// The highest layer there is, from each second on.
    pub top: &'static [(f64, usize)],
    /// The receiver's clock at the beginning, ms: where it wraps is a scenario of its own.
    pub clock_ms: u64,
}

pub(super) const PLAIN: Scenario = Scenario {
    name: "",
    seconds: 60,
    rate: Rate::Fixed(3e6),
    queue_ms: 300.0,
    one_way: 20_000,
    loss: Loss::None,
    wifi: false,
    stall: None,
    constant_cross: None,
    tcp: None,
    viewers: 1,
    stagger: 2_000_000,
    feedback: 100_000,
    feedback_loss: 0.0,
    feedback_outage: None,
    top: &[(0.0, 2)],
    clock_ms: 5_000,
};

/// What happened to one viewer.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// When it joined, seconds.
    pub joined: f64,
    /// When which layer began, seconds; `None`: no picture.
    pub layers: Vec<(f64, Option<usize>)>,
    pub estimates: Vec<(f64, f64)>,
    /// Each packet's wait at the bottleneck, ms.
    pub queued_ms: Vec<f32>,
    pub sent: u64,
    pub dropped: u64,
    pub media_bytes: u64,
    pub padding_bytes: u64,
    /// Time without a whole new frame, beyond 250 ms, ms.
    pub frozen_ms: u64,
    pub probes: u32,
    pub end: f64,
}

impl Outcome {
    /// Seconds from `from` until a layer is reached for good (until `to`); `None` when it was not.
    pub(super) fn reached(&self, layer: usize, from: f64, to: f64) -> Option<f64> {
        let before = self.layers.iter().rev().find(|(at, _)| *at <= from).map(|(_, layer)| *layer);
        if before == Some(Some(layer)) {
            return Some(0.0);
        }
        self.layers.iter().find(|(at, reached)| *at > from && *at < to && *reached == Some(layer)).map(|(at, _)| at - from)
    }

    /// Seconds from `from` until the layer is at most this one.
    pub(super) fn fell_to(&self, layer: usize, from: f64, to: f64) -> Option<f64> {
        let low = |reached: &Option<usize>| reached.is_none_or(|reached| reached <= layer);
        let before = self.layers.iter().rev().find(|(at, _)| *at <= from);
        if before.is_some_and(|(_, reached)| low(reached)) {
            return Some(0.0);
        }
        self.layers.iter().find(|(at, reached)| *at > from && *at < to && low(reached)).map(|(at, _)| at - from)
    }

    /// Part of the time since joining that was spent below a layer, after the first `settle` seconds.
    pub(super) fn share_below(&self, layer: usize, settle: f64) -> f64 {
        self.share(settle, |reached| reached.is_none_or(|reached| reached < layer))
    }

    pub(super) fn share_without_picture(&self) -> f64 {
        self.share(0.0, |reached| reached.is_none())
    }

    fn share(&self, settle: f64, counts: impl Fn(Option<usize>) -> bool) -> f64 {
        let begin = self.joined + settle;
        let ends = self.layers.iter().skip(1).map(|(at, _)| *at).chain([self.end]);
        let spans = self.layers.iter().zip(ends).map(|((from, layer), to)| (from.max(begin), to, *layer));
        spans.filter(|(_, _, layer)| counts(*layer)).map(|(from, to, _)| (to - from).max(0.0)).sum::<f64>() / (self.end - begin).max(0.1)
    }

    /// Changes of layer a minute, the first rise not counted.
    pub(super) fn switches_per_minute(&self, settle: f64) -> f64 {
        let begin = self.joined + settle;
        let switches = self.layers.iter().skip(1).filter(|(at, _)| *at > begin).count();
        switches as f64 * 60.0 / (self.end - begin).max(0.1)
    }

    pub(super) fn queue_p95_ms(&self) -> f64 {
        percentile(&self.queued_ms, 0.95)
    }
}

pub(super) fn percentile(values: &[f32], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(((sorted.len() as f64 - 1.0).max(0.0) * share) as usize).copied().unwrap_or(0.0).into()
}
