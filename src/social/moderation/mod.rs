//! What is looked at before a message is published: language, links, repeats, capitals, and the words of the broadcast.
//!
//! ```text
//! text ─▶ text.rs: letters behind the letters (marks, look-alikes, digits for letters, spacing) ─▶ lists.rs, words of the broadcast
//!      └▶ rustrict: English with its evasions
//! ```
//! Pure and without state: a verdict on a text. Moderators are not filtered. Who may speak at all is decided by the home.

mod lists;
mod text;

#[cfg(test)]
mod corpus_tests;

use std::sync::LazyLock;

use rustrict::{CensorStr, Type};

pub(crate) use self::text::skeleton;
use self::text::{Token, tokens};
use super::chat::FilterRule;
use crate::limits::{
    FILTER_CAPITALS_FROM, FILTER_CAPITALS_PERCENT, FILTER_REPEATED_LETTERS_MAX, FILTER_REPEATED_WORDS_MAX, FILTER_SPLIT_HALF,
    FILTER_SPLIT_WORD_FROM,
};

/// Words that must not be said, found through what hides them.
#[derive(Debug, Default, Clone)]
pub struct WordList {
    /// Skeletons, sorted. Those that end in `*` in the source match the beginning of a word.
    stems: Vec<Stem>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stem {
    letters: Vec<char>,
    is_prefix: bool,
}

impl WordList {
    /// From words as people write them; `word*` stands for every word that begins so.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let stem = |word: &str| {
            let (word, is_prefix) = word.trim().strip_suffix('*').map_or((word.trim(), false), |stem| (stem, true));
            Stem { letters: skeleton(word).chars().collect(), is_prefix }
        };
        let mut stems: Vec<Stem> = words.into_iter().map(stem).filter(|stem| !stem.letters.is_empty()).collect();
        stems.sort_unstable();
        stems.dedup();
        Self { stems }
    }

    /// Whether a text contains one of the words.
    pub fn finds(&self, text: &str) -> bool {
        !self.stems.is_empty() && self.finds_in(&tokens(text))
    }

    fn finds_in(&self, tokens: &[Token]) -> bool {
        let split = tokens.windows(2).any(|pair| {
            let mut joined: Vec<char> = pair.iter().flat_map(|token| token.letters.iter().copied()).collect();
            joined.dedup();
            joined.len() >= FILTER_SPLIT_WORD_FROM && pair.iter().all(|token| token.letters.len() > 1) && self.is_word(&joined)
        });
        split || tokens.iter().any(|token| self.is_listed(token))
    }

    fn is_listed(&self, token: &Token) -> bool {
        if token.hidden > 0 {
            return self.stems.iter().any(|stem| stem.fits_hidden(&token.letters_with_hidden));
        }
        if self.is_word(&token.letters) {
            return true;
        }
        // Every stem that begins this word lies between its first letters and itself.
        let first = &token.letters[..token.letters.len().min(2)];
        let from = self.stems.partition_point(|stem| stem.letters.as_slice() < first);
        let to = self.stems.partition_point(|stem| stem.letters <= token.letters);
        self.stems[from..to].iter().any(|stem| stem.is_prefix && token.letters.starts_with(&stem.letters))
    }

    fn is_word(&self, letters: &[char]) -> bool {
        self.stems.binary_search_by(|stem| stem.letters.as_slice().cmp(letters)).is_ok()
    }
}

impl Stem {
    /// Against letters of which some are hidden behind `*` or `#` (`None`).
    fn fits_hidden(&self, letters: &[Option<char>]) -> bool {
        let is_long_enough = if self.is_prefix { letters.len() >= self.letters.len() } else { letters.len() == self.letters.len() };
        is_long_enough && self.letters.iter().zip(letters).all(|(stem, letter)| letter.is_none_or(|letter| letter == *stem))
    }
}

/// Which rule a text breaks, the first of them.
///
/// # Errors
/// The rule.
pub fn judge(text: &str) -> Result<(), FilterRule> {
    if has_link(text) {
        return Err(FilterRule::Links);
    }
    if is_repeated(text) {
        return Err(FilterRule::Repeats);
    }
    if is_shouted(text) {
        return Err(FilterRule::Capitals);
    }
    if is_foul(text) { Err(FilterRule::Language) } else { Ok(()) }
}

/// Whether a text insults or swears, in any of the languages that are known here.
pub fn is_foul(text: &str) -> bool {
    static LISTS: LazyLock<WordList> = LazyLock::new(|| WordList::new(lists::WORDS.iter().flat_map(|(_, words)| words.iter().copied())));
    let tokens = tokens(text);
    LISTS.finds_in(&tokens) || is_foul_english(text, &tokens)
}

/// rustrict reads over spaces and finds words that nobody wrote: what it finds in a text must also be in a word of it, spelled ones and those
/// that a space divides included.
fn is_foul_english(text: &str, tokens: &[Token]) -> bool {
    let foul = Type::INAPPROPRIATE & Type::MODERATE_OR_HIGHER;
    // It takes this letter for a B.
    let text = text.replace('ß', "ss");
    if !text.as_str().is(foul) {
        return false;
    }
    let harmless = |word: &str| lists::HARMLESS_ENGLISH.contains(&word.trim_matches(|letter: char| !letter.is_alphanumeric()));
    let words: Vec<String> = text.to_lowercase().split_whitespace().filter(|word| !harmless(word)).map(str::to_owned).collect();
    let is_half = |word: &String| FILTER_SPLIT_HALF.contains(&word.chars().count()) && word.chars().all(char::is_alphanumeric);
    let joined =
        |pair: &[String]| pair.iter().all(is_half) && pair.concat().len() >= FILTER_SPLIT_WORD_FROM && pair.concat().as_str().is(foul);
    words.iter().any(|word| word.as_str().is(foul))
        || words.windows(2).any(joined)
        || tokens.iter().filter(|token| token.is_spelled).any(|token| token.letters.iter().collect::<String>().as_str().is(foul))
}

fn has_link(text: &str) -> bool {
    /// Endings that make a word with a dot an address; others are too often a missing space.
    const DOMAINS: [&str; 22] = [
        "com", "net", "org", "info", "biz", "io", "gg", "tv", "xyz", "top", "shop", "online", "site", "live", "club", "ru", "cn", "de",
        "fr", "uk", "link", "app",
    ];
    let is_address = |word: &str| {
        let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let host = word.split(['/', '?', ':']).next().unwrap_or_default();
        let host = host.replace("[.]", ".").replace("(.)", ".").replace("(dot)", ".").replace("[dot]", ".");
        host.rsplit_once('.')
            .is_some_and(|(name, domain)| name.chars().any(char::is_alphanumeric) && DOMAINS.contains(&domain) && !name.ends_with('.'))
    };
    let lower = text.to_lowercase();
    lower.contains("://") || lower.contains("www.") || lower.split_whitespace().any(is_address)
}

fn is_repeated(text: &str) -> bool {
    let (mut run, mut last) = (0, None);
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        run = if last == Some(letter) { run + 1 } else { 1 };
        last = Some(letter);
        if run > FILTER_REPEATED_LETTERS_MAX {
            return true;
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(FILTER_REPEATED_WORDS_MAX + 1).any(|words| words.iter().all(|word| word.eq_ignore_ascii_case(words[0])))
}

fn is_shouted(text: &str) -> bool {
    let letters = text.chars().filter(|letter| letter.is_uppercase() || letter.is_lowercase()).count();
    let capitals = text.chars().filter(|letter| letter.is_uppercase()).count();
    letters >= FILTER_CAPITALS_FROM && capitals * 100 > letters * FILTER_CAPITALS_PERCENT
}

/// Whether a text is nothing but emoji.
pub(crate) fn is_emote_only(text: &str) -> bool {
    let is_emoji = |symbol: char| {
        matches!(u32::from(symbol),
            0x1f000..=0x1faff | 0x2600..=0x27bf | 0x2b00..=0x2bff | 0x2190..=0x21ff | 0x2300..=0x23ff
            | 0x200d | 0xfe0f | 0x20e3 | 0xe0020..=0xe007f)
    };
    text.chars().all(|symbol| symbol.is_whitespace() || is_emoji(symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_dots_are_not_links() {
        for text in [
            "see https://a.example/x",
            "www.something",
            "join me at freestuff.gg",
            "cheap.shop/now",
            "FREE.COM!",
            "free[.]com",
            "go to free(dot)xyz",
        ] {
            assert_eq!(judge(text), Err(FilterRule::Links), "{text}");
        }
        for text in ["what a goal...", "1.5 goals a game", "he said.Then he left", "U.S.A.", "half-time:2.1", "no.1"] {
            assert_eq!(judge(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn long_runs_and_shouting_are_refused_and_joy_is_not() {
        assert_eq!(judge(&"a".repeat(30)), Err(FilterRule::Repeats));
        assert_eq!(judge("buy buy buy buy buy buy now"), Err(FilterRule::Repeats));
        assert_eq!(judge("THIS IS THE WORST REFEREE OF THE SEASON"), Err(FilterRule::Capitals));
        for text in ["GOOOOOOAL", "GOAL", "come on come on come on", "VAR again? NO WAY", "hahahahaha", "⚽⚽⚽⚽", "1000000"] {
            assert_eq!(judge(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_list_of_a_broadcast_finds_words_and_beginnings_of_words() {
        let list = WordList::new(["spoiler*", "Ravens", " "]);
        for text in ["a SPOILER", "spoilers!", "sp0iler", "s p o i l e r", "go ravens", "r@vens", "rav3ns", "rav*ns", "spoi ler"] {
            assert!(list.finds(text), "{text}");
        }
        for text in ["no spoil", "ravenscroft", "craven", ""] {
            assert!(!list.finds(text), "{text}");
        }
        assert!(!WordList::default().finds("anything"));
    }

    #[test]
    fn emoji_are_emoji() {
        assert!(is_emote_only("⚽🔥 🎉"));
        assert!(is_emote_only("👍🏽❤️"));
        assert!(!is_emote_only("goal ⚽"));
        assert!(!is_emote_only("1"));
    }
}
