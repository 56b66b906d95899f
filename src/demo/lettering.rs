//! A stroke alphabet for boards and graphics: capitals, digits and a few signs as centre lines, so that the picture needs
//! no font file and letters can lie on a board in perspective. Not a typesetter: one line, fixed spacing, tabular digits.

/// Height of a capital in glyph units.
const CAP_UNITS: f32 = 10.0;
/// Space between letters, glyph units.
const GAP_UNITS: f32 = 3.1;
/// Advance of a space, glyph units.
const SPACE_UNITS: f32 = 3.6;
/// Segments a curve is split into.
const CURVE_STEPS: usize = 5;

/// One centre line: points in units of the capital height, x to the right of the text's start, y up from the base line.
pub(super) type Line = Vec<(f32, f32)>;

/// Width of the glyph and its path: `M x y`, `L x y`, `Q cx cy x y`.
fn glyph(letter: char) -> (f32, &'static str) {
    match letter {
        'A' => (6.4, "M0 0L3.2 10L6.4 0M1.1 3.2L5.3 3.2"),
        'B' => (6.0, "M0 0L0 10L3.2 10Q5.7 10 5.7 7.7Q5.7 5.3 3.2 5.3L0 5.3M3.2 5.3Q6 5.3 6 2.6Q6 0 3.2 0L0 0"),
        'C' => (6.0, "M6 7.4Q6 10 3 10Q0 10 0 7L0 3Q0 0 3 0Q6 0 6 2.6"),
        'D' => (6.0, "M0 0L0 10L2.8 10Q6 10 6 6.8L6 3.2Q6 0 2.8 0L0 0"),
        'E' => (5.3, "M5.3 10L0 10L0 0L5.3 0M0 5.2L4.6 5.2"),
        'F' => (5.2, "M5.2 10L0 10L0 0M0 5.1L4.5 5.1"),
        'G' => (6.0, "M6 7.4Q6 10 3 10Q0 10 0 7L0 3Q0 0 3 0Q6 0 6 3L6 4.8L3.4 4.8"),
        'H' => (6.0, "M0 0L0 10M6 0L6 10M0 5.2L6 5.2"),
        'I' => (0.4, "M.2 0L.2 10"),
        'J' => (4.6, "M4.6 10L4.6 2.8Q4.6 0 2.3 0Q0 0 0 2.5"),
        'K' => (6.0, "M0 0L0 10M5.7 10L0 4.3M2.1 6.2L6 0"),
        'L' => (5.0, "M0 10L0 0L5 0"),
        'M' => (7.6, "M0 0L0 10L3.8 3.2L7.6 10L7.6 0"),
        'N' => (6.2, "M0 0L0 10L6.2 0L6.2 10"),
        'O' | '0' => (6.0, "M3 0Q0 0 0 3L0 7Q0 10 3 10Q6 10 6 7L6 3Q6 0 3 0"),
        'P' => (6.0, "M0 0L0 10L3.2 10Q6 10 6 7.3Q6 4.6 3.2 4.6L0 4.6"),
        'Q' => (6.0, "M3 0Q0 0 0 3L0 7Q0 10 3 10Q6 10 6 7L6 3Q6 0 3 0M3.8 2.4L6.2 -.4"),
        'R' => (6.0, "M0 0L0 10L3.2 10Q6 10 6 7.3Q6 4.6 3.2 4.6L0 4.6M3.2 4.6L6 0"),
        'S' => (6.0, "M5.8 7.7Q5.8 10 3 10Q.2 10 .2 7.6Q.2 5.6 3 5.2Q6 4.8 6 2.5Q6 0 3 0Q0 0 0 2.4"),
        'T' => (6.2, "M0 10L6.2 10M3.1 10L3.1 0"),
        'U' => (6.0, "M0 10L0 3Q0 0 3 0Q6 0 6 3L6 10"),
        'V' => (6.4, "M0 10L3.2 0L6.4 10"),
        'W' => (8.8, "M0 10L2.2 0L4.4 8.4L6.6 0L8.8 10"),
        'X' => (6.2, "M0 10L6.2 0M0 0L6.2 10"),
        'Y' => (6.2, "M0 10L3.1 4.8L6.2 10M3.1 4.8L3.1 0"),
        'Z' => (6.0, "M0 10L6 10L0 0L6 0"),
        '1' => (6.0, "M1 7.8L3.6 10L3.6 0"),
        '2' => (6.0, "M.2 7.3Q.2 10 3 10Q5.8 10 5.8 7.4Q5.8 5.7 4 4L0 0L6 0"),
        '3' => (6.0, "M.3 7.8Q.8 10 3 10Q5.7 10 5.7 7.6Q5.7 5.3 3 5.3Q6 5.3 6 2.6Q6 0 3 0Q.5 0 0 2.3"),
        '4' => (6.0, "M4.5 0L4.5 10L0 3L6 3"),
        '5' => (6.0, "M5.4 10L.8 10L.4 5.3Q1.4 6.4 3 6.4Q6 6.4 6 3.2Q6 0 3 0Q.4 0 0 2.3"),
        '6' => (6.0, "M5.5 8.2Q4.9 10 3.1 10Q0 10 0 5L0 3Q0 0 3 0Q6 0 6 3Q6 6 3 6Q.6 6 0 3.8"),
        '7' => (6.0, "M0 10L6 10L2.2 0"),
        '8' => (6.0, "M3 5.3Q.4 5.3 .4 7.6Q.4 10 3 10Q5.6 10 5.6 7.6Q5.6 5.3 3 5.3Q0 5.3 0 2.6Q0 0 3 0Q6 0 6 2.6Q6 5.3 3 5.3"),
        '9' => (6.0, "M.5 1.8Q1.1 0 2.9 0Q6 0 6 5L6 7Q6 10 3 10Q0 10 0 7Q0 4 3 4Q5.4 4 6 6.2"),
        ':' => (0.8, "M.4 2.4L.4 2.7M.4 7.1L.4 7.4"),
        '-' => (4.0, "M0 5L4 5"),
        '.' => (0.4, "M.2 0L.2 .2"),
        '&' => (6.4, "M6.4 0L1.5 6.5Q.8 7.5 .8 8.2Q.8 10 2.7 10Q4.5 10 4.5 8.2Q4.5 6.6 2.4 5.5Q0 4.3 0 2.5Q0 0 2.6 0Q5.2 0 6.2 4.2"),
        _ => (SPACE_UNITS - GAP_UNITS, ""),
    }
}

/// Width of a text in units of its capital height.
pub(super) fn width(text: &str) -> f32 {
    let sum: f32 = text.chars().map(|letter| glyph(letter).0 + GAP_UNITS).sum();
    (sum - GAP_UNITS).max(0.0) / CAP_UNITS
}

/// The centre lines of a text that starts at x = 0.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut out = Vec::new();
    let mut pen = 0.0;
    for letter in text.chars() {
        let (advance, path) = glyph(letter);
        let mut line: Line = Vec::new();
        for (command, numbers) in commands(path) {
            let point = |index: usize| ((pen + numbers[index]) / CAP_UNITS, numbers[index + 1] / CAP_UNITS);
            match command {
                'M' => {
                    if !line.is_empty() {
                        out.push(std::mem::take(&mut line));
                    }
                    line.push(point(0));
                }
                'Q' => {
                    let (from, control, to) = (*line.last().expect("glyph paths start with M"), point(0), point(2));
                    for step in 1..=CURVE_STEPS {
                        let t = step as f32 / CURVE_STEPS as f32;
                        let mix = |a: f32, b: f32, c: f32| (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
                        line.push((mix(from.0, control.0, to.0), mix(from.1, control.1, to.1)));
                    }
                }
                _ => line.push(point(0)),
            }
        }
        if !line.is_empty() {
            out.push(line);
        }
        pen += advance + GAP_UNITS;
    }
    out
}

fn commands(path: &'static str) -> impl Iterator<Item = (char, Vec<f32>)> {
    let starts: Vec<usize> = path.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().copied().skip(1).chain([path.len()]).collect();
    starts.into_iter().zip(ends).map(move |(start, end)| {
        let numbers = path[start + 1..end].split_whitespace().map(|n| n.parse().expect("glyph paths hold numbers")).collect();
        (path.as_bytes()[start] as char, numbers)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_alphabet_has_strokes() {
        for letter in ('A'..='Z').chain('0'..='9').chain([':', '-', '.', '&']) {
            assert!(!lines(&letter.to_string()).is_empty(), "{letter}");
        }
    }

    #[test]
    fn digits_are_tabular() {
        assert!(('0'..='9').all(|digit| width(&digit.to_string()) == width("0")));
    }
}
