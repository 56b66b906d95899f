//! Texts that no filter minds: words of a match, and numbers as words, because digits pass for letters there.

const WORDS: [&str; 12] = ["what", "a", "pass", "from", "the", "left", "and", "he", "turns", "past", "two", "men"];
/// Steps through the words that come to each of them, so that none follows itself.
const STEPS: [usize; 4] = [1, 5, 7, 11];
const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/// Begins a text that has a number.
pub(super) const MARK: &str = "mark ";
/// Between the number and the words after it.
const END: &str = ", ";

/// A text of so many characters that is not the one of another seed.
pub(super) fn words(seed: usize, characters: usize) -> String {
    let mut text = String::new();
    let (mut at, step) = (seed % WORDS.len(), STEPS[seed / WORDS.len() % STEPS.len()]);
    while text.len() < characters {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(WORDS[at % WORDS.len()]);
        at = (at + step) % WORDS.len();
    }
    text.truncate(characters.max(1));
    text
}

/// A number in words.
pub(super) fn spelled(number: u32) -> String {
    let words: Vec<&str> = number.to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect();
    words.join(" ")
}

/// A text with a number that can be read again.
pub(super) fn marked(number: u32, characters: usize) -> String {
    let head = format!("{MARK}{}{END}", spelled(number));
    let rest = characters.saturating_sub(head.len());
    head + &words(number as usize, rest)
}

/// The number of a marked text.
pub(super) fn mark_of(text: &str) -> Option<u32> {
    let (number, _) = text.strip_prefix(MARK)?.split_once(END)?;
    number.split(' ').try_fold(0_u32, |number, word| {
        let digit = DIGITS.iter().position(|digit| *digit == word)?;
        number.checked_mul(10)?.checked_add(digit as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_again() {
        for number in [0, 7, 10, 4096, 99_999, u32::MAX] {
            assert_eq!(mark_of(&marked(number, 80)), Some(number));
        }
        assert_eq!(mark_of("mark my words"), None);
        assert_eq!(mark_of("mark eleven, what a pass"), None);
        assert_eq!(mark_of(&words(3, 40)), None);
    }

    #[test]
    fn no_word_follows_itself() {
        for seed in 0..2000 {
            let text = words(seed, 400);
            // The last one may be cut.
            let (whole, _) = text.rsplit_once(' ').expect("several words");
            let words: Vec<&str> = whole.split(' ').collect();
            assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{text}");
        }
    }

    #[test]
    fn texts_have_the_length_wished_for_and_no_digits() {
        assert_eq!(words(5, 120).len(), 120);
        let marked = marked(4711, 120);
        assert_eq!((marked.len(), marked.contains(|symbol: char| symbol.is_ascii_digit())), (120, false));
    }
}
