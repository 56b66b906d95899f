//! The letters that a reader sees behind those that are written: one skeleton for every way to write a word. Pure.
//!
//! Marks are taken away, look-alikes of other alphabets and digits become the letter that they stand for, runs of a letter become one, and `i`,
//! `l`, `1`, `!` and `|` are one letter, because nobody can tell which was meant. Skeletons are for comparing, not for showing.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Token {
    pub(super) letters: Vec<char>,
    /// The same with `None` for each letter that is hidden behind `*` or `#`.
    pub(super) letters_with_hidden: Vec<Option<char>>,
    pub(super) hidden: usize,
    /// Whether its letters stood alone.
    pub(super) is_spelled: bool,
    /// Whether it has a real letter, not only digits that could be read as letters.
    has_letter: bool,
}

/// The skeleton of a whole text, without spaces.
pub(crate) fn skeleton(text: &str) -> String {
    let mut letters: Vec<char> = Vec::with_capacity(text.len());
    for symbol in plain(text).filter_map(letter) {
        if letters.last() != Some(&symbol) {
            letters.push(symbol);
        }
    }
    letters.into_iter().collect()
}

/// The words of a text: separated by spaces, with what stands between their letters taken away; single letters in a row are one word.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut is_spelled = false;
    for word in text.split(is_gap) {
        let token = token(word);
        if token.letters.is_empty() {
            continue;
        }
        let is_single = token.letters.len() == 1 && token.hidden == 0;
        match tokens.last_mut() {
            // s p e l l e d
            Some(last) if is_single && is_spelled => {
                last.push(&token);
                last.is_spelled = true;
            }
            _ => tokens.push(token),
        }
        is_spelled = is_single;
    }
    tokens.retain(|token| token.has_letter);
    tokens
}

impl Token {
    fn push(&mut self, other: &Self) {
        for letter in &other.letters {
            self.add(*letter);
        }
        self.has_letter |= other.has_letter;
    }

    fn add(&mut self, letter: char) {
        if self.letters.last() != Some(&letter) || self.letters_with_hidden.last() == Some(&None) {
            self.letters.push(letter);
            self.letters_with_hidden.push(Some(letter));
        }
    }
}

fn token(word: &str) -> Token {
    let mut token = Token::default();
    let word = word.trim_end_matches(['!', '?', '.', ',', ';', ':', '*', '#', '1']).trim_start_matches(['*', '#', '@', '!']);
    for symbol in plain(word) {
        if matches!(symbol, '*' | '#' | '\u{2022}') {
            token.letters_with_hidden.push(None);
            token.hidden += 1;
            continue;
        }
        let Some(letter) = letter(symbol) else { continue };
        token.has_letter |= symbol.is_alphabetic();
        token.add(letter);
    }
    token
}

/// White space, and what else ends a word. An apostrophe or a dot may stand between the letters of one.
fn is_gap(symbol: char) -> bool {
    symbol.is_whitespace()
        || matches!(symbol, '/' | '\\' | '"' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '…' | '«' | '»' | '„' | '“' | '”')
}

/// Full-width, mathematical and accented letters as plain ones; `ñ` is a letter of its own.
fn plain(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(|symbol| {
        let (kept, taken_apart) = if matches!(symbol, 'ñ' | 'Ñ') { (Some(symbol), None) } else { (None, Some(symbol)) };
        kept.into_iter().chain(taken_apart.into_iter().nfkd())
    })
}

/// The letter that a symbol stands for; `None` for what is only decoration.
fn letter(symbol: char) -> Option<char> {
    if is_combining_mark(symbol) {
        return None;
    }
    let lower = symbol.to_lowercase().next().unwrap_or(symbol);
    let plain = match lower {
        'l' | '1' | 'ı' | 'і' | 'ι' | 'ł' | '|' | '!' | 'ӏ' | 'ℓ' | 'í' => 'i',
        '0' | 'о' | 'ο' | 'ø' | 'σ' | 'ө' => 'o',
        '3' | '€' | 'е' | 'ε' | 'є' | 'ə' | '∑' | 'ɛ' => 'e',
        '4' | '@' | 'а' | 'α' | 'д' | 'æ' => 'a',
        '5' | '$' | 'ѕ' | '§' | 'ß' => 's',
        '7' | '+' | 'т' | 'τ' | '†' => 't',
        '8' | 'в' | 'β' | 'ь' | 'б' => 'b',
        '9' | 'ɡ' | 'ց' => 'g',
        '6' => 'b',
        '2' => 'z',
        'с' | '¢' | '©' | 'ç' | 'ϲ' => 'c',
        'р' | 'ρ' | 'þ' => 'p',
        'у' | 'γ' | '¥' | 'ү' => 'y',
        'х' | 'χ' | '×' => 'x',
        'к' | 'κ' => 'k',
        'м' | 'μ' => 'm',
        'н' => 'h',
        'п' | 'η' | 'и' => 'n',
        'υ' | 'ц' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ω' | 'ш' | 'щ' | 'ѡ' => 'w',
        'ԁ' | 'đ' | 'ð' => 'd',
        'ј' => 'j',
        'г' => 'r',
        other => other,
    };
    plain.is_alphabetic().then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.letters.into_iter().collect()).collect()
    }

    #[test]
    fn every_way_to_write_a_word_has_one_skeleton() {
        let plain = skeleton("scheisse");
        for written in [
            "Scheiße",
            "SCHEISSE",
            "sch3i55e",
            "ｓｃｈｅｉｓｓｅ",
            "s.c.h.e.i.s.s.e",
            "schеissе",
            "𝓼𝓬𝓱𝓮𝓲𝓼𝓼𝓮",
            "schéïsse",
            "scheisssse",
            "s\u{200b}cheisse",
            "sch|e!sse",
        ] {
            let read = skeleton(written);
            assert!(read == plain || read == "schieise", "{written}: {read}");
        }
    }

    #[test]
    fn words_are_separated_by_spaces_and_spelled_ones_are_joined() {
        assert_eq!(words("what g o o d goal"), ["what", "god", "goai"]);
        assert_eq!(words("don't"), ["dont"]);
        assert_eq!(words("either/or (maybe)"), ["either", "or", "maybe"]);
        assert_eq!(words("455 2:1 hi5"), ["his"], "digits alone are digits");
    }
}
