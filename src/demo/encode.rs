//! The recording: draws the loop once, has `ffmpeg` encode it, and keeps the result in the data directory under a stamp.
//! Not a transcoder for anything else. Invariant: a folder whose stamp matches is complete; anything else is made anew, beside
//! the old one, and moved into place at the end.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;

use anyhow::{Context, bail, ensure};

use super::choreography::{FRAME_RATE, FRAMES};
use super::picture::Studio;
use super::sound;

/// Raise it when the picture, the sound or the encoder settings change: every cached recording is then made anew.
const VERSION: u32 = 4;
/// Width the frames are drawn at, pixels.
const DRAWN_WIDTH: u32 = 1280;
/// Frames between key frames, the same in all layers.
pub(super) const KEY_FRAME_EVERY: usize = 2 * FRAME_RATE;
/// The frame on the poster: the save.
const POSTER_FRAME: usize = 1131;

/// One simulcast layer of the recording.
pub(super) struct LayerSpec {
    /// The RTP stream id (RFC 8852).
    pub(super) rid: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bits per second.
    pub(super) bitrate_bps: u32,
}

/// The layers, lowest first.
pub(super) const LAYERS: [LayerSpec; 3] = [
    LayerSpec { rid: "l", width: 320, height: 180, bitrate_bps: 200_000 },
    LayerSpec { rid: "m", width: 640, height: 360, bitrate_bps: 700_000 },
    LayerSpec { rid: "h", width: 1280, height: 720, bitrate_bps: 2_200_000 },
];

/// Where the parts of a complete recording lie.
pub(super) struct Recording {
    folder: PathBuf,
}

impl Recording {
    pub(super) fn video(&self, layer: &LayerSpec) -> PathBuf {
        self.folder.join(format!("{}.h264", layer.rid))
    }

    pub(super) fn audio(&self) -> PathBuf {
        self.folder.join("sound.ogg")
    }

    pub(super) fn poster(&self) -> PathBuf {
        self.folder.join("poster.jpg")
    }

    fn files(&self) -> Vec<PathBuf> {
        LAYERS.iter().map(|layer| self.video(layer)).chain([self.audio(), self.poster()]).collect()
    }

    /// What the stamp of these files says: the version and every length, so that a file cut short does not match.
    fn stamp(&self) -> anyhow::Result<String> {
        let mut stamp = format!("courtside demo {VERSION}\n");
        for file in self.files() {
            let length = std::fs::metadata(&file).with_context(|| format!("{} is missing", file.display()))?.len();
            ensure!(length > 0, "{} is empty", file.display());
            stamp.push_str(&format!("{} {length}\n", file.file_name().unwrap_or_default().to_string_lossy()));
        }
        Ok(stamp)
    }

    fn is_complete(&self) -> bool {
        let written = std::fs::read_to_string(self.folder.join("stamp"));
        matches!((written, self.stamp()), (Ok(written), Ok(expected)) if written == expected)
    }
}

/// The recording of the data directory, made first if it is not there or not whole. `say` gets progress in words.
/// Takes about half a minute of two cores the first time; blocking.
pub(super) fn recording(data_dir: &Path, say: &dyn Fn(&str)) -> anyhow::Result<Recording> {
    let home = data_dir.join("demo");
    let ready = Recording { folder: home.join("match") };
    if ready.is_complete() {
        return Ok(ready);
    }
    if ready.folder.exists() {
        say("The recorded match is from another version or was cut short; recording it anew.");
    }
    let making = Recording { folder: home.join(format!("making-{}", std::process::id())) };
    std::fs::create_dir_all(&making.folder).with_context(|| format!("cannot create {}", making.folder.display()))?;
    let result = make(&making, say).and_then(|()| {
        std::fs::write(making.folder.join("stamp"), making.stamp()?)?;
        if ready.folder.exists() {
            std::fs::remove_dir_all(&ready.folder)?;
        }
        std::fs::rename(&making.folder, &ready.folder).context("cannot move the recording into place")
    });
    if let Err(error) = result {
        // The half-made folder is worth nothing; the error is what matters.
        let _ = std::fs::remove_dir_all(&making.folder);
        return Err(error);
    }
    Ok(ready)
}

#[expect(clippy::disallowed_methods, reason = "a shell: it says how long recording took")]
fn make(into: &Recording, say: &dyn Fn(&str)) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    say("Recording the demo match (once, about half a minute)...");
    let studio = Studio::new(DRAWN_WIDTH);
    let audio = into.audio();
    let samples = sound::one_loop(|frame| studio.mood(frame));
    let sound_thread = std::thread::Builder::new().name("demo-sound".to_owned()).spawn(move || encode_sound(&audio, &samples))?;
    encode_pictures(into, &studio, say)?;
    sound_thread.join().map_err(|_| anyhow::anyhow!("encoding the sound panicked"))??;
    encode_poster(into, &studio)?;
    say(&format!("The demo match is recorded ({} s).", started.elapsed().as_secs()));
    Ok(())
}

fn ffmpeg(arguments: &[String]) -> anyhow::Result<Child> {
    let child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    match child {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("the demo needs the program ffmpeg with libx264 and libopus (on Debian: apt install ffmpeg)")
        }
        other => other.context("cannot start ffmpeg"),
    }
}

/// Waits for the encoder and turns its complaint into the error.
fn finish(child: Child, written: std::io::Result<()>, what: &str) -> anyhow::Result<()> {
    let output = child.wait_with_output().context("cannot wait for ffmpeg")?;
    if !output.status.success() {
        bail!("ffmpeg could not encode the {what} ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    written.with_context(|| format!("ffmpeg stopped reading the {what}"))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn raw_video_input() -> Vec<String> {
    words(&format!("-f rawvideo -pix_fmt rgba -s {DRAWN_WIDTH}x{} -r {FRAME_RATE} -i pipe:0", DRAWN_WIDTH * 9 / 16))
}

fn encode_pictures(into: &Recording, studio: &Studio, say: &dyn Fn(&str)) -> anyhow::Result<()> {
    let mut arguments = raw_video_input();
    let splits: String = LAYERS.iter().map(|layer| format!("[in_{}]", layer.rid)).collect();
    let scales: String =
        LAYERS.iter().map(|l| format!(";[in_{}]scale={}:{}:flags=area,format=yuv420p[{}]", l.rid, l.width, l.height, l.rid)).collect();
    arguments.extend(["-filter_complex".to_owned(), format!("[0:v]split={}{splits}{scales}", LAYERS.len())]);
    for layer in &LAYERS {
        let rate = layer.bitrate_bps;
        arguments.extend(words(&format!(
            "-map [{}] -c:v libx264 -preset veryfast -tune zerolatency -profile:v baseline -level 3.1 -bf 0 -g {KEY_FRAME_EVERY} \
             -keyint_min {KEY_FRAME_EVERY} -sc_threshold 0 -b:v {rate} -maxrate {} -bufsize {} \
             -x264-params slices=1:sliced-threads=0:repeat-headers=1:scenecut=0 -f h264",
            layer.rid,
            rate * 5 / 4,
            rate,
        )));
        arguments.push(into.video(layer).to_string_lossy().into_owned());
    }
    let mut child = ffmpeg(&arguments)?;
    let mut pipe = child.stdin.take().expect("the child was started with a pipe");
    let written = draw_in_order(studio, &mut |frame, pixels| {
        if frame % (FRAMES / 5) == 0 && frame > 0 {
            say(&format!("  {} of {} seconds recorded", frame / FRAME_RATE, FRAMES / FRAME_RATE));
        }
        pipe.write_all(pixels)
    });
    drop(pipe);
    finish(child, written, "picture")
}

/// Draws all frames on all cores and hands them on in order.
fn draw_in_order(studio: &Studio, each: &mut dyn FnMut(usize, &[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
    let hands = std::thread::available_parallelism().map_or(2, |count| count.get().min(crate::limits::DEMO_DRAWING_THREADS_MAX));
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..hands)
            .map(|hand| {
                let (sender, receiver) = sync_channel(2);
                scope.spawn(move || {
                    for frame in (hand..FRAMES).step_by(hands) {
                        // The reader has given up: so may we.
                        if sender.send(studio.draw(frame)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for frame in 0..FRAMES {
            let Ok(canvas) = lanes[frame % hands].recv() else {
                return Err(std::io::Error::other("a drawing thread panicked"));
            };
            each(frame, canvas.bytes())?;
        }
        Ok(())
    })
}

/// Encodes the loop twice over: the reader takes the second round, whose first packet already knows what came before it.
fn encode_sound(into: &Path, samples: &[i16]) -> anyhow::Result<()> {
    let mut arguments = words(&format!("-f s16le -ar {} -ac 2 -i pipe:0", sound::SAMPLE_RATE));
    arguments.extend(words("-c:a libopus -b:a 96k -frame_duration 20 -application audio -f ogg"));
    arguments.push(into.to_string_lossy().into_owned());
    let mut child = ffmpeg(&arguments)?;
    let mut pipe = child.stdin.take().expect("the child was started with a pipe");
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    // A little of the third round, so that the encoder's look-ahead does not end the second one early.
    let written = [&bytes[..], &bytes[..], &bytes[..bytes.len() / 50]].into_iter().try_for_each(|part| pipe.write_all(part));
    drop(pipe);
    finish(child, written, "sound")
}

fn encode_poster(into: &Recording, studio: &Studio) -> anyhow::Result<()> {
    let mut arguments = raw_video_input();
    arguments.extend(words("-frames:v 1 -q:v 4 -f image2 -update 1"));
    arguments.push(into.poster().to_string_lossy().into_owned());
    let mut child = ffmpeg(&arguments)?;
    let mut pipe = child.stdin.take().expect("the child was started with a pipe");
    let written = pipe.write_all(studio.draw(POSTER_FRAME).bytes());
    drop(pipe);
    finish(child, written, "poster")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(folder: &Path) -> Recording {
        let recording = Recording { folder: folder.to_owned() };
        for file in recording.files() {
            std::fs::write(file, "content").expect("writable");
        }
        std::fs::write(folder.join("stamp"), recording.stamp().expect("files are there")).expect("writable");
        recording
    }

    #[test]
    fn a_complete_recording_is_used_and_a_cut_one_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let recording = complete(folder.path());
        assert!(recording.is_complete());
        std::fs::write(recording.video(&LAYERS[1]), "cont").expect("writable");
        assert!(!recording.is_complete());
    }

    #[test]
    fn a_recording_without_stamp_is_not_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let recording = complete(folder.path());
        std::fs::remove_file(folder.path().join("stamp")).expect("it is there");
        assert!(!recording.is_complete());
    }
}
