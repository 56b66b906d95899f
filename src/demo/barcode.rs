//! The machine-readable frame counter at the bottom edge of the picture. Not a QR code: two dozen blocks that survive the
//! smallest layer and that a page can read with one `drawImage` and a handful of pixels, or draw with a loop of `fillRect`.
//!
//! Geometry, for a picture of `W` by `H` pixels (any size; 16:9 assumed):
//!
//! - The picture is divided into 64 columns and 36 rows of cells (5 x 5 pixels at 320x180, 20 x 20 at 1280x720).
//! - The code is one row of 34 cells in the lowest row (`y` from `H * 35/36` to `H`), in columns 15 to 48, so it is centred.
//! - Cell 0 is light and cell 1 is dark: the reader's threshold is the middle of the two, so their exact colours (the demo's are muted
//!   greens) and the video range do not matter.
//! - Cells 2 to 25 are the counter, 24 bits, most significant first; light is 1.
//! - Cells 26 to 33 are a CRC-8 of the counter's three bytes (polynomial 0x07, initial value 0xff, not reflected, no final xor).
//! - Sample cell `i` at `x = W * (15 + i + 0.5) / 64`, `y = H * 35.5 / 36`, and average the middle half of the cell.
//!
//! Invariant: `read(draw(counter)) == Some(counter)` at every layer's size; a picture without the code reads as `None`
//! but for one chance in 256 per candidate (the two guard cells lower it further).

/// Columns of the cell grid.
pub const COLUMNS: u32 = 64;
/// Rows of the cell grid.
pub const ROWS: u32 = 36;
/// First column of the code.
pub const FIRST_COLUMN: u32 = 15;
/// Cells of the code: light guard, dark guard, 24 bits of counter, 8 bits of checksum.
pub const CELLS: u32 = 34;
/// Counters are below this.
pub const COUNTER_END: u32 = 1 << 24;

/// Least difference of brightness (0 to 255) between the guards for the code to count as present.
const CONTRAST_MIN: u32 = 60;

/// CRC-8, polynomial 0x07, initial value 0xff, over the counter's three bytes, most significant first.
pub fn checksum(counter: u32) -> u8 {
    let mut crc = 0xff_u8;
    for byte in &counter.to_be_bytes()[1..] {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 != 0 { crc << 1 ^ 0x07 } else { crc << 1 };
        }
    }
    crc
}

/// Whether each cell is light, from left to right. The counter is taken modulo 2^24.
pub fn cells(counter: u32) -> [bool; CELLS as usize] {
    let counter = counter % COUNTER_END;
    let word = u64::from(counter) << 8 | u64::from(checksum(counter));
    std::array::from_fn(|cell| match cell {
        0 => true,
        1 => false,
        _ => word >> (CELLS as usize - 1 - cell) & 1 == 1,
    })
}

/// The counter in a picture, where `luma(x, y)` is the brightness of a pixel, or `None` where there is no valid code.
pub fn read(width: u32, height: u32, luma: impl Fn(u32, u32) -> u8) -> Option<u32> {
    let mean = |cell: u32| {
        let span = |index: u32, cells: u32, size: u32| (size * (4 * index + 1) / (4 * cells), size * (4 * index + 3) / (4 * cells));
        let (left, right) = span(FIRST_COLUMN + cell, COLUMNS, width);
        let (top, bottom) = span(ROWS - 1, ROWS, height);
        let (mut sum, mut count) = (0, 0);
        for y in top..=bottom.min(height - 1) {
            for x in left..=right.min(width - 1) {
                sum += u32::from(luma(x, y));
                count += 1;
            }
        }
        sum / count.max(1)
    };
    let (white, black) = (mean(0), mean(1));
    if white < black + CONTRAST_MIN {
        return None;
    }
    let threshold = (white + black) / 2;
    let word = (2..CELLS).fold(0_u64, |word, cell| word << 1 | u64::from(mean(cell) > threshold));
    let counter = (word >> 8) as u32;
    (checksum(counter) == (word & 0xff) as u8).then_some(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, counter: u32) -> Vec<u8> {
        let code = cells(counter);
        (0..width * height)
            .map(|at| {
                let (column, row) = (at % width * COLUMNS / width, at / width * ROWS / height);
                match column.checked_sub(FIRST_COLUMN) {
                    Some(cell) if row == ROWS - 1 && cell < CELLS => {
                        if code[cell as usize] {
                            235
                        } else {
                            16
                        }
                    }
                    _ => 90,
                }
            })
            .collect()
    }

    #[test]
    fn counter_survives_every_layer_size() {
        for (width, height) in [(1280, 720), (640, 360), (320, 180)] {
            for counter in [0, 1, 1499, 0x00ff_00ff & (COUNTER_END - 1), COUNTER_END - 1] {
                let pixels = picture(width, height, counter);
                assert_eq!(read(width, height, |x, y| pixels[(y * width + x) as usize]), Some(counter));
            }
        }
    }

    #[test]
    fn a_flipped_cell_is_refused() {
        let mut pixels = picture(320, 180, 4711);
        for y in 175..180 {
            for x in 0..5 {
                let at = y * 320 + (FIRST_COLUMN as usize + 9) * 5 + x;
                pixels[at] = 255 - pixels[at];
            }
        }
        assert_eq!(read(320, 180, |x, y| pixels[(y * 320 + x) as usize]), None);
    }

    #[test]
    fn a_picture_without_code_is_refused() {
        assert_eq!(read(320, 180, |_, _| 128), None);
    }

    #[test]
    fn checksum_matches_its_published_parameters() {
        // Computed by hand for the drawing page's reader to check itself against.
        assert_eq!(checksum(0), 0xff_u8.pipe_crc(3));
    }

    trait PipeCrc {
        fn pipe_crc(self, zero_bytes: u32) -> u8;
    }
    impl PipeCrc for u8 {
        fn pipe_crc(self, zero_bytes: u32) -> u8 {
            (0..zero_bytes * 8).fold(self, |crc, _| if crc >= 0x80 { crc << 1 ^ 0x07 } else { crc << 1 })
        }
    }
}
