//! Which receiving m-line carries what, read off the answer that our own media plane wrote.

use super::protocol::Slot;
use crate::sfu::codec::MediaKind;

/// The source of the broadcast itself.
const MAIN: &str = "main";

/// The first video and the first audio m-line on which the server sends carry the broadcast; further ones stay empty.
pub(crate) fn main_slots(answer: &str) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for section in sections(answer) {
        let is_free = section.kind.is_some_and(|kind| slots.iter().all(|slot| slot.kind != kind));
        if let (Some(kind), Some(mid), true) = (section.kind, section.mid, is_free && section.sends) {
            slots.push(Slot { mid: mid.to_owned(), kind, source: MAIN.to_owned() });
        }
    }
    slots
}

struct Section<'a> {
    kind: Option<MediaKind>,
    mid: Option<&'a str>,
    sends: bool,
}

fn sections(sdp: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in sdp.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = match words.next() {
                Some("audio") => Some(MediaKind::Audio),
                Some("video") => Some(MediaKind::Video),
                Some(_) | None => None,
            };
            // Port 0 is a rejected m-line (RFC 3264 section 6); a bundled one that is accepted has another port.
            let is_accepted = words.next().is_some_and(|port| port != "0");
            sections.push(Section { kind: kind.filter(|_| is_accepted), mid: None, sends: false });
        }
        let Some(section) = sections.last_mut() else { continue };
        if let Some(mid) = line.strip_prefix("a=mid:") {
            section.mid = Some(mid);
        }
        section.sends |= matches!(line, "a=sendonly" | "a=sendrecv");
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sending_line_of_each_kind_is_the_broadcast() {
        let answer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=recvonly\r\n\
                      m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=sendonly\r\n\
                      m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendonly\r\na=mid:2\r\n\
                      m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:3\r\na=sendrecv\r\n\
                      m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:4\r\na=sendonly\r\n";
        let slots: Vec<(String, MediaKind)> = main_slots(answer).into_iter().map(|slot| (slot.mid, slot.kind)).collect();
        assert_eq!(slots, [("2".to_owned(), MediaKind::Video), ("3".to_owned(), MediaKind::Audio)]);
    }
}
