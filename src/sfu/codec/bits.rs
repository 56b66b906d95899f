//! A bit reader over borrowed bytes, highest bit first. Every read past the end is `None`.

/// Reads bits and Exp-Golomb codes.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// H.264: skip the emulation prevention byte of `00 00 03` (ITU-T H.264 section 7.4.1).
    escaped: bool,
    zeros: u8,
}

impl<'a> BitReader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, escaped: false, zeros: 0 }
    }

    /// Over a NAL unit's bytes, emulation prevention removed on the way.
    pub(crate) const fn new_escaped(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, escaped: true, zeros: 0 }
    }

    pub(crate) fn bit(&mut self) -> Option<bool> {
        if self.at.is_multiple_of(8) && self.escaped {
            let byte = *self.bytes.get(self.at / 8)?;
            if self.zeros >= 2 && byte == 3 {
                self.at += 8;
                self.zeros = 0;
            }
            let byte = *self.bytes.get(self.at / 8)?;
            self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        }
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1 == 1;
        self.at += 1;
        Some(bit)
    }

    /// Up to 32 bits as a number.
    pub(crate) fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    pub(crate) fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.bit()?;
        }
        Some(())
    }

    /// Unsigned Exp-Golomb (H.264 section 9.1). `None` for codes beyond 32 bits too.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// Signed Exp-Golomb (H.264 section 9.1.1).
    pub(crate) fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 { code / 2 + 1 } else { -(code / 2) } as i32)
    }

    /// Number in `0..n`, most codes one bit shorter than the longest (AV1 `ns(n)`).
    pub(crate) fn non_symmetric(&mut self, n: u32) -> Option<u32> {
        let width = u32::BITS - n.leading_zeros();
        if n <= 1 {
            return Some(0);
        }
        let short_codes = (1u64 << width) - u64::from(n);
        let value = u64::from(self.bits(width - 1)?);
        if value < short_codes {
            return Some(value as u32);
        }
        Some((value * 2 - short_codes) as u32 + self.bits(1)?)
    }
}
