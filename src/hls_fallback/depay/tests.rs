//! The depacketizer as a whole: order, loss, and what is given out after it.

use std::time::Duration;

use super::*;
use crate::limits::HLS_REPAIR_WAIT;
use crate::sfu::codec::inspect;
use crate::sfu::packet::ForwardedExtensions;
use crate::sfu::rtp::mutate::bombard;
use crate::sfu::rtp::seq::SeqNo;

const KEY: &[u8] = &[
    0x78, 0, 23, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x03,
    0xc6, 0x0c, 0xa8, 0, 4, 0x68, 0xce, 0x0f, 0xc8, 0, 3, 0x65, 0x88, 0x84,
];
const DELTA: &[u8] = &[0x41, 0x9a, 0x01];

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
fn epoch() -> Instant {
    Instant::now()
}

fn packet(at: Instant, seq: u64, time: u32, payload: &'static [u8]) -> Arc<RtpPacket> {
    Arc::new(RtpPacket {
        seq: SeqNo(seq),
        time: RtpTime(time),
        marker: true,
        codec: Codec::H264,
        info: inspect(Codec::H264, payload, None),
        received: at,
        recovered: false,
        extensions: ForwardedExtensions::default(),
        payload: Bytes::from_static(payload),
    })
}

fn times(frames: &[TimedFrame]) -> Vec<u32> {
    frames.iter().map(|frame| frame.time.0).collect()
}

#[test]
fn a_packet_that_is_sent_again_in_time_takes_its_place() {
    let start = epoch();
    let mut depacketizer = Depacketizer::new(Codec::H264);
    let mut frames = Vec::new();
    for (seq, ms, payload) in [(10, 0, KEY), (12, 66, DELTA), (13, 99, DELTA), (11, 140, DELTA)] {
        let now = start + Duration::from_millis(ms);
        depacketizer.handle_packet(now, &packet(now, seq, (seq - 10) as u32 * 3000, payload), &mut frames);
    }
    assert_eq!(times(&frames), [0, 3000, 6000, 9000]);
    assert_eq!(depacketizer.losses, Losses::default());
}

#[test]
fn after_a_loss_nothing_is_given_out_before_the_next_key_frame() {
    let start = epoch();
    let mut depacketizer = Depacketizer::new(Codec::H264);
    let mut frames = Vec::new();
    depacketizer.handle_packet(start, &packet(start, 10, 0, KEY), &mut frames);
    depacketizer.handle_packet(start, &packet(start, 12, 6000, DELTA), &mut frames);
    let due = depacketizer.wake_at().unwrap();
    assert_eq!(due, start + HLS_REPAIR_WAIT);
    depacketizer.handle_timeout(due - Duration::from_millis(1), &mut frames);
    assert_eq!(depacketizer.losses.gaps, 0);
    depacketizer.handle_timeout(due, &mut frames);
    for (seq, payload) in [(13, DELTA), (14, KEY), (15, DELTA)] {
        depacketizer.handle_packet(due, &packet(due, seq, (seq - 10) as u32 * 3000, payload), &mut frames);
    }
    depacketizer.handle_packet(due, &packet(due, 11, 3000, DELTA), &mut frames);
    assert_eq!(times(&frames), [0, 12_000, 15_000]);
    assert_eq!(depacketizer.losses, Losses { late: 1, gaps: 1, frames: 2 });
}

#[test]
fn the_wait_is_for_each_hole_and_not_for_the_first_alone() {
    let start = epoch();
    let mut depacketizer = Depacketizer::new(Codec::H264);
    let mut frames = Vec::new();
    let at = |ms| start + Duration::from_millis(ms);
    for (seq, ms) in [(10, 0), (12, 10), (14, 100)] {
        depacketizer.handle_packet(at(ms), &packet(at(ms), seq, seq as u32 * 3000, KEY), &mut frames);
    }
    depacketizer.handle_timeout(at(160), &mut frames);
    assert_eq!(depacketizer.losses.gaps, 1);
    assert_eq!(depacketizer.wake_at(), Some(at(250)));
}

#[test]
fn survives_hostile_bytes() {
    let epoch = epoch();
    let row = |payload: &[u8]| [&[0, 33, 1, payload.len() as u8][..], payload].concat();
    let samples = [
        [row(KEY), row(DELTA), row(DELTA)].concat(),
        row(&[0x8c, 0x05, 0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0, 0]),
        row(&[0x18, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xff, 0xbc, 0xff, 0xf9, 0x80, 0x40]),
    ];
    bombard(&samples, |bytes| fuzz::fuzz_depacketizer(epoch, bytes));
}

#[test]
fn key_frames_share_a_format_until_it_is_another() {
    let mut depacketizer = Depacketizer::new(Codec::H264);
    let (now, mut frames) = (epoch(), Vec::new());
    let mut other = KEY.to_vec();
    other[6] ^= 0x20;
    let other: &'static [u8] = other.leak();
    for (seq, payload) in (0..).zip([KEY, DELTA, KEY, other, other]) {
        depacketizer.handle_packet(now, &packet(now, 100 + seq, seq as u32 * 3000, payload), &mut frames);
    }
    let formats: Vec<_> = frames.iter().filter_map(|frame| frame.format.as_ref()).collect();
    let shared: Vec<bool> = formats.windows(2).map(|pair| Arc::ptr_eq(pair[0], pair[1])).collect();
    assert_eq!(shared, [true, false, true]);
}
