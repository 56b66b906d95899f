//! The filter against lists that were written for it: what must be caught, plainly and in disguise, and what must pass.
//!
//! Both are read as viewers of a match would write them. The rates are asserted; what slips through or is caught wrongly is printed.

use super::{is_foul, judge};

/// Insults in disguise: digits and signs for letters, spaces and dots between them, look-alikes of other alphabets, marks, long letters,
/// hidden letters, full width, split words.
const EVASIONS: &str = include_str!("../../../tests/golden/moderation/evasions.txt");

/// What people say at a match, and words that look like insults and are none.
const CLEAN: &str = include_str!("../../../tests/golden/moderation/clean.txt");

/// The lines of a list, but for its headings.
fn lines(list: &'static str) -> Vec<&'static str> {
    list.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()).collect()
}

#[test]
fn at_least_ninety_in_a_hundred_evasions_are_caught() {
    let evasions = lines(EVASIONS);
    let missed: Vec<_> = evasions.iter().filter(|text| judge(text).is_ok()).collect();
    let caught = evasions.len() - missed.len();
    println!("caught {caught} of {}; missed {missed:?}", evasions.len());
    assert!(caught * 100 >= evasions.len() * 90, "caught {caught} of {}; missed {missed:?}", evasions.len());
}

#[test]
fn at_most_one_in_a_hundred_clean_messages_is_refused() {
    let clean = lines(CLEAN);
    let refused: Vec<_> = clean.iter().filter_map(|text| judge(text).err().map(|rule| (text, rule))).collect();
    println!("refused {} of {}: {refused:?}", refused.len(), clean.len());
    assert!(refused.len() * 100 <= clean.len(), "refused {} of {}: {refused:?}", refused.len(), clean.len());
}

#[test]
fn no_evasion_is_caught_for_another_reason_than_its_language() {
    let evasions = lines(EVASIONS);
    let others: Vec<_> = evasions.iter().filter(|text| judge(text).is_err() && !is_foul(text)).collect();
    assert!(others.is_empty(), "{others:?}");
}
