//! The whole way of recordings: begun, written, refused, cut off, found again, kept, and let go of.

use std::sync::atomic::Ordering;

use futures_util::TryStreamExt;
use tempfile::TempDir;

use super::*;
use crate::hls_fallback::dvr::recording::Text;
use crate::hls_fallback::dvr::test_support::{Moody, closed};

const SHOW: BroadcastId = BroadcastId::from_bits(7);
const OTHER: BroadcastId = BroadcastId::from_bits(8);
const HOUR_MS: u64 = 3_600_000;

struct Desk {
    dir: TempDir,
    objects: Arc<Moody>,
    parts: DvrParts,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let objects = Arc::new(Moody::default());
        let parts = DvrParts {
            indices: dir.path().join("index"),
            storage: Storage::over(objects.clone()),
            window: Duration::from_secs(3600),
            retention: Duration::from_secs(3600),
            bytes_max: 1_000_000,
            pictures: None,
        };
        Self { dir, objects, parts }
    }

    async fn open(&self) -> Dvr {
        Dvr::open(self.parts.clone()).await.expect("the folder can be used")
    }

    fn indices(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path().join("index"))
            .expect("the test's own file")
            .map(|entry| entry.expect("it can be listed").file_name().into_string().expect("the test's own file"))
            .collect();
        names.sort();
        names
    }
}

/// Everything that was handed over so far is written or lost.
async fn written(dvr: &Dvr, broadcast: BroadcastId) {
    let jobs = match dvr.held().get(&broadcast) {
        Some(Held::Running { jobs, .. }) => jobs.clone(),
        other => panic!("{other:?}"),
    };
    let (done, told) = oneshot::channel();
    jobs.send(Job::Flush(done)).await.expect("it is stored");
    told.await.expect("the writer answers");
}

/// Hands over as much as fits into the queue, again and again.
async fn record(dvr: &Dvr, broadcast: BroadcastId, numbers: std::ops::Range<u64>) {
    let mut recorder = dvr.begin(broadcast, numbers.start).expect("there is room for a recording");
    let all: Vec<u64> = numbers.collect();
    for some in all.chunks(DVR_QUEUE / 2 - 1) {
        for number in some {
            recorder.take(vec![closed("aac", *number), closed("opus", *number)]);
        }
        written(dvr, broadcast).await;
    }
}

async fn playlist(dvr: &Dvr, broadcast: BroadcastId) -> Option<String> {
    let recording = dvr.recording(broadcast, 1).await?;
    let packed = recording.text(&Text::Media { rendition: "aac".into(), is_delta: false })?;
    Some(String::from_utf8(packed.text.to_vec()).expect("it is text"))
}

async fn read(dvr: &Dvr, broadcast: BroadcastId, file: &str, len: u64) -> Option<Vec<u8>> {
    let chunks: Vec<bytes::Bytes> =
        dvr.storage().get(broadcast, "aac", file, 0..len).await.ok()?.try_collect().await.expect("it is stored");
    Some(chunks.concat())
}

/// Looks until what was begun by a look is done.
async fn kept_up(dvr: &Dvr, on_air: &[BroadcastId], now_ms: u64, is_done: impl Fn(&Dvr) -> bool) {
    let on_air: HashSet<BroadcastId> = on_air.iter().copied().collect();
    let done = async {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        loop {
            dvr.upkeep(&on_air, now_ms).await;
            if is_done(dvr) {
                return;
            }
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), done).await.unwrap_or_else(|_| panic!("it was not done: {:?}", dvr.held()));
}

fn has_replay(dvr: &Dvr, broadcast: BroadcastId) -> bool {
    dvr.replays().borrow().contains(&broadcast)
}

#[tokio::test]
async fn a_broadcast_becomes_a_replay_and_the_replay_outlives_the_server_until_it_is_old() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    record(&dvr, SHOW, 10..20).await;
    let live = playlist(&dvr, SHOW).await.expect("it has a playlist");
    assert_eq!((live.matches("#EXTINF").count(), live.contains("ENDLIST")), (10, false));
    kept_up(&dvr, &[SHOW], HOUR_MS, |_| true).await;
    assert!(!has_replay(&dvr, SHOW), "it is on air");
    kept_up(&dvr, &[], HOUR_MS, |dvr| has_replay(dvr, SHOW)).await;
    let replay = playlist(&dvr, SHOW).await.expect("it has a playlist");
    assert!(replay.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && replay.ends_with("#EXT-X-ENDLIST\n"), "{replay}");
    assert!(dvr.begin(SHOW, 30).is_none(), "what has ended does not go on");
    dvr.shutdown().await;

    let dvr = desk.open().await;
    assert!(has_replay(&dvr, SHOW));
    assert_eq!(playlist(&dvr, SHOW).await.expect("it has a playlist"), replay);
    assert_eq!(read(&dvr, SHOW, "s15.m4s", 6).await.expect("it has a playlist"), b"aac 15");
    kept_up(&dvr, &[], 2 * HOUR_MS - 1, |dvr| has_replay(dvr, SHOW)).await;
    kept_up(&dvr, &[], 2 * HOUR_MS, |dvr| dvr.census() == (0, 0)).await;
    assert!(playlist(&dvr, SHOW).await.is_none() && read(&dvr, SHOW, "s15.m4s", 6).await.is_none());
    assert!(desk.indices().is_empty() && dvr.storage().list(SHOW).await.expect("it has a playlist").is_empty(), "nothing is left");
}

#[tokio::test]
async fn a_server_that_is_killed_loses_nothing_that_was_listed_and_goes_on_with_a_discontinuity() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    record(&dvr, SHOW, 10..20).await;
    let before = playlist(&dvr, SHOW).await.expect("it has a playlist");
    // What a crash may leave: a file without its record, and a record without its end.
    dvr.storage().put(SHOW, "aac", "s20.m4s", bytes::Bytes::from_static(b"aac 20")).await.expect("it has a playlist");
    let index = desk.dir.path().join("index").join(format!("{SHOW}.log"));
    let mut bytes = std::fs::read(&index).expect("the test's own file");
    bytes.extend_from_slice(b"5f1c20a7 {\"k\":\"segm");
    std::fs::write(&index, bytes).expect("the test's own file");
    // The first server still believes that it lives; its file is another's from here on.
    let again = desk.open().await;
    assert_eq!(playlist(&again, SHOW).await.expect("it has a playlist"), before);
    assert!(read(&again, SHOW, "s20.m4s", 6).await.is_none(), "the file that nobody knows of is gone");
    assert!(!has_replay(&again, SHOW));
    record(&again, SHOW, 500..503).await;
    let after = playlist(&again, SHOW).await.expect("it has a playlist");
    assert_eq!((after.matches("#EXTINF").count(), after.matches("#EXT-X-DISCONTINUITY\n").count()), (13, 1), "{after}");
    kept_up(&again, &[], HOUR_MS, |dvr| has_replay(dvr, SHOW)).await;
    again.shutdown().await;
    let third = desk.open().await;
    assert_eq!(playlist(&third, SHOW).await.expect("it has a playlist").matches("#EXTINF").count(), 13);
}

#[tokio::test]
async fn a_full_disk_is_a_gap_and_an_alarm_until_there_is_room_again() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    let mut recorder = dvr.begin(SHOW, 10).expect("it has a playlist");
    for number in 10..30 {
        desk.objects.is_full.store((13..23).contains(&number), Ordering::Relaxed);
        recorder.take(vec![closed("aac", number)]);
        written(&dvr, SHOW).await;
        assert_eq!(dvr.degraded(), usize::from((13..23).contains(&number)), "segment {number}");
    }
    let text = playlist(&dvr, SHOW).await.expect("it has a playlist");
    assert_eq!((text.matches("#EXTINF").count(), text.matches("#EXT-X-GAP").count()), (20, 10));
}

#[tokio::test]
async fn a_storage_that_is_too_slow_costs_segments_and_never_the_packager() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    let mut recorder = dvr.begin(SHOW, 10).expect("it has a playlist");
    // Nothing is written while this test does not yield.
    recorder.take((10..10 + 4 * DVR_QUEUE as u64).map(|number| closed("aac", number)).collect());
    recorder.take(Vec::new());
    written(&dvr, SHOW).await;
    recorder.take(vec![closed("aac", 10 + 4 * DVR_QUEUE as u64)]);
    written(&dvr, SHOW).await;
    let text = playlist(&dvr, SHOW).await.expect("it has a playlist");
    let gaps = text.matches("#EXT-X-GAP").count();
    assert_eq!(text.matches("#EXTINF").count(), 4 * DVR_QUEUE + 1);
    assert!((2 * DVR_QUEUE..4 * DVR_QUEUE).contains(&gaps), "{gaps}");
    assert_eq!(dvr.shared.room.available_permits(), DVR_QUEUED_KIB_MAX, "what was dropped waits no more");
}

#[tokio::test]
async fn a_packager_that_begins_while_the_queue_is_full_is_recorded_once_there_is_room() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    let mut recorder = dvr.begin(SHOW, 10).expect("there is room for a recording");
    // Nothing is written while this test does not yield.
    recorder.take((10..10 + 2 * DVR_QUEUE as u64).map(|number| closed("aac", number)).collect());
    let mut again = dvr.begin(SHOW, 500).expect("nobody waits for the queue");
    again.take(vec![closed("aac", 500)]);
    written(&dvr, SHOW).await;
    again.take(vec![closed("aac", 501), closed("aac", 502)]);
    written(&dvr, SHOW).await;
    let text = playlist(&dvr, SHOW).await.expect("it has a playlist");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    let (_, second) = text.split_once("#EXT-X-DISCONTINUITY\n").expect("it was looked for");
    assert_eq!((second.matches("#EXTINF").count(), second.matches("#EXT-X-GAP").count()), (3, 1), "{second}");
}

#[tokio::test]
async fn an_index_that_cannot_be_opened_holds_nobody_back_and_leaves_no_bytes_behind() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    let in_the_way = desk.dir.path().join("index").join(format!("{SHOW}.log"));
    std::fs::create_dir(&in_the_way).expect("the test's own folder");
    let mut recorder = dvr.begin(SHOW, 10).expect("the writer opens the index");
    recorder.take(vec![closed("aac", 10), closed("aac", 11)]);
    written(&dvr, SHOW).await;
    assert_eq!(dvr.degraded(), 1);
    assert!(dvr.storage().list(SHOW).await.expect("the storage works").is_empty(), "nobody would know of them");
    std::fs::remove_dir(&in_the_way).expect("the test's own folder");
    recorder.take(vec![closed("aac", 12)]);
    written(&dvr, SHOW).await;
    assert_eq!((dvr.degraded(), desk.indices()), (0, vec![format!("{SHOW}.log")]));
    let text = playlist(&dvr, SHOW).await.expect("it has a playlist");
    assert!(text.contains("s12.m4s") && !text.contains("s11.m4s"), "{text}");
    let again = desk.open().await;
    assert_eq!(playlist(&again, SHOW).await.expect("it has a playlist"), text, "the index has it too");
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_left_as_it_is() {
    let desk = Desk::new();
    let index = desk.dir.path().join("index").join(format!("{SHOW}.log"));
    std::fs::create_dir_all(&index).expect("the test's own folder");
    let dvr = desk.open().await;
    assert!(dvr.begin(SHOW, 10).is_none());
    kept_up(&dvr, &[], 9 * HOUR_MS, |_| true).await;
    assert!(index.is_dir());
}

#[tokio::test]
async fn the_window_slides_and_what_has_left_it_is_gone_from_the_disk() {
    let mut desk = Desk::new();
    desk.parts.window = Duration::from_secs(60);
    let dvr = desk.open().await;
    record(&dvr, SHOW, 10..1010).await;
    let text = playlist(&dvr, SHOW).await.expect("it has a playlist");
    assert_eq!(text.matches("#EXTINF").count(), 31, "what began within the minute");
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:979\n"), "{text}");
    let files = dvr.storage().list(SHOW).await.expect("it has a playlist").len();
    assert!((2 * 60..=2 * 62 + 2).contains(&files), "a minute, and a minute for those who read an older playlist: {files}");
    let lines =
        std::fs::read_to_string(desk.dir.path().join("index").join(format!("{SHOW}.log"))).expect("the test's own file").lines().count();
    assert!(lines < 2 * 2 * 62 + crate::limits::DVR_LOG_SLACK + 100, "the index is bounded too: {lines}");
    let (_, bytes) = dvr.census();
    assert_eq!(
        bytes,
        2 * 4
            + dvr
                .storage()
                .list(SHOW)
                .await
                .expect("the storage works")
                .iter()
                .filter(|(_, file)| file.starts_with('s'))
                .map(|(folder, file)| { (folder.len() + file.len() - "s.m4s".len() + 1) as u64 })
                .sum::<u64>()
    );
}

#[tokio::test]
async fn when_bytes_run_short_the_oldest_replay_goes_first_and_then_the_oldest_part() {
    let mut desk = Desk::new();
    desk.parts.bytes_max = 1_000;
    let dvr = desk.open().await;
    record(&dvr, OTHER, 10..40).await;
    kept_up(&dvr, &[], HOUR_MS, |dvr| has_replay(dvr, OTHER)).await;
    record(&dvr, SHOW, 10..60).await;
    kept_up(&dvr, &[SHOW], HOUR_MS, |dvr| !has_replay(dvr, OTHER) && dvr.census().0 == 1).await;
    assert_eq!(playlist(&dvr, SHOW).await.expect("it has a playlist").matches("#EXTINF").count(), 50, "it has room now");
    record(&dvr, SHOW, 100..400).await;
    assert!(dvr.census().1 > 1_000);
    kept_up(&dvr, &[SHOW], HOUR_MS, |dvr| dvr.census().1 <= 1_000).await;
    let text = playlist(&dvr, SHOW).await.expect("it has a playlist");
    assert!(text.contains("s399.m4s") && !text.contains("s100.m4s"), "{text}");
}

#[tokio::test]
async fn a_deletion_that_was_cut_short_is_gone_on_with() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    record(&dvr, SHOW, 10..20).await;
    let index = desk.dir.path().join("index").join(format!("{SHOW}.log"));
    std::fs::rename(&index, index.with_extension("gone")).expect("the test's own file");
    let bytes = dvr.census().1;
    let again = desk.open().await;
    let left = again.storage().list(SHOW).await.expect("the storage works").len();
    assert_eq!((again.census(), left), ((1, bytes), 22), "the start does not wait for it");
    assert!(again.begin(SHOW, 30).is_none() && playlist(&again, SHOW).await.is_none());
    kept_up(&again, &[], HOUR_MS, |dvr| dvr.census() == (0, 0)).await;
    assert!(again.storage().list(SHOW).await.expect("the storage works").is_empty());
    assert!(desk.indices().is_empty());
}

#[tokio::test]
async fn a_replay_that_cannot_be_deleted_counts_until_it_can() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    record(&dvr, SHOW, 10..20).await;
    kept_up(&dvr, &[], HOUR_MS, |dvr| has_replay(dvr, SHOW)).await;
    let all = dvr.census();
    desk.objects.is_stubborn.store(true, Ordering::Relaxed);
    let failed = |dvr: &Dvr| matches!(dvr.held().get(&SHOW), Some(Held::Going(Going { has_failed: true, due_ms: Some(_), .. })));
    kept_up(&dvr, &[], 2 * HOUR_MS, failed).await;
    assert_eq!((dvr.census(), has_replay(&dvr, SHOW), desk.indices()), (all, false, vec![format!("{SHOW}.gone")]));
    desk.objects.is_stubborn.store(false, Ordering::Relaxed);
    let retry_ms = DVR_DELETE_RETRY.as_millis() as u64;
    kept_up(&dvr, &[], 2 * HOUR_MS + retry_ms - 1, failed).await;
    kept_up(&dvr, &[], 2 * HOUR_MS + retry_ms, |dvr| dvr.census() == (0, 0)).await;
    assert!(desk.indices().is_empty() && dvr.storage().list(SHOW).await.expect("the storage works").is_empty());
}

#[tokio::test]
async fn what_a_stuck_deletion_takes_is_taken_from_the_others() {
    let mut desk = Desk::new();
    desk.parts.bytes_max = 1_000;
    let dvr = desk.open().await;
    record(&dvr, OTHER, 10..40).await;
    kept_up(&dvr, &[], HOUR_MS, |dvr| has_replay(dvr, OTHER)).await;
    desk.objects.is_stubborn.store(true, Ordering::Relaxed);
    record(&dvr, SHOW, 10..60).await;
    assert!(dvr.census().1 > 1_000);
    kept_up(&dvr, &[SHOW], HOUR_MS, |dvr| dvr.census().1 <= 1_000).await;
    assert_eq!(dvr.census().0, 2);
    assert!(playlist(&dvr, SHOW).await.expect("it has a playlist").matches("#EXTINF").count() < 50, "the oldest part has gone");
}

#[tokio::test]
async fn what_was_never_recorded_leaves_nothing() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    drop(dvr.begin(SHOW, 10).expect("there is room for a recording"));
    kept_up(&dvr, &[], HOUR_MS, |dvr| dvr.census() == (0, 0)).await;
    assert!(desk.indices().is_empty());
}

#[tokio::test]
async fn replays_are_opened_by_those_who_ask_and_few_at_once() {
    let desk = Desk::new();
    let dvr = desk.open().await;
    let shows: Vec<BroadcastId> = (0..DVR_OPEN_MAX as u64 + 5).map(BroadcastId::from_bits).collect();
    for show in &shows {
        record(&dvr, *show, 10..12).await;
    }
    kept_up(&dvr, &[], HOUR_MS, |dvr| dvr.replays().borrow().len() == shows.len()).await;
    dvr.shutdown().await;
    let dvr = desk.open().await;
    for (asked, show) in shows.iter().enumerate() {
        assert!(dvr.recording(*show, asked as u64).await.is_some());
    }
    let open: Vec<BroadcastId> =
        dvr.held().iter().filter(|(_, held)| matches!(held, Held::Kept(Kept { opened: Some(_), .. }))).map(|(id, _)| *id).collect();
    assert_eq!(open.len(), DVR_OPEN_MAX);
    assert!(!open.contains(&shows[0]) && open.contains(&shows[DVR_OPEN_MAX + 4]));
}
