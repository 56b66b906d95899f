//! Continuous picture ids for one viewer of VP8 or VP9 over source switches, layer switches and frames left out.
//!
//! Receivers take a gap in the picture ids for a lost frame and wait for it, so a frame that was left out on purpose must leave none.
//! Numbers keep their width, so a payload is patched in place.

use super::payload::PictureIds;
use super::{Codec, vp8, vp9};

/// Runs of frames left out whose effect on late packets is still known: two seconds of every other frame, at 30 a second.
const CHANGES_KEPT: usize = 32;

/// From this source picture id on, `offset` is added.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    from: u16,
    offset: u16,
}

/// The numbers one viewer is sent.
#[derive(Debug, Clone, Default)]
pub struct PictureIdRewriter {
    changes: [Change; CHANGES_KEPT],
    /// Changes in use, the newest is the last.
    used: usize,
    tl0_offset: u8,
    key_idx_offset: u8,
    /// Highest source picture id forwarded or left out.
    source: Option<u16>,
    /// Highest source TL0PICIDX of these.
    source_tl0: Option<u8>,
    sent: PictureIds,
}

impl PictureIdRewriter {
    /// Nothing sent yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new source or layer begins with this packet: its numbers continue those sent last.
    pub fn switch(&mut self, first: &PictureIds) {
        let begin = |sent: u16, first: u16| sent.wrapping_add(1).wrapping_sub(first);
        let offset = match (self.sent.picture_id, first.picture_id) {
            (Some((sent, _)), Some((first, _))) => begin(sent, first),
            (None, _) | (_, None) => 0,
        };
        self.tl0_offset = match (self.sent.tl0_pic_idx, first.tl0_pic_idx) {
            (Some(sent), Some(first)) => sent.wrapping_add(1).wrapping_sub(first),
            (None, _) | (_, None) => 0,
        };
        self.key_idx_offset = match (self.sent.key_idx, first.key_idx) {
            (Some(sent), Some(first)) => sent.wrapping_add(1).wrapping_sub(first),
            (None, _) | (_, None) => 0,
        };
        let from = first.picture_id.map_or(0, |(id, _)| id);
        self.changes[0] = Change { from, offset };
        self.used = 1;
        self.source = first.picture_id.map(|_| from);
        self.source_tl0 = first.tl0_pic_idx;
    }

    /// A frame is left out on purpose. May be called for each of its packets.
    pub fn leave_out(&mut self, ids: &PictureIds) {
        let Some((id, is_15bit)) = ids.picture_id else { return };
        if self.source.is_some_and(|source| !is_newer(id, source, is_15bit)) {
            return;
        }
        self.note_tl0(ids);
        self.remove(id, 1, is_15bit);
    }

    /// Only the lowest temporal layer is sent, and a frame comes (`is_lowest`: of that layer): ids between the newest and it are of frames
    /// that did not come. Where TL0PICIDX says that none of them was of that layer, they are left out like all their kind.
    pub fn close_gap(&mut self, ids: &PictureIds, is_lowest: bool) {
        let (Some((id, is_15bit)), Some(source)) = (ids.picture_id, self.source) else { return };
        let (Some(tl0), Some(source_tl0)) = (ids.tl0_pic_idx, self.source_tl0) else { return };
        let missing = id.wrapping_sub(source).wrapping_sub(1) & mask(is_15bit);
        let is_sure = tl0.wrapping_sub(source_tl0) == u8::from(is_lowest);
        if is_newer(id, source, is_15bit) && missing > 0 && is_sure {
            self.remove(id.wrapping_sub(1) & mask(is_15bit), missing, is_15bit);
        }
    }

    /// The `count` ids up to `last` are those of frames left out. Runs of them are one change.
    fn remove(&mut self, last: u16, count: u16, is_15bit: bool) {
        let change = self.changes[self.used.saturating_sub(1)];
        let offset = change.offset.wrapping_sub(count);
        let first = last.wrapping_sub(count - 1) & mask(is_15bit);
        let continues = self.used > 1 && change.from.wrapping_add(1) & mask(is_15bit) == first;
        if !continues && self.used == CHANGES_KEPT {
            self.changes.rotate_left(1);
            self.used -= 1;
        }
        let at = if continues { self.used - 1 } else { self.used };
        self.changes[at] = Change { from: last, offset };
        self.used = at + 1;
        self.source = Some(last);
    }

    fn note_tl0(&mut self, ids: &PictureIds) {
        if let Some(tl0) = ids.tl0_pic_idx
            && self.source_tl0.is_none_or(|newest| tl0.wrapping_sub(newest) as i8 > 0)
        {
            self.source_tl0 = Some(tl0);
        }
    }

    /// The numbers for the viewer of a packet that is forwarded.
    pub fn rewrite(&mut self, ids: &PictureIds) -> PictureIds {
        let rewritten = PictureIds {
            picture_id: ids.picture_id.map(|(id, is_15bit)| {
                let change = self.changes[..self.used].iter().rev().find(|change| !is_newer(change.from, id, is_15bit));
                let offset = change.or(self.changes[..self.used].first()).map_or(0, |change| change.offset);
                (id.wrapping_add(offset) & mask(is_15bit), is_15bit)
            }),
            tl0_pic_idx: ids.tl0_pic_idx.map(|idx| idx.wrapping_add(self.tl0_offset)),
            key_idx: ids.key_idx.map(|idx| idx.wrapping_add(self.key_idx_offset) & 0x1f),
        };
        if let Some((id, is_15bit)) = ids.picture_id
            && self.source.is_none_or(|source| is_newer(id, source, is_15bit))
        {
            self.source = Some(id);
        }
        self.note_tl0(ids);
        if let Some((id, is_15bit)) = rewritten.picture_id
            && self.sent.picture_id.is_none_or(|(sent, _)| is_newer(id, sent, is_15bit))
        {
            self.sent.picture_id = rewritten.picture_id;
        }
        if let Some(idx) = rewritten.tl0_pic_idx
            && self.sent.tl0_pic_idx.is_none_or(|sent| (idx.wrapping_sub(sent) as i8) > 0)
        {
            self.sent.tl0_pic_idx = Some(idx);
        }
        if let Some(idx) = rewritten.key_idx
            && self.sent.key_idx.is_none_or(|sent| (1..16).contains(&(idx.wrapping_sub(sent) & 0x1f)))
        {
            self.sent.key_idx = Some(idx);
        }
        rewritten
    }
}

const fn mask(is_15bit: bool) -> u16 {
    if is_15bit { 0x7fff } else { 0x7f }
}

/// By the shorter way around the number's own width.
fn is_newer(id: u16, than: u16, is_15bit: bool) -> bool {
    let mask = mask(is_15bit);
    (1..=mask / 2).contains(&(id.wrapping_sub(than) & mask))
}

/// Writes `ids` over those of a VP8 or VP9 payload; its length stays. Numbers that the payload does not have, and other codecs, are left
/// alone.
pub fn patch_payload(codec: Codec, payload: &mut [u8], ids: &PictureIds) {
    let (old, picture_id_at, tl0_at, key_idx_at) = match codec {
        Codec::Vp8 => match vp8::Descriptor::parse(payload) {
            Some(found) => (found.ids, found.picture_id_at, found.tl0_at, found.key_idx_at),
            None => return,
        },
        Codec::Vp9 => match vp9::Descriptor::parse(payload) {
            Some(found) => (found.ids, found.picture_id_at, found.tl0_at, 0),
            None => return,
        },
        Codec::H264 | Codec::Av1 | Codec::Opus => return,
    };
    match (old.picture_id, ids.picture_id) {
        (Some((_, true)), Some((id, _))) => {
            payload[picture_id_at..picture_id_at + 2].copy_from_slice(&(id | 0x8000).to_be_bytes());
        }
        (Some((_, false)), Some((id, _))) => payload[picture_id_at] = (id & 0x7f) as u8,
        (None, _) | (_, None) => {}
    }
    if let (Some(_), Some(idx)) = (old.tl0_pic_idx, ids.tl0_pic_idx) {
        payload[tl0_at] = idx;
    }
    if let (Some(_), Some(idx)) = (old.key_idx, ids.key_idx) {
        payload[key_idx_at] = payload[key_idx_at] & 0xe0 | idx & 0x1f;
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect;
    use super::*;

    fn ids(id: u16, tl0: u8, key_idx: u8) -> PictureIds {
        PictureIds { picture_id: Some((id, true)), tl0_pic_idx: Some(tl0), key_idx: Some(key_idx) }
    }

    #[test]
    fn a_switch_continues_what_was_sent() {
        let mut rewriter = PictureIdRewriter::new();
        rewriter.switch(&ids(100, 7, 3));
        assert_eq!(rewriter.rewrite(&ids(100, 7, 3)), ids(100, 7, 3));
        assert_eq!(rewriter.rewrite(&ids(101, 8, 3)), ids(101, 8, 3));
        rewriter.switch(&ids(0x7fff, 255, 31));
        assert_eq!(rewriter.rewrite(&ids(0x7fff, 255, 31)), ids(102, 9, 4));
        assert_eq!(rewriter.rewrite(&ids(0, 0, 31)), ids(103, 10, 4));
    }

    #[test]
    fn frames_left_out_leave_no_gap_and_late_packets_keep_their_number() {
        let mut rewriter = PictureIdRewriter::new();
        rewriter.switch(&ids(0x7ffe, 0, 0));
        assert_eq!(rewriter.rewrite(&ids(0x7ffe, 0, 0)).picture_id, Some((0x7ffe, true)));
        rewriter.leave_out(&ids(0x7fff, 0, 0));
        rewriter.leave_out(&ids(0x7fff, 0, 0));
        assert_eq!(rewriter.rewrite(&ids(0, 1, 0)).picture_id, Some((0x7fff, true)));
        rewriter.leave_out(&ids(1, 1, 0));
        assert_eq!(rewriter.rewrite(&ids(2, 2, 0)).picture_id, Some((0, true)));
        assert_eq!(rewriter.rewrite(&ids(0, 1, 0)).picture_id, Some((0x7fff, true)), "a late packet");
        assert_eq!(rewriter.rewrite(&ids(0x7ffe, 0, 0)).picture_id, Some((0x7ffe, true)), "a later one still");
    }

    #[test]
    fn upper_frames_that_never_came_leave_no_gap_where_only_the_lowest_layer_is_sent() {
        let mut rewriter = PictureIdRewriter::new();
        rewriter.switch(&ids(0x7ffd, 255, 0));
        rewriter.rewrite(&ids(0x7ffd, 255, 0));
        // 0x7ffe was lost, 0x7fff is left out, 0 was lost.
        rewriter.close_gap(&ids(0x7fff, 255, 0), false);
        rewriter.leave_out(&ids(0x7fff, 255, 0));
        rewriter.close_gap(&ids(1, 0, 0), true);
        assert_eq!(rewriter.rewrite(&ids(1, 0, 0)).picture_id, Some((0x7ffe, true)));
        // Two frames of the lowest layer later: one of those between is missing and may come.
        rewriter.close_gap(&ids(5, 2, 0), true);
        assert_eq!(rewriter.rewrite(&ids(5, 2, 0)).picture_id, Some((2, true)));
        assert_eq!(rewriter.rewrite(&ids(0x7ffd, 255, 0)).picture_id, Some((0x7ffd, true)), "late, from before");
    }

    #[test]
    fn leaving_out_every_other_frame_stays_continuous_for_long() {
        let mut rewriter = PictureIdRewriter::new();
        let first = PictureIds { picture_id: Some((120, false)), ..PictureIds::default() };
        rewriter.switch(&first);
        for n in 0..1000u16 {
            let source = PictureIds { picture_id: Some(((120 + n) & 0x7f, false)), ..first };
            if n % 2 == 1 {
                rewriter.leave_out(&source);
            } else {
                assert_eq!(rewriter.rewrite(&source).picture_id, Some(((120 + n / 2) & 0x7f, false)), "{n}");
            }
        }
    }

    #[test]
    fn patches_in_place() {
        let mut vp8 = [0x90, 0xf0, 0x92, 0x34, 0x56, 0xe7, 0x10, 0x02];
        patch_payload(Codec::Vp8, &mut vp8, &ids(0x0102, 3, 30));
        assert_eq!(inspect(Codec::Vp8, &vp8, None).picture, Some(ids(0x0102, 3, 30)));
        assert_eq!(vp8, [0x90, 0xf0, 0x81, 0x02, 3, 0xfe, 0x10, 0x02]);
        let mut vp9 = [0b1010_1000, 0x05, 0x10, 9, 0xff];
        patch_payload(Codec::Vp9, &mut vp9, &ids(0x0185, 200, 1));
        assert_eq!(vp9, [0b1010_1000, 0x05, 0x10, 200, 0xff]);
    }
}
