//! A path that changes by the clock: `at=10s down rate=600k`. Pure.

use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::model::{Fate, Link, Path};
use super::spec::{Settings, SpecError, duration, words};
use crate::limits::LINKSIM_STEPS_MAX;

/// Why a text is not a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    #[error("a step begins with its time, such as at=10s")]
    NoTime,
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("line {line}: {error}")]
    Line { line: usize, error: Box<Self> },
    #[error("more than {LINKSIM_STEPS_MAX} steps")]
    TooMany,
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From client to server.
    Up,
    Down,
}

/// From this moment on, other settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub at: Duration,
    /// `None`: both ways.
    pub direction: Option<Direction>,
    pub settings: Settings,
}

impl FromStr for Step {
    type Err = StepError;

    /// `at=TIME [up|down] SETTING...`
    fn from_str(text: &str) -> Result<Self, StepError> {
        let mut step = Self { at: Duration::ZERO, direction: None, settings: Settings::default() };
        let mut words = words(text);
        let at = words.next().and_then(|word| word.strip_prefix("at=")).and_then(duration);
        step.at = at.ok_or(StepError::NoTime)?;
        for word in words {
            match (word, word.split_once('=')) {
                ("up", _) => step.direction = Some(Direction::Up),
                ("down", _) => step.direction = Some(Direction::Down),
                (_, Some((name, value))) => step.settings.set(name, value)?,
                (_, None) => return Err(SpecError::NoValue(word.to_owned()).into()),
            }
        }
        Ok(step)
    }
}

/// Reads a file of steps, one a line; `#` begins a comment.
///
/// # Errors
/// The first line that is none, by its number.
pub fn parse_steps(text: &str) -> Result<Vec<Step>, StepError> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            steps.push(line.parse().map_err(|error| StepError::Line { line: index + 1, error: Box::new(error) })?);
        }
    }
    Ok(steps)
}

/// A path over time.
#[derive(Debug, Clone, Default)]
pub struct Script {
    path: Path,
    /// By time.
    changes: Vec<(Duration, Settings)>,
    /// After this long it begins again.
    repeat: Option<Duration>,
}

impl Script {
    /// What the steps make of a path in one direction; `repeat` begins anew.
    ///
    /// # Errors
    /// More than `limits::LINKSIM_STEPS_MAX` steps.
    pub fn new(path: Path, direction: Direction, steps: &[Step], repeat: Option<Duration>) -> Result<Self, StepError> {
        if steps.len() > LINKSIM_STEPS_MAX {
            return Err(StepError::TooMany);
        }
        let ours = steps.iter().filter(|step| step.direction.is_none_or(|named| named == direction));
        let mut changes: Vec<(Duration, Settings)> = ours.map(|step| (step.at, step.settings)).collect();
        changes.sort_by_key(|&(at, _)| at);
        Ok(Self { path, changes, repeat: repeat.filter(|repeat| !repeat.is_zero()) })
    }

    /// A path that stays as it is.
    pub fn constant(path: Path) -> Self {
        Self { path, changes: Vec::new(), repeat: None }
    }

    /// The path this long after the beginning.
    pub fn path_at(&self, elapsed: Duration) -> Path {
        let within = self.repeat.map_or(elapsed, |repeat| Duration::from_nanos((elapsed.as_nanos() % repeat.as_nanos()) as u64));
        self.changes.iter().take_while(|&&(at, _)| at <= within).fold(self.path, |path, (_, settings)| settings.apply(path))
    }
}

/// A link whose path follows a script.
#[derive(Debug)]
pub struct ScriptedLink {
    script: Script,
    start: Instant,
    link: Link,
    rng: StdRng,
}

impl ScriptedLink {
    /// `start` is the script's zero.
    pub fn new(start: Instant, script: Script, seed: u64) -> Self {
        let link = Link::new(script.path_at(Duration::ZERO));
        Self { script, start, link, rng: StdRng::seed_from_u64(seed) }
    }

    /// What becomes of a packet sent now.
    pub fn pass(&mut self, now: Instant, packet: &[u8]) -> Fate {
        if !self.script.changes.is_empty() {
            self.link.path = self.script.path_at(now.saturating_duration_since(self.start));
        }
        self.link.pass(now, packet, &mut self.rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Step> {
        parse_steps("# a step down and back\nat=10s down rate=600k\n\nat=30s rate=none loss=1% # both ways\n").expect("two steps")
    }

    #[test]
    fn steps_change_what_they_name_in_the_direction_they_name() {
        let base = Path { rate_bps: Some(3_000_000), ..Path::CLEAR };
        let script = |direction| Script::new(base, direction, &steps(), None).expect("few steps");
        let rate = |direction, s| script(direction).path_at(Duration::from_secs(s)).rate_bps;
        assert_eq!(
            [rate(Direction::Down, 9), rate(Direction::Down, 10), rate(Direction::Down, 30)],
            [Some(3_000_000), Some(600_000), None]
        );
        assert_eq!([rate(Direction::Up, 10), rate(Direction::Up, 31)], [Some(3_000_000), None]);
    }

    #[test]
    fn a_script_begins_again() {
        let steps = ["at=9s cut=yes".parse().expect("a step")];
        let script = Script::new(Path::CLEAR, Direction::Up, &steps, Some(Duration::from_secs(10))).expect("few steps");
        let cut = |ms| script.path_at(Duration::from_millis(ms)).cut;
        assert_eq!([cut(8_999), cut(9_500), cut(10_001), cut(19_000)], [false, true, false, true]);
    }

    #[test]
    fn a_scripted_link_follows_its_script_and_its_seed() {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary start of virtual time")]
        let start = Instant::now();
        let steps = ["at=1s loss=50%".parse().expect("a step")];
        let fates = |seed| {
            let script = Script::new(Path::CLEAR, Direction::Up, &steps, None).expect("few steps");
            let mut link = ScriptedLink::new(start, script, seed);
            (0..200).map(|ms| link.pass(start + Duration::from_millis(10 * ms), &[0x80; 100])).collect::<Vec<_>>()
        };
        assert!(fates(1)[..100].iter().all(|fate| matches!(fate, Fate::Arrives(_))));
        assert!(fates(1)[100..].iter().filter(|fate| matches!(fate, Fate::Lost)).count() > 20);
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
    }

    #[test]
    fn mistakes_name_their_line() {
        assert_eq!(parse_steps("\nrate=1M").expect_err("no time").to_string(), "line 2: a step begins with its time, such as at=10s");
        assert!("at=1s sideways".parse::<Step>().is_err());
    }
}
