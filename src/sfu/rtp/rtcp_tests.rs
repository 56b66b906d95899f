//! RTCP reader and writer against each other and against `rtc-rtcp`, which was written independently.

use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::sender_report::SenderReport as TheirSenderReport;
use rtc_rtcp::source_description::SourceDescription;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

use super::id::Ssrc;
use super::mutate::bombard;
use super::rtcp::{ReportBlock, RtcpItem, fuzz, nacked, parse_compound};
use super::rtcp_build::{SenderReport, bye, fir, nack, pli, receiver_report, remb, sender_report};
use super::seq::RtpTime;
use crate::timeline::NtpTime;

const US: Ssrc = Ssrc(0x0a0b_0c0d);
const MEDIA: Ssrc = Ssrc(0xfeed_beef);
const BLOCK: ReportBlock =
    ReportBlock { ssrc: MEDIA, fraction_lost: 85, lost: -3, highest_seq: 0x0001_ffff, jitter: 273, lsr: 0x9f36_6c2a, dlsr: 150_137 };
const REPORT: SenderReport =
    SenderReport { ssrc: US, ntp: NtpTime(0xda8b_d1fc_dddd_a05a), rtp: RtpTime(0xaaf4_edd5), packets: 7, octets: u32::MAX };

fn built(build: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    build(&mut out);
    assert!(out.len().is_multiple_of(4));
    out
}

fn items(bytes: &[u8]) -> Vec<String> {
    let mut items = Vec::new();
    parse_compound(bytes, &mut |item| items.push(format!("{item:?}")));
    items
}

fn theirs(bytes: &[u8]) -> Vec<Box<dyn rtc_rtcp::packet::Packet>> {
    rtc_rtcp::packet::unmarshal(&mut &bytes[..]).expect("an independent reader accepts it")
}

fn every_packet() -> Vec<Vec<u8>> {
    let transport_cc = [
        0x8f, 205, 0, 7, 0xfa, 0x17, 0xfa, 0x17, 0x43, 3, 0x2f, 0xa0, 0, 0x99, 0, 1, 0x3d, 0xe8, 2, 0x17, 0x20, 1, 0x94, 1, 0, 0, 0, 0, 0,
        0, 0, 0,
    ];
    vec![
        built(|out| sender_report(out, &REPORT, "courtside")),
        built(|out| receiver_report(out, US, &[BLOCK; 2], "c")),
        built(|out| nack(out, US, MEDIA, &[65_534, 65_535, 3, 40])),
        built(|out| pli(out, US, MEDIA)),
        built(|out| fir(out, US, MEDIA, 9)),
        built(|out| remb(out, US, 2_500_000, &[MEDIA])),
        built(|out| bye(out, US)),
        transport_cc.to_vec(),
    ]
}

#[test]
fn reports_are_read_alike_by_both_readers() {
    let bytes = built(|out| sender_report(out, &REPORT, "courtside"));
    let packets = theirs(&bytes);
    let report = packets[0].as_any().downcast_ref::<TheirSenderReport>().expect("first");
    assert_eq!((report.ssrc, report.ntp_time, report.rtp_time), (REPORT.ssrc.0, REPORT.ntp.0, REPORT.rtp.0));
    assert_eq!((report.packet_count, report.octet_count), (REPORT.packets, REPORT.octets));
    let description = packets[1].as_any().downcast_ref::<SourceDescription>().expect("second");
    assert_eq!(&description.chunks[0].items[0].text[..], b"courtside");
    assert!(items(&bytes)[0].contains(&format!("{:?}", REPORT.ntp)), "{:?}", items(&bytes));

    let bytes = built(|out| receiver_report(out, US, &[BLOCK], "c"));
    let packets = theirs(&bytes);
    let report = &packets[0].as_any().downcast_ref::<ReceiverReport>().expect("first").reports[0];
    assert_eq!((report.ssrc, report.fraction_lost, report.total_lost), (MEDIA.0, 85, 0xff_fffd));
    assert_eq!(
        (report.last_sequence_number, report.jitter, report.last_sender_report, report.delay),
        (0x0001_ffff, 273, 0x9f36_6c2a, 150_137)
    );
    let mut read = None;
    parse_compound(&bytes, &mut |item| {
        if let RtcpItem::ReportBlock { reporter, block } = item {
            read = Some((reporter, block));
        }
    });
    assert_eq!(read, Some((US, BLOCK)));
}

#[test]
fn cnames_of_every_length_end_on_a_word() {
    for len in 1..12 {
        let cname = "x".repeat(len);
        let packets = theirs(&built(|out| receiver_report(out, US, &[], &cname)));
        let description = packets[1].as_any().downcast_ref::<SourceDescription>().expect("second");
        assert_eq!(&description.chunks[0].items[0].text[..], cname.as_bytes());
    }
}

#[test]
fn many_blocks_make_several_packets() {
    let bytes = built(|out| receiver_report(out, US, &[BLOCK; 70], "c"));
    assert_eq!(items(&bytes).iter().filter(|item| item.starts_with("ReportBlock")).count(), 70);
    assert_eq!(theirs(&bytes).len(), 4);
}

#[test]
fn nacks_name_exactly_the_missing_across_the_wrap() {
    let rows: [&[u16]; 5] = [&[7], &[1, 2, 17, 18], &[65_530, 65_535, 0, 9, 11], &[0, 16, 17, 33, 34, 60_000], &[5, 5, 6]];
    for seqs in rows {
        let bytes = built(|out| nack(out, US, MEDIA, seqs));
        let mut ours = Vec::new();
        parse_compound(&bytes, &mut |item| {
            let RtcpItem::Nack { media, pid, blp } = item else { panic!("{item:?}") };
            assert_eq!(media, MEDIA);
            ours.extend(nacked(pid, blp));
        });
        let mut expected = seqs.to_vec();
        expected.dedup();
        assert_eq!(ours, expected);
        let packets = theirs(&bytes);
        let read = packets[0].as_any().downcast_ref::<TransportLayerNack>().expect("a nack");
        assert_eq!(read.nacks.iter().flat_map(|pair| pair.packet_list()).collect::<Vec<_>>(), expected);
    }
    assert!(built(|out| nack(out, US, MEDIA, &[])).is_empty());
}

#[test]
fn payload_feedback_is_read_alike_by_both_readers() {
    let packets = theirs(&built(|out| pli(out, US, MEDIA)));
    let read = packets[0].as_any().downcast_ref::<PictureLossIndication>().expect("a PLI");
    assert_eq!((read.sender_ssrc, read.media_ssrc), (US.0, MEDIA.0));

    let bytes = built(|out| fir(out, US, MEDIA, 9));
    let packets = theirs(&bytes);
    let read = packets[0].as_any().downcast_ref::<FullIntraRequest>().expect("a FIR");
    assert_eq!((read.fir[0].ssrc, read.fir[0].sequence_number), (MEDIA.0, 9));
    assert_eq!(items(&bytes), ["Fir { media: Ssrc(feedbeef), seq: 9 }"]);

    let packets = theirs(&built(|out| bye(out, US)));
    assert_eq!(packets[0].as_any().downcast_ref::<Goodbye>().expect("a BYE").sources, [US.0]);
}

#[test]
fn remb_keeps_18_bits_of_the_rate() {
    for bps in [1, 262_143, 262_144, 2_500_000, 1_000_000_007] {
        let bytes = built(|out| remb(out, US, bps, &[MEDIA]));
        let RtcpItem::Remb { bitrate_bps } = first(&bytes) else { panic!("not a REMB") };
        assert!(bitrate_bps <= bps && bps - bitrate_bps <= bps >> 17, "{bps}: {bitrate_bps}");
        let packets = theirs(&bytes);
        let read = packets[0].as_any().downcast_ref::<ReceiverEstimatedMaximumBitrate>().expect("a REMB");
        assert_eq!((read.bitrate as u64, &read.ssrcs[..]), (bitrate_bps, &[MEDIA.0][..]));
    }
}

fn first(bytes: &[u8]) -> RtcpItem<'_> {
    let mut first = None;
    parse_compound(bytes, &mut |item| {
        first.get_or_insert(item);
    });
    first.expect("one item")
}

#[test]
fn a_compound_is_read_to_the_broken_packet() {
    let mut bytes = built(|out| sender_report(out, &REPORT, "courtside"));
    pli(&mut bytes, US, MEDIA);
    let whole = bytes.len();
    fir(&mut bytes, US, MEDIA, 1);
    assert_eq!(items(&bytes).len(), 4);
    bytes.truncate(whole + 8);
    assert_eq!(items(&bytes).len(), 3);
}

#[test]
fn survives_hostile_bytes() {
    let mut samples = every_packet();
    samples.push(samples.concat());
    assert!(samples.iter().all(|sample| !items(sample).is_empty()));
    bombard(&samples, fuzz::fuzz_compound);
}
