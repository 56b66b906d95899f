//! The words for a path, as people write them: `latency=20ms rate=3M loss=2% queue=300ms`. Pure.
//!
//! What is not named stays as it was, so the same words describe a path from scratch and a change to one.

use std::str::FromStr;
use std::time::Duration;

use super::model::{Loss, Path};

/// For help texts: every word there is.
pub const WORDS: &str = "latency=DURATION jitter=DURATION rate=BITS|none queue=DURATION loss=SHARE|none \
                         bursts=ENTER/LEAVE/LOST reorder=SHARE cut=yes|no";

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("`{0}` is not of the form name=value")]
    NoValue(String),
    #[error("there is no setting `{name}`; there are: {WORDS}")]
    UnknownName { name: String },
    #[error("`{name}={value}`: the value must be {expected}")]
    BadValue { name: String, value: String, expected: &'static str },
}

/// Some settings of a path.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Settings {
    latency: Option<Duration>,
    jitter: Option<Duration>,
    rate_bps: Option<Option<u64>>,
    queue: Option<Duration>,
    loss: Option<Loss>,
    reorder: Option<f64>,
    cut: Option<bool>,
}

impl Settings {
    /// The path with these settings.
    pub fn apply(&self, path: Path) -> Path {
        Path {
            latency: self.latency.unwrap_or(path.latency),
            jitter: self.jitter.unwrap_or(path.jitter),
            rate_bps: self.rate_bps.unwrap_or(path.rate_bps),
            queue: self.queue.unwrap_or(path.queue),
            loss: self.loss.unwrap_or(path.loss),
            reorder: self.reorder.unwrap_or(path.reorder),
            cut: self.cut.unwrap_or(path.cut),
        }
    }

    /// Reads one `name=value` into the settings.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), SpecError> {
        let bad = |expected| SpecError::BadValue { name: name.to_owned(), value: value.to_owned(), expected };
        const TIME: &str = "a time such as 20ms or 1.5s";
        const SHARE: &str = "a share such as 2% or 0.02";
        match name {
            "latency" => self.latency = Some(duration(value).ok_or_else(|| bad(TIME))?),
            "jitter" => self.jitter = Some(duration(value).ok_or_else(|| bad(TIME))?),
            "queue" => self.queue = Some(duration(value).ok_or_else(|| bad(TIME))?),
            "rate" if value == "none" => self.rate_bps = Some(None),
            "rate" => self.rate_bps = Some(Some(bits(value).ok_or_else(|| bad("bits per second such as 600k or 3M, or none"))?)),
            "loss" if value == "none" => self.loss = Some(Loss::None),
            "loss" => self.loss = Some(Loss::Bernoulli(share(value).ok_or_else(|| bad(SHARE))?)),
            "bursts" => self.loss = Some(bursts(value).ok_or_else(|| bad("three shares, such as 2%/30%/70%"))?),
            "reorder" => self.reorder = Some(share(value).ok_or_else(|| bad(SHARE))?),
            "cut" => {
                self.cut = Some(match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(bad("yes or no")),
                });
            }
            _ => return Err(SpecError::UnknownName { name: name.to_owned() }),
        }
        Ok(())
    }
}

impl FromStr for Settings {
    type Err = SpecError;

    /// Words separated by spaces or commas.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut settings = Self::default();
        for word in words(text) {
            let (name, value) = word.split_once('=').ok_or_else(|| SpecError::NoValue(word.to_owned()))?;
            settings.set(name, value)?;
        }
        Ok(settings)
    }
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '\t']).filter(|word| !word.is_empty())
}

/// A time as people write it: `20ms`, `1.5s`, `2m`; at most a day.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit_s) = match text {
        _ if text.ends_with("ms") => (text.strip_suffix("ms")?, 1e-3),
        _ if text.ends_with("us") => (text.strip_suffix("us")?, 1e-6),
        _ if text.ends_with('s') => (text.strip_suffix('s')?, 1.0),
        _ => (text.strip_suffix('m')?, 60.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit_s;
    (0.0..=86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// `600k`, `3M`, `2.5M`, `800000`: at least 1 kbit/s, below which nothing gets through in time.
fn bits(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => text.strip_suffix('M').map_or_else(|| text.strip_suffix('G').map_or((text, 1.0), |n| (n, 1e9)), |n| (n, 1e6)),
    };
    let rate = number.parse::<f64>().ok()? * unit;
    (1e3..=1e12).contains(&rate).then_some(rate as u64)
}

/// `2%` or `0.02`.
fn share(text: &str) -> Option<f64> {
    let value = match text.strip_suffix('%') {
        Some(number) => number.parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&value).then_some(value)
}

/// Chance to enter a burst, chance to leave it, share lost inside.
fn bursts(text: &str) -> Option<Loss> {
    let shares: Vec<f64> = text.split('/').map(share).collect::<Option<_>>()?;
    let &[to_bad, to_good, lost] = &shares[..] else { return None };
    Some(Loss::GilbertElliott { to_bad, to_good, lost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_path_and_the_rest_stays() {
        let settings: Settings = "latency=20ms, rate=2.5M loss=2%".parse().expect("three settings");
        let path = settings.apply(Path { queue: Duration::from_millis(40), ..Path::CLEAR });
        assert_eq!((path.latency, path.rate_bps, path.loss), (Duration::from_millis(20), Some(2_500_000), Loss::Bernoulli(0.02)));
        assert_eq!((path.queue, path.jitter), (Duration::from_millis(40), Duration::ZERO));
        let wide: Settings = "rate=none loss=none cut=yes".parse().expect("three settings");
        assert_eq!((wide.apply(path).rate_bps, wide.apply(path).loss, wide.apply(path).cut), (None, Loss::None, true));
        let bursts: Settings = "bursts=2%/0.3/70%".parse().expect("one setting");
        assert_eq!(bursts.apply(path).loss, Loss::GilbertElliott { to_bad: 0.02, to_good: 0.3, lost: 0.7 });
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        for (text, words) in [
            ("latency=20", "a time such as 20ms"),
            ("latency=-1s", "a time such as 20ms"),
            ("rate=fast", "600k or 3M"),
            ("rate=0", "600k or 3M"),
            ("loss=120%", "a share such as 2%"),
            ("bursts=1%/2%", "three shares"),
            ("delay=20ms", "there is no setting `delay`"),
            ("cut", "not of the form name=value"),
        ] {
            let error = text.parse::<Settings>().expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
