//! The same packets make the same bytes: playlists, manifest, initialisation segments and segments under `tests/golden/hls/`.
//! `UPDATE_GOLDEN=1 cargo test --lib hls_fallback::golden` writes them.

use std::path::Path;

use super::playlist::Variant;
use super::test_support::{Rig, each_two_seconds};

#[test]
fn the_same_packets_make_the_same_bytes() {
    let mut rig = Rig::new();
    // 28 s, in which one layer pauses and comes back.
    rig.play(0..300, &[0, 1], each_two_seconds);
    rig.play(300..420, &[0], each_two_seconds);
    rig.play(420..850, &[0, 1], each_two_seconds);
    let shelf = rig.store.newest();
    let mut files = vec![
        ("master.m3u8".to_owned(), shelf.master(false).text),
        ("plain.m3u8".to_owned(), shelf.master(true).text),
        ("manifest.mpd".to_owned(), shelf.manifest().text),
    ];
    for rendition in &shelf.renditions {
        let name = &rendition.name;
        for (variant, file) in [(Variant::LowLatency, "live"), (Variant::Delta, "delta"), (Variant::Plain, "plain")] {
            files.push((format!("{name}-{file}.m3u8"), shelf.playlist(name, variant).unwrap().text));
        }
        let init = rendition.inits.front().unwrap();
        files.push((format!("{name}-init.mp4"), init.data.clone()));
        files.push((format!("{name}-segment.m4s"), rendition.segments.back().unwrap().data.clone()));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hls");
    for (name, bytes) in files {
        let path = folder.join(&name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(golden == bytes, "{name} is not what it was:\n{}", String::from_utf8_lossy(&bytes));
    }
}
