//! What playlists of recordings say, from the records alone.

use super::*;
use crate::hls_fallback::dvr::record::{Kind, decode, encode};
use crate::hls_fallback::dvr::texts;
use crate::hls_fallback::markers::Marked;
use crate::limits::THUMBS_EVERY_MS;

const START_MS: f64 = 1_795_230_000_000.0;

fn rendition(name: &str, kind: Kind) -> Record {
    Record::Rendition { name: name.to_owned(), kind }
}

fn init(name: &str, number: u64) -> Record {
    let is_picture = name.starts_with('v');
    let codecs = if is_picture { "avc1.42e01f" } else { "mp4a.40.2" };
    let size = is_picture.then_some((1280, 720));
    Record::Init(Init { rendition: name.to_owned(), number, codecs: codecs.to_owned(), size, bytes: 700 })
}

/// Two seconds of a rendition, `at_s` behind the start.
fn written(name: &str, number: u64, at_s: f64, init: u64) -> Written {
    let frames_per_second = if name.starts_with('v') { 30.0 } else { 0.0 };
    let media_ms = START_MS + at_s * 1000.0;
    Written {
        rendition: name.to_owned(),
        number,
        media_ms,
        duration_s: 2.0,
        bytes: 1000 + number,
        init,
        frames_per_second,
        discontinuity: false,
    }
}

/// A picture and sound of `count` segments, the first of them 100.
fn show(count: u64) -> Timeline {
    let mut records = vec![Record::Run { first: 100, slot: 100 }, rendition("v0", Kind::Video), rendition("aac", Kind::Audio)];
    records.extend([init("v0", 100), init("aac", 100)]);
    for index in 0..count {
        records.extend(["v0", "aac"].map(|name| Record::Segment(written(name, 100 + index, index as f64 * 2.0, 100))));
    }
    Timeline::from_records(records)
}

fn numbers(timeline: &Timeline, name: &str, from: u64) -> Vec<(u64, u64, bool)> {
    timeline.listed(name, from).into_iter().map(|line| (line.slot, line.number, line.init.is_some())).collect()
}

#[test]
fn slots_count_on_over_a_restart_which_is_a_discontinuity() {
    let mut timeline = show(3);
    assert_eq!(timeline.next_slot(900), 103);
    for record in [
        Record::Run { first: 900, slot: 103 },
        Record::Segment(written("v0", 900, 60.0, 100)),
        Record::Segment(written("aac", 900, 60.0, 100)),
    ] {
        timeline.apply(record);
    }
    for name in ["v0", "aac"] {
        assert_eq!(numbers(&timeline, name, 0), [(100, 100, true), (101, 101, true), (102, 102, true), (103, 900, true)]);
    }
    let text = texts::media(&timeline, "v0", 0, false, &[]).expect("it is listed");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert!(text.contains("#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-21T03:01:00.000Z\n#EXTINF:2.00000,\ns900.m4s"), "{text}");
    // What is behind it is counted as long as it is there, and afterwards too.
    for (from, before) in [(103, 0), (104, 1)] {
        assert_eq!(timeline.discontinuities_before(from), before);
    }
    timeline.apply(Record::Trim { slot: 104 });
    assert_eq!(timeline.discontinuities_before(104), 1);
    assert_eq!(timeline.next_slot(1000), 104, "numbers go on where all has gone");
}

#[test]
fn what_a_rendition_lacks_is_a_gap_unless_it_is_only_late() {
    let mut timeline = show(2);
    // Sound stops.
    for number in 102..110 {
        timeline.apply(Record::Segment(written("v0", number, (number - 100) as f64 * 2.0, 100)));
    }
    let lines = timeline.listed("aac", 0);
    assert_eq!(lines.len(), 10 - DVR_LAG_SLOTS);
    assert!(lines[1].init.is_some() && lines[2..].iter().all(|line| line.init.is_none()));
    assert_eq!(lines[2].media_ms, START_MS + 4000.0, "when it was is known from the others");
    let text = texts::media(&timeline, "aac", 0, false, &[]).expect("it is listed");
    assert_eq!(text.matches("#EXT-X-GAP\n").count(), 5, "{text}");
    // It is back, with another format.
    timeline.apply(init("aac", 110));
    timeline.apply(Record::Segment(written("aac", 110, 20.0, 110)));
    let text = texts::media(&timeline, "aac", 0, false, &[]).expect("it is listed");
    assert_eq!(text.matches("#EXT-X-GAP\n").count(), 8, "{text}");
    assert!(text.contains("#EXT-X-MAP:URI=\"init-110.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-21T03:00:20.000Z"), "{text}");
}

#[test]
fn a_slot_of_which_nothing_was_written_is_a_gap_everywhere() {
    let mut timeline = show(2);
    for name in ["v0", "aac"] {
        timeline.apply(Record::Segment(written(name, 103, 6.0, 100)));
    }
    for name in ["v0", "aac"] {
        assert_eq!(numbers(&timeline, name, 0)[2..], [(102, 102, false), (103, 103, true)]);
        assert_eq!(timeline.listed(name, 0)[2].duration_s, 2.0);
    }
    let far = written("v0", 104 + DVR_HOLES_MAX as u64, 9999.0, 100);
    timeline.apply(Record::Segment(far));
    assert_eq!(timeline.listed("v0", 0).len(), 4, "holes are bounded");
}

#[test]
fn what_leaves_the_window_is_named_once_and_with_everything_that_only_it_needed() {
    let mut timeline = show(10);
    timeline.apply(init("v0", 105));
    for number in 105..110 {
        timeline.apply(Record::Segment(Written { init: 105, ..written("v0", number, (number - 100) as f64 * 2.0, 105) }));
    }
    let sprite = |first: u64, count: u64| Sprite {
        first,
        size: (160, 90),
        at: (0..count).map(|at| START_MS + at as f64 * 1000.0).collect(),
        bytes: 50,
    };
    timeline.apply(Record::Sprite(sprite(100, 1)));
    assert_eq!(timeline.apply(Record::Sprite(sprite(100, 2))), Gone::default());
    let before = timeline.bytes();
    assert_eq!(timeline.first_within(7999.0), 106);
    let gone = timeline.apply(Record::Trim { slot: 106 });
    let files: Vec<String> = gone.files.iter().map(|(folder, file)| format!("{folder}/{file}")).collect();
    assert_eq!(files.iter().filter(|file| file.contains("/s10")).count(), 12);
    assert!(files.contains(&"v0/init-100.mp4".to_owned()) && files.contains(&"thumbs/t100-2.jpg".to_owned()), "{files:?}");
    assert!(files.contains(&"thumbs/t100-1.jpg".to_owned()), "nobody has a list with it any more: {files:?}");
    assert!(!files.iter().any(|file| file.starts_with("aac/init")), "sound still needs its own");
    assert_eq!(before - timeline.bytes(), (0..6).map(|index| 2 * (1100 + index)).sum::<u64>() + 700 + 2 * 50);
    assert_eq!(timeline.apply(Record::Trim { slot: 106 }), Gone::default());
    assert_eq!((timeline.segment_bytes("v0", 105), timeline.segment_bytes("v0", 106)), (None, Some(1106)));
    assert_eq!(timeline.files().count(), 4 + 4 + 2);
}

#[test]
fn a_replaced_sheet_of_previews_is_had_for_a_minute_and_listed_no_more() {
    let mut timeline = show(100);
    let sheet = |first: u64, count: u64| {
        let at = (0..count).map(|index| START_MS + (first - 100 + index * 5) as f64 * 2000.0).collect();
        Sprite { first, size: (160, 90), at, bytes: 10 + count }
    };
    let before = timeline.bytes();
    let mut gone = Vec::new();
    for count in 1..=9 {
        gone.extend(timeline.apply(Record::Sprite(sheet(100, count))).files);
    }
    // The first was replaced 10 s behind the start, and the ninth is of 80 s.
    assert_eq!(gone, [("thumbs".to_owned(), "t100-1.jpg".to_owned())]);
    assert_eq!((timeline.sprite_bytes("t100-1.jpg"), timeline.sprite_bytes("t100-2.jpg")), (None, Some(12)));
    assert_eq!((timeline.sprites().count(), timeline.bytes() - before), (1, (12..=19).sum()));
    assert_eq!(timeline.files().filter(|(folder, _)| *folder == SPRITES).count(), 8);
    assert!(!texts::thumbs(&timeline, 0).expect("it is listed").contains("t100-8.jpg"));
    gone.extend(timeline.apply(Record::Sprite(sheet(150, 1))).files);
    gone.extend(timeline.apply(Record::Sprite(sheet(150, 2))).files);
    assert_eq!(gone.len(), 4, "{gone:?}");
    assert_eq!(Timeline::from_records(timeline.to_records()), timeline, "what is still had is known after a restart");
}

#[test]
fn the_same_timeline_comes_of_its_own_records() {
    let mut timeline = show(40);
    timeline.apply(Record::Run { first: 900, slot: timeline.next_slot(900) });
    for number in 900..910 {
        timeline.apply(Record::Segment(written("v0", number, number as f64 * 2.0, 100)));
    }
    timeline.apply(Record::Trim { slot: 120 });
    for slot in [130, 141, 145] {
        let bytes: Vec<u8> = timeline.to_records().iter().flat_map(|record| encode(record).into_bytes()).collect();
        let again = Timeline::from_records(decode(&bytes).records);
        assert_eq!(again, timeline);
        timeline.apply(Record::Trim { slot });
    }
}

#[test]
fn room_is_made_from_the_oldest_end() {
    let timeline = show(10);
    assert_eq!(timeline.after_oldest(0), 100);
    assert_eq!(timeline.after_oldest(1), 101);
    assert_eq!(timeline.after_oldest(2 * 1100 + 1), 102);
    assert_eq!(timeline.after_oldest(u64::MAX), 110);
}

/// The whole text, so that nothing of it changes unnoticed.
#[test]
fn a_live_playlist_slides_and_a_replay_stands_still() {
    let mut timeline = show(3);
    let goal = Marked { id: "g1".into(), kind: "goal".into(), label: "1:0".into(), media_ms: START_MS + 3000.0 };
    let later = Marked { id: "g2".into(), media_ms: START_MS + 7000.0, ..goal.clone() };
    let markers = [goal, later];
    let body = "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T03:00:02.000Z\n#EXTINF:2.00000,\ns101.m4s\n\
                #EXT-X-PROGRAM-DATE-TIME:2026-11-21T03:00:04.000Z\n#EXTINF:2.00000,\ns102.m4s\n";
    let range = "#EXT-X-DATERANGE:ID=\"g1\",CLASS=\"app.courtside.marker\",START-DATE=\"2026-11-21T03:00:03.000Z\",\
                 X-COURTSIDE-KIND=\"goal\",X-COURTSIDE-LABEL=\"1:0\"\n";
    let map = "#EXT-X-MAP:URI=\"init-100.mp4\"\n";
    assert_eq!(
        texts::media(&timeline, "v0", 101, false, &markers).expect("it is listed"),
        format!(
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:3\n#EXT-X-SERVER-CONTROL:HOLD-BACK=9.0,CAN-SKIP-UNTIL=18.0\n\
             #EXT-X-MEDIA-SEQUENCE:101\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n{range}{map}{body}"
        )
    );
    timeline.apply(Record::End { at_ms: 1 });
    assert_eq!(
        texts::media(&timeline, "v0", 101, true, &markers).expect("it is listed"),
        format!(
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE:101\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:0\n{range}{map}{body}#EXT-X-ENDLIST\n"
        )
    );
    assert_eq!(
        texts::master(&timeline, 0).expect("it is listed"),
        "#EXTM3U\n#EXT-X-VERSION:9\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"aac/dvr.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=10579,AVERAGE-BANDWIDTH=8808,CODECS=\"avc1.42e01f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.000,\
         AUDIO=\"aac\",CLOSED-CAPTIONS=NONE\nv0/dvr.m3u8\n"
    );
    assert_eq!(texts::media(&timeline, "v9", 0, false, &[]), None);
    assert_eq!(texts::master(&Timeline::default(), 0), None);
}

#[test]
fn a_delta_update_and_what_the_player_has_make_the_whole() {
    let timeline = show(600);
    let whole = texts::media(&timeline, "v0", 0, false, &[]).expect("it is listed");
    let delta = texts::media(&timeline, "v0", 0, true, &[]).expect("it is listed");
    let skipped: usize = delta
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-SKIP:SKIPPED-SEGMENTS="))
        .expect("it is listed")
        .parse()
        .expect("it is listed");
    let addresses = |text: &str| text.lines().filter(|line| line.ends_with(".m4s")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(addresses(&whole)[skipped..], addresses(&delta));
    assert_eq!(addresses(&delta).len(), 10, "eighteen seconds, and what ended just then");
    assert!(!delta.contains("#EXT-X-MAP"), "it has been told");
    assert!(delta.len() * 20 < whole.len(), "{} of {}", delta.len(), whole.len());
}

#[test]
fn a_replay_does_not_end_with_gaps_and_one_that_ended_early_does() {
    let mut timeline = show(4);
    timeline.apply(Record::Segment(written("v0", 104, 8.0, 100)));
    timeline.apply(Record::Segment(Written { bytes: 0, ..written("aac", 104, 8.0, 100) }));
    timeline.apply(Record::End { at_ms: 1 });
    assert_eq!((timeline.listed("v0", 0).len(), timeline.listed("aac", 0).len()), (5, 4));
    for number in 105..120 {
        timeline.apply(Record::Segment(written("v0", number, (number - 100) as f64 * 2.0, 100)));
    }
    assert!(timeline.listed("aac", 0).len() >= 20 - DVR_LAG_SLOTS, "players may change to it anywhere");
}

#[test]
fn previews_count_as_a_player_does_and_leave_out_what_nobody_recorded() {
    let mut timeline = show(10);
    timeline.apply(Record::Run { first: 900, slot: 110 });
    for number in 900..910 {
        timeline.apply(Record::Segment(written("v0", number, 1000.0 + (number - 900) as f64 * 2.0, 100)));
    }
    let at = [0.0, 10.0, 1000.0, 1010.0].map(|at| START_MS + at * 1000.0).to_vec();
    timeline.apply(Record::Sprite(Sprite { first: 100, size: (160, 90), at, bytes: 50 }));
    let vtt = texts::thumbs(&timeline, 0).expect("it is listed");
    assert!(
        vtt.starts_with("WEBVTT\n\n2026-11-21T03:00:00.000Z\n00:00:00.000 --> 00:00:10.000\nthumbs/t100-4.jpg#xywh=0,0,160,90\n"),
        "{vtt}"
    );
    assert!(vtt.contains("\n00:00:20.000 --> 00:00:30.000\nthumbs/t100-4.jpg#xywh=320,0,160,90\n"), "the pause does not count: {vtt}");
    assert!(vtt.contains("\n00:00:10.000 --> 00:00:20.000\n"), "no two at the same time: {vtt}");
    assert_eq!(vtt.matches("-->").count(), 4);
    let later = texts::thumbs(&timeline, 105).expect("it is listed");
    assert!(later.starts_with("WEBVTT\n\n2026-11-21T03:00:10.000Z\n00:00:00.000 -->"), "{later}");
    assert_eq!(THUMBS_EVERY_MS, 10_000.0);
}
